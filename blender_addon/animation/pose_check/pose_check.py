"""Check written keys: the evaluated pose is compared with the wanted one in a few frames, and what differs explained.

    held = pose_check.find_unfollowing_bones(context, target, motion.samples, first)     # after the keys were written
    held = pose_check.find_overridden_bones(context, dancer)                             # of the action it plays

A bone is compared as its parent carries it, so that only those bones are named that something holds, and not what
hangs on them.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.characters.rig import Rig
from rigs.retargeting import rotation_modes
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.played_pose import sample_played_pose
from rigs.retargeting.pose_samples import PoseSamples

from .. import armatures, rig_motion
from ..control_bones import IK, LIMBS, has_controls
from ..keys import fcurves, nla
from ..keys.channels import Tolerance
from ..sampling.evaluation import evaluate_hidden
from ..sampling.pose_sampling import evaluated_matrices
from ..sampling.shown_bones import shown_bone_names
from . import bone_holds
from .bone_holds import Hold

_MAX_ANGLE = np.radians(2.0)
_MAX_DISTANCE = 0.01 / 1.7
"""Of the body's size: 1 cm of 1.7 m."""
_IK_ANGLE, _IK_DISTANCE = np.radians(60.0), 0.04 / 1.7
"""The same for limbs that the rig's IK places: their joints are in place, but the twist of straight ones is free."""
_NEAR_ZERO = 1e-12
_MAX_NAMED = 4
_CHECKED_FRAMES = 7


@dataclass(frozen=True)
class HeldBones:
    """Bones that do not follow their keys, and what holds them.

    rig: the armature object's name.
    bones: those that the hold keeps from following, without what hangs on them.
    angle: radians and distance: m by which the worst of them is off as its parent carries it.
    """

    rig: str
    hold: Hold
    bones: tuple[str, ...]
    angle: float
    distance: float


def find_unfollowing_bones(
    context: bpy.types.Context,
    obj: bpy.types.Object,
    samples: PoseSamples,
    first: int,
    *,
    metres: float = 1.0,
    tolerance: Tolerance | None = None,
    in_strip: bool = False,
    places_object: bool = True,
    ik_limbs: Collection[str] = (),
) -> tuple[HeldBones, ...]:
    """Compare the evaluated pose with what a motion from frame `first` wants, grouped by what holds the bones.

    metres: the metres in one Blender unit.  tolerance: that of reduced keys, which may be off by so much.
    in_strip: the keys are in an NLA strip.  places_object: check that the object is where the motion has it, too.
    ik_limbs: bones that the rig's inverse kinematics place, and not keys of their own.
    Raises NotEvaluated.
    """
    with evaluate_hidden(context, [obj]):
        matrices = evaluated_matrices(context, obj, [first + frame for frame in samples.frames])
    shown = shown_bone_names(obj, samples.bones)
    world, heads, object_offsets = _evaluated_transforms(obj, samples, shown, matrices, metres)
    slack = tolerance or Tolerance(0.0, 0.0)
    in_ik = np.array([bone in ik_limbs for bone in samples.bones])
    angle_limits = np.where(in_ik, _IK_ANGLE, _MAX_ANGLE) + 2.0 * slack.angle
    distance_limits = np.where(in_ik, _IK_DISTANCE, _MAX_DISTANCE) * samples.size + 2.0 * slack.distance
    held: list[HeldBones] = []
    if places_object and (object_offsets[0] > angle_limits.min() or object_offsets[1] > distance_limits.min()):
        held.append(HeldBones(obj.name, bone_holds.object_hold(obj), (), *object_offsets))
    angles, distances = _carried_errors(samples, world, heads, in_ik)
    causes: dict[Hold, list[int]] = {}
    everywhere = bone_holds.armature_holds(obj, in_strip=in_strip)
    corrected = _corrected_bones(obj)
    for n in np.flatnonzero((angles > angle_limits) | (distances > distance_limits)):
        if samples.bones[n] in corrected or _is_ik_limb(obj, samples.bones[n]):
            continue
        above = samples.bones[samples.parents[n]] if samples.parents[n] >= 0 else ""
        holds = everywhere or bone_holds.bone_holds(obj, samples.bones[n], above, shown[n])
        holds = [Hold("ik")] if in_ik[n] and not everywhere else holds
        for hold in holds:
            causes.setdefault(hold, []).append(int(n))
    for hold, nodes in causes.items():
        worst = float(angles[nodes].max()), float(distances[nodes].max())
        held.append(HeldBones(obj.name, hold, tuple(samples.bones[n] for n in nodes), *worst))
    return tuple(held)


