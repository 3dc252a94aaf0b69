"""Where feet rest on the floor, and where that floor is."""

import numpy as np

from rigs import Array
from rigs.motion import Motion, translate
from rigs.skeleton import INDEX

FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
_TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
_RESTING_PERCENTILE = 5.0
"""The percentile of a joint's heights that counts as resting: lower ones are noise of the capture."""
_MAX_REST_HEIGHT = np.array([0.15, 0.08, 0.15, 0.08])
"""Metres above the floor that a resting joint of `FEET` cannot exceed, not even in heels."""


def foot_contacts(positions: Array, fps: float, *, height: float = 0.05, speed: float = 0.4) -> Array:
    """Mark the frames in which a foot rests on the floor.

    positions: (F, 29, 3) m, Z up.  height: m above the joint's own resting height.  speed: m/s along the floor.
    Returns (F, 4) bool: left ankle, left foot, right ankle, right foot.
    On real salsa the default limits find a foot resting in 90 to 97 % of the frames; a foot that steps passes 1 m/s.
    """
    feet = np.asarray(positions)[:, FEET]
    rest = np.percentile(feet[..., 2], _RESTING_PERCENTILE, axis=0)
    rest = np.minimum(rest, floor_height(positions) + _MAX_REST_HEIGHT)
    return (_planar_speed(feet, fps) < speed) & (feet[..., 2] - rest < height)


def floor_height(positions: Array) -> float:
    """The height in m on which the toes of `positions` (F, 29, 3) stand: the lower foot, in its lowest frames."""
    lowest = np.asarray(positions)[:, _TOES, 2].min(axis=1)
    return float(np.percentile(lowest, _RESTING_PERCENTILE))


def stand_on_floor(*motions: Motion) -> tuple[Motion, ...]:
    """The motions, all moved up or down by one constant so that the lowest of their floors is at z = 0.

    Dancers who share a world must be given together.
    """
    floor = min(floor_height(motion.positions) for motion in motions)
    return tuple(translate(motion, np.array([0.0, 0.0, -floor])) for motion in motions)


def _planar_speed(positions: Array, fps: float) -> Array:
    """Speeds along the floor in m/s (F, J) of `positions` (F, J, 3)."""
    if len(positions) < 2:
        return np.zeros(positions.shape[:2])
    return np.linalg.norm(np.gradient(positions[..., :2], axis=0), axis=-1) * fps
