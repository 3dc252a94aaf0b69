"""Panel for the animator's own work on a take: Fewer Keys, FK or IK, and the correction layer."""

import bpy

from ..animation import armatures
from ..animation.control_bones import IK, LIMBS, has_controls
from ..animation.keys import nla
from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_notices, split_layout


class PASDEDEUX_PT_editing(DuetPanel):
    """Edit the dancers' keys by hand"""

    bl_idname = "PASDEDEUX_PT_editing"
    bl_label = "Editing"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout = split_layout(self)
        layout.prop(scene_settings(context), "fewer_keys")
        dancer = context.active_object
        if dancer is None or not isinstance(dancer.data, bpy.types.Armature):
            return
        if has_controls(dancer):
            _draw_limbs(layout, dancer)
        elif armatures.is_dancer(dancer):
            layout.operator("pasdedeux.add_controls", icon="CON_KINEMATIC")
        if nla.has_correction_layer(dancer):
            assert dancer.animation_data
            row = layout.row(align=True)
            row.prop(dancer.animation_data, "action_influence", text="Corrections", slider=True)
            row.operator("pasdedeux.remove_correction_layer", text="", icon="X")
        else:
            layout.operator("pasdedeux.add_correction_layer", icon="NLA_PUSHDOWN")
        if has_controls(dancer) or nla.has_correction_layer(dancer):
            layout.operator("pasdedeux.bake_edits", icon="ACTION")
        draw_notices(layout, context, "pasdedeux.bake_edits")


def _draw_limbs(layout: bpy.types.UILayout, dancer: bpy.types.Object) -> None:
    """Draw each limb's slider between FK and IK."""
    assert dancer.pose is not None
    column = layout.column(align=True)
    for limb in LIMBS:
        column.prop(dancer.pose.bones[limb.control], f'["{IK}"]', text=f"{limb.label} IK", slider=True)


CLASSES = (PASDEDEUX_PT_editing,)
