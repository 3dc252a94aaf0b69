"""Operators that cancel the running job, and the preview that is rendered beside it."""

from typing import ClassVar

import bpy

from ..background_job import JobSlot, OperatorReturn, main_slot, preview_slot


class _CancelOperator(bpy.types.Operator):
    """Base of the operators that cancel the job of a slot."""

    slot: ClassVar[JobSlot]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if cls.slot.job is None:
            cls.poll_message_set("No operation is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if self.slot.job is not None:
            self.slot.job.cancel()
        return {"FINISHED"}


class PASDEDEUX_OT_cancel(_CancelOperator):
    """Cancel the running operation and leave the scene unchanged"""

    bl_idname = "pasdedeux.cancel"
    bl_label = "Cancel"
    slot = main_slot


class PASDEDEUX_OT_cancel_preview(_CancelOperator):
    """Cancel rendering the preview; no file is left"""

    bl_idname = "pasdedeux.cancel_preview"
    bl_label = "Cancel Preview"
    slot = preview_slot


CLASSES = (PASDEDEUX_OT_cancel, PASDEDEUX_OT_cancel_preview)
