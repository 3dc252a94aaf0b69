"""Operator that adds IK controls for hands and feet to a dancer."""

import bpy

from ...animation import armatures, controls
from ...animation.control_bones import has_controls
from ...animation.takes import take_list as takes
from ...background_job import OperatorReturn, error_message
from ...context_access import armature_data


class PASDEDEUX_OT_add_controls(bpy.types.Operator):
    """Add controls for hands, feet, elbows and knees, with a slider a limb from FK to IK; the dance stays as it is"""

    bl_idname = "pasdedeux.add_controls"
    bl_label = "Add Controls"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        dancer = context.active_object
        if dancer is None or not armatures.is_dancer(dancer):
            cls.poll_message_set("Select a dancer that Pas de Deux added; other rigs have controls of their own")
            return False
        if has_controls(dancer):
            cls.poll_message_set(f"{dancer.name} has its controls: choose FK or IK for each limb in the Editing panel")
            return False
        if dancer.mode == "EDIT":
            cls.poll_message_set("Leave Edit Mode first")
            return False
        if dancer.animation_data is not None and dancer.animation_data.use_tweak_mode:
            cls.poll_message_set("Exit the tweak mode of the NLA strip first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        dancer = context.active_object
        assert dancer is not None
        try:
            armatures.require_local(dancer)
            armatures.require_local(armature_data(dancer))
            armatures.read_rig(dancer)
        except Exception as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        controls.add_controls(context, dancer)
        takes.key_controls(context, dancer)
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_add_controls,)
