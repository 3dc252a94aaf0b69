"""Bars laid over a dance: sixteenths on the dancers' own beats, from the first frame to the last."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.score_flow.bar_features import BAR_STEPS
from backend.music.score import STEPS_PER_BEAT
from rigs import Array
from rigs.choreography.beat_tracking import track_beats
from rigs.motion import Motion

_FEWER, _MORE = 4, 8
"""A dancer's steps in a bar."""


@dataclass(frozen=True)
class BarGrid:
    """Where S sixteenths of music fall.

    seconds: (S + 1,) s at which they begin, the first at 0, and the last one ends.
    pickup: how many steps of the first bar lie before the first.
    """

    seconds: Array
    pickup: int

    @property
    def bar_starts(self) -> Array:
        """(B,) the steps at which bars begin, whole or not; that of a pickup is negative."""
        return np.arange(-self.pickup, len(self.seconds) - 1, BAR_STEPS)


def fit_bar_grid(dancers: Sequence[Motion], tempo: float | None, usual: float) -> BarGrid:
    """Bars of four quarters over a dance of one or several.

    tempo: quarters a minute of an even beat, of which only the moment is the dancers'. None goes with each step of
    theirs, of which a bar has four or eight, whichever is nearer to the `usual` seconds of a bar.
    Raises ValueError where there is no beat.
    """
    end = min(dancer.seconds for dancer in dancers)
    beats = track_beats(*dancers, period=None if tempo is None else 60.0 / tempo)
    times, one, each = beats.times, beats.one, STEPS_PER_BEAT
    if tempo is not None:
        times, one = _even(times, one, 60.0 / tempo)
    length = float(np.median(np.diff(times)))
    if tempo is None and abs(np.log(_MORE * length / usual)) < abs(np.log(_FEWER * length / usual)):
        each = STEPS_PER_BEAT // 2
    before = np.arange(-int(np.ceil(max(times[0], 0.0) / length)) - 1, 0) * length + times[0]
    behind = np.arange(1, int(np.ceil(max(end - times[-1], 0.0) / length)) + 2) * length + times[-1]
    all_beats = np.concatenate([before, times, behind])
    count = np.arange((len(all_beats) - 1) * each + 1)
    steps = np.interp(count / each, np.arange(len(all_beats)), all_beats)
    first, last = int(np.abs(steps).argmin()), int(np.abs(steps - end).argmin())
    seconds = steps[first : max(last, first + 1) + 1].copy()
    seconds[0] = 0.0
    return BarGrid(seconds, (first - each * (len(before) + one)) % BAR_STEPS)


def _even(times: Array, one: int, period: float) -> tuple[Array, int]:
    """An even beat where the beats `times` (B,) fall in the mean, and which of it is nearest to their `one`."""
    phase = np.angle(np.exp(2j * np.pi * times / period).mean()) / (2.0 * np.pi) * period
    first = np.rint((times[0] - phase) / period)
    even = phase + period * (first + np.arange(max(len(times), 2)))
    return even, int(np.rint((times[min(one, len(times) - 1)] - even[0]) / period))
