"""Quantization of played notes to the sixteenth grid: swing ratio, grid offset, nearest steps, and back to seconds.

A *position* is a time in steps (sixteenths) with fractions.
"""

from dataclasses import dataclass

import numpy as np

from backend.music.score import STEPS_PER_BEAT, Part, Score, part_to_notes
from rigs import Array

STRAIGHT = 0.5
"""Swing ratio without swing."""
TICKS_PER_BEAT = 480
"""Resolution of written MIDI files; a swing ratio is a whole number of ticks, so that it survives a round trip."""
_MIN_SWING, _MAX_SWING = 0.54, 0.71
"""Places in a beat at which an off-beat eighth counts as swung; a dotted eighth is at 0.75."""
_MIN_SWUNG_NOTES = 4
_MAX_SWUNG_PER_BEAT = 4
"""Swung notes per note on a beat; with more, the file's beats are not those of the music."""
_MAX_BEAT_OFFSET = 0.06
"""Beats: with notes further off the beats in the median, the file's beats are not those of the music."""
_MIN_AGREEMENT = 0.65
"""Mean resultant length of onset phases within a step from which a common offset is trusted; 1 is full agreement."""
_MIN_OFFSET = 0.1
"""Steps: smaller offsets are a player's own timing, and the grid stays the file's."""
_DECIMALS = 6
"""Decimals of a step that matter; the rest is floating-point error."""


@dataclass(frozen=True)
class TimedNote:
    """A note in seconds: MIDI pitch, velocity (1 to 127), onset and end in s."""

    pitch: int
    velocity: int
    start: float
    end: float


def grid_offset(positions: Array) -> float:
    """Constant offset in steps of played notes (N,) behind the grid, -0.5 to 0.5; 0 unless they agree on one.

    Some recordings have a constant offset from their file's beats. Circular mean of the phases within a step and its
    resultant length: Mardia and Jupp, Directional Statistics, section 2.2.
    """
    mean = np.exp(2j * np.pi * positions).mean()
    offset = float(np.angle(mean)) / (2 * np.pi)
    return offset if abs(mean) > _MIN_AGREEMENT and abs(offset) > _MIN_OFFSET else 0.0


def estimate_swing(positions: Array, bars: Array) -> float:
    """Estimate the swing ratio: the place in the beat at which off-beat eighths are played, 0.5 if they are straight.

    positions: (N,) onsets.  bars: (B,) downbeats in steps.
    Measured from the player's own beats, which may be a little early or late. Swung sixteenths are not detected.
    """
    phases = (positions - _beat_starts(positions, bars)) / STEPS_PER_BEAT
    deviations = phases - np.rint(phases)
    on_beat = deviations[np.abs(deviations) < 0.5 / STEPS_PER_BEAT]
    if not len(on_beat) or abs(offset := float(np.median(on_beat))) > _MAX_BEAT_OFFSET:
        return STRAIGHT
    phases = phases - offset
    swung = phases[(phases > _MIN_SWING) & (phases < _MAX_SWING)]
    if len(swung) < _MIN_SWUNG_NOTES or len(swung) > _MAX_SWUNG_PER_BEAT * len(on_beat):
        return STRAIGHT
    swing = round(float(np.median(swung)) * TICKS_PER_BEAT) / TICKS_PER_BEAT
    nearest = _nearest(phases, np.array([0.25, STRAIGHT, swing, 0.75, 1.0]))
    is_swung = (nearest == 2).sum() > ((nearest == 1) | (nearest == 3)).sum()
    return swing if is_swung else STRAIGHT


def quantize(positions: Array, bars: Array, swing: float) -> Array:
    """Quantize positions (N,) to the nearest steps (N,) int of a swung grid; bars: (B,) downbeats."""
    beats = _beat_starts(positions, bars)
    phases = np.round(positions - beats, _DECIMALS)
    return (beats + _nearest(phases, _grid_of_beat(swing))).astype(int)


def swung_positions(steps: Array, bars: Array, swing: float) -> Array:
    """Positions, in the shape of `steps`, at which steps are played on a swung grid; bars: (B,) downbeats."""
    beats = _beat_starts(steps, bars)
    return beats + _grid_of_beat(swing)[(steps - beats).astype(int)]


def timed_notes(score: Score, part: Part) -> list[TimedNote]:
    """Notes of one of a score's parts in seconds, sorted by onset and pitch."""
    notes = part_to_notes(part)
    steps = np.array([[note.start, note.end] for note in notes], int).reshape(-1, 2)
    return [
        TimedNote(note.pitch, max(note.velocity, 1), start, end)
        for note, (start, end) in zip(notes, step_times(score, steps).tolist(), strict=True)
    ]


def step_times(score: Score, steps: Array) -> Array:
    """Times in s, in the shape of `steps`, at which steps are played with swing; the score begins at 0 s."""
    positions = swung_positions(steps, score.bars, score.swing)
    return np.interp(positions, np.arange(score.steps + 1), score.seconds - score.seconds[0])


def _grid_of_beat(swing: float) -> Array:
    """(5,) positions in a beat at which its sixteenths and the next beat are played."""
    grid = np.arange(STEPS_PER_BEAT + 1.0)
    if swing != STRAIGHT:
        grid[round(swing * STEPS_PER_BEAT)] = swing * STEPS_PER_BEAT
    return grid


def _nearest(values: Array, grid: Array) -> Array:
    """Indices (N,) of the points of a sorted grid nearest to values (N,), the lower of two at the same distance."""
    return np.searchsorted((grid[1:] + grid[:-1]) / 2.0, values)


def _beat_starts(positions: Array, bars: Array) -> Array:
    """(N,) first step of the beat in which each position lies, beats counted from the downbeat."""
    bar = bars[np.maximum(np.searchsorted(bars, np.round(positions, _DECIMALS), side="right") - 1, 0)]
    return bar + STEPS_PER_BEAT * np.floor(np.round(positions - bar, _DECIMALS) / STEPS_PER_BEAT)
