"""Panel of the preview: what it shows, its video and sound, and the progress of the one that is rendered."""

import bpy

from .. import background_job
from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_main_button, draw_notices, draw_progress, split_layout


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
        draw_progress(self.layout, background_job.preview_slot, "pasdedeux.cancel_preview")
        draw_notices(self.layout, context, "pasdedeux.render_preview")


class PASDEDEUX_PT_preview_options(DuetPanel):
    """Frames, resolution, camera and characters of the preview, and a take beside"""

    bl_idname = "PASDEDEUX_PT_preview_options"
    bl_label = "Options"
    bl_parent_id = "PASDEDEUX_PT_preview"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = split_layout(self), scene_settings(context).preview_settings
        layout.prop(settings, "frames")
        if settings.frames == "CUSTOM":
            column = layout.column(align=True)
            column.prop(settings, "first")
            column.prop(settings, "last")
        layout.prop(settings, "resolution")
        layout.prop(settings, "camera")
        if settings.camera == "OBJECT":
            layout.prop(settings, "camera_object", text=" ")
        layout.prop(settings, "characters")
        if settings.characters == "OWN":
            layout.prop(settings, "shading")
        layout.prop(settings, "beside")


CLASSES = (PASDEDEUX_PT_preview, PASDEDEUX_PT_preview_options)
