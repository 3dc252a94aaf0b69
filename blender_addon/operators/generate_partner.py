"""The second dancer: from the leader's movement comes the partner's, by a model or a device, onto an armature."""

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from backend.client import Cancelled as CalledOff
from backend.client import Client
from rigs import Array
from rigs.characters.humanoid import humanoid_from_rig
from rigs.characters.rig import Rig
from rigs.choreography.devices import Choreography, choreograph, collision_warnings
from rigs.constraints.foot_planting import plant_feet
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RigMotion, bone_transforms
from rigs.retargeting.retarget import RetargetOptions, transfer_motion
from rigs.skeleton import JOINTS, PARENTS

from ..animation import armatures, dancers, keyframes
from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import active_scene
from ..properties import preferences, settings
from . import bone_map, retarget

_KEYED = retarget.Wishes(RetargetOptions(), "hips", False, "FK", None, "NEW", 0)
"""How a rig that is not of our making is keyed."""
_ALIKE = 1e-3  # m by which bones of the same length may differ


@dataclass(frozen=True)
class _Dance:
    """The takes as the partner's armature takes them, and what is doubtful about them, in sentences."""

    takes: list[Motion | RigMotion]
    doubts: tuple[str, ...]


class PASDEDEUX_OT_generate_partner(JobOperator):
    """Let a second dancer dance with the leader"""

    bl_idname = "pasdedeux.generate_partner"
    bl_label = "Generate Partner"
    bl_options = {"UNDO"}
    label = "Generating the partner"

    # Names, as an undo while the backend works gives every object a new life.
    _leader, _partner = "", ""
    _first = 1

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        wanted = settings.scene_settings(context)
        leader = wanted.leader or context.active_object
        if leader is None:
            raise OperatorError("Choose a leader first: import a mocap file or select a dancer")
        _expect_dancer(leader)
        partner = _partner_of(context, leader)
        make = _by_device(wanted) if settings.is_choreographic_device(wanted) else _by_model(context, wanted)
        frames = dancers.frames_of(active_scene(context), leader)
        motion = retarget.motion_of(context, leader, frames)
        fit = _fitting(partner) if partner else _as_it_is
        self._leader, self._partner, self._first = leader.name, partner.name if partner else "", frames.start

        def work(reporter: Reporter) -> _Dance:
            takes, doubtful = make(motion, reporter)
            return _Dance([fit(take) for take in takes], doubtful)

        return work

    def apply(self, context: bpy.types.Context, result: _Dance) -> None:
        leader = active_scene(context).objects.get(self._leader)
        if leader is None:
            raise OperatorError(f"The leader {self._leader} is not in the scene any more")
        partner = _partner_of(context, leader)
        if (partner.name if partner else "") != self._partner:
            raise OperatorError("Another partner was chosen meanwhile: generate the partner again")
        name, first = f"{leader.name} partner", result.takes[0]
        if partner is None:
            assert isinstance(first, Motion)
            partner = dancers.add(context, name, first.skeleton, partner=True)
            settings.scene_settings(context).partner = partner
        count = len(result.takes)
        names = [name] if count == 1 else [f"{name} take {take}" for take in range(1, count + 1)]
        actions = [_key(context, partner, *take, self._first) for take in zip(result.takes, names, strict=True)]
        for action in actions[1:]:
            # Nothing uses the other takes yet, and Blender drops what nothing uses when it saves.
            action.use_fake_user = True
        keyframes.assign(partner, actions[0])
        scene = active_scene(context)
        scene.frame_end = max(scene.frame_end, int(actions[0].frame_range[1]))
        for doubt in result.doubts:
            self.report({"WARNING"}, doubt[0].upper() + doubt[1:])


def _by_model(
    context: bpy.types.Context, wanted: settings.PASDEDEUX_PG_settings
) -> Callable[[Motion, Reporter], tuple[list[Motion], tuple[str, ...]]]:
    """How a backend makes takes of a leader's movement."""
    address = preferences.backend_address(context)
    model, role, seed, takes = wanted.model, wanted.role, wanted.seed, wanted.takes

    def make(leader: Motion, reporter: Reporter) -> tuple[list[Motion], tuple[str, ...]]:
        try:
            made = Client(address).partner(
                leader,
                model=model,
                role=role,
                seed=seed,
                takes=takes,
                progress=reporter.progress,
                cancelled=reporter.cancelled,
            )
        except CalledOff:
            raise Cancelled from None
        return made, ()

    return make


def _by_device(
    wanted: settings.PASDEDEUX_PG_settings,
) -> Callable[[Motion, Reporter], tuple[list[Motion], tuple[str, ...]]]:
    """How a choreographic device makes its one take of a leader's movement."""
    device = Choreography(wanted.model, wanted.delay, wanted.delay_in, wanted.formation, wanted.distance)

    def make(leader: Motion, reporter: Reporter) -> tuple[list[Motion], tuple[str, ...]]:
        reporter.progress(0.0, "dancing")
        partner = choreograph(leader, device)
        return [partner], collision_warnings(leader, partner, device)

    return make


def _fitting(partner: bpy.types.Object) -> Callable[[Motion], Motion | RigMotion]:
    """How a movement comes onto an armature that is there: as it is where the bones are as long, else retargeted.

    Dancers share a floor, so the way along it is the same on a body of any size.
    """
    rig = armatures.rig_of(partner)
    own = _lengths(rig) if armatures.is_dancer(partner) else None
    body = humanoid_from_rig(rig, bone_map.mapping_of(partner, rig))

    def fit(motion: Motion) -> Motion | RigMotion:
        if own is not None and np.allclose(own, np.linalg.norm(motion.skeleton.offsets[1:], axis=-1), atol=_ALIKE):
            return motion
        return bone_transforms(plant_feet(transfer_motion(motion, body, path_scale=1.0), body), body)

    return fit


def _as_it_is(motion: Motion) -> Motion | RigMotion:
    return motion


def _lengths(rig: Rig) -> Array:
    """How far each joint but the pelvis is from its parent at rest (28,) m, in one of our own dancers."""
    heads = rig.heads[[rig.names.index(joint) for joint in JOINTS]]
    return np.asarray(np.linalg.norm(heads[1:] - heads[list(PARENTS[1:])], axis=-1))


def _key(
    context: bpy.types.Context, partner: bpy.types.Object, take: Motion | RigMotion, name: str, first: int
) -> bpy.types.Action:
    """Make an action of a take."""
    if isinstance(take, RigMotion):
        return retarget.key(context, partner, take, name, first, _KEYED)
    return armatures.key(partner, take, name, first)


def _expect_dancer(thing: bpy.types.Object) -> None:
    """Raise ValueError for what is not an armature with a dancer's bones."""
    if not armatures.is_dancer(thing):
        bone_map.mapping_of(thing, armatures.rig_of(thing))


def _partner_of(context: bpy.types.Context, leader: bpy.types.Object) -> bpy.types.Object | None:
    """The armature that is set as the partner, if any; raises OperatorError or ValueError where it cannot be moved."""
    partner = settings.scene_settings(context).partner
    if partner is None or partner.name not in active_scene(context).objects:
        return None
    if partner == leader:
        raise OperatorError(f"{leader.name} is both leader and partner: clear the partner or choose another dancer")
    _expect_dancer(partner)
    if partner.library is not None:
        raise OperatorError(f"{partner.name} is linked from another file: clear the partner or make it local")
    return partner


CLASSES = (PASDEDEUX_OT_generate_partner,)
