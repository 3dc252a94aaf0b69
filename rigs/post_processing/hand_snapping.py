"""Hand snapping: a partner's hand that hovers near the leader's as if to hold it is snapped into a hand hold.

The leader stays fixed: only the partner's arm moves, and the body leans a little where the arm is too short.
"""

from itertools import product

import numpy as np

from rigs import Array, rotations
from rigs.constraints.arm_reach import EASY_REACH, arm_joint, arm_lengths
from rigs.constraints.hand_holds import HandHold
from rigs.skeleton import Skeleton
from rigs.smoothing import blend_offsets, hann_average, moving_maximum, true_runs

_NEAR, _LOOSE, _LOST = 0.24, 0.3, 0.5
"""m between two wrists: the closest distance that a hold must reach, the one beyond which it ends, and the greatest
in a short gap that is closed. With greater distances hands that only pass each other would hold too."""
_SHORTEST = 0.25
"""s that a hold lasts at least, as nine of ten real ones do."""
_GAP = 0.3
"""s of the longest gap in a hold that is closed: half of the gaps between real ones are no longer."""
_CLOSE, _USUAL = 0.15, 0.195
"""m between two held wrists: a distance up to the first is kept, greater ones saturate towards the second.

Half of real holds are between 14 and 20 cm.
"""
_BLEND = 0.3
"""s over which the offset of a hand fades in before a hold, and out after."""
_MAX_LEAN = 0.08
"""m by which a body leans at most towards a hand that the arm alone does not reach."""
_LEAN_TIME = 0.4
"""s to either side over which the lean is averaged."""
_NEAREST = 0.45
"""m between two pelvises under which no hold brings them."""


def detect_near_holds(partner: Array, leader: Array, fps: float) -> list[HandHold]:
    """Detect near holds, frames in which a partner's hand hovers by a leader's, with the wrist offsets to hold at.

    partner, leader: (F, 29, 3) m.  In each frame a hand holds at most one hand, the nearer one.
    """
    wrists = [arm_joint("wrist", side) for side in range(2)]
    offsets = np.moveaxis(partner[:, wrists, None] - leader[:, None, wrists], 0, 2)
    distances = np.linalg.norm(offsets, axis=-1)
    shortest, blend = max(1, round(_SHORTEST * fps)), round(_BLEND * fps)
    runs = [
        (float((distances[sides][first:last] - _LOOSE).sum()), sides, first, last)
        for sides in product((0, 1), (0, 1))
        for first, last in true_runs(_near_without_gaps(distances[sides], round(_GAP * fps)), shortest)
        if distances[sides][first:last].min() < _NEAR
    ]
    masks, excluded = np.zeros(distances.shape, bool), np.zeros(distances.shape, bool)
    for _, (a, b), first, last in sorted(runs):
        for start, end in true_runs(~excluded[a, b, first:last], shortest):
            masks[a, b, first + start : first + end] = True
            excluded[1 - a, b, first + start : first + end] = True
            excluded[a, 1 - b, max(first + start - blend, 0) : first + end + blend] = True
    targets = offsets * (_held_distance(distances) / np.maximum(distances, 1e-6))[..., None]
    return [HandHold(s, masks[s], targets[s]) for s in product((0, 1), (0, 1)) if masks[s].any()]


def lean_offsets(partner: Array, leader: Array, skeleton: Skeleton, holds: list[HandHold], fps: float) -> Array:
    """Offsets (F, 3) m of the partner along the floor, a few centimetres, with which its arms reach the holds.

    partner, leader: (F, 29, 3) m.
    """
    lean = np.zeros((len(partner), 3))
    for hold in holds:
        away = _hold_target(leader, hold) - partner[:, arm_joint("shoulder", hold.sides[0])]
        missing = np.linalg.norm(away, axis=-1) - EASY_REACH * sum(arm_lengths(skeleton, hold.sides[0]))
        missing = np.where(hold.mask, np.maximum(missing, 0.0), 0.0)
        lean += missing[:, None] * rotations.normalize(away * [1.0, 1.0, 0.0])
    frames = round(_LEAN_TIME * fps)
    nearest = -moving_maximum(-np.linalg.norm((partner - leader)[:, 0], axis=-1), frames)
    limit = np.clip(nearest - _NEAREST, 0.0, _MAX_LEAN)[:, None]
    lean *= limit / np.maximum(np.linalg.norm(lean, axis=-1, keepdims=True), np.maximum(limit, 1e-6))
    return hann_average(lean, frames)


def wrist_offsets(partner: Array, leader: Array, holds: list[HandHold], fps: float) -> Array:
    """Offsets (2, F, 3) m of the partner's left and right wrist that bring them into their holds.

    partner, leader: (F, 29, 3) m.  Around a hold the offsets fade in and out.
    """
    offsets = np.zeros((2, len(partner), 3))
    for side in range(2):
        mask = np.zeros(len(partner), bool)
        for hold in holds:
            if hold.sides[0] == side:
                away = _hold_target(leader, hold) - partner[:, arm_joint("wrist", side)]
                offsets[side] = np.where(hold.mask[:, None], away, offsets[side])
                mask |= hold.mask
        offsets[side] = blend_offsets(offsets[side], true_runs(mask), round(_BLEND * fps))
    return offsets


def _near_without_gaps(distance: Array, gap: int) -> Array:
    """Frames (F,) bool in which two wrists at `distance` (F,) m are near, with short gaps closed.

    gap: frames of the longest gap.
    """
    near = distance < _LOOSE
    for first, last in true_runs(~near):
        if first > 0 and last < len(near) and last - first <= gap and distance[first:last].max() < _LOST:
            near[first:last] = True
    return near


def _held_distance(distance: Array) -> Array:
    """Distance in m at which wrists that hover at `distance` m are held, which saturates towards `_USUAL`."""
    rest = _USUAL - _CLOSE
    return np.where(distance < _CLOSE, distance, _CLOSE + rest * np.tanh((distance - _CLOSE) / rest))


def _hold_target(leader: Array, hold: HandHold) -> Array:
    """Target (F, 3) m of the partner's wrist in a hold."""
    return np.asarray(leader[:, arm_joint("wrist", hold.sides[1])] + hold.wrist_offset)
