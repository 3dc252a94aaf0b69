"""Foot planting: resting feet are locked to one place on the floor by two-bone IK, and no sole sinks below it."""

from dataclasses import replace

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.characters.sole import find_sole
from rigs.skeleton import INDEX, SIDES
from rigs.smoothing import blend_offsets, debounced_runs, true_runs, upper_envelope
from rigs.two_bone_ik import drop_to_reach, solve_limb

_UP = np.array([0.0, 0.0, 1.0])
_BLEND = 0.15
"""s over which the correction of a foot fades in before it is planted, and out after."""
_SHORTEST = 0.05
"""s of contact from which a foot is planted."""
_DRIFT = 0.06
"""m that the ball of a resting foot may drift in the source and still be locked; further, its drift is kept."""
_PIVOT = np.radians(15.0)
"""Radians that a flat foot may turn and still be locked to one heading; one that turns further pivots."""
_REACH = 0.993
"""Part of its length to which a leg is stretched at most."""


def plant_feet(posed: PosedHumanoid, humanoid: Humanoid) -> PosedHumanoid:
    """Plant the feet of a posed humanoid where its source's are in contact, which removes foot skating.

    The ball of a resting foot keeps one place on the floor, and a foot that rests as a whole lies flat on it. Legs
    follow by two-bone IK, and the pelvis is lowered as far as they need.
    """
    feet = [_foot_targets(posed, humanoid, side) for side in range(2)]
    lowered = posed.translate(-_pelvis_drop(posed, humanoid, [ankle for ankle, *_ in feet])[:, None] * _UP)
    positions, world = lowered.positions.copy(), lowered.world_rotations.copy()
    for side, (ankle, foot, toes) in zip(SIDES, feet, strict=True):
        hip, knee, heel, ball, tip = (INDEX[f"{side}_{j}"] for j in ("hip", "knee", "ankle", "foot", "bigtoe"))
        world[:, heel], world[:, ball] = foot, toes
        solve_limb(positions, world, (hip, knee, heel), ankle, np.array([0.0, -1.0, 0.0]))
        positions[:, ball] = positions[:, heel] + _child_offset(humanoid, foot, heel, ball)
        positions[:, tip] = positions[:, ball] + _child_offset(humanoid, toes, ball, tip)
    return replace(lowered, positions=positions, world_rotations=world)


def _foot_targets(posed: PosedHumanoid, humanoid: Humanoid, side: int) -> tuple[Array, Array, Array]:
    """Target (F, 3) m of one ankle, and the world rotations (F, 4) of its foot and toes."""
    ankle, ball = (INDEX[f"{SIDES[side]}_{joint}"] for joint in ("ankle", "foot"))
    blend = max(1, round(_BLEND * posed.fps))
    heel_contact, ball_contact = posed.foot_contacts[:, 2 * side], posed.foot_contacts[:, 2 * side + 1]
    flat = heel_contact & ball_contact
    turn = _heading_lock(posed.world_rotations[:, ankle], flat, blend)
    foot = _flatten_resting(rotations.multiply(turn, posed.world_rotations[:, ankle]), flat, blend)
    toes = _flatten_resting(rotations.multiply(turn, posed.world_rotations[:, ball]), ball_contact, blend)
    to_ball = _child_offset(humanoid, foot, ankle, ball)
    balls = posed.positions[:, ankle] + to_ball
    shortest = max(2, round(_SHORTEST * posed.fps))
    runs = debounced_runs(ball_contact, shortest)
    anchors = balls.copy()
    for first, last in runs:
        anchors[first:last, :2] = _anchor_points(balls[first:last, :2], posed.toe_paths[first:last, side])
        anchors[first:last, 2] = posed.floor + humanoid.rest_height("foot")
    ankles: Array = balls + blend_offsets(anchors - balls, runs, blend) - to_ball
    lift = np.maximum(posed.floor - ankles[:, 2] - find_sole(humanoid, SIDES[side]).lowest_height(foot, toes), 0.0)
    return ankles + lift[:, None] * _UP, foot, toes


def _heading_lock(world: Array, flat: Array, blend: int) -> Array:
    """Rotations about the vertical (F, 4) that lock the heading of a foot where it rests flat and does not pivot."""
    heading = np.unwrap(rotations.heading(world))
    runs = [(a, b) for a, b in true_runs(flat, 2) if np.ptp(heading[a:b]) < _PIVOT]
    offsets = np.zeros((len(heading), 1))
    for first, last in runs:
        offsets[first:last, 0] = heading[first:last].mean() - heading[first:last]
    return rotations.about_z(blend_offsets(offsets, runs, blend)[:, 0])


def _flatten_resting(world: Array, contact: Array, blend: int) -> Array:
    """World rotations (F, 4) made level where the foot is in `contact` (F,) bool, and blended around that."""
    weight = blend_offsets(contact[:, None].astype(float), true_runs(contact, 2), blend)[:, 0]
    return rotations.slerp(world, rotations.about_z(rotations.heading(world)), weight)


def _anchor_points(balls: Array, source: Array) -> Array:
    """Points (n, 2) m to which a foot is locked: the mean of its `balls` (n, 2), with a large drift of the `source`."""
    drift = source - source.mean(axis=0)
    if np.linalg.norm(np.ptp(drift, axis=0)) < _DRIFT:
        drift = np.zeros_like(drift)
    return np.asarray(balls.mean(axis=0) + drift)


def _child_offset(humanoid: Humanoid, world: Array, joint: int, child: int) -> Array:
    """Vector (F, 3) m from a joint to its child for world rotations (F, 4) of the joint."""
    offset = humanoid.rest_positions[child] - humanoid.rest_positions[joint]
    return rotations.rotate(world, rotations.rotate(rotations.inverse(humanoid.rest_rotations[joint]), offset))


def _pelvis_drop(posed: PosedHumanoid, humanoid: Humanoid, ankles: list[Array]) -> Array:
    """Smooth drop of the pelvis (F,) m with which both legs reach the ankle targets, two of (F, 3) m."""
    drop, rest = np.zeros(len(posed.positions)), humanoid.rest_positions
    for side, ankle in zip(SIDES, ankles, strict=True):
        hip, knee, heel = (INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        thigh, shin = rest[knee] - rest[hip], rest[heel] - rest[knee]
        length = _REACH * float(np.linalg.norm(thigh) + np.linalg.norm(shin))
        drop = np.maximum(drop, drop_to_reach(posed.positions[:, hip], ankle, length))
    return upper_envelope(drop, round(_BLEND * posed.fps))
