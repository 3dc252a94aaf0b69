"""Frame rates from the times of keyframes, for files that state none (glTF) or a rate too low to sample movement at."""

import numpy as np

from rigs import Array

LOWEST_RATE = 20.0
"""Frames a second below which keyframes are poses that a program interpolates, not the frames of a recording."""
_NTSC = 1.001  # 29.97 is 30 / 1.001
_WHOLE_TOLERANCE = 2e-3  # relative difference from a whole number, as of files that round the time between frames
_EXACT_TOLERANCE = 2e-5  # relative; 119.875 and 119.88 differ by 4e-5
_ON_FRAME = 0.05  # frames
_MIN_SHARE = 0.9  # of the keyframes that lie on the frames


def keyed_frame_rate(times: Array) -> float | None:
    """The frame rate of keyframes (K,) s, in any order, that lie on every frame; None for sparse or uneven ones."""
    spacing = keyframe_spacing(times)
    return None if spacing is None else usual_rate(1.0 / spacing)


def keyframe_spacing(times: Array) -> float | None:
    """The time (s) between evenly spaced keyframes (K,) s, in any order; None for uneven or fewer than three ones.

    Gaps count as even where they are whole numbers of it long, as after a reduction of keyframes.
    """
    times = np.sort(np.asarray(times, float))
    times = times[np.diff(times, prepend=-np.inf) > 1e-4]
    if len(times) < 3:
        return None
    steps = np.diff(times)
    spacing = float(np.median(steps))
    multiples = steps / spacing
    on_frame = np.abs(multiples - np.round(multiples)) < _ON_FRAME
    if on_frame.all():  # times of single precision are off by more than a frame rate's last digit
        spacing = float(times[-1] - times[0]) / float(np.round(multiples).sum())
    return spacing if on_frame.mean() >= _MIN_SHARE else None


def usual_rate(fps: float) -> float | None:
    """The frame rate that `fps` is within rounding: a whole number, or one divided by 1.001; None for another rate.

    None too for a rate below `LOWEST_RATE`.
    """
    if fps < LOWEST_RATE * (1.0 - _EXACT_TOLERANCE):
        return None
    candidates = (float(round(fps)), round(fps * _NTSC) / _NTSC)
    nearest = min(candidates, key=lambda rate: abs(rate - fps))
    if abs(nearest / fps - 1.0) < _EXACT_TOLERANCE:
        return round(nearest, 3)
    return round(fps, 3) if abs(candidates[0] / fps - 1.0) < _WHOLE_TOLERANCE else None


def sampling_rate(stated: float) -> float:
    """The frame rate to sample a movement at whose file states `stated`: that, or the multiple of a slow one.

    Of 24 to 60 frames a second, the first that is a usual rate, so that keyframes stay on frames; else the first.
    """
    if stated >= LOWEST_RATE:
        return stated
    multiples = stated * np.arange(np.ceil(24.0 / stated), np.floor(60.0 / stated) + 1.0)
    return float(next((rate for rate in multiples if usual_rate(rate) is not None), multiples[0]))
