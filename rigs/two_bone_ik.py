"""Two-bone inverse kinematics of arms and legs, in closed form by the law of cosines."""

import numpy as np

from rigs import Array, rotations

_FRONT_WEIGHT = 0.02
"""Weight of a limb's front direction in its pole vector, beside the bend that it already has."""

MAX_STRETCH = 0.999
"""Part of its full length to which a limb is stretched at most: a perfectly straight limb has no bending plane."""


def two_bone_ik(root: Array, target: Array, lengths: tuple[float, float], pole: Array) -> tuple[Array, Array]:
    """Positions of the middle and the end joint of a limb that reaches for a target, by the law of cosines.

    root, target: (..., 3) m, the shoulder or hip, and where the wrist or ankle should be.
    lengths: m, of the upper and the lower bone.  pole: (..., 3), direction of the elbow or knee, of any length.
    Returns the middle and the end joint, (..., 3) m each. A target out of reach is approached along its direction.
    """
    upper, lower = lengths
    along = np.asarray(target) - root
    distance = np.linalg.norm(along, axis=-1, keepdims=True)
    reach = np.clip(distance, abs(upper - lower) + 1e-6, MAX_STRETCH * (upper + lower))
    along = along / np.maximum(distance, 1e-9)
    across = np.asarray(pole) - np.sum(pole * along, axis=-1, keepdims=True) * along
    cosine = (upper**2 + reach**2 - lower**2) / (2.0 * upper * reach)
    sine = np.sqrt(np.clip(1.0 - cosine**2, 0.0, 1.0))
    middle = root + upper * (cosine * along + sine * rotations.normalize(across))
    return middle, root + reach * along


def hinge_axis(root: Array, target: Array, pole: Array) -> Array:
    """Hinge axis (..., 3) about which the limb of `two_bone_ik` bends: a positive angle flexes it."""
    return rotations.normalize(np.cross(pole, np.asarray(target) - root))


def bone_rotation(rest_bone: Array, rest_hinge: Array, bone: Array, hinge: Array) -> Array:
    """World rotations (..., 4) that take a bone of the T-pose and its hinge axis to where they are now.

    rest_bone, rest_hinge: (3,).  bone: (..., 3), exact.  hinge: (..., 3), matched as nearly as the bone allows.
    """
    rest = rotations.from_axes(rest_bone, rest_hinge)
    return rotations.multiply(rotations.from_axes(bone, hinge), rotations.inverse(rest))


def solve_limb(positions: Array, world: Array, chain: tuple[int, int, int], target: Array, front: Array) -> None:
    """Solve a limb of a posed skeleton in place by two-bone IK, so that its end is at `target` (F, 3) m.

    The limb keeps the plane that it bends in.
    positions: (F, 29, 3) m.  world: (F, 29, 4) world rotations.  chain: the limb's three joints.
    front: (3,) direction of the middle joint in the T-pose, for a limb too straight to have a bending plane.
    """
    root, middle, end = chain
    start, bend, tip = (positions[:, j].copy() for j in chain)
    upper, lower = (float(np.median(np.linalg.norm(bone, axis=-1))) for bone in (bend - start, tip - bend))
    along = rotations.normalize(tip - start)
    out = bend - start - np.sum((bend - start) * along, axis=-1, keepdims=True) * along
    out = out + _FRONT_WEIGHT * rotations.rotate(world[:, root], front)
    pole = rotations.rotate(rotations.between(along, target - start), out)
    new_bend, new_tip = two_bone_ik(start, target, (upper, lower), pole)
    for joint, before, after in ((root, bend - start, new_bend - start), (middle, tip - bend, new_tip - new_bend)):
        world[:, joint] = rotations.multiply(rotations.between(before, after), world[:, joint])
    positions[:, middle], positions[:, end] = new_bend, new_tip


def drop_to_reach(root: Array, target: Array, length: float) -> Array:
    """Drop (F,) m of a limb's root (F, 3) m with which its `length` m reaches `target` (F, 3) m; may be negative."""
    away = root - target
    level = np.linalg.norm(away[:, :2], axis=-1)
    return away[:, 2] - np.sqrt(np.maximum(length**2 - level**2, 0.0))
