"""When the notes of a score sound: steps, swing and tempi in seconds of one clock, which begins with the first step."""

from dataclasses import dataclass

import numpy as np

from backend.music.score import Part, Score, part_to_notes
from backend.music.swing import swung_positions
from rigs import Array


@dataclass(frozen=True)
class TimedNote:
    """A MIDI pitch, how hard it is struck (1 to 127), and when it begins and ends, in s."""

    pitch: int
    velocity: int
    start: float
    end: float


def timed_notes(score: Score, part: Part) -> list[TimedNote]:
    """The notes of one of a score's parts, by their starts and pitches."""
    notes = part_to_notes(part)
    ends = np.array([[note.start, note.end] for note in notes], int).reshape(-1, 2)
    return [
        TimedNote(note.pitch, max(note.velocity, 1), start, end)
        for note, (start, end) in zip(notes, step_times(score, ends).tolist(), strict=True)
    ]


def step_times(score: Score, steps: Array) -> Array:
    """When steps are played, in their shape: s behind the score's first."""
    positions = swung_positions(steps, score.bars, score.swing)
    return np.interp(positions, np.arange(score.steps + 1), score.seconds - score.seconds[0])


def length(score: Score) -> float:
    """How long a score lasts, in s."""
    return float(score.seconds[-1] - score.seconds[0])
