"""Panel of retargeting: source and target rigs, options, and Retarget."""

import bpy

from ..animation import rigify
from ..properties.retarget_settings import draw_options, option_values
from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_main_button, draw_notices, draw_progress, split_layout


class PASDEDEUX_PT_retarget(DuetPanel):
    """Retarget the motion of one rig to another"""

    bl_idname = "PASDEDEUX_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = scene_settings(context).retargeting
        layout = split_layout(self)
        column = layout.column(align=True)
        column.prop(settings, "source", placeholder="Other Selected")
        column.prop(settings, "target", placeholder="Active")
        column = layout.column(align=True)
        column.prop(settings, "partner_source", placeholder="None")
        column.prop(settings, "partner_target", placeholder="None")
        target = settings.target or context.active_object
        pair = bool(settings.partner_source or settings.partner_target)
        draw_options(layout, settings, pair=pair, ik_fk=target is not None and rigify.is_rigify(target))
        button = draw_main_button(layout, "pasdedeux.retarget", icon="POSE_HLT")
        for name in ("source", "target", "partner_source", "partner_target"):
            armature = getattr(settings, name)
            setattr(button, name, armature.name if armature else "")
        both = layout.operator("pasdedeux.retarget_pair", icon="COMMUNITY")
        batch = layout.operator("pasdedeux.choose_takes", icon="FILE_FOLDER")
        batch.target = settings.target.name if settings.target else ""
        for name, value in option_values(settings).items():
            setattr(button, name, value)
            setattr(both, name, value)
            setattr(batch, name, value)
        draw_progress(layout)
        draw_notices(layout, context, "pasdedeux.retarget", "pasdedeux.retarget_pair", "pasdedeux.retarget_batch")
        draw_notices(layout, context, "pasdedeux.release_bones")


CLASSES = (PASDEDEUX_PT_retarget,)
