"""Operator that generates a partner for the leader, by a model or a choreographic device, and keys its takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import bpy
import numpy as np

from backend.wire.messages import MotionResult, PartnerRequest
from rigs import Array
from rigs.characters.rig import Rig
from rigs.choreography.devices import Choreography, choreograph, collision_warnings
from rigs.constraints.foot_planting import plant_feet
from rigs.motion import Motion
from rigs.retargeting.bone_transforms import RigMotion, bone_transforms
from rigs.retargeting.key_reduction import Tolerance
from rigs.retargeting.pose_reduction import KeyedMotion
from rigs.retargeting.retarget import transfer_motion
from rigs.skeleton import JOINTS, PARENTS

from ..animation import armatures, dancers, keyframes, rig_motion
from ..background_job import JobFunction, JobOperator, OperatorError, Reporter
from ..context_access import active_scene, extend_frame_range
from ..properties.settings import PASDEDEUX_PG_settings, is_choreographic_device, key_tolerance, scene_settings
from .backend_request import backend_address, request_backend

_LENGTH_TOLERANCE = 1e-3  # m by which equally long bones may differ

TakeGenerator = Callable[[Reporter], tuple[Sequence[Motion], tuple[str, ...]]]
"""A job function that generates takes of the partner's motion, and warnings."""


TakeMotion = Motion | KeyedMotion | RigMotion
"""A take on the partner's armature: its joints' motion, on every frame or with reduced keys, or its bones' motion."""


@dataclass(frozen=True)
class _PartnerTakes:
    """Takes for the partner's armature, and warnings."""

    takes: list[TakeMotion]
    warnings: tuple[str, ...]


class PASDEDEUX_OT_generate_partner(JobOperator):
    """Generate a partner who dances with the leader"""

    bl_idname = "pasdedeux.generate_partner"
    bl_label = "Generate Partner"
    bl_options = {"UNDO"}
    label = "Generating the partner"

    # Names, as an undo step while the backend works invalidates references to objects.
    _leader, _partner = "", ""
    _first = 1
    _metres = 1.0

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        settings = scene_settings(context)
        leader = dancers.require_leader(context)
        _require_mapped_rig(leader)
        partner = _partner_armature(context, leader)
        frames = dancers.frames_of(active_scene(context), leader)
        (motion,), self._metres = dancers.sample_dancers(context, [leader], frames)
        if is_choreographic_device(settings):
            generate_takes = _device_generator(settings, motion)
        else:
            generate_takes = _model_generator(backend_address(context), settings, motion)
        tolerance = key_tolerance(settings)
        adapt: Callable[[Motion], TakeMotion] = partial(rig_motion.reduce_dancer_keys, tolerance=tolerance)
        if partner:
            adapt = _retargeter(partner, self._metres, tolerance)
        self._leader, self._partner, self._first = leader.name, partner.name if partner else "", frames.start

        def generate(reporter: Reporter) -> _PartnerTakes:
            takes, warnings = generate_takes(reporter)
            return _PartnerTakes([adapt(take) for take in takes], warnings)

        return generate

    def apply(self, context: bpy.types.Context, result: _PartnerTakes) -> None:
        scene = active_scene(context)
        leader = scene.objects.get(self._leader)
        if leader is None:
            raise OperatorError(f"The leader {self._leader} is no longer in the scene")
        partner = _partner_armature(context, leader)
        if (partner.name if partner else "") != self._partner:
            raise OperatorError("The partner was changed meanwhile: generate it again")
        name = f"{leader.name} partner"
        if partner is None:
            first_take = result.takes[0]
            assert not isinstance(first_take, RigMotion)
            partner = dancers.add_dancer(context, name, first_take.skeleton, partner=True, metres=self._metres)
            scene_settings(context).partner = partner
        count = len(result.takes)
        names = [name] if count == 1 else [f"{name} take {number}" for number in range(1, count + 1)]
        actions = [
            _write_take(context, partner, take, take_name, self._first, self._metres)
            for take, take_name in zip(result.takes, names, strict=True)
        ]
        for action in actions[1:]:
            # The other takes are not assigned, and Blender does not save unused data-blocks.
            action.use_fake_user = True
        keyframes.assign_action(partner, actions[0])
        extend_frame_range(scene, int(actions[0].frame_range[1]))
        for warning in result.warnings:
            self.report({"WARNING"}, warning[0].upper() + warning[1:])


