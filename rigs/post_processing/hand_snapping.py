"""Hands that nearly hold: where a partner's hand hovers by the leader's as if to hold it, it does.

The leader is given; the partner's arm gives way alone, and the body leans a little where the arm is too short.
"""

from itertools import product

import numpy as np

from rigs import Array, rotations
from rigs.constraints.arm_reach import EASY_REACH, arm_joint, arm_lengths
from rigs.constraints.hand_holds import HandHold
from rigs.skeleton import Skeleton
from rigs.smoothing import blend_offsets, hann_average, moving_maximum, true_runs

_NEAR, _LOOSE, _LOST = 0.24, 0.3, 0.5
"""m between two wrists: a hold is meant where they come as near as the first while nearer than the second.

Farther hands would be found too, but then hands that only pass hold as well. A gap is closed up to the third.
"""
_SHORTEST = 0.25
"""s that a hold lasts at least: nine of ten real ones do."""
_GAP = 0.3
"""s that a hold is lost at most and still goes on: half of the gaps between real ones are no longer."""
_CLOSE, _USUAL = 0.15, 0.195
"""m between two held wrists: up to the first they stay where they are, from further they come nearly to the second.

Half of real holds are between 14 and 20 cm.
"""
_BLEND = 0.3
"""s in which a hand finds its hold, and leaves it after."""
_LEAN = 0.08
"""m by which a dancer leans towards a hand that the arm alone does not reach, at most."""
_LEANING = 0.4
"""s in which this happens."""
_ROOM = 0.45
"""m between two pelvises below which no hold brings them."""


def detect_near_holds(partner: Array, leader: Array, fps: float) -> list[HandHold]:
    """The holds that a partner's hands seem to be meant for, with the way between the wrists that they should have.

    partner, leader: (F, 29, 3) m.  In each frame a hand holds one hand at most, the one that it is nearer to.
    """
    ways = np.array([[partner[:, arm_joint("wrist", a)] - leader[:, arm_joint("wrist", b)] for b in (0, 1)] for a in (0, 1)])
    distances = np.linalg.norm(ways, axis=-1)
    shortest, blend = max(1, round(_SHORTEST * fps)), round(_BLEND * fps)
    runs = [
        (float((distances[sides][first:last] - _LOOSE).sum()), sides, first, last)
        for sides in product((0, 1), (0, 1))
        for first, last in true_runs(_near_without_gaps(distances[sides], round(_GAP * fps)), shortest)
        if distances[sides][first:last].min() < _NEAR
    ]
    held, barred = np.zeros(distances.shape, bool), np.zeros(distances.shape, bool)
    for _, (ours, theirs), first, last in sorted(runs):
        for start, end in true_runs(~barred[ours, theirs, first:last], shortest):
            held[ours, theirs, first + start : first + end] = True
            barred[1 - ours, theirs, first + start : first + end] = True
            barred[ours, 1 - theirs, max(first + start - blend, 0) : first + end + blend] = True
    wanted = ways * (_held_distance(distances) / np.maximum(distances, 1e-6))[..., None]
    return [HandHold(s, held[s], wanted[s]) for s in product((0, 1), (0, 1)) if held[s].any()]


def lean_offsets(partner: Array, leader: Array, skeleton: Skeleton, found: list[HandHold], fps: float) -> Array:
    """How the partner must be moved along the floor for the arms to reach the holds: (F, 3) m, a few centimetres.

    partner, leader: (F, 29, 3) m.
    """
    way = np.zeros((len(partner), 3))
    for hold in found:
        away = _hold_target(leader, hold) - partner[:, arm_joint("shoulder", hold.sides[0])]
        missing = np.linalg.norm(away, axis=-1) - EASY_REACH * sum(arm_lengths(skeleton, hold.sides[0]))
        missing = np.where(hold.held, np.maximum(missing, 0.0), 0.0)
        way += missing[:, None] * rotations.normalize(away * [1.0, 1.0, 0.0])
    frames = round(_LEANING * fps)
    nearest = -moving_maximum(-np.linalg.norm((partner - leader)[:, 0], axis=-1), frames)
    most = np.clip(nearest - _ROOM, 0.0, _LEAN)[:, None]
    way *= most / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), np.maximum(most, 1e-6))
    return hann_average(way, frames)


def wrist_offsets(partner: Array, leader: Array, found: list[HandHold], fps: float) -> Array:
    """How the partner's wrists must be moved to be in their holds: (2, F, 3) m, the left one and the right one.

    partner, leader: (F, 29, 3) m.  Around a hold the hands find and leave it smoothly.
    """
    offsets = np.zeros((2, len(partner), 3))
    for side in range(2):
        held = np.zeros(len(partner), bool)
        for hold in found:
            if hold.sides[0] == side:
                away = _hold_target(leader, hold) - partner[:, arm_joint("wrist", side)]
                offsets[side] = np.where(hold.held[:, None], away, offsets[side])
                held |= hold.held
        offsets[side] = blend_offsets(offsets[side], true_runs(held), round(_BLEND * fps))
    return offsets


def _near_without_gaps(distance: Array, gap: int) -> Array:
    """Where two wrists `distance` (F,) m apart are near each other, but for short gaps in which they stay together."""
    near = distance < _LOOSE
    for first, last in true_runs(~near):
        if first > 0 and last < len(near) and last - first <= gap and distance[first:last].max() < _LOST:
            near[first:last] = True
    return near


def _held_distance(distance: Array) -> Array:
    """How far apart wrists are in a hold that hover at `distance` m: as near as they are, or nearly `_USUAL`."""
    room = _USUAL - _CLOSE
    return np.where(distance < _CLOSE, distance, _CLOSE + room * np.tanh((distance - _CLOSE) / room))


def _hold_target(leader: Array, hold: HandHold) -> Array:
    """Where the partner's wrist belongs in a hold: (F, 3) m."""
    return np.asarray(leader[:, arm_joint("wrist", hold.sides[1])] + hold.apart)
