"""Operator that adds a dancer in its T-pose, to animate by hand."""

import bpy

from rigs.skeleton import DEFAULT_SKELETON

from ..animation import dancers
from ..background_job import OperatorReturn
from ..properties.settings import scene_settings


class PASDEDEUX_OT_add_dancer(bpy.types.Operator):
    """Add a dancer in a T-pose, to animate by hand"""

    bl_idname = "pasdedeux.add_dancer"
    bl_label = "Add Dancer"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        settings = scene_settings(context)
        dancer = dancers.add_dancer(context, "Dancer", DEFAULT_SKELETON, partner=settings.leader is not None)
        dancers.select_only(context, dancer)
        if settings.leader is None:
            settings.leader = dancer
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_add_dancer,)
