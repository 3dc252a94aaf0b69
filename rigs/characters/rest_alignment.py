"""Rest-pose alignment: for each joint the constant rotation from our T-pose's axes to the rig's own bone axes."""

import numpy as np

from rigs import Array, rotations
from rigs.characters.body_measures import lateral_frame, stands_upright
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, HINGE_AXES, INDEX, JOINTS, PARENTS

_FRAMED_JOINTS = (INDEX["pelvis"], INDEX["spine3"])
_TWIST_PARENT = [
    INDEX["spine3"] if name.endswith(("_collar", "_shoulder")) or name == "neck" else PARENTS[j]
    for j, name in enumerate(JOINTS)
]
_TWIST_PARENT[INDEX["spine3"]] = INDEX["pelvis"]
"""The joint from which each one takes its twist: arms and neck from the chest, all others from their parent."""

_TRUNK_JOINTS = frozenset(("spine1", "spine2", "neck", "jaw", "left_collar", "right_collar"))
"""Joints of trunk and head, which are upright in an upright rest pose, however their bones lean."""
_NEAR_ZERO = 1e-6
_MIN_BEND_SINE = 0.2
"""Minimum mean sine of a knee's or elbow's bend for its axis to be reliable."""
_MIN_HINGE_SHARE = 0.9
"""Minimum share of an elbow's bend about one axis for it to count as a hinge."""


def align_rest_pose(available: list[bool], world: Array, positions: Array, rest_positions: Array) -> Array:
    """For each joint the constant rotation (29, 4) from our T-pose axes to the source bone's own.

    available: which of the 29 joints the source has.  world: (29, K, 4) world rotations, identity in the rest pose, and
    positions: (29, K, 3) m of K sample poses.  rest_positions: (29, 3) m.
    Twists (bone roll) come from an upright rest pose. If it is not upright they come from the hinge axes of knees and
    elbows; the arms' always come from elbows that are hinges, since the rest pose does not show where an arm bends.
    """
    tips = _bone_tips(available, world, positions)
    if not stands_upright(rest_positions):
        return _match_directions(available, tips, world, positions, twists_known=False)
    rest = rotations.identity(29, 1)
    alignment = _match_directions(available, tips, rest, rest_positions[:, None], twists_known=True)
    return _align_elbow_hinges(alignment, available, tips, world, positions)


def _bone_tips(available: list[bool], world: Array, positions: Array) -> Array:
    """Position of each bone's tip in the bone's axes, the mean over the frames: (29, 3) m, zero for a bone without one.

    The motion gives it more exactly than the rest pose where unmapped bones between two joints are bent all the time.
    """
    tips = np.zeros((29, 3))
    for j in range(29):
        child = _tip_joint(j, available)
        if available[j] and child >= 0:
            tips[j] = rotations.rotate(rotations.inverse(world[j]), positions[child] - positions[j]).mean(axis=0)
    return tips


def _match_directions(
    available: list[bool], tips: Array, world: Array, positions: Array, *, twists_known: bool
) -> Array:
    """The constant rotations (29, 4) that give the bones of sample poses the directions and twists of our T-pose.

    A bone's direction, to its tip, is matched to the T-pose's, except for trunk and head of a rest pose; its twist is
    taken over from the parent by the shortest rotation (swing) and averaged over the samples. Without known twists, the
    hinge axes of elbows and knees determine them.
    """
    alignment = rotations.identity(29)
    default = DEFAULT_SKELETON.rest_positions()[:, None]
    aligned = np.empty_like(world)
    for j, name in enumerate(JOINTS):
        parent = _TWIST_PARENT[j]
        if not available[j]:
            aligned[j] = aligned[parent]
            continue
        if name == "pelvis" or (name == "spine3" and not twists_known):
            side = "hip" if name == "pelvis" else "shoulder"
            to_default = rotations.inverse(lateral_frame(default, side))
            estimate = rotations.multiply(lateral_frame(positions, side), to_default)
        else:
            estimate = aligned[parent]
        world_to_bone = rotations.inverse(world[j])
        if tips[j].any() and not (twists_known and name in _TRUNK_JOINTS):
            straight = default[_tip_joint(j, available)] - default[j]
            estimate = swing_towards(estimate, rotations.rotate(world[j], tips[j]), straight)
        alignment[j] = rotations.mean(rotations.multiply(world_to_bone, estimate))
        if name in HINGE_AXES and not twists_known:
            axis, _ = _hinge_axis(j, world_to_bone, positions)
            if np.linalg.norm(axis) > _MIN_BEND_SINE:
                alignment[j] = _apply_twist(alignment[j], tips[j], _twist_angle(axis, alignment[j], name, tips[j]))
        aligned[j] = rotations.multiply(world[j], alignment[j])
    return alignment


