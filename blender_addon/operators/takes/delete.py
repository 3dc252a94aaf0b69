"""Operator that deletes a take with its actions, unless they are used elsewhere; its files stay."""

import bpy

from ...animation.takes import ghosts
from ...animation.takes import take_list as takes
from ...background_job import OperatorError, OperatorReturn
from ...context_access import active_scene, window_manager
from ...media import music_takes
from ...properties.settings import scene_settings
from ...properties.take_list import PASDEDEUX_PG_take
from .show import TakeOperator


class PASDEDEUX_OT_take_delete(TakeOperator):
    """Delete this take and its action, unless it is used elsewhere; asks if it is starred or was edited by hand"""

    bl_idname = "pasdedeux.take_delete"
    bl_label = "Delete Take"
    bl_options = {"REGISTER", "UNDO"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        try:
            entry = self.entry(context)
        except OperatorError:
            return self.execute(context)
        reason = delete_question(entry)
        if not reason or bpy.app.background:
            return self.execute(context)
        return window_manager(context).invoke_confirm(
            self, event, title=f"Delete {entry.label}?", message=reason, confirm_text="Delete", icon="WARNING"
        )

    def apply(self, context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
        label, uid, is_music = entry.label, entry.uid, entry.kind == "compose"
        shown = [part for part in takes.take_parts(entry) if takes.is_assigned(part)]
        successor = takes.neighbour(context, entry) if shown else None
        if successor is not None:
            takes.show_take(context, successor)
        if ghosts.ghost_take(active_scene(context)) == uid:
            ghosts.remove_ghost(context)
        entry = takes.require_take(context, uid)
        if is_music and (music := music_takes.take_music(entry)) is not None:
            self.report({"INFO"}, f"The files of {label} stay in {music.sound.parent}")
        music_takes.remove_music(context, entry)
        for name in takes.remove_take(context, uid):
            self.report({"INFO"}, f"The action {name} stays, as it is used elsewhere")
        if successor is not None:
            settings = scene_settings(context)
            music_takes.show_music(context, settings.take_list[settings.take_index], self.report)


def delete_question(entry: PASDEDEUX_PG_take) -> str:
    """Why to ask before a take is deleted; empty: there is no need."""
    if entry.starred:
        return "It is starred"
    if entry.kind == "own" and entry.action:
        return "It was not generated, but animated or imported"
    return "It was edited by hand" if entry.kind != "compose" and takes.is_edited(entry) else ""


CLASSES = (PASDEDEUX_OT_take_delete,)