def find_overridden_bones(context: bpy.types.Context, obj: bpy.types.Object) -> tuple[HeldBones, ...]:
    """Compare the evaluated pose with what the object's action says by its keys alone, without corrections above it.

    Raises NotADancer for a rig without a dancer's bones.
    """
    metres = rig_motion.body_metres(context, obj)
    rig = armatures.read_rig(obj, metres=metres)
    body = rig_motion.target_body(obj, metres=metres)
    sampled = _action_samples(obj, rig, {rig.names[node] for node in body.driven})
    if sampled is None:
        return ()
    samples, first = sampled
    return find_unfollowing_bones(context, obj, samples, first, metres=metres, places_object=False)


def merge_held_bones(held: Iterable[HeldBones]) -> list[HeldBones]:
    """One group for each hold of a rig, with all its bones and the worst errors, as several motions found them."""
    merged: dict[tuple[str, Hold], HeldBones] = {}
    for group in held:
        key = group.rig, group.hold
        if (known := merged.get(key)) is not None:
            bones = tuple(dict.fromkeys((*known.bones, *group.bones)))
            worst = max(known.angle, group.angle), max(known.distance, group.distance)
            group = HeldBones(group.rig, group.hold, bones, *worst)
        merged[key] = group
    return list(merged.values())


def held_bones_warning(held: Sequence[HeldBones]) -> str:
    """One sentence on the bones of one rig that do not follow their keys; empty without any."""
    if not held:
        return ""
    rig = held[0].rig
    parts = [_clause(group) for group in held[:_MAX_NAMED]]
    if len(held) > _MAX_NAMED:
        parts.append(f"and {len(held) - _MAX_NAMED} more")
    advice = "; Release Bones mutes what holds them" if any(group.hold.can_release for group in held) else ""
    return f"{rig} does not follow its keys: {'; '.join(parts)}{advice}"


def _clause(group: HeldBones) -> str:
    """What one hold does, as part of a sentence."""
    off = f"{np.degrees(group.angle):.0f} degrees" if group.angle > _MAX_ANGLE else f"{100 * group.distance:.1f} cm"
    if not group.bones:
        return f"{group.hold.text} ({off} off)"
    names = ", ".join(group.bones[:2]) + (f" and {len(group.bones) - 2} more" if len(group.bones) > 2 else "")
    return f"{names} off by {off}, held by {group.hold.text}"


def _evaluated_transforms(
    obj: bpy.types.Object,
    samples: PoseSamples,
    shown: Sequence[str],
    matrices: tuple[Array, Array],
    metres: float,
) -> tuple[Array, Array, tuple[float, float]]:
    """The bones' world rotations since rest (S, N, 4) and heads (S, N, 3) m, with the object where it should be.

    Also by how many radians and m the object is elsewhere at most.
    matrices: those of all pose bones and of the object, by `evaluated_matrices`.
    """
    pose_matrices, object_matrices = matrices
    assert obj.pose is not None
    index = {bone.name: n for n, bone in enumerate(obj.pose.bones)}
    nodes = [index[bone] for bone in shown]
    posed = pose_matrices[:, nodes].transpose(0, 1, 3, 2).astype(float)  # Blender's are column-major
    scales = np.linalg.norm(posed[..., :3, :3], axis=-2, keepdims=True)
    local = rotations.from_matrix(posed[..., :3, :3] / np.maximum(scales, _NEAR_ZERO))
    turn = samples.object_rotations[:, None]
    world = rotations.multiply(rotations.multiply(turn, local), rotations.inverse(samples.rest_rotations))
    heads = rotations.rotate(turn, posed[..., :3, 3] * samples.unit_scale) + samples.object_locations[:, None]
    unscaled = object_matrices[:, :3, :3] / np.linalg.norm(object_matrices[:, :3, :3], axis=-2, keepdims=True)
    turned = rotations.angle_between(rotations.from_matrix(unscaled), samples.object_rotations)
    moved = np.linalg.norm(object_matrices[:, :3, 3] * metres - samples.object_locations, axis=-1)
    return world, heads, (float(turned.max()), float(moved.max()))


