"""Operator that removes the warnings that a panel shows."""

import bpy

from ..background_job import OperatorReturn
from ..properties import notices


class PASDEDEUX_OT_dismiss_notices(bpy.types.Operator):
    """Remove these warnings from the panel; they stay in the Info editor"""

    bl_idname = "pasdedeux.dismiss_notices"
    bl_label = "Dismiss"
    bl_options = {"UNDO"}

    operators: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Operators", description="Identifiers of the operators that warned, with commas between them"
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        notices.dismiss(context, self.operators.split(","))
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_dismiss_notices,)
