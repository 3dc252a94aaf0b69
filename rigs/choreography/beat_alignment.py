"""Beat alignment: the rhythm of a dancer's feet over the counts of music, and time-warping a dance onto it.

The warp is a slowly varying time shift of the whole dance, found by dynamic programming.
"""

import numpy as np

from rigs import Array
from rigs.contacts import foot_speed
from rigs.motion import Motion, interpolate
from rigs.smoothing import gaussian_average

CYCLES = (1, 2, 4, 8)
"""Periods in counts of a dance: a step, a weight change to and fro, a half and a whole basic step."""
_SHIFT_HOP = 3
"""Frames between two decisions on the shift."""
_SUBFRAMES = 4
"""Steps of the shift in a frame."""
_MAX_SHIFT = 0.4
"""s of the largest shift."""
_CHANGE_COST = 0.02
"""Penalty for a change of the shift by one step, beside products of relative speeds."""
_SHIFT_SIGMA = 0.25
"""s of the Gaussian that smooths the shift."""
_TREND_SIGMA = 1.5
"""s of the Gaussian whose mean speed the speed is divided by."""


def speed_rhythm(positions: Array, counts: Array, fps: float) -> Array:
    """Fourier coefficients (4,) complex of the feet's relative speed over the music's counts, one for each of `CYCLES`.

    positions: (F, 29, 3) m.  counts: (F,) position of each frame in the music's phrase, in counts with fractions.
    The phase is that of the count at which the feet are fastest.
    """
    return np.asarray(2.0 * (_relative_foot_speed(positions, fps)[:, None] * _phasors(counts)).mean(axis=0))


def rhythm_curve(counts: Array, rhythm: Array) -> Array:
    """Relative speed (F,) of the feet at `counts` (F,) in a `rhythm` (4,) complex: the inverse of `speed_rhythm`."""
    return np.asarray((_phasors(counts).conj() * rhythm).real.sum(axis=1))


def align_to_beats(dance: Motion, counts: Array, rhythm: Array) -> Motion:
    """Time-warp a dance, at its length, so that the speed of its feet follows the rhythm of the music.

    counts: (F,) as for `speed_rhythm`.  rhythm: (4,) complex, of dancers in time.
    The shift that maximises the correlation with the rhythm curve less its changes, by dynamic programming (Viterbi).
    """
    frames, fps = len(dance), dance.fps
    speed = _relative_foot_speed(dance.positions, fps)
    hops = np.arange(0, frames, _SHIFT_HOP)
    reach = round(_MAX_SHIFT * fps * _SUBFRAMES)
    shifts = np.arange(-reach, reach + 1) / _SUBFRAMES
    target = rhythm_curve(counts, rhythm)[hops]
    gains = target[:, None] * np.interp(hops[:, None] + shifts, np.arange(frames), speed)
    total = np.where(shifts == 0.0, 0.0, -np.inf)
    moves = np.zeros((len(hops), len(shifts)), int)
    for hop, gain in enumerate(gains):
        padded = np.pad(total, 1, constant_values=-np.inf)
        options = np.stack([padded[:-2] - _CHANGE_COST, padded[1:-1], padded[2:] - _CHANGE_COST])
        best = options.argmax(axis=0)
        moves[hop] = best - 1
        total = options[best, np.arange(len(shifts))] + gain
    state = int(total.argmax())
    path = np.zeros(len(hops))
    for hop in range(len(hops) - 1, -1, -1):
        path[hop] = shifts[state]
        state += moves[hop, state]
    sigma = _SHIFT_SIGMA * fps
    shift = gaussian_average(np.interp(np.arange(frames), hops, path), sigma, reach=int(3.0 * sigma))
    return interpolate(dance, fps, np.arange(frames) + shift)


def _phasors(counts: Array) -> Array:
    """Complex phasors (F, 4) of the counts (F,) for each of `CYCLES`."""
    return np.exp(2j * np.pi * counts[:, None] / np.array(CYCLES))


def _relative_foot_speed(positions: Array, fps: float) -> Array:
    """Relative speed (F,) of the feet: their mean speed divided by its moving average, less 1."""
    speed = foot_speed(positions, fps)
    return speed / np.maximum(gaussian_average(speed, _TREND_SIGMA * fps), 1e-2) - 1.0
