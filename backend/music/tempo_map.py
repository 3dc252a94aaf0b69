"""Tempo map of a MIDI file: converts between its ticks, seconds, and positions in steps of its beats."""

from collections.abc import Iterable

import numpy as np

from backend.music.score import STEPS_PER_BEAT
from rigs import Array

_DEFAULT_TEMPO = 500_000
"""Microseconds per beat until a file states a tempo: 120 beats a minute."""
_MICROSECONDS_PER_MINUTE = 6e7


class TempoMap:
    """Piecewise constant tempo: of T spans, their first ticks, seconds and steps, and the rates of each.

    tempi: tick and microseconds per beat of each change, sorted by tick.
    ticks_per_beat: of a file that counts in beats.  ticks_per_second: of one that counts by the clock, else 0.
    """

    def __init__(self, tempi: Iterable[tuple[int, int]], ticks_per_beat: int, ticks_per_second: float) -> None:
        changes = [(0, _DEFAULT_TEMPO)]
        for tick, tempo in tempi:
            if tick == 0:
                changes = [(0, tempo)]
            elif tempo != changes[-1][1]:
                changes.append((tick, tempo))
        ticks, tempo = np.array(changes, np.int64).T
        if ticks_per_second:
            beats_per_minute = _MICROSECONDS_PER_MINUTE / tempo
            seconds_per_tick = np.full(len(ticks), 1.0 / ticks_per_second)
        else:
            seconds_per_tick = 60.0 / ((_MICROSECONDS_PER_MINUTE / tempo) * ticks_per_beat)
            beats_per_minute = 60.0 / (seconds_per_tick * ticks_per_beat)
        self._ticks = ticks
        self._seconds_per_tick = seconds_per_tick
        self._seconds = np.concatenate([[0.0], np.cumsum(np.diff(ticks) * seconds_per_tick[:-1])])
        self._steps_per_second = beats_per_minute * STEPS_PER_BEAT / 60.0
        self._steps = np.concatenate([[0.0], np.cumsum(np.diff(self._seconds) * self._steps_per_second[:-1])])

    def tick_seconds(self, ticks: Array) -> Array:
        """Seconds, in the shape of `ticks`."""
        span = np.searchsorted(self._ticks, ticks, side="right") - 1
        return self._seconds[span] + self._seconds_per_tick[span] * (ticks - self._ticks[span])

    def positions(self, ticks: Array) -> Array:
        """Positions in steps, with fractions, in the shape of `ticks`."""
        seconds = self.tick_seconds(ticks)
        span = np.maximum(np.searchsorted(self._seconds, seconds, side="right") - 1, 0)
        return self._steps[span] + (seconds - self._seconds[span]) * self._steps_per_second[span]

    def seconds(self, positions: Array) -> Array:
        """Seconds, in the shape of `positions`."""
        span = np.maximum(np.searchsorted(self._steps, positions, side="right") - 1, 0)
        return self._seconds[span] + (positions - self._steps[span]) / self._steps_per_second[span]