def _align_elbow_hinges(alignment: Array, available: list[bool], tips: Array, world: Array, positions: Array) -> Array:
    """`alignment` (29, 4) with the arms twisted so that their elbows bend about the T-pose's hinge axis.

    The forearm, which has no twist against the upper arm, follows; the hand keeps its rest alignment. An arm that
    hardly bends, or bends about many axes, is left alone.
    """
    alignment = alignment.copy()
    for name in ("left_shoulder", "right_shoulder"):
        j = INDEX[name]
        elbow = CHILDREN[j][0]
        if not (available[j] and available[elbow] and available[CHILDREN[elbow][0]]):
            continue
        axis, bend = _hinge_axis(j, rotations.inverse(world[j]), positions)
        if np.linalg.norm(axis) > max(_MIN_BEND_SINE, _MIN_HINGE_SHARE * bend):
            angle = _twist_angle(axis, alignment[j], name, tips[j])
            for bone in (j, elbow):
                alignment[bone] = _apply_twist(alignment[bone], tips[bone], angle)
    return alignment


def _hinge_axis(j: int, world_to_bone: Array, positions: Array) -> tuple[Array, float]:
    """The mean axis (3,) of a knee's or elbow's bend in the axes of thigh or upper arm `j`, and the mean bend's sine.

    world_to_bone: (K, 4). The axis's length is the agreement of the bends, at most the mean sine.
    """
    middle = CHILDREN[j][0]
    end = CHILDREN[middle][0]
    upper, lower = positions[middle] - positions[j], positions[end] - positions[middle]
    bends = np.cross(rotations.normalize(upper), rotations.normalize(lower))
    return rotations.rotate(world_to_bone, bends).mean(axis=0), float(np.linalg.norm(bends, axis=-1).mean())


def _twist_angle(axis: Array, alignment: Array, name: str, tip: Array) -> float:
    """The twist angle about the bone, which points to `tip` (3,), from the hinge of `alignment` (4,) to `axis`."""
    bone = rotations.normalize(tip)
    target = rotations.normalize(axis - (axis @ bone) * bone)
    current = rotations.rotate(alignment, np.array(HINGE_AXES[name]))
    current = rotations.normalize(current - (current @ bone) * bone)
    return float(np.arctan2(np.cross(current, target) @ bone, current @ target))


def _apply_twist(alignment: Array, tip: Array, angle: float) -> Array:
    """Twist an alignment (4,) about the bone by `angle`."""
    return rotations.multiply(rotations.from_axis_angle(rotations.normalize(tip), angle), alignment)


def _tip_joint(j: int, available: list[bool]) -> int:
    """The joint at which bone `j` points: its child, or what follows a child that is missing; or -1."""
    if j in _FRAMED_JOINTS or not CHILDREN[j]:
        return -1
    child = CHILDREN[j][0]
    while not available[child] and CHILDREN[child]:
        child = CHILDREN[child][0]
    return child if available[child] else -1


def swing_towards(q: Array, direction: Array, rest_direction: Array) -> Array:
    """`q` (K, 4) swung by the shortest rotation of the T-pose's `rest_direction` (3,) onto `direction` (K, 3)."""
    has_direction = np.linalg.norm(direction, axis=-1, keepdims=True) > _NEAR_ZERO
    return np.where(has_direction, rotations.swing(q, rest_direction, direction), q)
