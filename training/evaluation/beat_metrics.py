"""The beats that a dancer's movement has, and how well they answer other beats."""

import numpy as np

from rigs import Array
from rigs.smoothing import gaussian_average

SPEED_SIGMA = 5.0
"""Frames: the deviation of the Gaussian that smooths a dancer's speed before its minima are sought, at 30 fps."""
ALIGNMENT_SIGMA = 3.0
"""Frames: the deviation of the Gaussian by which a beat that is missed counts less, at 30 fps."""
_PERIODS = (0.28, 0.75)
"""s: the shortest and the longest beat of a dance."""


def kinetic_beats(positions: Array, smooth: float = SPEED_SIGMA) -> Array:
    """The frames at which the movement comes nearest to rest: the strict minima of the joints' smoothed mean speed.

    positions: (F, 29, 3) m at 30 fps.  smooth: frames, the Gaussian's deviation.
    Returns (B,) frames. As Li et al. 2021 (AIST++) define dance beats.
    """
    speed = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=-1)
    calm = gaussian_average(speed, smooth, reach=int(4.0 * smooth + 0.5), pad="symmetric")
    return np.flatnonzero((calm[1:-1] < calm[:-2]) & (calm[1:-1] < calm[2:])) + 1


def beat_alignment(asked: Array, given: Array, frames: int) -> Array:
    """How well each of the beats `asked` (B,) is met by the nearest of `given` (C,): 1 on it, falling off beside it.

    Returns (F,), nan in frames without a beat. The mean over the leader's beats is the beat echo degree (BED) of
    Siyao et al. 2024 (Duolando), that over the music's the beat alignment score (BAS) of Siyao et al. 2022 (Bailando),
    which asks the music's beats where AIST++ asks the dancer's. A dancer without beats meets none.
    """
    track = np.full(frames, np.nan)
    track[asked] = 0.0
    if len(given) and len(asked):
        away = np.abs(asked[:, None] - given[None]).min(axis=1)
        track[asked] = np.exp(-(away**2) / (2.0 * ALIGNMENT_SIGMA**2))
    return track


def estimate_pulse(beats: Array, frames: int, fps: float) -> Array:
    """The steady beat (B,) in frames that fits a dancer's own beats best, where there is no music to ask.

    Of all periods of a dance beat it has the greatest resultant of the beats' phases (Mardia and Jupp 2000, 2.3).
    """
    if len(beats) < 2:
        return np.zeros(0, dtype=int)
    periods = fps * np.arange(_PERIODS[0], _PERIODS[1], 0.002)
    resultant = np.exp(2j * np.pi * beats[None] / periods[:, None]).mean(axis=1)
    best = int(np.argmax(np.abs(resultant)))
    phase = np.angle(resultant[best]) / (2.0 * np.pi) % 1.0
    at = np.arange(phase * periods[best], frames, periods[best])
    return np.round(at).astype(int)[np.round(at) < frames]
