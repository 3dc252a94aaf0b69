"""Operators that add and remove a correction layer: an additive action above a take, for corrections by hand."""

import bpy

from ...animation import armatures
from ...animation.keys import frame_ranges, nla
from ...background_job import OperatorReturn


class _CorrectionOperator(bpy.types.Operator):
    """Base of the operators on the active armature's correction layer"""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.active_object
        if obj is None or not isinstance(obj.data, bpy.types.Armature):
            cls.poll_message_set("Select an animated armature first")
            return False
        if obj.library is not None:
            cls.poll_message_set(f"{obj.name} is linked from another file: make it local, or a library override")
            return False
        if obj.animation_data is not None and obj.animation_data.use_tweak_mode:
            cls.poll_message_set("Exit the tweak mode of the NLA strip first")
            return False
        return cls.poll_layer(obj)

    @classmethod
    def poll_layer(cls, obj: bpy.types.Object) -> bool:
        """Whether the armature can have its layer changed."""
        raise NotImplementedError


class PASDEDEUX_OT_add_correction_layer(_CorrectionOperator):
    """Push the take down to an NLA strip and key corrections on a layer above it, which leaves the take as it is"""

    bl_idname = "pasdedeux.add_correction_layer"
    bl_label = "Add Correction Layer"

    @classmethod
    def poll_layer(cls, obj: bpy.types.Object) -> bool:
        if nla.has_correction_layer(obj):
            cls.poll_message_set("The correction layer is there: pose the dancer and insert keyframes")
            return False
        if not frame_ranges.is_animated(obj):
            cls.poll_message_set(f"{obj.name} has no animation to correct: import or generate one first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        obj = context.active_object
        assert obj is not None
        armatures.require_local(obj)
        nla.add_correction_layer(obj)
        return {"FINISHED"}


class PASDEDEUX_OT_remove_correction_layer(_CorrectionOperator):
    """Play the take without its corrections; their action is kept in the file"""

    bl_idname = "pasdedeux.remove_correction_layer"
    bl_label = "Remove Correction Layer"

    @classmethod
    def poll_layer(cls, obj: bpy.types.Object) -> bool:
        if not nla.has_correction_layer(obj):
            cls.poll_message_set(f"{obj.name} has no correction layer")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        obj = context.active_object
        assert obj is not None
        nla.remove_correction_layer(obj)
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_add_correction_layer, PASDEDEUX_OT_remove_correction_layer)
