"""Frame-rate check: detect a wrong frame rate in a file from jumps that fall too fast or too slowly, and from steps.

Free fall tells the rate in both directions: a body in the air follows a parabola of 9.81 m/s², and g in metres per
frame squared gives the frames a second. Without jumps only a rate that is too high is detected, by implausibly fast
steps; slow ones may be tai chi. A runner's fast steps are no wrong rate: between them no foot rests on the floor.
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.characters.center_of_mass import center_of_mass
from rigs.motion import Motion
from rigs.skeleton import INDEX

RATE_OPTION = "--fps (Frame Rate in Blender's import options) says another"
_ANKLES = [INDEX["left_ankle"], INDEX["right_ankle"]]
GRAVITY = 9.81
"""m/s² of free fall."""
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
_RUNNING_SPEED, _RUNNING_SHARE, _RESTING_SPEED, _SWING = 2.0, 0.15, 1.0, 3.0
"""m/s of the pelvis and the fraction of frames without a resting foot of somebody who runs at least; m/s of a resting
ankle; and how many times faster than the pelvis a runner's ankles swing at most."""
_RUNWAY = 3.0
"""m that a run covers at least."""
_OFF_FLOOR, _FLOOR_PERCENTILE = 0.05, 10.0
"""m of the lowest joint above the floor in a jump, and the percentile of its heights that is the floor's."""
_MIN_FRAMES, _MIN_RISE, _MAX_RESIDUAL, _MAX_SIDEWAYS = 6, 0.02, 0.1, 0.5
"""Frames and m of rise of a flight at least; its distance from a parabola, in rises, and sideways acceleration, in
falls, at most."""
_MIN_JUMPS, _MAX_SPREAD = 3, 1.6
"""Jumps that tell the rate at least, and the ratio of the upper to the lower quartile of their falls at most."""
_DOUBT, _MAX_DOUBT = 2.0, 20.0
"""Factors by which jumps fall too fast or too slowly if the rate is in doubt; beyond the second they are no jumps."""
_USUAL_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 72.0, 90.0, 100.0, 120.0, 144.0, 200.0, 240.0)
_NEAR = 0.12


@dataclass(frozen=True)
class RateDoubt:
    """Doubt about a frame rate: the rate that would fit better, the confidence, 0 to 1, and the evidence in words."""

    better: float
    confidence: float
    evidence: str


def frame_rate_warnings(motion: Motion, name: str) -> tuple[str, ...]:
    """Warnings about a file's dancer whose jumps or steps suggest a wrong frame rate; none if they are plausible."""
    doubt = doubt_frame_rate(motion)
    if doubt is None:
        return ()
    wrong = f"its {motion.fps:g} frames a second may be wrong, {doubt.better:g} would fit better"
    return (f"{name}: {doubt.evidence}; {wrong}, {RATE_OPTION}",)


def doubt_frame_rate(motion: Motion) -> RateDoubt | None:
    """What speaks against the frame rate of a whole clip, or None."""
    fall, jumps = fall_acceleration(motion.positions, motion.fps)
    if np.isfinite(fall):
        if 1.0 / _DOUBT < fall / GRAVITY < _DOUBT:
            return None
        evidence = f"{jumps} jumps fall at {fall:.1f} m/s², {GRAVITY:g} expected"
        better = _usual_rate(motion.fps * float(np.sqrt(GRAVITY / fall)))
        return RateDoubt(better, 1.0 - 1.0 / jumps, evidence)
    ankles = motion.positions[:, _ANKLES]
    speed = _step_speed(ankles, motion.fps)
    if (
        motion.seconds < _MIN_DURATION
        or speed < _MAX_STEP_SPEED
        or _ankle_lift(ankles) > _MAX_LIFT
        or _runs(motion, speed)
    ):
        return None
    evidence = f"steps of {speed:.1f} m/s found, at most {_MAX_STEP_SPEED:g} expected of a dancer"
    return RateDoubt(motion.fps / 2.0, 1.0 - 0.5 * _MAX_STEP_SPEED / speed, evidence)


def fall_acceleration(positions: Array, fps: float) -> tuple[float, int]:
    """Median downward acceleration in m/s² of jumps, and their number; nan if they are too few or disagree.

    positions: (F, 29, 3) m, Z up; nan for joints that are unknown.  In a jump nothing touches the floor, and the centre
    of mass follows a parabola.
    """
    falls = _fall_accelerations(positions, fps)
    if len(falls) < _MIN_JUMPS:
        return float("nan"), len(falls)
    lower, fall, upper = np.percentile(falls, [25.0, 50.0, 75.0])
    is_fall = upper < _MAX_SPREAD * lower and 1.0 / _MAX_DOUBT < fall / GRAVITY < _MAX_DOUBT
    return float(fall) if is_fall else float("nan"), len(falls)


def _fall_accelerations(positions: Array, fps: float) -> Array:
    """Downward acceleration in m/s² of the centre of mass in each flight: in the air, and along a parabola."""
    lowest = np.nanmin(positions[..., 2], axis=1)
    in_air = lowest > np.percentile(lowest, _FLOOR_PERCENTILE) + _OFF_FLOOR
    edges = np.flatnonzero(np.diff(np.concatenate([[False], in_air, [False]]).astype(int)))
    falls = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if end - start < _MIN_FRAMES:
            continue
        center = center_of_mass(positions[start + 1 : end - 1])
        frame = np.arange(len(center)) - (len(center) - 1) / 2.0
        powers = np.stack([np.ones(len(center)), frame, frame**2 / 2.0], axis=1)
        coefficients = np.linalg.pinv(powers) @ center
        residual = float(np.sqrt(np.mean((center - powers @ coefficients)[:, 2] ** 2)))
        fall, sideways = -float(coefficients[2, 2]), float(np.linalg.norm(coefficients[2, :2]))
        rise = fall * len(center) ** 2 / 8.0
        if rise > _MIN_RISE and residual < _MAX_RESIDUAL * rise and sideways < _MAX_SIDEWAYS * fall:
            falls.append(fall * fps**2)
    return np.array(falls)


def _usual_rate(fps: float) -> float:
    """The usual frame rate nearest to `fps`, or `fps` rounded if none is near."""
    nearest = min(_USUAL_RATES, key=lambda rate: abs(rate - fps))
    return nearest if abs(nearest / fps - 1.0) < _NEAR else float(round(fps))


def _runs(motion: Motion, step_speed: float) -> bool:
    """Whether the dancer runs: it travels fast, not much slower than it steps, and often neither foot rests."""
    frames = max(1, round(motion.fps * _SPEED_WINDOW))
    steps = motion.positions[frames:, [*_ANKLES, 0]] - motion.positions[:-frames, [*_ANKLES, 0]]
    speeds = np.linalg.norm(steps, axis=-1) * (motion.fps / frames)
    flying = np.mean(speeds[:, :2].min(axis=1) > _RESTING_SPEED)
    travel = float(np.median(speeds[:, 2]))
    extent = float(np.ptp(motion.root[:, :2], axis=0).max())
    return bool(max(_RUNNING_SPEED, step_speed / _SWING) < travel and flying > _RUNNING_SHARE and extent > _RUNWAY)


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
