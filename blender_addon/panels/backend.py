"""Panel of the backend: where it runs, and how it is."""

import bpy

from ..operators import backend_process
from ..properties.preferences import addon_preferences, is_local
from .layout import DuetPanel


class PASDEDEUX_PT_backend(DuetPanel):
    """Connect to the backend that generates dances and music"""

    bl_idname = "PASDEDEUX_PT_backend"
    bl_label = "Backend"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        preferences = addon_preferences(context)
        assert self.layout
        column = self.layout.column()
        column.prop(preferences, "address", text="")
        if not is_local(preferences.address):
            return
        column.prop(preferences, "python", text="", placeholder="Backend Python")
        if backend_process.is_running():
            column.operator("pasdedeux.stop_backend", icon="PAUSE")
        else:
            column.operator("pasdedeux.start_backend", icon="PLAY")


CLASSES = (PASDEDEUX_PT_backend,)