def _model_generator(address: str, settings: PASDEDEUX_PG_settings, leader: Motion) -> TakeGenerator:
    """Generate takes by a model of the backend. Raises ValueError for an invalid request."""
    request = PartnerRequest(leader, model=settings.model, role=settings.role, seed=settings.seed, takes=settings.takes)

    def generate_takes(reporter: Reporter) -> tuple[Sequence[Motion], tuple[str, ...]]:
        result = request_backend(address, request, reporter)
        assert isinstance(result, MotionResult)
        return result.takes, ()

    return generate_takes


def _device_generator(settings: PASDEDEUX_PG_settings, leader: Motion) -> TakeGenerator:
    """Generate a single take by a choreographic device, without the backend. Raises ValueError for invalid options."""
    device = Choreography(settings.model, settings.delay, settings.delay_in, settings.formation, settings.distance)

    def generate_takes(reporter: Reporter) -> tuple[Sequence[Motion], tuple[str, ...]]:
        reporter.progress(0.0, "choreographing the partner")
        partner = choreograph(leader, device)
        return (partner,), collision_warnings(leader, partner, device)

    return generate_takes


def _retargeter(
    partner: bpy.types.Object, metres: float, tolerance: Tolerance | None
) -> Callable[[Motion], TakeMotion]:
    """A function that retargets a motion to the partner's armature, or keeps it for one with the same bone lengths.

    metres: the metres in one Blender unit.  tolerance: reduce the keys. Both dancers share one floor, so the path along
    it is not scaled with the body.
    """
    rig = armatures.read_rig(partner, metres=metres)
    lengths = _bone_lengths(rig) if armatures.is_dancer(partner) else None
    body = rig_motion.target_body(partner, metres=metres)
    reduce = rig_motion.rig_key_reducer(partner, body, tolerance)

    def retarget(motion: Motion) -> TakeMotion:
        motion_lengths = np.linalg.norm(motion.skeleton.offsets[1:], axis=-1)
        if lengths is not None and np.allclose(lengths, motion_lengths, atol=_LENGTH_TOLERANCE):
            return rig_motion.reduce_dancer_keys(motion, tolerance)
        return reduce(bone_transforms(plant_feet(transfer_motion(motion, body, path_scale=1.0), body), body))

    return retarget


def _bone_lengths(rig: Rig) -> Array:
    """The distance (28,) m of each joint but the pelvis from its parent at rest, in an armature of the 29 joints."""
    heads = rig.heads[[rig.names.index(joint) for joint in JOINTS]]
    return np.asarray(np.linalg.norm(heads[1:] - heads[list(PARENTS[1:])], axis=-1))


def _write_take(
    context: bpy.types.Context,
    partner: bpy.types.Object,
    take: TakeMotion,
    name: str,
    first: int,
    metres: float,
) -> bpy.types.Action:
    """Create an action that plays a take on the partner."""
    if isinstance(take, RigMotion):
        options = rig_motion.KeyingOptions()
        return rig_motion.write_rig_motion(context, partner, take, name, first, options, metres=metres)
    return armatures.create_motion_action(partner, take, name, first, metres=metres)


def _require_mapped_rig(obj: bpy.types.Object) -> None:
    """Raise ValueError unless the object is an armature whose bones map to the joints."""
    if not armatures.is_dancer(obj):
        rig_motion.rig_bone_map(obj)


def _partner_armature(context: bpy.types.Context, leader: bpy.types.Object) -> bpy.types.Object | None:
    """The armature set as the partner, if any. Raises OperatorError or ValueError if it cannot be animated."""
    partner = scene_settings(context).partner
    if partner is None or partner.name not in active_scene(context).objects:
        return None
    if partner == leader:
        raise OperatorError(f"{leader.name} is both leader and partner: clear the partner or choose another dancer")
    _require_mapped_rig(partner)
    armatures.require_local(partner)
    return partner


CLASSES = (PASDEDEUX_OT_generate_partner,)
