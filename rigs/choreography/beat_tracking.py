"""Beat tracking of dances by movement alone: tempo and phase of a steady beat, or each beat by itself.

Kinematic beats are the minima of the mean joint speed (Kim, Park and Shin 2003, "Rhythmic-motion synthesis based on
motion-beat analysis"; Li et al. 2021, "AI Choreographer"). The tempo maximises the autocorrelation of the speed at its
first eight multiples times a tempo prior, and single beats are tracked by dynamic programming (Ellis 2007, "Beat
tracking by dynamic programming").
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from rigs.smoothing import gaussian_average

_PERIODS: Array = np.arange(0.25, 1.0, 0.005)
"""s, candidate lengths of a beat, or of two."""
_USUAL_PERIOD, _PERIOD_SPREAD = 0.45, 0.9
"""s and octaves: mean and deviation of the tempo prior."""
_FINE_FACTORS: Array = np.linspace(0.99, 1.01, 21)
"""Factors of the period from the autocorrelation among which the exact one is searched."""
_LONGEST_BEAT = 0.6
"""s; a longer period counts as two beats, so that tempi are between 100 and 200 a minute."""
_MULTIPLES = np.arange(1, 9)
_SPEED_SIGMA, _TREND_SIGMA = 0.04, 1.5
"""s of the Gaussians that smooth the speed, and whose average is subtracted from it."""
_SHORTEST_DANCE = 4.0
"""s of dance from which a beat can be estimated."""
BEATS_PER_BAR, BEATS_PER_PHRASE = 4, 8
"""Beats of a bar, and of a dancer's phrase, such as a whole basic step."""
_TRACKING_RATE = 100.0
"""Frames per second at which beats are tracked."""
_TEMPO_COST = 24.0
"""Penalty for the squared octaves of an interval from the steady period, beside deviations of the feet's speed."""
_MIN_INTERVAL, _MAX_INTERVAL = 0.6, 1.6
"""Shortest and longest interval between two beats, as parts of the steady period."""
_MIN_SPEED_DEVIATION = 0.01
"""m/s, standard deviation of the mean speed of the feet, or of all joints, from which they dance."""


@dataclass(frozen=True)
class SteadyBeat:
    """Tempo and phase of a steady beat.

    period: s from one beat to the next.  first: s, time of the first beat.
    """

    period: float
    first: float


@dataclass(frozen=True)
class DanceBeats:
    """Tracked beats of a dance.

    times: (B,) s.  phrase_start: index among the first eight beats of the downbeat that begins a phrase.
    """

    times: Array
    phrase_start: int


def track_beats(*dancers: Motion, period: float | None = None) -> DanceBeats:
    """Track each beat of a dance, of one dancer or several in time: where the feet rest, at almost steady intervals.

    period: s, the usual length of a beat, without it that of the first dancer's `estimate_beat`.
    Phrases have eight beats and begin with the step that travels most, as the break of a basic step does.
    Raises ValueError where no beat is found.
    """
    period = estimate_beat(dancers[0]).period if period is None else period
    feet = [resample(dancer, _TRACKING_RATE).positions[:, FEET] for dancer in dancers]
    speed = np.sum([_mean_speed(positions, _TRACKING_RATE) for positions in feet], axis=0)
    rest = gaussian_average(speed, _TREND_SIGMA * _TRACKING_RATE) - speed
    frames = _best_beat_path(rest / max(float(rest.std()), 1e-9), period * _TRACKING_RATE)
    travels = np.sum([np.linalg.norm(np.diff(ball[frames], axis=0), axis=-1).mean(axis=1) for ball in feet], axis=0)
    if len(frames) < 2:
        raise ValueError("a dance of two beats or more expected, one found")
    means = [travels[n::BEATS_PER_PHRASE].mean() if n < len(travels) else 0.0 for n in range(BEATS_PER_PHRASE)]
    return DanceBeats(frames / _TRACKING_RATE, (int(np.argmax(means)) + 1) % BEATS_PER_PHRASE)


def _best_beat_path(rest: Array, period: float) -> Array:
    """Frames (B,) about every `period` frames that maximise the sum of `rest` (F,), by dynamic programming."""
    intervals = np.arange(round(_MIN_INTERVAL * period), round(_MAX_INTERVAL * period) + 1)
    costs = _TEMPO_COST * np.log2(intervals / period) ** 2
    gain, before = rest.copy(), np.full(len(rest), -1)
    for frame in range(intervals[0], len(rest)):
        previous = frame - intervals[: frame - intervals[0] + 1]
        gains = gain[previous] - costs[: len(previous)]
        best = int(gains.argmax())
        if gains[best] > 0.0:
            gain[frame], before[frame] = rest[frame] + gains[best], previous[best]
    tail = min(round(period), len(rest))
    frame = len(rest) - tail + int(gain[-tail:].argmax())
    frames = [frame]
    while before[frame] >= 0:
        frame = int(before[frame])
        frames.append(frame)
    return np.array(frames[::-1])


def estimate_beat(motion: Motion) -> SteadyBeat:
    """Estimate tempo and phase of a dance by the feet or, where they stand, by the whole body.

    Of slow beats, under 100 a minute, the halves are returned. Raises ValueError where no beat is found.
    """
    positions, fps = motion.positions, motion.fps
    if motion.seconds < _SHORTEST_DANCE:
        expected = f"{_SHORTEST_DANCE:.0f} s of dance or more expected to find its beat"
        raise ValueError(f"{expected}, {motion.seconds:.1f} s found")
    speed = _mean_speed(positions[:, FEET], fps)
    if np.std(speed) < _MIN_SPEED_DEVIATION:
        speed = _mean_speed(positions, fps)
    if np.std(speed) < _MIN_SPEED_DEVIATION:
        raise ValueError("a dance expected that has a beat, none found in the movement")
    speed = speed - gaussian_average(speed, _TREND_SIGMA * fps)
    correlation = _autocorrelation(speed)
    lags = np.arange(len(correlation)) / fps
    scores = np.array([np.interp(period * _MULTIPLES, lags, correlation).mean() for period in _PERIODS])
    prior = np.exp(-0.5 * (np.log2(_PERIODS / _USUAL_PERIOD) / _PERIOD_SPREAD) ** 2)
    period = float(_PERIODS[np.argmax((scores - min(scores.min(), 0.0)) * prior)])
    if period > _LONGEST_BEAT:
        period /= 2.0
    times = np.arange(len(speed)) / fps
    beats = [SteadyBeat(float(p), float(t)) for p in period * _FINE_FACTORS for t in np.arange(0.0, p, 0.5 / fps)]
    speeds = [np.interp(np.arange(beat.first, times[-1], beat.period), times, speed).mean() for beat in beats]
    return beats[int(np.argmin(speeds))]


def _mean_speed(positions: Array, fps: float) -> Array:
    """Smoothed mean speed (F,) m/s of the joints `positions` (F, J, 3) m."""
    speed = np.linalg.norm(np.gradient(positions, axis=0), axis=-1).mean(axis=1) * fps
    return gaussian_average(speed, _SPEED_SIGMA * fps)


def _autocorrelation(values: Array) -> Array:
    """Normalised autocorrelation (F,) of `values` (F,) at lags of 0, 1, 2... frames, unbiased; 1 at lag 0."""
    frames = len(values)
    spectrum = np.fft.rfft(values - values.mean(), 2 * frames)
    product = np.fft.irfft(np.abs(spectrum) ** 2)[:frames]
    return np.asarray(product / product[0] * frames / np.arange(frames, 0, -1))
