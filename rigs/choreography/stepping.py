"""Legs that follow their feet: a body carried elsewhere, with its feet where they are told to stand."""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.humanoid import SIDES
from rigs.easing import bump, minimum_jerk
from rigs.motion import Motion
from rigs.skeleton import INDEX
from rigs.smoothing import upper_envelope
from rigs.two_bone_ik import solve_limb

LEGS = tuple(tuple(INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle", "foot")) for side in SIDES)
"""Of the left and of the right leg: hip, knee, ankle, ball of the foot."""
_TOES = [INDEX[f"{side}_bigtoe"] for side in SIDES]
_FRONT = np.array([0.0, -1.0, 0.0])
_REACH = 0.9985
"""The most of its length to which a leg is stretched."""
_SETTLE = 0.15
"""s in which the pelvis goes as low as the feet need."""
_CLEARANCE = 0.05
"""m by which a stepping foot is lifted, for a step of _STRIDE m or more."""
_STRIDE = 0.15


def foot_poses(motion: Motion) -> tuple[Array, Array]:
    """Where the ankles are (F, 2, 3) m, and the world rotations (F, 2, 2, 4) of each foot and its toes."""
    world = kinematics.global_rotations(motion.rotations)
    ankles = motion.positions[:, [leg[2] for leg in LEGS]]
    return ankles, np.stack([world[:, leg[2:]] for leg in LEGS], axis=1)


def place_feet(motion: Motion, ankles: Array, turned: Array) -> Motion:
    """The motion with its feet there, its knees bent for it and its pelvis as low as both legs need.

    ankles: (F, 2, 3) m.  turned: (F, 2, 2, 4) world rotations of each foot and its toes.
    """
    drop = upper_envelope(_pelvis_drop(motion, ankles), round(_SETTLE * motion.fps))
    root = motion.root - drop[:, None] * np.array([0.0, 0.0, 1.0])
    world = kinematics.global_rotations(motion.rotations)
    positions = kinematics.joint_positions(root, world, motion.skeleton.offsets)
    for side, (hip, knee, ankle, ball) in enumerate(LEGS):
        solve_limb(positions, world, (hip, knee, ankle), ankles[:, side], _FRONT)
        world[:, ankle], world[:, ball] = turned[:, side, 0], turned[:, side, 1]
    local = kinematics.local_rotations(world)
    local[:, _TOES] = motion.rotations[:, _TOES]
    return Motion(motion.fps, motion.skeleton, root, local)


def step_over(start: Motion, end: Motion, frames: int) -> Motion:
    """The way from one pose to another, one foot after the other, at rest in the beginning and in the end.

    start, end: one frame each, of the same dancer.  frames: how many lie between them.
    """
    t = np.arange(1, frames + 1) / (frames + 1)
    go = minimum_jerk(t, 0.0, 1.0)
    root = start.root + go[:, None] * (end.root - start.root)
    turned = rotations.slerp(start.rotations, end.rotations, go[:, None])
    (here, stood), (there, stand) = foot_poses(start), foot_poses(end)
    ankles, feet = np.empty((frames, 2, 3)), np.empty((frames, 2, 2, 4))
    for side, (lift, land) in enumerate(((0.0, 0.5), (0.5, 1.0))):
        swing = minimum_jerk(t, lift, land)
        way = there[0, side] - here[0, side]
        ankles[:, side] = here[0, side] + swing[:, None] * way
        ankles[:, side, 2] += _CLEARANCE * min(1.0, float(np.linalg.norm(way)) / _STRIDE) * bump(t, lift, land)
        feet[:, side] = rotations.slerp(stood[:, side], stand[:, side], swing[:, None])
    return place_feet(Motion(start.fps, start.skeleton, root, turned), ankles, feet)


def _pelvis_drop(motion: Motion, ankles: Array) -> Array:
    """How much lower (F,) m the pelvis must be for the legs to reach the ankles (F, 2, 3)."""
    lack = np.zeros(len(motion))
    for side, (hip, knee, ankle, _) in enumerate(LEGS):
        length = _REACH * float(np.linalg.norm(motion.skeleton.offsets[[knee, ankle]], axis=-1).sum())
        away = motion.positions[:, hip] - ankles[:, side]
        level = np.linalg.norm(away[:, :2], axis=-1)
        lack = np.maximum(lack, away[:, 2] - np.sqrt(np.maximum(length**2 - level**2, 0.0)))
    return lack
