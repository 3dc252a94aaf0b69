"""Operator that keys a dancer's joints and controls as they are shown: corrections applied, FK and IK matched."""

import bpy

from rigs.motion import Motion
from rigs.retargeting.pose_reduction import KeyedMotion

from ...animation import armatures, rig_motion
from ...animation.keys import frame_ranges, keyframes, nla
from ...animation.sampling import evaluation
from ...animation.takes import take_list as takes
from ...background_job import OperatorReturn, error_message
from ...context_access import active_scene, metres_per_unit
from ...properties.settings import key_tolerance, scene_settings
from .release_bones import warn_of_overridden_keys


class PASDEDEUX_OT_bake_edits(bpy.types.Operator):
    """Key what is shown as a new action: corrections are applied, and FK and IK match. The take before is kept"""

    bl_idname = "pasdedeux.bake_edits"
    bl_label = "Bake Edits"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        dancer = context.active_object
        if dancer is None or not armatures.is_dancer(dancer):
            cls.poll_message_set("Select a dancer that Pas de Deux added")
            return False
        if not frame_ranges.is_animated(dancer):
            cls.poll_message_set(f"{dancer.name} has no animation to bake: import or generate one first")
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
            self._bake(context, dancer)
        except Exception as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}

    def _bake(self, context: bpy.types.Context, dancer: bpy.types.Object) -> None:
        frames, metres = frame_ranges.frame_range(dancer), metres_per_unit(active_scene(context))
        assert frames is not None
        evaluation.update_transforms(context, [dancer])
        motion: Motion | KeyedMotion = armatures.sample_motion(context, dancer, frames, metres=metres)
        assert isinstance(motion, Motion)
        motion = rig_motion.reduce_dancer_keys(motion, key_tolerance(scene_settings(context)))
        channels = armatures.motion_channels(dancer, motion, metres=metres)
        base = nla.base_action(dancer)
        takes.keep_assigned(context, dancer)
        if nla.has_correction_layer(dancer):
            nla.remove_correction_layer(dancer)
        name = f"{base.name} baked" if base is not None else dancer.name
        action = keyframes.write_keyframes(dancer, channels, name=name, first=frames.start)
        self.report({"INFO"}, f"{dancer.name} now plays {action.name}")
        warn_of_overridden_keys(self, context, [dancer], add=False)


CLASSES = (PASDEDEUX_OT_bake_edits,)
