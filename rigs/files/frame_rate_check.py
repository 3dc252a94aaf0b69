"""What a recording says of itself and the dance does not bear out."""

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import INDEX

_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_SPEED_WINDOW = 0.1
"""The time over which a speed is measured, so that a capture's noise is none."""
_MAX_LIFT = 0.4
"""Metres above its usual place to which a dance of steps does not lift an ankle; leaps and kicks may be fast."""
_MAX_STEP_SPEED = 3.2
"""m/s. In 28 real dances of steps 95 % of the speeds lie below at most 2.9; salsa at twice its true frame rate passes
3.5 in every take."""
_PERCENTILE = 95.0
_MIN_DURATION = 2.0
"""Seconds of dance that tell something about a dancer's pace."""


def frame_rate_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """Sentences about a file's dancer; none where nothing is doubtful."""
    ankles = motion.positions[:, _ANKLES]
    speed = _step_speed(ankles, motion.fps)
    if motion.seconds < _MIN_DURATION or speed < _MAX_STEP_SPEED or _ankle_lift(ankles) > _MAX_LIFT:
        return ()
    return (
        f"{name}: steps of {speed:.1f} m/s found, at most {_MAX_STEP_SPEED:g} expected of a dancer; "
        f"its {motion.fps:g} frames a second may be wrong, {motion.fps / 2.0:g} would fit better",
    )


def _step_speed(ankles: Array, fps: float) -> float:
    """The speed in m/s that `ankles` (F, 2, 3) m exceed in 5 % of the time."""
    frames = max(1, round(fps * _SPEED_WINDOW))
    if len(ankles) <= frames:
        return 0.0
    speeds = np.linalg.norm(ankles[frames:] - ankles[:-frames], axis=-1) * (fps / frames)
    return float(np.percentile(speeds, _PERCENTILE))


def _ankle_lift(ankles: Array) -> float:
    """The height in m above its lower ones that the higher of `ankles` (F, 2, 3) exceeds in 5 % of the time."""
    height = ankles[..., 2] - np.percentile(ankles[..., 2], 100.0 - _PERCENTILE, axis=0)
    return float(np.percentile(height.max(axis=1), _PERCENTILE))
