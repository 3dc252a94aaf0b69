"""Arms that bring a hand somewhere: as far as they reach, each elbow in the plane that it bends in."""

from dataclasses import replace

import numpy as np

from rigs import Array, kinematics
from rigs.characters.humanoid import SIDES
from rigs.motion import Motion
from rigs.skeleton import INDEX, Skeleton
from rigs.two_bone_ik import solve_limb

EASY_REACH = 0.93
"""The part of its length from which an arm reaches less far than is asked."""
MAX_REACH = 0.985
"""The part of its length that it never exceeds so."""
_NEGLIGIBLE = 1e-4
"""m by which it is not worth moving a hand."""
_BACK = np.array([0.0, 1.0, 0.0])


def arm_joint(name: str, side: int) -> int:
    """The left (0) or right (1) joint of that name."""
    return INDEX[f"{SIDES[side]}_{name}"]


def arm_lengths(skeleton: Skeleton, side: int) -> tuple[float, float]:
    """The lengths of the upper arm and the forearm in m."""
    upper, lower = np.linalg.norm(skeleton.offsets[[arm_joint("elbow", side), arm_joint("wrist", side)]], axis=-1)
    return float(upper), float(lower)


def move_wrists(motion: Motion, offsets: Array) -> Motion:
    """The movement with the left and the right wrist moved by `offsets` (2, F, 3) m as far as the arms reach.

    Hands keep their direction in the world, and nothing but the arms moves.
    """
    if np.abs(offsets).max(initial=0.0) < _NEGLIGIBLE:
        return motion
    world = kinematics.global_rotations(motion.rotations)
    positions = kinematics.joint_positions(motion.root, world, motion.skeleton.offsets)
    for side in range(2):
        moved = np.flatnonzero(np.abs(offsets[side]).max(axis=-1) > _NEGLIGIBLE)
        if not len(moved):
            continue
        chain = (arm_joint("shoulder", side), arm_joint("elbow", side), arm_joint("wrist", side))
        arm, turned = positions[moved], world[moved]
        target = _soft_reach(arm[:, list(chain)], offsets[side][moved], arm_lengths(motion.skeleton, side))
        solve_limb(arm, turned, chain, target, _BACK)
        world[moved] = turned
    return replace(motion, rotations=kinematics.local_rotations(world))


def _soft_reach(chain: Array, offset: Array, arm: tuple[float, float]) -> Array:
    """Where a wrist comes (F, 3) m that is to be moved by `offset` (F, 3).

    chain: (F, 3, 3) m, shoulder, elbow and wrist. Towards its full length an arm follows less and less, so that it does
    not stop at once; one that was straighter before may stay so.
    """
    upper, lower = arm
    away = chain[:, 2] + offset - chain[:, 0]
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    before = np.linalg.norm(chain[:, 2] - chain[:, 0], axis=-1, keepdims=True)
    bent, rest = EASY_REACH * (upper + lower), (MAX_REACH - EASY_REACH) * (upper + lower)
    easily = np.where(distance < bent, distance, bent + rest * np.tanh((distance - bent) / rest))
    reached = np.maximum(np.maximum(easily, np.minimum(distance, before)), 1.02 * abs(upper - lower))
    return np.asarray(chain[:, 0] + away * reached / distance)
