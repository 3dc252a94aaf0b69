"""Foot placement: legs solved by two-bone IK for feet at given places, and steps from one pose to another."""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.easing import bump, minimum_jerk
from rigs.motion import Motion
from rigs.skeleton import INDEX, SIDES
from rigs.smoothing import upper_envelope
from rigs.two_bone_ik import drop_to_reach, solve_limb

LEGS = tuple(tuple(INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "foot")) for side in SIDES)
"""Joints of the left and of the right leg: hip, knee, ankle, ball of the foot."""
_TOES = [INDEX[f"{side}_bigtoe"] for side in SIDES]
_FRONT = np.array([0.0, -1.0, 0.0])
_REACH = 0.9985
"""Part of its length to which a leg is stretched at most."""
_DROP_TIME = 0.15
"""s over which the pelvis is lowered as far as the feet need, before and after."""
_CLEARANCE, _STRIDE = 0.05, 0.15
"""m by which a stepping foot is lifted, for a step at least as long as the second."""


def foot_poses(motion: Motion) -> tuple[Array, Array]:
    """Ankle positions (F, 2, 3) m, and world rotations (F, 2, 2, 4) of each foot and its toes."""
    world = kinematics.global_rotations(motion.rotations)
    ankles = motion.positions[:, [leg[2] for leg in LEGS]]
    return ankles, np.stack([world[:, leg[2:]] for leg in LEGS], axis=1)


def place_feet(motion: Motion, ankles: Array, feet: Array) -> Motion:
    """Place the feet of a motion by two-bone IK, the pelvis lowered as far as both legs need.

    ankles: (F, 2, 3) m.  feet: (F, 2, 2, 4) world rotations of each foot and its toes.
    """
    drop = upper_envelope(_pelvis_drop(motion, ankles), round(_DROP_TIME * motion.fps))
    root = motion.root - drop[:, None] * np.array([0.0, 0.0, 1.0])
    world = kinematics.global_rotations(motion.rotations)
    positions = kinematics.joint_positions(root, world, motion.skeleton.offsets)
    for side, (hip, knee, ankle, ball) in enumerate(LEGS):
        solve_limb(positions, world, (hip, knee, ankle), ankles[:, side], _FRONT)
        world[:, ankle], world[:, ball] = feet[:, side, 0], feet[:, side, 1]
    local = kinematics.local_rotations(world)
    local[:, _TOES] = motion.rotations[:, _TOES]
    return Motion(motion.fps, motion.skeleton, root, local)


def step_over(start: Motion, end: Motion, frames: int) -> Motion:
    """Step from one pose to another, one foot after the other, at rest at both ends.

    start, end: one frame each, of the same dancer.  frames: the number of frames between them.
    """
    t = np.arange(1, frames + 1) / (frames + 1)
    progress = minimum_jerk(t, 0.0, 1.0)
    root = start.root + progress[:, None] * (end.root - start.root)
    local = rotations.slerp(start.rotations, end.rotations, progress[:, None])
    (start_ankles, start_feet), (end_ankles, end_feet) = foot_poses(start), foot_poses(end)
    ankles, feet = np.empty((frames, 2, 3)), np.empty((frames, 2, 2, 4))
    for side, (lift, land) in enumerate(((0.0, 0.5), (0.5, 1.0))):
        swing = minimum_jerk(t, lift, land)
        step = end_ankles[0, side] - start_ankles[0, side]
        ankles[:, side] = start_ankles[0, side] + swing[:, None] * step
        ankles[:, side, 2] += _CLEARANCE * min(1.0, float(np.linalg.norm(step)) / _STRIDE) * bump(t, lift, land)
        feet[:, side] = rotations.slerp(start_feet[:, side], end_feet[:, side], swing[:, None])
    return place_feet(Motion(start.fps, start.skeleton, root, local), ankles, feet)


def _pelvis_drop(motion: Motion, ankles: Array) -> Array:
    """Drop of the pelvis (F,) m with which the legs reach the ankles (F, 2, 3) m."""
    drop = np.zeros(len(motion))
    for side, (hip, knee, ankle, _) in enumerate(LEGS):
        length = _REACH * float(np.linalg.norm(motion.skeleton.offsets[[knee, ankle]], axis=-1).sum())
        drop = np.maximum(drop, drop_to_reach(motion.positions[:, hip], ankles[:, side], length))
    return drop
