"""Operator that shows a take: its dancers dance it, and its music plays. Also the base of the operators on takes."""

import bpy

from ...animation.takes import take_list as takes
from ...background_job import OperatorError, OperatorReturn, error_message
from ...media import music_takes
from ...properties.settings import scene_settings
from ...properties.take_list import PASDEDEUX_PG_take
from ..editing.release_bones import warn_of_overridden_keys


class TakeOperator(bpy.types.Operator):
    """Base of the operators on a take of the scene's list"""

    index: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Take",
        description="Place of the take in the list, from 0; -1: the chosen one",
        default=-1,
        min=-1,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if context.scene is None or not len(scene_settings(context).take_list):
            cls.poll_message_set("There are no takes yet: press Generate Partner, Generate Dance or Compose Music")
            return False
        return True

    def apply(self, context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
        """Do the operator's work. Raises OperatorError or ValueError before anything changes."""
        raise NotImplementedError

    def entry(self, context: bpy.types.Context) -> PASDEDEUX_PG_take:
        """The take that the operator is for. Raises OperatorError if the list has no such one."""
        settings = scene_settings(context)
        index = settings.take_index if self.index < 0 else self.index
        if index >= len(settings.take_list):
            raise OperatorError(f"A take of 0 to {len(settings.take_list) - 1} expected, found {index}")
        entry: PASDEDEUX_PG_take = settings.take_list[index]
        return entry

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        try:
            self.apply(context, self.entry(context))
        except (OperatorError, ValueError) as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class PASDEDEUX_OT_take_show(TakeOperator):
    """Let the dancers dance this take and play its music; what they dance now stays in the list"""

    bl_idname = "pasdedeux.take_show"
    bl_label = "Show Take"
    bl_options = {"REGISTER", "UNDO"}

    def apply(self, context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
        uid = entry.uid
        if entry.kind == "compose":
            scene_settings(context).take_index = takes.index_of(context, uid)
        else:
            takes.show_take(context, entry)
            parts = takes.take_parts(takes.require_take(context, uid))
            shown = [part.dancer for part in parts if part.dancer is not None]
            warn_of_overridden_keys(self, context, shown, add=False)
        music_takes.show_music(context, takes.require_take(context, uid), self.report)


CLASSES = (PASDEDEUX_OT_take_show,)
