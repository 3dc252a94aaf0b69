"""Add-on preferences: whether the backend runs on this computer or on a server, and how the server is reached."""

from urllib.parse import urlsplit

import bpy

from ..context_access import EXTENSION_PACKAGE

_LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class PASDEDEUX_preferences(bpy.types.AddonPreferences):
    """Settings of this machine rather than of a scene"""

    bl_idname = EXTENSION_PACKAGE

    location: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Backend",
        description="Where dances and music are generated",
        items=(
            ("THIS_COMPUTER", "This Computer", "By the backend inside this extension, which starts by itself"),
            ("SERVER", "A Server", "By a backend that runs on its own, such as one on a computer with a GPU"),
        ),
    )
    address: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Address",
        description="Address of the server, such as tcp://gpubox:7429",
    )
    keys: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Key Folder",
        description="Folder with your keys, client.key_secret and server.key; empty for a server without keys",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        self.layout.use_property_split = True
        draw_connection(self.layout, self)
        if self.location == "SERVER":
            self.layout.operator("pasdedeux.test_connection")


def draw_connection(layout: bpy.types.UILayout, preferences: PASDEDEUX_preferences) -> None:
    """Draw where the backend runs and, for a server, how it is reached."""
    layout.row().prop(preferences, "location", expand=True)
    if preferences.location == "SERVER":
        layout.prop(preferences, "address", text="", placeholder="tcp://gpubox:7429")
        layout.prop(preferences, "keys", text="", placeholder="Key Folder")


def addon_preferences(context: bpy.types.Context) -> PASDEDEUX_preferences:
    """The extension's preferences."""
    assert context.preferences is not None
    addon = context.preferences.addons[EXTENSION_PACKAGE]
    assert isinstance(addon.preferences, PASDEDEUX_preferences)
    return addon.preferences


def is_local(address: str) -> bool:
    """Whether the address is on this machine."""
    return urlsplit(address).hostname in _LOOPBACK_HOSTS


CLASSES = (PASDEDEUX_preferences,)
