"""Warnings of bones that do not follow the keys just written, and the operator that releases them."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import bpy

from ...animation.pose_check import bone_holds, pose_check
from ...animation.pose_check.bone_holds import Hold
from ...animation.pose_check.pose_check import HeldBones
from ...background_job import OperatorReturn
from ...context_access import active_scene, active_view_layer
from ...properties import held_bones, notices
from ...properties.held_bones import KeptHold


def warn_of_held_bones(
    operator: bpy.types.Operator, context: bpy.types.Context, held: Sequence[HeldBones], *, add: bool = True
) -> None:
    """Report bones that do not follow their keys, one warning a rig, and keep what holds them for Release Bones.

    Call it in `apply`, once, also without any, so that those of the run before go.
    add: keep the warnings that this run has shown so far, see `notices.show_warnings`.
    """
    held = pose_check.merge_held_bones(held)
    rigs = dict.fromkeys(group.rig for group in held)
    texts = [pose_check.held_bones_warning([group for group in held if group.rig == rig]) for rig in rigs]
    notices.show_warnings(operator, context, texts, add=add)
    objects = active_scene(context).objects
    kept = [
        KeptHold(objects[group.rig], group.hold.kind, group.hold.bone, group.hold.name)
        for group in held
        if group.hold.can_release
    ]
    held_bones.keep_holds(context, type(operator).bl_idname, kept)


def warn_of_overridden_keys(
    operator: bpy.types.Operator, context: bpy.types.Context, dancers: Sequence[bpy.types.Object], *, add: bool = True
) -> None:
    """The same for the actions that dancers play now, where a rig has a dancer's bones."""
    held: list[HeldBones] = []
    for dancer in dancers:
        with suppress(ValueError):  # a rig that plays its animator's own action need not be a dancer
            held += pose_check.find_overridden_bones(context, dancer)
    warn_of_held_bones(operator, context, held, add=add)


class PASDEDEUX_OT_release_bones(bpy.types.Operator):
    """Let the bones follow their keys again: mute the constraints and drivers that were named, leave Rest Position"""

    bl_idname = "pasdedeux.release_bones"
    bl_label = "Release Bones"
    bl_options = {"REGISTER", "UNDO"}

    operators: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Operators",
        description="Identifiers of the operators whose keys are overridden, with commas between them; empty: all",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        kept: Any = active_scene(context).pas_de_deux.held_bones  # type: ignore[attr-defined]
        names = self.operators.split(",") if self.operators else list(dict.fromkeys(entry.operator for entry in kept))
        holds = held_bones.holds_of(context, names)
        if not holds:
            self.report({"ERROR"}, "There are no bones to release: retarget or generate first")
            return {"CANCELLED"}
        for hold in holds:
            bone_holds.release(hold.target, Hold(hold.kind, hold.bone, hold.name))  # type: ignore[arg-type]
        active_view_layer(context).update()
        targets = list(dict.fromkeys(hold.target for hold in holds))
        notices.dismiss(context, names)
        held_bones.forget_holds(context, names)
        count = "1 thing" if len(holds) == 1 else f"{len(holds)} things"
        self.report({"INFO"}, f"Released {count} that held bones of {', '.join(obj.name for obj in targets)}")
        warn_of_overridden_keys(self, context, targets, add=False)
        return {"FINISHED"}


CLASSES = (PASDEDEUX_OT_release_bones,)
