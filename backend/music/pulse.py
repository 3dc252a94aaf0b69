"""Dance pulse (tactus) of a score: the beats that a dancer steps on, at a danceable multiple of the notated tempo.

Notated tempi range from 40 to 200 beats a minute, dance steps from about 115 to 230: dancers step on every other beat
of fast music, and twice per beat of slow music.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backend.music.score import STEPS_PER_BEAT, Meter, Score
from rigs import Array
from rigs.choreography.beat_tracking import BEATS_PER_PHRASE

MIN_TEMPO = 117.0
"""Dance steps a minute below which the pulse is doubled; at twice as many it is halved."""
_COMPOUND = 3
"""Eighths in a beat of compound meters such as 6/8."""


@dataclass(frozen=True)
class Pulse:
    """P beats of a score's dance pulse.

    positions: (P,) sixteenth-note steps, with fractions.  seconds: (P,) s.
    counts: (P,) 0 to 7, counts in the dancer's phrase; 0 and 4 are downbeats where the music has four beats a bar.
    """

    positions: Array
    seconds: Array
    counts: Array

    def counts_at(self, seconds: Array) -> Array:
        """Counts (N,) from 0 up to 8, with fractions, at moments (N,) s."""
        return (self.counts[0] + self.beats_at(seconds)) % BEATS_PER_PHRASE

    def beats_at(self, seconds: Array) -> Array:
        """Beat numbers (N,), with fractions, at moments (N,) s; extrapolated before the first and after the last."""
        number = np.interp(seconds, self.seconds, np.arange(len(self.seconds)))
        first, last = self.seconds[1] - self.seconds[0], self.seconds[-1] - self.seconds[-2]
        before = np.minimum(seconds - self.seconds[0], 0.0) / first
        after = np.maximum(seconds - self.seconds[-1], 0.0) / last
        return number + before + after


def dance_pulse(score: Score) -> Pulse:
    """Dance pulse of a score. Raises ValueError for music of less than two beats."""
    beats = _notated_beats(score)
    grid = np.arange(score.steps + 1.0)
    beat_length = float(np.median(np.diff(np.interp(beats, grid, score.seconds)))) if len(beats) > 1 else np.inf
    multiple = 1.0
    while 60.0 / (beat_length / multiple) >= 2.0 * MIN_TEMPO:
        multiple /= 2.0
    while 0.0 < 60.0 / (beat_length / multiple) < MIN_TEMPO:
        multiple *= 2.0
    number = np.arange(len(beats)) - int(np.searchsorted(beats, _first_downbeat(score)))
    counts = np.arange(np.ceil(number[0] * multiple), np.floor(number[-1] * multiple) + 1)
    if len(counts) < 2:
        raise ValueError(f"music of two beats or more expected, {score.steps} sixteenths found")
    positions = np.interp(counts / multiple, number, beats)
    return Pulse(positions, np.interp(positions, grid, score.seconds), (counts % BEATS_PER_PHRASE).astype(int))


def _notated_beats(score: Score) -> Array:
    """Steps (B,) of the beats by the time signatures; the end of the score included where it is on a beat.

    Beats of a pickup are counted back from the first downbeat.
    """
    start = _first_downbeat(score)
    meters = [meter for meter in score.meters if meter.step < score.steps]
    before = _steps_per_beat([meter for meter in meters if meter.step <= start][-1])
    beats = [np.arange(start % before, start, before)]
    for meter, following in pairwise([*meters, Meter(score.steps)]):
        beats.append(np.arange(max(meter.step, start), following.step, _steps_per_beat(meter)))
    last = meters[-1]
    if (score.steps - max(last.step, start)) % _steps_per_beat(last) == 0.0:
        beats.append(np.array([float(score.steps)]))
    return np.concatenate(beats)


def _steps_per_beat(meter: Meter) -> float:
    """Sixteenths in a beat of a meter: a dotted quarter in compound meters, else a quarter."""
    is_compound = meter.denominator == 8 and meter.numerator % _COMPOUND == 0
    return 2.0 * _COMPOUND if is_compound else float(STEPS_PER_BEAT)


def _first_downbeat(score: Score) -> int:
    """Step of the first whole bar, after a pickup if there is one."""
    bars = score.bars
    lengths = np.diff([*bars, score.steps])
    return int(bars[1]) if len(bars) > 1 and lengths[0] < lengths[1] else 0
