"""A dancer's timing: how the feet's speed keeps to counted music, and a dance brought into time with it.

An animator who finds a dance a little late slides its keys; here the whole dance is slid, a little more or less from
moment to moment, never so fast that it shows.
"""

import numpy as np

from rigs import Array
from rigs.contacts import FEET
from rigs.motion import Motion, interpolate
from rigs.smoothing import gaussian_average

CYCLES = (1, 2, 4, 8)
"""Counts after which a dance may repeat itself: a step, a weight change to and fro, a half and a whole basic step."""
_SHIFT_HOP = 3
"""Frames at which it is decided anew how far a dance is slid."""
_SUBFRAMES = 4
"""Parts of a frame by which it is slid."""
_MAX_SHIFT = 0.4
"""s that it is slid at most."""
_CHANGE_COST = 0.02
"""What a change of the slide costs, beside a product of deviations of speed."""
_SMOOTH = 0.25
"""s over which the slide is smoothed."""
_TREND = 1.5
"""s over which speed is seen beside its own mean."""


def speed_rhythm(positions: Array, counts: Array, fps: float) -> Array:
    """By how much the feet's speed swings with each of `CYCLES`, as a part of its mean, and when: (4,) complex.

    positions: (F, 29, 3) m.  counts: (F,) where in the music's phrase each frame is, with fractions.
    The Fourier coefficients of the speed over the counts; the angle is that of the count at which the feet are fastest.
    """
    return np.asarray(2.0 * (_relative_foot_speed(positions, fps)[:, None] * _phasors(counts)).mean(axis=0))


def rhythm_curve(counts: Array, wanted: Array) -> Array:
    """(F,) by which part the feet are faster or slower than usual at counts (F,), in a rhythm (4,)."""
    return np.asarray((_phasors(counts).conj() * wanted).real.sum(axis=1))


def align_to_beats(dance: Motion, counts: Array, wanted: Array) -> Motion:
    """The dance, as long as it is, slid so that its feet keep to the music as well as they can.

    counts: (F,) as `rhythm` takes them.  wanted: (4,) complex, the rhythm of dancers in time.
    The slide with the highest sum of products of the speed and the speed that is wanted, by dynamic programming.
    """
    frames, fps = len(dance), dance.fps
    speed = _relative_foot_speed(dance.positions, fps)
    hops = np.arange(0, frames, _SHIFT_HOP)
    reach = round(_MAX_SHIFT * fps * _SUBFRAMES)
    slides = np.arange(-reach, reach + 1) / _SUBFRAMES
    asked = rhythm_curve(counts, wanted)[hops]
    gains = asked[:, None] * np.interp(hops[:, None] + slides, np.arange(frames), speed)
    total = np.where(slides == 0.0, 0.0, -np.inf)
    moves = np.zeros((len(hops), len(slides)), int)
    for hop, gain in enumerate(gains):
        padded = np.pad(total, 1, constant_values=-np.inf)
        ways = np.stack([padded[:-2] - _CHANGE_COST, padded[1:-1], padded[2:] - _CHANGE_COST])
        best = ways.argmax(axis=0)
        moves[hop] = best - 1
        total = ways[best, np.arange(len(slides))] + gain
    at = int(total.argmax())
    path = np.zeros(len(hops))
    for hop in range(len(hops) - 1, -1, -1):
        path[hop] = slides[at]
        at += moves[hop, at]
    slid = gaussian_average(np.interp(np.arange(frames), hops, path), _SMOOTH * fps, reach=int(3.0 * _SMOOTH * fps))
    return interpolate(dance, fps, np.arange(frames) + slid)


def _phasors(counts: Array) -> Array:
    return np.exp(2j * np.pi * counts[:, None] / np.array(CYCLES))


def _relative_foot_speed(positions: Array, fps: float) -> Array:
    """(F,) the feet's mean speed beside what it is around the moment, less 1."""
    speed = np.linalg.norm(np.gradient(positions[:, FEET], axis=0), axis=-1).mean(axis=1) * fps
    return speed / np.maximum(gaussian_average(speed, _TREND * fps), 1e-2) - 1.0
