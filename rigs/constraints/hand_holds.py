"""Hand hold constraints: hands that hold each other in the source hold on bodies of any proportions, by two-bone IK."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.constraints.arm_reach import ELBOW_FRONT, MAX_REACH, arm_joint, min_reach
from rigs.smoothing import blend_offsets, true_runs, upper_envelope
from rigs.two_bone_ik import solve_limb

_NEAR, _LOOSE = 0.2, 0.25
"""m between two wrists: the closest distance that a hold must reach, and the one beyond which it ends."""
_SHORTEST = 0.2
"""s that a hold lasts at least."""
_BLEND = 0.25
"""s over which the correction of a hand fades in before a hold, and out after."""
_APPROACH = 0.5
"""s before and after a hold over which the dancers move towards each other."""
_COMFORTABLE_REACH = 0.955
"""Part of its length to which an arm is stretched while the dancers can still come nearer."""
_NEAREST = 0.25
"""m between two pelvises under which no hold brings the dancers."""
_ITERATIONS = 24
"""Alternating projections of the hands onto the hold and onto the arms' reach; each halves what is left."""


@dataclass(frozen=True)
class HandHold:
    """Frames in which a hand of one dancer holds a hand of another.

    sides: of the first dancer's hand and of the second's, 0 for left.  mask: (F,) bool, the frames.
    wrist_offset: (F, 3) m, from the second dancer's wrist to the first's.
    """

    sides: tuple[int, int]
    mask: Array
    wrist_offset: Array


def detect_hand_holds(first: Array, second: Array, fps: float) -> list[HandHold]:
    """Detect the hand holds of two dancers by the distance of their wrists.

    first, second: (F, 29, 3) m, joint positions in one world frame.
    """
    holds = []
    for sides in product(range(2), range(2)):
        wrist_offset = first[:, arm_joint("wrist", sides[0])] - second[:, arm_joint("wrist", sides[1])]
        distance = np.linalg.norm(wrist_offset, axis=-1)
        mask = np.zeros(len(distance), bool)
        for start, end in true_runs(distance < _LOOSE, max(1, round(_SHORTEST * fps))):
            mask[start:end] = distance[start:end].min() < _NEAR
        if mask.any():
            holds.append(HandHold(sides, mask, wrist_offset))
    return holds


def approach_for_holds(
    pair: tuple[PosedHumanoid, PosedHumanoid], humanoids: tuple[Humanoid, Humanoid], holds: list[HandHold]
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """Move two dancers along the floor towards each other, as near as their arms need for every hold."""
    first, second = pair
    blend = round(_APPROACH * first.fps)
    for _ in range(3):
        line = rotations.normalize(_pelvis_offset(first, second))
        missing = np.zeros(len(line))
        for hold in holds:
            arms = list(zip((first, second), humanoids, hold.sides, strict=True))
            one, other = (posed.positions[:, arm_joint("shoulder", side)] for posed, _, side in arms)
            away = other + hold.wrist_offset - one
            reach = sum(_COMFORTABLE_REACH * sum(_arm_lengths(humanoid, side)) for _, humanoid, side in arms)
            level_reach = np.sqrt(np.maximum(reach**2 - away[:, 2] ** 2, 0.0))
            over = np.linalg.norm(_level(away), axis=-1) - level_reach
            missing = np.maximum(missing, np.where(hold.mask, over, 0.0))
        missing = np.minimum(missing, np.linalg.norm(_pelvis_offset(first, second), axis=-1) - _NEAREST)
        if missing.max() < 1e-3:
            break
        step = (upper_envelope(np.maximum(missing, 0.0), blend) / 2.0)[:, None] * line
        first, second = first.translate(step), second.translate(-step)
    return first, second


def join_hands(
    pair: tuple[PosedHumanoid, PosedHumanoid], humanoids: tuple[Humanoid, Humanoid], holds: list[HandHold]
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """Solve the arms of two dancers so that wrists in a hold have the source's offset; both arms move equally."""
    wrists = [[figure.positions[:, arm_joint("wrist", side)].copy() for side in range(2)] for figure in pair]
    for _ in range(_ITERATIONS):
        for hold in holds:
            one, other = wrists[0][hold.sides[0]], wrists[1][hold.sides[1]]
            step = np.where(hold.mask[:, None], (hold.wrist_offset - (one - other)) / 2.0, 0.0)
            one += step
            other -= step
        for dancer, (posed, humanoid) in enumerate(zip(pair, humanoids, strict=True)):
            for side in range(2):
                wrists[dancer][side] = _clamp_to_reach(posed, humanoid, side, wrists[dancer][side])
    solved = []
    for dancer, posed in enumerate(pair):
        positions, world = posed.positions.copy(), posed.world_rotations.copy()
        for side in range(2):
            mask = np.zeros(len(positions), bool)
            for hold in holds:
                if hold.sides[dancer] == side:
                    mask |= hold.mask
            if mask.any():
                _move_wrist(positions, world, side, wrists[dancer][side], mask, round(_BLEND * posed.fps))
        solved.append(replace(posed, positions=positions, world_rotations=world))
    return solved[0], solved[1]


def _move_wrist(positions: Array, world: Array, side: int, wrist: Array, mask: Array, blend: int) -> None:
    """Move a wrist to `wrist` (F, 3) m in place by two-bone IK in the frames of `mask` (F,), blended around them."""
    chain = (arm_joint("shoulder", side), arm_joint("elbow", side), arm_joint("wrist", side))
    hand = [chain[2], arm_joint("thumb", side), arm_joint("middle", side)]
    before = positions[:, chain[2]].copy()
    offset = blend_offsets(wrist - before, true_runs(mask), blend)
    frames = np.flatnonzero(np.abs(offset).max(axis=-1) > 0.0)
    arm_positions, arm_world = positions[frames], world[frames]
    solve_limb(arm_positions, arm_world, chain, (before + offset)[frames], ELBOW_FRONT)
    arm_positions[:, hand[1:]] += (arm_positions[:, chain[2]] - before[frames])[:, None]
    positions[frames], world[frames] = arm_positions, arm_world


def _clamp_to_reach(posed: PosedHumanoid, humanoid: Humanoid, side: int, wrist: Array) -> Array:
    """Positions (F, 3) m nearest to `wrist` (F, 3) m that the arm reaches."""
    shoulder = posed.positions[:, arm_joint("shoulder", side)]
    arm = _arm_lengths(humanoid, side)
    away = wrist - shoulder
    distance = np.maximum(np.linalg.norm(away, axis=-1, keepdims=True), 1e-6)
    return np.asarray(shoulder + away * np.clip(distance, min_reach(arm), MAX_REACH * sum(arm)) / distance)


def _arm_lengths(humanoid: Humanoid, side: int) -> tuple[float, float]:
    """Lengths in m of the upper arm and the forearm."""
    joints = humanoid.rest_positions[[arm_joint(name, side) for name in ("shoulder", "elbow", "wrist")]]
    upper, lower = np.linalg.norm(np.diff(joints, axis=0), axis=-1)
    return float(upper), float(lower)


def _pelvis_offset(first: PosedHumanoid, second: PosedHumanoid) -> Array:
    """Vector (F, 3) m along the floor from the first dancer's pelvis to the second's."""
    return _level(second.positions[:, 0] - first.positions[:, 0])


def _level(vectors: Array) -> Array:
    return vectors * np.array([1.0, 1.0, 0.0])