def _carried_errors(samples: PoseSamples, world: Array, heads: Array, in_ik: Array) -> tuple[Array, Array]:
    """By how many radians and m each bone (N,) is off at most, as its animated parent carries it.

    Limbs in IK (N,) bool are compared in the world.
    """
    parents = np.array(samples.parents)
    roots = (parents < 0) | in_ik
    turns, places = [], []
    for rotation, head in ((samples.rotations, samples.heads), (world, heads)):
        turn = np.where((roots | ~samples.inherit_rotation)[:, None], rotations.IDENTITY, rotation[:, parents])
        turns.append(rotations.inverse_multiply(turn, rotation))
        offset = rotations.rotate(rotations.inverse(rotation[:, parents]), head - head[:, parents])
        places.append(np.where(roots[:, None], head, offset))
    angles = rotations.angle_between(turns[0], turns[1])
    return angles.max(axis=0), np.linalg.norm(places[0] - places[1], axis=-1).max(axis=0)


def _is_ik_limb(obj: bpy.types.Object, bone: str) -> bool:
    """Whether a joint of one of our dancers is moved by the animator's IK control, and so not by its own keys."""
    if not has_controls(obj):
        return False
    assert obj.pose is not None
    return any(bone in limb.joints and obj.pose.bones[limb.control].get(IK, 0.0) > 0.0 for limb in LIMBS)


def _corrected_bones(obj: bpy.types.Object) -> set[str]:
    """The bones that a correction layer moves, as the animator means it."""
    if not nla.has_correction_layer(obj):
        return set()
    assert obj.pose is not None
    paths = {curve.data_path.rpartition(".")[0] for curve in fcurves.action_fcurves(obj)}
    return {bone.name for bone in obj.pose.bones if bone.path_from_id() in paths}


def _action_samples(obj: bpy.types.Object, rig: Rig, driven: set[str]) -> tuple[PoseSamples, int] | None:
    """Where an object's action puts the driven bones that it keys, and its first frame; None if it keys none."""
    assert obj.pose is not None
    action = nla.base_action(obj)
    if action is None:
        return None
    assigned = fcurves.action_fcurves(obj)
    if nla.has_correction_layer(obj):
        assigned = list(fcurves.all_fcurves(action))
    curves = {(curve.data_path, curve.array_index): curve for curve in assigned}
    start, end = round(action.frame_range[0]), round(action.frame_range[1])
    frames = np.unique(np.linspace(start, end, _CHECKED_FRAMES).round()).astype(int)
    motion = RigMotion(1.0, {}, {})
    for bone in obj.pose.bones:
        path = bone.path_from_id()
        if bone.name not in driven:
            continue
        name = rotation_modes.rotation_property(bone.rotation_mode)
        values = _sample(curves, f"{path}.{name}", frames, np.ravel(getattr(bone, name)))
        if values is None:
            continue
        motion.rotations[bone.name] = rotation_modes.to_quaternions(values, bone.rotation_mode)
        location = _sample(curves, f"{path}.location", frames, np.zeros(3))
        if location is not None and rig.index(bone.name) not in rig.connected:
            motion.locations[bone.name] = location
    if not motion.rotations:
        return None
    samples = sample_played_pose(rig, motion, tuple(range(len(frames))))
    return replace(samples, frames=tuple(int(frame - start) for frame in frames)), start


def _sample(curves: dict[tuple[str, int], bpy.types.FCurve], path: str, frames: Array, default: Array) -> Array | None:
    """The values (S, n) of a property by its F-curves, `default` (n,) where it has none; None if it has none at all."""
    found = [curves.get((path, index)) for index in range(len(default))]
    if not any(found):
        return None
    columns = [
        [curve.evaluate(frame) for frame in frames.tolist()] if curve is not None else [value] * len(frames)
        for curve, value in zip(found, default.tolist(), strict=True)
    ]
    return np.array(columns, dtype=float).T
