"""The pulse of a score: the beats that a dancer steps to, faster or slower than those that are written.

Written tempi lie from 40 to 200 beats a minute, steps from about 115 to 230: a dancer takes every other beat of fast
music, and two steps to a beat of slow music.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backend.music.score import STEPS_PER_BEAT, Meter, Score
from rigs import Array

MIN_TEMPO = 117.0
"""Steps a minute, below which a dancer steps twice as often; twice as many are too fast."""
COUNTS_PER_PHRASE = 8
"""Steps in a dancer's phrase, of two bars of four."""
_COMPOUND = 3
"""Quavers in a beat of such meters as 6/8."""


@dataclass(frozen=True)
class Pulse:
    """A score's steps as they fall.

    steps: (P,) sixteenths, with fractions.  seconds: (P,) s.
    counts: (P,) 0 to 7, which of a dancer's eight counts each is; 0 and 4 begin bars, where the music has bars of four.
    """

    positions: Array
    seconds: Array
    counts: Array

    def counts_at(self, seconds: Array) -> Array:
        """Where moments (N,) s lie in a dancer's phrases: counts with fractions from 0 up to 8."""
        steps = self.beats_at(seconds)
        return (self.counts[0] + steps) % COUNTS_PER_PHRASE

    def beats_at(self, seconds: Array) -> Array:
        """Where moments (N,) s lie among the pulse's steps, which go on before the first and after the last."""
        number = np.interp(seconds, self.seconds, np.arange(len(self.seconds)))
        first, last = self.seconds[1] - self.seconds[0], self.seconds[-1] - self.seconds[-2]
        before = np.minimum(seconds - self.seconds[0], 0.0) / first
        after = np.maximum(seconds - self.seconds[-1], 0.0) / last
        return number + before + after


def dance_pulse(score: Score) -> Pulse:
    """What a dancer steps to. Raises ValueError for music of less than two beats."""
    beats = _beats(score)
    grid = np.arange(score.steps + 1.0)
    length = float(np.median(np.diff(np.interp(beats, grid, score.seconds)))) if len(beats) > 1 else np.inf
    finer = 1.0
    while 60.0 / (length / finer) >= 2.0 * MIN_TEMPO:
        finer /= 2.0
    while 0.0 < 60.0 / (length / finer) < MIN_TEMPO:
        finer *= 2.0
    number = np.arange(len(beats)) - int(np.searchsorted(beats, _first_bar(score)))
    wanted = np.arange(np.ceil(number[0] * finer), np.floor(number[-1] * finer) + 1)
    if len(wanted) < 2:
        raise ValueError(f"music of two beats or more expected, {score.steps} sixteenths found")
    steps = np.interp(wanted / finer, number, beats)
    return Pulse(steps, np.interp(steps, grid, score.seconds), (wanted % COUNTS_PER_PHRASE).astype(int))


def _beats(score: Score) -> Array:
    """(B,) the sixteenths at which written beats fall, the end included where one ends there.

    Those of a pickup are counted back from the first whole bar.
    """
    start = _first_bar(score)
    meters = [meter for meter in score.meters if meter.step < score.steps]
    before = _beat([meter for meter in meters if meter.step <= start][-1])
    beats = [np.arange(start % before, start, before)]
    for meter, following in pairwise([*meters, Meter(score.steps)]):
        beats.append(np.arange(max(meter.step, start), following.step, _beat(meter)))
    last = meters[-1]
    if (score.steps - max(last.step, start)) % _beat(last) == 0.0:
        beats.append(np.array([float(score.steps)]))
    return np.concatenate(beats)


def _beat(meter: Meter) -> float:
    """Sixteenths in a beat of a meter."""
    compound = meter.denominator == 8 and meter.numerator % _COMPOUND == 0
    return 2.0 * _COMPOUND if compound else float(STEPS_PER_BEAT)


def _first_bar(score: Score) -> int:
    """The sixteenth with which the first whole bar begins: a pickup comes before it."""
    bars = score.bars
    lengths = np.diff([*bars, score.steps])
    return int(bars[1]) if len(bars) > 1 and lengths[0] < lengths[1] else 0
