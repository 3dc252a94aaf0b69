"""Between played time and the grid: where it lies, how its eighths swing, and which sixteenth is a note's nearest."""

import numpy as np

from backend.music.score import STEPS_PER_BEAT
from rigs import Array

STRAIGHT = 0.5
_LEAST, _MOST = 0.54, 0.71
"""Where in a beat an off-beat eighth counts as swung; a dotted eighth lies behind, at 0.75."""
_LEAST_NOTES = 4
_MOST_A_BEAT = 4
"""Swung notes for each on a beat; where there are more, those are not the music's beats."""
_OFF_THE_BEAT = 0.06
"""Of a beat: where the notes nearest to beats lie so far off them, the file's beats are not the music's."""
_AGREED = 0.65
"""How long the mean of the notes' directions must be, where one step is the circle and 1 is full agreement."""
_LEAST_LATE = 0.1
"""Steps: a player's own, below which the grid stays the file's."""
TICKS_PER_BEAT = 480
"""Of a beat, in written files; a swing is a whole number of them, so that it is read again as it was."""
_FINE = 6
"""Decimals of a step that are meant; what lies below is a float's."""


def grid_offset(positions: Array) -> float:
    """Steps by which played notes (N,), steps with fractions, all lie behind the grid: 0, unless they agree on it.

    Some recordings lie beside their file's own beats by a constant. Below 0 is before the grid; within half a step.
    The mean of a circle's angles, and how far they agree: Mardia and Jupp, Directional Statistics, section 2.2.
    """
    mean = np.exp(2j * np.pi * positions).mean()
    late = float(np.angle(mean)) / (2 * np.pi)
    return late if abs(mean) > _AGREED and abs(late) > _LEAST_LATE else 0.0


def estimate_swing(positions: Array, bars: Array) -> float:
    """Where in their beats the off-beat eighths of played notes fall: 0.5, unless most of what is played there swings.

    positions: (N,) steps, with fractions.  bars: (B,) the steps that bars begin with.
    Measured from where a player has the beats, a little early or late. Swung sixteenths are not found.
    """
    phases = (positions - _beats(positions, bars)) / STEPS_PER_BEAT
    around = phases - np.rint(phases)
    beats = around[np.abs(around) < 0.5 / STEPS_PER_BEAT]
    if not len(beats) or abs(late := float(np.median(beats))) > _OFF_THE_BEAT:
        return STRAIGHT
    phases = phases - late
    swung = phases[(phases > _LEAST) & (phases < _MOST)]
    if len(swung) < _LEAST_NOTES or len(swung) > _MOST_A_BEAT * len(beats):
        return STRAIGHT
    place = round(float(np.median(swung)) * TICKS_PER_BEAT) / TICKS_PER_BEAT
    nearest = np.abs(phases[:, None] - [0.25, STRAIGHT, place, 0.75, 1.0]).argmin(1)
    swings = (nearest == 2).sum() > ((nearest == 1) | (nearest == 3)).sum()
    return place if swings else STRAIGHT


def quantize(positions: Array, bars: Array, swing: float) -> Array:
    """(N,) int: the steps nearest to played positions (N,), steps with fractions."""
    beats = _beats(positions, bars)
    inside = np.round(positions - beats, _FINE)
    return (beats + np.abs(inside[:, None] - _lines(swing)).argmin(1)).astype(int)


def swung_positions(steps: Array, bars: Array, swing: float) -> Array:
    """(N,) steps with fractions: where steps (N,) are played."""
    beats = _beats(steps, bars)
    return beats + _lines(swing)[(steps - beats).astype(int)]


def _lines(swing: float) -> Array:
    """(5,) steps: where a beat's sixteenths are played, and the next beat."""
    lines = np.arange(STEPS_PER_BEAT + 1.0)
    if swing != STRAIGHT:
        lines[round(swing * STEPS_PER_BEAT)] = swing * STEPS_PER_BEAT
    return lines


def _beats(positions: Array, bars: Array) -> Array:
    """(N,) steps: where the beats begin in which positions lie, counted from their bars' first."""
    bar = bars[np.maximum(np.searchsorted(bars, np.round(positions, _FINE), side="right") - 1, 0)]
    return bar + STEPS_PER_BEAT * np.floor(np.round(positions - bar, _FINE) / STEPS_PER_BEAT)
