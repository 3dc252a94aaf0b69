"""Operator that retargets leader and partner onto two rigs in one click, with their hands held."""

import bpy

from ...animation import dancers
from ...background_job import OperatorError, OperatorReturn
from ...properties.retarget_settings import RetargetProperties, draw_options, option_values
from ...properties.settings import scene_settings


class PASDEDEUX_OT_retarget_pair(RetargetProperties, bpy.types.Operator):
    """Retarget the leader and the partner onto two rigs: the active one takes the leader's motion"""

    bl_idname = "pasdedeux.retarget_pair"
    bl_label = "Retarget Pair"
    # Without UNDO: pasdedeux.retarget, which it calls, has an undo step of its own.

    leader_target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Leader's Rig",
        description="Armature that takes the leader's motion; empty: the Retarget panel's target, else the active one",
        options={"SKIP_SAVE"},
    )
    partner_target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Partner's Rig",
        description="Armature that takes the partner's motion; empty: the Retarget panel's, else the other selected",
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(bpy.ops.pasdedeux.retarget.poll())  # type: ignore[attr-defined]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        return self._retarget(context, "INVOKE_DEFAULT")

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        return self._retarget(context, "EXEC_DEFAULT")

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        draw_options(self.layout, self, pair=True, ik_fk=True)

    def _retarget(self, context: bpy.types.Context, how: str) -> OperatorReturn:
        try:
            leader, partner = _require_pair(context)
            rigs = self._rigs(context, leader, partner)
            bpy.ops.pasdedeux.retarget(  # type: ignore[attr-defined]
                how,
                True,
                source=leader.name,
                target=rigs[0],
                partner_source=partner.name,
                partner_target=rigs[1],
                **option_values(self),
            )
        except (OperatorError, RuntimeError) as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        return {"FINISHED"}

    def _rigs(self, context: bpy.types.Context, leader: bpy.types.Object, partner: bpy.types.Object) -> tuple[str, str]:
        """The names of the rigs for both dancers: given, chosen in the panel, or selected. Raises OperatorError."""
        chosen = scene_settings(context).retargeting
        names = (
            self.leader_target or (chosen.target.name if chosen.target else ""),
            self.partner_target or (chosen.partner_target.name if chosen.partner_target else ""),
        )
        if all(names):
            return names
        selected = [
            obj
            for obj in context.selected_objects
            if obj.type == "ARMATURE" and obj not in (leader, partner) and obj.name not in names
        ]
        selected.sort(key=lambda obj: obj != context.active_object)
        missing = names.count("")
        if len(selected) != missing:
            raise OperatorError(
                f"Select the partner's rig and then the leader's: {missing} armature{'s' if missing > 1 else ''} "
                f"besides leader and partner expected, {len(selected)} selected"
            )
        found = iter(obj.name for obj in selected)
        first, second = (name or next(found) for name in names)
        return first, second


def _require_pair(context: bpy.types.Context) -> tuple[bpy.types.Object, bpy.types.Object]:
    """The scene's leader and partner. Raises OperatorError."""
    leader, *partners = dancers.scene_dancers(context)
    if not partners:
        raise OperatorError("Choose the partner first: press Import Duet or Generate Partner")
    return leader, partners[0]


CLASSES = (PASDEDEUX_OT_retarget_pair,)
