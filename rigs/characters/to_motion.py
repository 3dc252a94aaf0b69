"""Convert any rig's animated bones to a `Motion`: rest-pose alignment, bone offsets, and joints that the rig lacks.

Positions are exact wherever the rig's bones are rigid, whatever its rest pose and bone axes. The 29 joints have three
for the spine; a rig with more spine bones has none for the middle joint at a constant distance from its neighbours, so
that one is placed by two-bone IK such that the chest is exact. Of two neck bones one is used: the head keeps its
direction from the neck, and its mean distance.
"""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.body_measures import stands_upright
from rigs.characters.rest_alignment import align_rest_pose, swing_towards
from rigs.characters.rest_tilt import rest_tilt
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton, outward_path
from rigs.two_bone_ik import MAX_STRETCH, two_bone_ik

_LOWER_SPINE, _MID_SPINE, _CHEST = (INDEX[name] for name in ("spine1", "spine2", "spine3"))
_SAMPLES = 200
_RIGID_TOLERANCE = 1e-5
"""Metres by which a bone's tip may move in the bone's axes and still count as rigid."""
_STRETCH_TOLERANCE = 5e-4
"""Metres by which the distance of two spine joints may vary before a joint between them has to bend."""
_NEAR_ZERO = 1e-6
_DEFAULT_SPINE_BEND = np.array([0.0, 0.005, 0.0])
"""Metres: direction in which a straight spine bends, small enough not to affect a bent one."""


def motion_from_bones(
    fps: float,
    bones: tuple[int, ...],
    world: Array,
    positions: Array,
    rest: Array,
    *,
    in_t_pose: bool = False,
    object_rotation: Array = rotations.IDENTITY,
) -> Motion:
    """Convert a rig's bones to a Motion.

    bones: (29,) each joint's index among the N bones, or -1.
    world: (N, F, 4) the bones' world rotations, identity in the rest pose.  positions: (N, F, 3) m.
    rest: (N, 3) m, the rest pose's positions.  All in Blender's axes.
    in_t_pose: the rest pose is known to be our T-pose, so rotations stay as they are.
    object_rotation: (4,) that of the armature's object; a rest pose that is tilted counts as standing (`rest_tilt`).
    """
    available = [bone >= 0 for bone in bones]
    world, positions, rest = (array[list(bones)] for array in (world, positions, rest))
    tilt = rest_tilt(rest, object_rotation)
    if tilt is not None:
        world, rest = rotations.multiply(world, tilt), rotations.rotate(rotations.inverse(tilt), rest)
    if not (in_t_pose and tilt is None and stands_upright(rest)):
        samples = np.unique(np.linspace(0, positions.shape[1] - 1, _SAMPLES).astype(int))
        alignment = align_rest_pose(available, world[:, samples], positions[:, samples], rest)
        world = rotations.multiply(world, alignment[:, None])
    return _solve_motion(fps, available, world, positions)


def drop_unfollowed_mid_spine(bones: tuple[int, ...], positions: Array) -> tuple[int, ...]:
    """Drop the mid spine from `bones` (29,) if the rig has more spine bones than ours: `motion_from_bones` places it.

    positions: (N, F, 3) m of the N bones.
    """
    if not _spine_length_varies([bone >= 0 for bone in bones], positions[list(bones)]):
        return bones
    return tuple(-1 if j == _MID_SPINE else bone for j, bone in enumerate(bones))


