"""Panel of the backend: where it runs, how it is, and the one button that does what is next."""

from typing import Any

import bpy

from ..operators.backend.process import is_running
from ..operators.backend.status import BackendStatus, backend_status
from ..properties.preferences import addon_preferences, draw_connection
from .layout import DuetPanel

_LIGHTS: dict[str, tuple[str, Any]] = {
    # A state's name for people, and its light.
    "off": ("Off", "RADIOBUT_OFF"),
    "starting": ("Starting", "SORTTIME"),
    "ready": ("Ready", "RADIOBUT_ON"),
    "busy": ("Busy", "PLAY"),
    "lost": ("Lost", "ERROR"),
}


class PASDEDEUX_PT_backend(DuetPanel):
    """The program that generates dances and music, on this computer or on a server"""

    bl_idname = "PASDEDEUX_PT_backend"
    bl_label = "Backend"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        preferences = addon_preferences(context)
        assert self.layout
        column = self.layout.column()
        draw_connection(column, preferences)
        status = backend_status(context)
        name, light = _LIGHTS[status.state]
        row = column.row(align=True)
        row.label(text=f"{name}: {status.text}" if status.text else name, icon=light)
        row.operator("pasdedeux.show_backend_log", text="", icon="TEXT")
        _draw_next_button(column, status, on_server=preferences.location == "SERVER")


def _draw_next_button(layout: bpy.types.UILayout, status: BackendStatus, *, on_server: bool) -> None:
    """Draw the button that does the next right thing."""
    if status.state in ("starting", "busy"):
        layout.operator("pasdedeux.cancel", icon="X")
    elif on_server:
        text = "Reconnect" if status.state == "lost" else "Test Connection"
        layout.operator("pasdedeux.test_connection", text=text, icon="FILE_REFRESH")
    elif status.state == "off":
        layout.operator("pasdedeux.start_backend", icon="PLAY")
    elif status.state == "lost":
        layout.operator("pasdedeux.start_backend", text="Restart Backend", icon="FILE_REFRESH")
    elif is_running():
        layout.operator("pasdedeux.stop_backend", icon="PAUSE")
    else:
        layout.operator("pasdedeux.test_connection", icon="FILE_REFRESH")


CLASSES = (PASDEDEUX_PT_backend,)
