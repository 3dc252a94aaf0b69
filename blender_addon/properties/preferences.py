"""Add-on preferences: the backend's address, and the Python that starts it on this machine."""

from urllib.parse import urlsplit

import bpy

from backend.protocol import DEFAULT_URL

from ..context_access import EXTENSION_PACKAGE

_LOOPBACK_HOSTS = {"127.0.0.1", "localhost", "::1"}


class PASDEDEUX_preferences(bpy.types.AddonPreferences):
    """Settings of this machine rather than of a scene"""

    bl_idname = EXTENSION_PACKAGE

    address: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backend Address",
        description="Address at which the backend that generates dances listens",
        default=DEFAULT_URL,
    )
    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backend Python",
        description="Python executable of the environment in which the backend is installed, for Start Backend",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        self.layout.prop(self, "address")
        self.layout.prop(self, "python")


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
