"""Where the backend is, kept in Blender's preferences."""

from urllib.parse import urlsplit

import bpy

from ..background_job import Refused
from ..context_access import EXTENSION

_HERE = {"127.0.0.1", "localhost", "::1"}


class PASDEDEUX_preferences(bpy.types.AddonPreferences):
    """Settings of this machine rather than of a scene"""

    bl_idname = EXTENSION

    address: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Backend address",
        description="Where the backend that generates dancers listens",
        default="tcp://127.0.0.1:7429",
    )
    python: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Python with the backend",
        description="The python program of the environment in which the backend is installed, for Start Backend",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        self.layout.prop(self, "address")
        self.layout.prop(self, "python")


def of(context: bpy.types.Context) -> PASDEDEUX_preferences:
    """This extension's preferences."""
    assert context.preferences is not None
    addon = context.preferences.addons[EXTENSION]
    assert isinstance(addon.preferences, PASDEDEUX_preferences)
    return addon.preferences


def is_here(address: str) -> bool:
    """Whether the address is on this machine."""
    return urlsplit(address).hostname in _HERE


def reachable_address(context: bpy.types.Context) -> str:
    """The backend's address; raises Refused for another machine while Blender is kept offline."""
    address: str = of(context).address
    if not is_here(address) and not bpy.app.online_access:
        raise Refused(f"Allow Online Access in Blender's System preferences to use the backend at {address}")
    return address


CLASSES = (PASDEDEUX_preferences,)
