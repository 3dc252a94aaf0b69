"""The beats that dancers keep, found in their movement alone: a steady one, or each of them as it falls.

Kinematic beats are the moments at which the joints are slowest (Kim, Park and Shin 2003, "Rhythmic-motion synthesis
based on motion-beat analysis"; as the minima of the mean joint speed in Li et al. 2021, "AI Choreographer"). Their
tempo is where the speed's autocorrelation is high at the first eight multiples, as in Ellis 2007, "Beat tracking by
dynamic programming", which also weighs tempi by how usual they are, and tracks beats one by one as `beats_of` does.
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from rigs.smoothing import gaussian_average

_PERIODS: Array = np.arange(0.25, 1.0, 0.005)
"""s: the lengths of a beat, or of two, among which to look."""
_USUAL_PERIOD, _PERIOD_SPREAD = 0.45, 0.9
"""s of the most usual of them, and the spread around it in octaves."""
_FINE_FACTORS: Array = np.linspace(0.99, 1.01, 21)
"""Where around the period that the autocorrelation shows the exact one is looked for."""
_LONGEST_BEAT = 0.6
"""s; what is longer counts as two beats, so that a tempo lies from 100 to 200 a minute."""
_MULTIPLES = np.arange(1, 9)
_SMOOTH, _TREND = 0.04, 1.5
"""s over which the speed is smoothed, and over which its own mean is taken away."""
_SHORTEST_DANCE = 4.0
"""s of movement from which a beat can be told."""
BEATS_PER_BAR, BEATS_PER_PHRASE = 4, 8
"""Beats in a bar, and in a dancer's phrase, such as a whole basic step."""
_TRACKING_RATE = 100.0
"""Frames a second at which beats are tracked."""
_TEMPO_COST = 24.0
"""How much a beat of another length costs, by the square of its octaves, beside a foot's rest of one deviation."""
_MIN_INTERVAL, _MAX_INTERVAL = 0.6, 1.6
"""Of the steady beat: how short and how long a single one can be."""
_MIN_SPEED_DEVIATION = 0.01
"""m/s by which the mean speed of the feet, or of all joints, varies at least where they dance."""


@dataclass(frozen=True)
class SteadyBeat:
    """A steady beat.

    period: s from one to the next.  first: s, when the first one falls.
    """

    period: float
    first: float


@dataclass(frozen=True)
class DanceBeats:
    """The beats of a dance as they fall.

    times: (B,) s.  one: which of the first eight begins a phrase.
    """

    times: Array
    one: int


def track_beats(*dancers: Motion, period: float | None = None) -> DanceBeats:
    """Each beat of one dance, of one dancer or of several in time: where the feet rest, at an almost steady distance.

    period: s, a beat's usual length; without it that of the first dancer's `beat_of`. Phrases have eight beats and
    begin with the step that travels the most, as a basic step's break does. Raises ValueError where there is no beat.
    """
    period = estimate_beat(dancers[0]).period if period is None else period
    feet = [resample(dancer, _TRACKING_RATE).positions[:, FEET] for dancer in dancers]
    speed = np.sum([_mean_speed(places, _TRACKING_RATE) for places in feet], axis=0)
    rest = gaussian_average(speed, _TREND * _TRACKING_RATE) - speed
    frames = _best_beat_path(rest / max(float(rest.std()), 1e-9), period * _TRACKING_RATE)
    travels = np.sum([np.linalg.norm(np.diff(places[frames], axis=0), axis=-1).mean(axis=1) for places in feet], axis=0)
    if len(frames) < 2:
        raise ValueError("a dance of two beats or more expected, one found")
    means = [travels[count::BEATS_PER_PHRASE].mean() if len(travels) > count else 0.0 for count in range(BEATS_PER_PHRASE)]
    return DanceBeats(frames / _TRACKING_RATE, (int(np.argmax(means)) + 1) % BEATS_PER_PHRASE)


def _best_beat_path(rest: Array, period: float) -> Array:
    """The frames (B,) with the most `rest` (F,), one about every `period` frames: the best way through all of them."""
    distances = np.arange(round(_MIN_INTERVAL * period), round(_MAX_INTERVAL * period) + 1)
    costs = _TEMPO_COST * np.log2(distances / period) ** 2
    gain, before = rest.copy(), np.full(len(rest), -1)
    for frame in range(distances[0], len(rest)):
        from_where = frame - distances[: frame - distances[0] + 1]
        gains = gain[from_where] - costs[: len(from_where)]
        best = int(gains.argmax())
        if gains[best] > 0.0:
            gain[frame], before[frame] = rest[frame] + gains[best], from_where[best]
    tail = min(round(period), len(rest))
    frame = len(rest) - tail + int(gain[-tail:].argmax())
    frames = [frame]
    while before[frame] >= 0:
        frame = int(before[frame])
        frames.append(frame)
    return np.array(frames[::-1])


def estimate_beat(motion: Motion) -> SteadyBeat:
    """The beat of a dance, by the feet or, where they stand, by the whole body. Raises ValueError where there is none.

    Of a slow dance's beats, under 100 a minute, the halves are found.
    """
    positions, fps = motion.positions, motion.fps
    if motion.seconds < _SHORTEST_DANCE:
        raise ValueError(f"{_SHORTEST_DANCE:.0f} s of dance or more expected to find its beat, {motion.seconds:.1f} s found")
    speed = _mean_speed(positions[:, FEET], fps)
    if np.std(speed) < _MIN_SPEED_DEVIATION:
        speed = _mean_speed(positions, fps)
    if np.std(speed) < _MIN_SPEED_DEVIATION:
        raise ValueError("a dance expected that has a beat, none found in the movement")
    speed = speed - gaussian_average(speed, _TREND * fps)
    alike = _autocorrelation(speed)
    lags = np.arange(len(alike)) / fps
    scores = np.array([np.interp(period * _MULTIPLES, lags, alike).mean() for period in _PERIODS])
    usual = np.exp(-0.5 * (np.log2(_PERIODS / _USUAL_PERIOD) / _PERIOD_SPREAD) ** 2)
    period = float(_PERIODS[np.argmax((scores - min(scores.min(), 0.0)) * usual)])
    if period > _LONGEST_BEAT:
        period /= 2.0
    times = np.arange(len(speed)) / fps
    beats = [SteadyBeat(float(p), float(start)) for p in period * _FINE_FACTORS for start in np.arange(0.0, p, 0.5 / fps)]
    slow = [np.interp(np.arange(beat.first, times[-1], beat.period), times, speed).mean() for beat in beats]
    return beats[int(np.argmin(slow))]


def _mean_speed(positions: Array, fps: float) -> Array:
    """The mean speed (F,) in m/s of the joints `positions` (F, J, 3), smoothed."""
    return gaussian_average(np.linalg.norm(np.gradient(positions, axis=0), axis=-1).mean(axis=1) * fps, _SMOOTH * fps)


def _autocorrelation(values: Array) -> Array:
    """How alike `values` (F,) are to themselves, shifted by 0, 1, 2... frames: (F,), 1 for no shift."""
    frames = len(values)
    spectrum = np.fft.rfft(values - values.mean(), 2 * frames)
    product = np.fft.irfft(np.abs(spectrum) ** 2)[:frames]
    return np.asarray(product / product[0] * frames / np.arange(frames, 0, -1))
