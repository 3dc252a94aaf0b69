"""Panel of the partner: the model or choreographic device, its options, and Generate Partner."""

import bpy

from ..properties.settings import PASDEDEUX_PG_settings, is_choreographic_device, scene_settings, uses_delay
from .layout import DuetPanel, draw_main_button, draw_missing, draw_notices, draw_progress, split_layout


class PASDEDEUX_PT_partner(DuetPanel):
    """Generate the second dancer of the duet"""

    bl_idname = "PASDEDEUX_PT_partner"
    bl_label = "Partner"

    def draw(self, context: bpy.types.Context) -> None:
        settings = scene_settings(context)
        layout = split_layout(self)
        layout.prop(settings, "model")
        if is_choreographic_device(settings):
            _draw_device(layout, settings)
        else:
            layout.row().prop(settings, "role", expand=True)
            row = layout.row(align=True)
            row.prop(settings, "seed")
            row.prop(settings, "lock_seed", text="", icon="LOCKED" if settings.lock_seed else "UNLOCKED")
            layout.prop(settings, "takes")
        layout.prop(settings, "partner", text="Armature", placeholder="New Dancer")
        draw_missing(layout, context, settings.partner)
        button = draw_main_button(layout, "pasdedeux.generate_partner", icon="COMMUNITY")
        button.new_seed = not settings.lock_seed
        draw_progress(layout)
        draw_notices(layout, context, "pasdedeux.generate_partner", "pasdedeux.redo_range")


def _draw_device(layout: bpy.types.UILayout, settings: PASDEDEUX_PG_settings) -> None:
    """Draw the options of a choreographic device."""
    layout.prop(settings, "formation")
    layout.prop(settings, "distance")
    if uses_delay(settings):
        layout.prop(settings, "delay")
        layout.row().prop(settings, "delay_in", expand=True)


CLASSES = (PASDEDEUX_PT_partner,)
