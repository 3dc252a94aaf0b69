"""Arm reach: moving wrists by two-bone IK as far as the arms reach, with a soft limit towards full length."""

from dataclasses import replace

import numpy as np

from rigs import Array, kinematics
from rigs.motion import Motion
from rigs.skeleton import INDEX, SIDES, Skeleton
from rigs.two_bone_ik import solve_limb

EASY_REACH = 0.93
"""Part of its length from which an arm follows its target less and less."""
MAX_REACH = 0.985
"""Part of its length to which an arm is stretched at most."""
_NEGLIGIBLE = 1e-4
"""m of offset up to which a wrist is not moved."""
ELBOW_FRONT = np.array([0.0, 1.0, 0.0])
"""Direction of an elbow in the T-pose, for an arm too straight to have a bending plane."""


def arm_joint(name: str, side: int) -> int:
    """Index of the left (0) or right (1) joint of that name."""
    return INDEX[f"{SIDES[side]}_{name}"]


def arm_lengths(skeleton: Skeleton, side: int) -> tuple[float, float]:
    """Lengths in m of the upper arm and the forearm."""
    upper, lower = np.linalg.norm(skeleton.offsets[[arm_joint("elbow", side), arm_joint("wrist", side)]], axis=-1)
    return float(upper), float(lower)


def min_reach(arm: tuple[float, float]) -> float:
    """Shortest distance in m from shoulder to wrist that an arm of these bone lengths in m is bent to."""
    return 1.02 * abs(arm[0] - arm[1])


def move_wrists(motion: Motion, offsets: Array) -> Motion:
    """Move the left and the right wrist by `offsets` (2, F, 3) m, by two-bone IK and as far as the arms reach.

    Hands keep their world rotations, and nothing but the arms moves.
    """
    if np.abs(offsets).max(initial=0.0) < _NEGLIGIBLE:
        return motion
    world, positions = kinematics.global_rotations(motion.rotations), motion.positions
    for side in range(2):
        frames = np.flatnonzero(np.abs(offsets[side]).max(axis=-1) > _NEGLIGIBLE)
        if not len(frames):
            continue
        chain = (arm_joint("shoulder", side), arm_joint("elbow", side), arm_joint("wrist", side))
        arm_positions, arm_world = positions[frames], world[frames]
        target = _soft_reach(arm_positions[:, list(chain)], offsets[side][frames], arm_lengths(motion.skeleton, side))
        solve_limb(arm_positions, arm_world, chain, target, ELBOW_FRONT)
        world[frames] = arm_world
    return replace(motion, rotations=kinematics.local_rotations(world))


def _soft_reach(chain: Array, offset: Array, arm: tuple[float, float]) -> Array:
    """Target (F, 3) m of a wrist that is to be moved by `offset` (F, 3) m, within a soft limit of the arm's length.

    chain: (F, 3, 3) m, shoulder, elbow and wrist.  arm: m, lengths of upper arm and forearm.
    Towards its full length an arm follows less and less, so that it does not stop abruptly; one that was straighter
    before may stay so.
    """
    upper, lower = arm
    away = chain[:, 2] + offset - chain[:, 0]
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    before = np.linalg.norm(chain[:, 2] - chain[:, 0], axis=-1, keepdims=True)
    easy, rest = EASY_REACH * (upper + lower), (MAX_REACH - EASY_REACH) * (upper + lower)
    limited = np.where(distance < easy, distance, easy + rest * np.tanh((distance - easy) / rest))
    reached = np.maximum(np.maximum(limited, np.minimum(distance, before)), min_reach(arm))
    return np.asarray(chain[:, 0] + away * reached / distance)
