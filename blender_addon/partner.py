"""The second dancer: the leader's movement goes to the backend, the partner's comes back onto an armature."""

import bpy

from backend.client import Cancelled as CalledOff
from backend.client import Client
from rigs.motion import Motion

from . import armatures, dancers, preferences, settings
from .jobs import Cancelled, JobOperator, Refused, Reporter, Work
from .scenes import scene_of


class PASDEDEUX_OT_generate_partner(JobOperator):
    """Let a second dancer dance with the leader"""

    bl_idname = "pasdedeux.generate_partner"
    bl_label = "Generate Partner"
    bl_options = {"UNDO"}
    label = "Generating the partner"

    _leader = ""  # the name, as an undo while the backend works gives every object a new life
    _first = 1

    def prepare(self, context: bpy.types.Context) -> Work:
        wanted = settings.of(context)
        leader = wanted.leader or context.active_object
        if leader is None:
            raise Refused("Choose a leader first: import a mocap file or select a dancer")
        armatures.require_dancer(leader)
        _partner_of(context, leader)
        address = preferences.reachable_address(context)
        frames = dancers.frames_of(scene_of(context), leader)
        motion = armatures.motion_of(context, leader, frames)
        self._leader, self._first = leader.name, frames.start
        model, role, seed, takes = wanted.model, wanted.role, wanted.seed, wanted.takes

        def work(reporter: Reporter) -> list[Motion]:
            try:
                return Client(address).partner(
                    motion,
                    model=model,
                    role=role,
                    seed=seed,
                    takes=takes,
                    progress=reporter.progress,
                    cancelled=reporter.cancelled,
                )
            except CalledOff:
                raise Cancelled from None

        return work

    def apply(self, context: bpy.types.Context, result: list[Motion]) -> None:
        leader = scene_of(context).objects.get(self._leader)
        if leader is None:
            raise Refused(f"The leader {self._leader} is not in the scene any more")
        partner = _partner_of(context, leader)
        name = f"{leader.name} partner"
        if partner is None:
            partner = dancers.add(context, name, result[0].skeleton, partner=True)
            settings.of(context).partner = partner
        names = [name] if len(result) == 1 else [f"{name} take {take}" for take in range(1, len(result) + 1)]
        dancers.dance(context, partner, result[0], names[0], self._first)
        for motion, take in zip(result[1:], names[1:], strict=True):
            # Nothing uses the other takes yet, and Blender drops what nothing uses when it saves.
            armatures.key(partner, motion, take, self._first).use_fake_user = True


def _partner_of(context: bpy.types.Context, leader: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that is set as the partner, if any; raises Refused or NotADancer where it cannot be moved."""
    partner = settings.of(context).partner
    if partner is None or partner.name not in scene_of(context).objects:
        return None
    if partner == leader:
        raise Refused(f"{leader.name} is both leader and partner: clear the partner or choose another dancer")
    armatures.require_dancer(partner)
    if partner.library is not None:
        raise Refused(f"{partner.name} is linked from another file: clear the partner or make it local")
    return partner


CLASSES = (PASDEDEUX_OT_generate_partner,)
