"""Panel of the preview: render a video of the duet."""

import bpy

from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_main_button


class PASDEDEUX_PT_preview(DuetPanel):
    """Render a preview video of the duet"""

    bl_idname = "PASDEDEUX_PT_preview"
    bl_label = "Preview"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.prop(scene_settings(context), "preview", text="", placeholder="duet.mp4 beside the .blend")
        column.prop(scene_settings(context), "sound", text="", placeholder="Video Sequencer's sound")
        draw_main_button(self.layout, "pasdedeux.render_preview", icon="RENDER_ANIMATION")


CLASSES = (PASDEDEUX_PT_preview,)
