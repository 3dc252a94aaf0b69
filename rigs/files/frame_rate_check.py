"""Frame-rate check: detect a wrong frame rate in a file from implausibly fast steps."""

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import INDEX

_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
_SPEED_WINDOW = 0.1
"""Seconds over which a speed is measured, so that the noise of a capture averages out."""
_MAX_LIFT = 0.4
"""Metres above its usual height to which a step lifts an ankle; leaps and kicks may be fast."""
_MAX_STEP_SPEED = 3.2
"""m/s. In 28 real dances the 95th percentile of the speeds is at most 2.9; salsa at twice its true frame rate exceeds
3.5 in every take.
"""
_PERCENTILE = 95.0
_MIN_DURATION = 2.0
"""Seconds of movement below which the speed says too little."""


def frame_rate_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """Warnings about a file's dancer whose steps suggest a wrong frame rate; none if the speed is plausible."""
    ankles = motion.positions[:, _ANKLES]
    speed = _step_speed(ankles, motion.fps)
    if motion.seconds < _MIN_DURATION or speed < _MAX_STEP_SPEED or _ankle_lift(ankles) > _MAX_LIFT:
        return ()
    return (
        f"{name}: steps of {speed:.1f} m/s found, at most {_MAX_STEP_SPEED:g} expected of a dancer; "
        f"its {motion.fps:g} frames a second may be wrong, {motion.fps / 2.0:g} would fit better",
    )


def _step_speed(ankles: Array, fps: float) -> float:
    """The 95th percentile of the speed in m/s of `ankles` (F, 2, 3) m."""
    frames = max(1, round(fps * _SPEED_WINDOW))
    if len(ankles) <= frames:
        return 0.0
    speeds = np.linalg.norm(ankles[frames:] - ankles[:-frames], axis=-1) * (fps / frames)
    return float(np.percentile(speeds, _PERCENTILE))


def _ankle_lift(ankles: Array) -> float:
    """The 95th percentile of the height in m of the higher of `ankles` (F, 2, 3) above its low frames."""
    height = ankles[..., 2] - np.percentile(ankles[..., 2], 100.0 - _PERCENTILE, axis=0)
    return float(np.percentile(height.max(axis=1), _PERCENTILE))
