"""Foot contacts with the floor, and the height of the floor."""

import numpy as np

from rigs import Array
from rigs.motion import Motion, translate
from rigs.skeleton import INDEX

FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
CONTACT_SPEED, PLANTED_SPEED, GENERATED_SPEED = 0.4, 0.2, 0.25
"""m/s along the floor under which a low foot is in contact: in features and metrics, in planting the feet of a captured
dance, and in planting those of a generated one."""
_RESTING_PERCENTILE = 5.0
"""Percentile of a joint's heights that is its resting height: lower ones are noise of the capture."""
_BELOW_FEET = 0.25
"""m below the toes' lowest height at which another joint rests on the floor instead: a hand's, in a handstand."""
_MAX_REST_HEIGHT = np.array([0.15, 0.08, 0.15, 0.08])
"""m above the floor that a resting joint of `FEET` cannot exceed, not even in heels."""


def foot_contacts(positions: Array, fps: float, *, height: float = 0.05, speed: float = CONTACT_SPEED) -> Array:
    """Detect foot contacts: the frames in which a foot rests on the floor.

    positions: (F, 29, 3) m, Z up.  height: m above the joint's own resting height.  speed: m/s along the floor.
    Returns (F, 4) bool: left ankle, left foot, right ankle, right foot.
    On real salsa the default limits find a foot resting in 90 to 97 % of the frames; a foot that steps passes 1 m/s.
    """
    feet = np.asarray(positions)[:, FEET]
    rest = np.percentile(feet[..., 2], _RESTING_PERCENTILE, axis=0)
    rest = np.minimum(rest, floor_height(positions) + _MAX_REST_HEIGHT)
    return (_planar_speed(feet, fps) < speed) & (feet[..., 2] - rest < height)


def foot_speed(positions: Array, fps: float) -> Array:
    """Mean speed (F,) in m/s of the `FEET` of positions (F, 29, 3) m, two frames or more."""
    speed: Array = np.linalg.norm(np.gradient(positions[:, FEET], axis=0), axis=-1).mean(axis=1) * fps
    return speed


def floor_height(positions: Array) -> float:
    """Height in m of the floor under `positions` (F, 29, 3) m: a low percentile of the lower toes."""
    lowest = np.asarray(positions)[:, TOES, 2].min(axis=1)
    return float(np.percentile(lowest, _RESTING_PERCENTILE))


def stand_on_floor(*motions: Motion) -> tuple[Motion, ...]:
    """Translate motions vertically, all by one constant, so that the lowest of their floors is at z = 0.

    The floor is under the toes, or far below them, as in a clip of handstands, under the lowest joint. Dancers who
    share a world must be passed together.
    """
    floor = min(_lowest_support(motion.positions) for motion in motions)
    return tuple(translate(motion, np.array([0.0, 0.0, -floor])) for motion in motions)


def _lowest_support(positions: Array) -> float:
    """Height in m of the floor under `positions` (F, 29, 3) m, also of a dancer whose feet never touch it."""
    toes = floor_height(positions)
    lowest = float(np.percentile(positions[..., 2].min(axis=1), _RESTING_PERCENTILE))
    return lowest if lowest < toes - _BELOW_FEET else toes


def _planar_speed(positions: Array, fps: float) -> Array:
    """Speeds along the floor (F, J) m/s of `positions` (F, J, 3) m."""
    if len(positions) < 2:
        return np.zeros(positions.shape[:2])
    return np.linalg.norm(np.gradient(positions[..., :2], axis=0), axis=-1) * fps
