"""Panel of the partner's direction: closeness, energy, place, kept poses, post-processing, and Redo Range."""

import bpy

from ..properties.direction_settings import undirectable_reason
from ..properties.settings import scene_settings
from .layout import DuetPanel, split_layout
from .partner import PASDEDEUX_PT_partner


class PASDEDEUX_PT_direction(DuetPanel):
    """How the partner is directed"""

    bl_idname = "PASDEDEUX_PT_direction"
    bl_label = "Direction"
    bl_parent_id = PASDEDEUX_PT_partner.bl_idname
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = scene_settings(context)
        layout = split_layout(self)
        reason = undirectable_reason(settings.model)
        if reason:
            layout.label(text=reason, icon="INFO")
        column = layout.column()
        column.enabled = not reason
        column.prop(settings, "closeness")
        column.prop(settings, "energy")
        column.prop(settings, "keep_keyed")
        place = column.column()
        place.enabled = not settings.keep_keyed  # the kept poses say where the partner is
        place.prop(settings, "place")
        if settings.place:
            place = place.column(align=True)
            for name in ("ahead", "left", "turned"):
                place.prop(settings, name)
        column.column(heading="Post-Process").prop(settings, "post_processing", expand=True)
        frames = column.column(align=True)
        frames.prop(settings, "range_from", text="Redo From")
        frames.prop(settings, "range_to", text="To")
        button = column.operator("pasdedeux.redo_range", icon="FILE_REFRESH")
        button.new_seed = not settings.lock_seed


CLASSES = (PASDEDEUX_PT_direction,)
