"""A piece of music on a grid of sixteenths: drums, bass and melody, when each step sounds, and where its bars begin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rigs import Array

PARTS = ("drums", "bass", "melody")
PITCHES = 128
STEPS_PER_BEAT = 4
"""Steps in a quarter note."""
_STEPS_PER_WHOLE_NOTE = 16


@dataclass(frozen=True)
class Note:
    """A MIDI pitch, how hard it is struck (1 to 127), and the steps from its first to behind its last."""

    pitch: int
    velocity: int
    start: int
    end: int


@dataclass(frozen=True)
class Meter:
    """The meter from a step on, which begins a bar there."""

    step: int
    numerator: int = 4
    denominator: int = 4

    @property
    def bar_steps(self) -> float:
        """Steps in one of its bars; not whole for such as 7/32."""
        return _STEPS_PER_WHOLE_NOTE * self.numerator / self.denominator


@dataclass(frozen=True)
class Part:
    """What one of the three parts plays.

    onset: (S, 128) bool, a note of this pitch begins.  sustain: (S, 128) bool, it sounds, from its onset on.
    velocity: (S, 128) uint8, how hard it is struck, at onsets; elsewhere 0.
    """

    onset: Array
    sustain: Array
    velocity: Array

    def __post_init__(self) -> None:
        for name, array in (("onset", self.onset), ("sustain", self.sustain), ("velocity", self.velocity)):
            if array.shape != (len(self.onset), PITCHES):
                raise ValueError(f"{name}: shape ({len(self.onset)}, {PITCHES}) expected, {array.shape} found")


@dataclass(frozen=True)
class Score:
    """Three parts on one grid of S sixteenths, which follows beats however the tempo changes.

    drums: by General MIDI's drum numbers.  bass, melody: by pitch.
    seconds: (S + 1,) s at which each step begins, and the last one ends, were it played straight.
    meters: the first at step 0; a pickup is a short first meter, such as 1/4 before 4/4.
    swing: where in its beat the off-beat eighth falls: 0.5 straight, 2/3 a triplet's.
    """

    drums: Part
    bass: Part
    melody: Part
    seconds: Array
    meters: tuple[Meter, ...] = (Meter(0),)
    swing: float = 0.5

    def __post_init__(self) -> None:
        for name, part in (("drums", self.drums), ("bass", self.bass), ("melody", self.melody)):
            if len(part.onset) != self.steps:
                raise ValueError(f"{name}: {self.steps} steps expected, {len(part.onset)} found")
        if not self.meters or self.meters[0].step != 0:
            raise ValueError("meters: one that begins at step 0 expected")

    @property
    def steps(self) -> int:
        """S, the sixteenths of the piece."""
        return len(self.seconds) - 1

    @cached_property
    def bars(self) -> Array:
        """(B,) the step that each bar begins with."""
        lines = bar_lines(self.meters, self.steps)
        return lines[lines < self.steps]


def bar_lines(meters: Sequence[Meter], min_end: float) -> Array:
    """(B + 1,) steps: every bar line from 0 to the first one at or behind `least`; a new meter cuts a bar short."""
    lines: list[Array] = []
    for place, meter in enumerate(meters):
        following = meters[place + 1].step if place + 1 < len(meters) else np.inf
        end = min(following, min_end + meter.bar_steps)
        starts = np.rint(
            meter.step + meter.bar_steps * np.arange(np.ceil(max(end - meter.step, 0.0) / meter.bar_steps) + 1)
        )
        lines.append(starts[starts < following].astype(int))
    together = np.unique(np.concatenate(lines))
    return together[: np.searchsorted(together, min_end) + 1]


def cut_bars(score: Score, first: int, last: int) -> Score:
    """The bars of a score, from 0, the last one included, and its time from 0 again. Raises ValueError for none.

    What sounds over the first bar line begins at it, but for drums, which are heard as they are struck.
    """
    lines = [*score.bars.tolist(), score.steps]
    if not 0 <= first <= last < len(score.bars):
        raise ValueError(f"bars of 0 to {len(score.bars) - 1} expected, {first} to {last} found")
    begin, end = lines[first], lines[last + 1]
    drums, bass, melody = (_cut_part(getattr(score, part), begin, end, part == "drums") for part in PARTS)
    before = [meter for meter in score.meters if meter.step <= begin]
    inside = [meter for meter in score.meters if begin < meter.step < end]
    meters = tuple(replace(meter, step=max(meter.step - begin, 0)) for meter in (before[-1], *inside))
    return Score(drums, bass, melody, score.seconds[begin : end + 1] - score.seconds[begin], meters, score.swing)


def _cut_part(part: Part, begin: int, end: int, drop_tied: bool) -> Part:
    """struck: whether what began before is not heard any more."""
    notes = part_to_note_array(part)
    notes = notes[(notes[:, 3] > begin) & (notes[:, 2] < end)]
    if drop_tied:
        notes = notes[notes[:, 2] >= begin]
    return part_from_note_array(
        np.column_stack([notes[:, :2], np.clip(notes[:, 2:] - begin, 0, end - begin)]), end - begin
    )


def part_from_note_array(notes: Array, steps: int) -> Part:
    """A part of so many steps; a note ends where the next of its pitch begins.

    notes: (N, 4) int: pitch, velocity, start and end of each, as a `Note` has them.
    Of two that begin in one place the louder's velocity counts, and the longer's end.
    """
    onset = np.zeros((steps, PITCHES), bool)
    velocity = np.zeros((steps, PITCHES), np.uint8)
    change = np.zeros((steps + 1, PITCHES), np.int8)  # of how many notes sound: 1 or none of each pitch
    pitches, loud, starts, ends = notes[np.lexsort((notes[:, 2], notes[:, 0]))].T
    if len(notes):
        fresh = np.flatnonzero(np.append(True, (np.diff(pitches) != 0) | (np.diff(starts) != 0)))
        loud, ends = (np.maximum.reduceat(values, fresh) for values in (loud, ends))
        pitches, starts = pitches[fresh], starts[fresh]
        following = np.where(np.diff(pitches, append=-1) == 0, np.roll(starts, -1), steps)
        ends = np.minimum(np.maximum(ends, starts + 1), following)
        onset[starts, pitches] = True
        velocity[starts, pitches] = loud
        change[starts, pitches] = 1
        change[ends, pitches] -= 1
    return Part(onset, np.cumsum(change[:-1], axis=0, dtype=np.int8).astype(bool), velocity)


def part_to_note_array(part: Part) -> Array:
    """(N, 4) int: pitch, velocity, start and end of a part's notes, by their starts and pitches."""
    starts, pitches = np.nonzero(part.onset)
    played, column = np.unique(pitches, return_inverse=True)
    over = np.ones((len(played), len(part.onset) + 1), bool)
    over[:, :-1] = (part.onset | ~part.sustain)[:, played].T
    ends = np.flatnonzero(over)
    shift = column * over.shape[1]
    ends = ends[np.searchsorted(ends, starts + shift, side="right")] - shift
    return np.column_stack([pitches, part.velocity[starts, pitches], starts, ends]).astype(int)


def part_from_notes(notes: Iterable[Note], steps: int) -> Part:
    """A part of these notes, as `from_table` makes it."""
    rows = [(note.pitch, note.velocity, note.start, note.end) for note in notes]
    return part_from_note_array(np.array(rows, int).reshape(-1, 4), steps)


def part_to_notes(part: Part) -> list[Note]:
    """The notes of a part, by their starts and pitches."""
    return [Note(*note) for note in part_to_note_array(part).tolist()]
