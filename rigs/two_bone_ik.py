"""Arms and legs: two bones and a hinge, solved in closed form for where the hand or foot must be."""

import numpy as np

from rigs import Array, rotations

_FRONT_WEIGHT = 0.02
"""How strongly a limb's own front, beside the bend that is there, says where its middle joint points."""

MAX_STRETCH = 0.999
"""The most of its full length that a limb reaches: a perfectly straight limb has no bending plane."""


def two_bone_ik(root: Array, target: Array, lengths: tuple[float, float], pole: Array) -> tuple[Array, Array]:
    """Place the middle and the end joint of a limb.

    root, target: (..., 3) m, the shoulder or hip and where the wrist or ankle should be.
    lengths: m, the upper and the lower bone.  pole: (..., 3), towards which the elbow or knee points; any length.
    Returns the middle and the end joint, (..., 3) each. A target too far or too near is approached along its direction.
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
    """The axis (..., 3) about which the limb of `two_bone` bends: a positive angle flexes it."""
    return rotations.normalize(np.cross(pole, np.asarray(target) - root))


def bone_rotation(rest_bone: Array, rest_hinge: Array, bone: Array, hinge: Array) -> Array:
    """World rotations (..., 4) that carry a bone of the T-pose and its hinge to where they are now.

    rest_bone, rest_hinge: (3,).  bone: (..., 3), exact.  hinge: (..., 3), as near as the bone allows.
    """
    return rotations.multiply(
        rotations.from_axes(bone, hinge), rotations.inverse(rotations.from_axes(rest_bone, rest_hinge))
    )


def solve_limb(positions: Array, world: Array, chain: tuple[int, int, int], target: Array, front: Array) -> None:
    """Bring the end of a limb to `target` (F, 3) m, in place: its middle joint stays in the plane that it bends in.

    positions: (F, 29, 3) m.  world: (F, 29, 4).  chain: its three joints.
    front: (3,) where in the T-pose the middle joint points, for a limb too straight to have a plane.
    """
    root, middle, end = chain
    start, bend, tip = (positions[:, j].copy() for j in chain)
    lengths = (
        float(np.median(np.linalg.norm(bend - start, axis=-1))),
        float(np.median(np.linalg.norm(tip - bend, axis=-1))),
    )
    along = rotations.normalize(tip - start)
    out = bend - start - np.sum((bend - start) * along, axis=-1, keepdims=True) * along
    ahead = rotations.rotate(world[:, root], front)
    pole = rotations.rotate(rotations.between(along, target - start), out + _FRONT_WEIGHT * ahead)
    knee, foot = two_bone_ik(start, target, lengths, pole)
    for joint, before, after in ((root, bend - start, knee - start), (middle, tip - bend, foot - knee)):
        world[:, joint] = rotations.multiply(rotations.between(before, after), world[:, joint])
    positions[:, middle], positions[:, end] = knee, foot
