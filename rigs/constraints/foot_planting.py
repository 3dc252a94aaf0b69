"""Feet on the floor: a retargeted figure's planted feet stay where they are, and nothing of them sinks below it."""

from dataclasses import replace

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import SIDES, Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.characters.sole import find_sole
from rigs.skeleton import INDEX
from rigs.smoothing import blend_offsets, debounced_runs, true_runs, upper_envelope
from rigs.two_bone_ik import solve_limb

_UP = np.array([0.0, 0.0, 1.0])
_BLEND = 0.15
"""s in which a foot finds its place before it is planted, and leaves it after."""
_SHORTEST = 0.05
"""s that a foot rests at least to be planted."""
_DRIFT = 0.06
"""m that a resting ball of the foot may drift in the source and be held at one place; further, it drifts as it did."""
_PIVOT = np.radians(15.0)
"""By how much a foot that rests flat may turn and be held at one heading; where it turns further, it pivots."""
_REACH = 0.993
"""The most of its length to which a leg is stretched."""


def plant_feet(figure: PosedHumanoid, body: Humanoid) -> PosedHumanoid:
    """The figure with its feet planted where the source's rest, the pelvis as low as they need, knees in their planes.

    A ball of the foot that rests keeps one place on the floor; a foot that rests as a whole lies flat on it.
    """
    feet = [_planted_foot(figure, body, side) for side in range(2)]
    sunk = figure.translated(-_pelvis_drop(figure, body, [ankle for ankle, *_ in feet])[:, None] * _UP)
    positions, world = sunk.positions.copy(), sunk.world_rotations.copy()
    for side, (ankle, foot, toes) in zip(SIDES, feet, strict=True):
        hip, knee, heel, ball, tip = (INDEX[f"{side}_{j}"] for j in ("hip", "knee", "ankle", "foot", "bigtoe"))
        world[:, heel], world[:, ball] = foot, toes
        solve_limb(positions, world, (hip, knee, heel), ankle, np.array([0.0, -1.0, 0.0]))
        positions[:, ball] = positions[:, heel] + _child_offset(body, foot, heel, ball)
        positions[:, tip] = positions[:, ball] + _child_offset(body, toes, ball, tip)
    return replace(sunk, positions=positions, world_rotations=world)


def _planted_foot(figure: PosedHumanoid, body: Humanoid, side: int) -> tuple[Array, Array, Array]:
    """Where one ankle belongs (F, 3) m, and the foot's and the toes' world rotations (F, 4)."""
    ankle, ball = (INDEX[f"{SIDES[side]}_{joint}"] for joint in ("ankle", "foot"))
    blend = max(1, round(_BLEND * figure.fps))
    heel_rests, ball_rests = figure.foot_contacts[:, 2 * side], figure.foot_contacts[:, 2 * side + 1]
    flat = heel_rests & ball_rests
    steady = _locked_headings(figure.world_rotations[:, ankle], flat, blend)
    foot = _flatten_resting(rotations.multiply(steady, figure.world_rotations[:, ankle]), flat, blend)
    toes = _flatten_resting(rotations.multiply(steady, figure.world_rotations[:, ball]), ball_rests, blend)
    to_ball = _child_offset(body, foot, ankle, ball)
    places = figure.positions[:, ankle] + to_ball
    shortest = max(2, round(_SHORTEST * figure.fps))
    runs = debounced_runs(ball_rests, shortest)
    anchors = places.copy()
    for first, last in runs:
        anchors[first:last, :2] = _anchor_points(places[first:last, :2], figure.toe_paths[first:last, side])
        anchors[first:last, 2] = figure.floor + body.rest_height("foot")
    places = places + blend_offsets(anchors - places, runs, blend)
    ankles: Array = places - to_ball
    lift = np.maximum(figure.floor - ankles[:, 2] - find_sole(body, SIDES[side]).lowest_point(foot, toes), 0.0)
    return ankles + lift[:, None] * _UP, foot, toes


def _locked_headings(world: Array, flat: Array, blend: int) -> Array:
    """The turns about the vertical (F, 4) by which a foot keeps its heading where it rests flat and does not pivot."""
    heading = np.unwrap(rotations.heading(world))
    runs = [(a, b) for a, b in true_runs(flat, 2) if np.ptp(heading[a:b]) < _PIVOT]
    offsets = np.zeros((len(heading), 1))
    for first, last in runs:
        offsets[first:last, 0] = heading[first:last].mean() - heading[first:last]
    return rotations.about_z(blend_offsets(offsets, runs, blend)[:, 0])


def _flatten_resting(world: Array, rests: Array, blend: int) -> Array:
    """World rotations (F, 4), level where the foot rests (F,) and blended around it."""
    weight = blend_offsets(rests[:, None].astype(float), true_runs(rests, 2), blend)[:, 0]
    return rotations.slerp(world, rotations.about_z(rotations.heading(world)), weight)


def _anchor_points(places: Array, steps: Array) -> Array:
    """Where a planted foot stands (n, 2) m: amid its `places`, still, or drifting as far as the source's `steps`."""
    drift = steps - steps.mean(axis=0)
    if np.linalg.norm(np.ptp(drift, axis=0)) < _DRIFT:
        drift = np.zeros_like(drift)
    return np.asarray(places.mean(axis=0) + drift)


def _child_offset(body: Humanoid, turned: Array, joint: int, child: int) -> Array:
    """From a joint to its child (F, 3) m when the joint is `turned` (F, 4) in the world."""
    at_rest = rotations.rotate(
        rotations.inverse(body.rest_rotations[joint]), body.rest_positions[child] - body.rest_positions[joint]
    )
    return rotations.rotate(turned, at_rest)


def _pelvis_drop(figure: PosedHumanoid, body: Humanoid, ankles: list[Array]) -> Array:
    """How much lower (F,) m the pelvis must be for both legs to reach the ankles, two of (F, 3)."""
    drop = np.zeros(len(figure.positions))
    for side, ankle in zip(SIDES, ankles, strict=True):
        hip, knee, heel = (INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle"))
        length = _REACH * float(
            np.linalg.norm(body.rest_positions[knee] - body.rest_positions[hip])
            + np.linalg.norm(body.rest_positions[heel] - body.rest_positions[knee])
        )
        away = figure.positions[:, hip] - ankle
        level = np.linalg.norm(away[:, :2], axis=-1)
        drop = np.maximum(drop, away[:, 2] - np.sqrt(np.maximum(length**2 - level**2, 0.0)))
    return upper_envelope(drop, round(_BLEND * figure.fps))
