"""Floor alignment: vertical offsets for a dancer that floats above the floor or sinks into it, without losing jumps."""

import numpy as np

from rigs import Array
from rigs.contacts import TOES, floor_height
from rigs.motion import Motion
from rigs.skeleton import Skeleton
from rigs.smoothing import hann_average, moving_maximum, upper_envelope

_JUMP = 0.7
"""s that a dancer can be in the air: floating for longer is no jump."""
_HIGH, _LOW = 0.02, 0.015
"""m above and below the floor within which the lower toe may stay, as real ones do when feet roll."""
_BLEND = 0.3
"""s to either side over which the correction of the level is averaged."""
_LIFT = 0.1
"""s before and after a toe sinks over which the dancer is lifted."""
_ENOUGH_KNOWN = 0.4
"""s of known frames of a partner from which they determine its floor."""
_TOLERANCE = 0.01
"""m by which the floor of all of a partner's frames may differ from the expected one."""


def estimate_floor(partner: Motion, leader: Motion, known: Array) -> float:
    """Estimate the height in m at which the partner's toes rest.

    known: (F,) bool, frames of the partner that are not generated. Where they are few, the leader's feet determine the
    floor to within 1 cm, since the partner's own may float.
    """
    if known.sum() >= _ENOUGH_KNOWN * partner.fps:
        expected = floor_height(partner.positions[known])
    else:
        expected = floor_height(leader.positions) + rest_toe_height(partner.skeleton) - rest_toe_height(leader.skeleton)
    return float(np.clip(floor_height(partner.positions), expected - _TOLERANCE, expected + _TOLERANCE))


def rest_toe_height(skeleton: Skeleton) -> float:
    """Height in m of the lowest toe joint above the floor in the T-pose."""
    return float(skeleton.rest_positions()[TOES, 2].min())


def level_offsets(positions: Array, floor: float, fps: float) -> Array:
    """Smooth vertical offsets (F,) m for a dancer (F, 29, 3) m that floats or sinks for longer than a jump.

    Morphological opening and closing of the toes' height over the duration of a jump.
    """
    height = positions[:, TOES, 2].min(axis=1) - floor
    half = max(1, round(_JUMP * fps / 2.0))
    floating = -moving_maximum(-moving_maximum(-height, half), half)
    sinking = -moving_maximum(-moving_maximum(height, half), half)
    return hann_average(np.maximum(-sinking - _LOW, 0.0) - np.maximum(-floating - _HIGH, 0.0), round(_BLEND * fps))


def lift_offsets(positions: Array, floor: float, fps: float) -> Array:
    """Smooth upward offsets (F,) m with which no toe of a dancer (F, 29, 3) m sinks, however briefly."""
    depth = floor - _LOW - positions[:, TOES, 2].min(axis=1)
    return upper_envelope(np.maximum(depth, 0.0), round(_LIFT * fps))