def _solve_motion(fps: float, available: list[bool], world: Array, targets: Array) -> Motion:
    """Solve for the bone offsets and rotations that put every joint where the source has it.

    world: (29, F, 4) and targets: (29, F, 3) m. Offsets are means over the frames in the parent's axes. A bone whose
    tip is not rigid in it is swung in every frame so that it still points there.
    """
    offsets = DEFAULT_SKELETON.offsets * _body_scale(available, targets)
    positions = targets.copy()
    bends_between = _spine_length_varies(available, targets)
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        if not available[j] or not CHILDREN[j]:
            world[j] = world[parent]
        if j == _MID_SPINE and bends_between:
            targets = _place_mid_spine(available[j], world, positions, targets)
            available = [is_available or joint == j for joint, is_available in enumerate(available)]
        target, share = _next_available_joint(j, available)
        if target >= 0:
            to_target = targets[target] - positions[parent]
            in_parent = rotations.rotate(rotations.inverse(world[parent]), to_target)
            offsets[j] = share * in_parent.mean(axis=0)
            is_rigid = np.ptp(in_parent, axis=0).max() <= _RIGID_TOLERANCE
            if available[j] and is_rigid:
                continue
            if not is_rigid and available[j] and _may_swing_parent(j, available, targets):
                length = np.linalg.norm(to_target, axis=-1).mean()
                offsets[j] *= length / max(float(np.linalg.norm(offsets[j])), _NEAR_ZERO)
                world[parent] = swing_towards(world[parent], to_target, offsets[j])
                world[j] = world[parent] if not CHILDREN[j] else world[j]
        positions[j] = positions[parent] + rotations.rotate(world[parent], offsets[j])
    offsets[0] = 0.0
    offsets[0, 2] = -Skeleton(offsets).rest_positions()[:, 2].min()
    return Motion(fps, Skeleton(offsets), targets[0].copy(), kinematics.local_rotations(world.swapaxes(0, 1)))


def _spine_length_varies(available: list[bool], positions: Array) -> bool:
    """Whether the distance of chest and lower spine varies, so that a joint between them has to bend."""
    below = _MID_SPINE if available[_MID_SPINE] else _LOWER_SPINE
    if not (available[below] and available[_CHEST]):
        return False
    return bool(np.ptp(np.linalg.norm(positions[_CHEST] - positions[below], axis=-1)) > _STRETCH_TOLERANCE)


def _place_mid_spine(available: bool, world: Array, positions: Array, targets: Array) -> Array:
    """`targets` with the mid spine placed by two-bone IK between the lower spine, as solved, and the chest.

    available: whether the source has a bone there, which gives the side of the bend. Both lengths are constant.
    """
    low, chest = positions[_LOWER_SPINE], targets[_CHEST]
    line = chest - low
    middle = targets[_MID_SPINE] if available else low + line / 2.0
    along = rotations.normalize(line)
    offset = middle - low - np.sum((middle - low) * along, axis=-1, keepdims=True) * along
    lengths = [float(np.linalg.norm(part, axis=-1).mean()) for part in (middle - low, chest - middle)]
    longest = float(np.linalg.norm(line, axis=-1).max())
    stretch = max(1.0, longest / (MAX_STRETCH * sum(lengths)))
    mean_offset = rotations.rotate(rotations.inverse(world[_LOWER_SPINE]), offset).mean(axis=0)
    pole = offset + rotations.rotate(world[_LOWER_SPINE], mean_offset + _DEFAULT_SPINE_BEND)
    targets = targets.copy()
    targets[_MID_SPINE], _ = two_bone_ik(low, chest, (stretch * lengths[0], stretch * lengths[1]), pole)
    return targets


def _may_swing_parent(j: int, available: list[bool], positions: Array) -> bool:
    """Whether the parent of `j` may be swung towards it: all its other children are at its own position."""
    parent = PARENTS[j]
    siblings = [child for child in CHILDREN[parent] if child != j]
    return all(available[s] and np.abs(positions[s] - positions[parent]).max() < _RIGID_TOLERANCE for s in siblings)


def _body_scale(available: list[bool], positions: Array) -> float:
    """The body's size relative to the default one, by the limbs, which every dancer has."""
    ends = ("_knee", "_ankle", "_elbow", "_wrist")
    limbs = [j for j, name in enumerate(JOINTS) if name.endswith(ends) and available[j]]
    length = sum(np.linalg.norm(positions[j] - positions[PARENTS[j]], axis=-1).mean() for j in limbs)
    return float(length / sum(np.linalg.norm(DEFAULT_SKELETON.offsets[j]) for j in limbs))


def _next_available_joint(j: int, available: list[bool]) -> tuple[int, float]:
    """The first joint from `j` outwards that the source has, and the fraction of the way at which `j` lies; or -1."""
    path = outward_path(j, available)
    lengths = np.linalg.norm(DEFAULT_SKELETON.offsets[path], axis=-1)
    return (path[-1], float(lengths[0] / lengths.sum())) if available[path[-1]] else (-1, 0.0)
