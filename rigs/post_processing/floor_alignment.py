"""Where a partner stands too high or too low: how it is brought to the floor without losing its jumps."""

import numpy as np

from rigs import Array
from rigs.contacts import floor_height
from rigs.motion import Motion
from rigs.skeleton import INDEX, Skeleton
from rigs.smoothing import hann_average, moving_maximum, upper_envelope

_TOES = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("foot", "bigtoe")]
_JUMP = 0.7
"""s that a dancer can be in the air: what is longer is no jump."""
_HIGH, _LOW = 0.02, 0.015
"""m above the floor, and below it, that the lower toe may stay: real ones do as feet roll."""
_BLEND = 0.3
"""s over which a level is averaged."""
_LIFT = 0.1
"""s before and after a moment of sinking in which a dancer is lifted."""
_ENOUGH = 0.4
"""s of a partner's own given frames that say where its floor is."""
_DISAGREE = 0.01
"""m by which all of a partner's frames may say that the floor is elsewhere than those do that are known."""


def estimate_floor(partner: Motion, leader: Motion, given: Array) -> float:
    """The height in m at which the partner's toes rest.

    given: (F,) bool, frames of the partner that are known to be right. Where there are few, the leader's feet say
    about where the floor is; the partner's own may float.
    """
    if given.sum() >= _ENOUGH * partner.fps:
        expected = floor_height(partner.positions[given])
    else:
        expected = floor_height(leader.positions) + rest_toe_height(partner.skeleton) - rest_toe_height(leader.skeleton)
    return float(np.clip(floor_height(partner.positions), expected - _DISAGREE, expected + _DISAGREE))


def rest_toe_height(skeleton: Skeleton) -> float:
    """How high the lower end of the toes is above the floor of the T-pose, in m."""
    return float(skeleton.rest_positions()[_TOES, 2].min())


def level_offsets(positions: Array, floor: float, fps: float) -> Array:
    """How much higher (F,) m a dancer (F, 29, 3) must be who floats or sinks for longer than a jump, smooth in time."""
    height = positions[:, _TOES, 2].min(axis=1) - floor
    half = max(1, round(_JUMP * fps / 2.0))
    floating = -moving_maximum(-moving_maximum(-height, half), half)
    sinking = -moving_maximum(-moving_maximum(height, half), half)
    return hann_average(np.maximum(-sinking - _LOW, 0.0) - np.maximum(-floating - _HIGH, 0.0), round(_BLEND * fps))


def lift_offsets(positions: Array, floor: float, fps: float) -> Array:
    """How much higher (F,) m a dancer (F, 29, 3) must be for no toe to sink, however shortly."""
    sunk = floor - _LOW - positions[:, _TOES, 2].min(axis=1)
    return upper_envelope(np.maximum(sunk, 0.0), round(_LIFT * fps))
