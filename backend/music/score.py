"""Scores: drums, bass and melody quantized to a grid of sixteenth notes, with step times, meters and swing ratio."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rigs import Array

PARTS = ("drums", "bass", "melody")
PITCHES = 128
STEPS_PER_BEAT = 4
"""Steps (sixteenths) in a quarter note."""
_STEPS_PER_WHOLE_NOTE = 16


@dataclass(frozen=True)
class Note:
    """A note: MIDI pitch, velocity (1 to 127), onset step and end step (exclusive)."""

    pitch: int
    velocity: int
    start: int
    end: int


@dataclass(frozen=True)
class Meter:
    """A time signature from a step on, at which a bar begins."""

    step: int
    numerator: int = 4
    denominator: int = 4

    @property
    def bar_steps(self) -> float:
        """Steps in a bar; fractional for meters such as 7/32."""
        return _STEPS_PER_WHOLE_NOTE * self.numerator / self.denominator


@dataclass(frozen=True)
class Part:
    """One of the three parts as binary piano rolls of S steps and 128 MIDI pitches.

    onset: (S, 128) bool, a note begins.  sustain: (S, 128) bool, a note sounds, its onset included.
    velocity: (S, 128) uint8, 1 to 127 at onsets, 0 elsewhere.
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
    """A score: three parts on one grid of S sixteenth-note steps, which follows the beats through tempo changes.

    drums: pitches are General MIDI drum numbers.  bass, melody: MIDI pitches.
    seconds: (S + 1,) s, onset times of the steps without swing, and the end of the last.
    meters: time signatures, the first at step 0; a pickup (anacrusis) is a short first meter, such as 1/4 before 4/4.
    swing: swing ratio, the place of the off-beat eighth in its beat: 0.5 straight, 2/3 triplet swing.
    """

    drums: Part
    bass: Part
    melody: Part
    seconds: Array
    meters: tuple[Meter, ...] = (Meter(0),)
    swing: float = 0.5

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            if len(part.onset) != self.steps:
                raise ValueError(f"{name}: {self.steps} steps expected, {len(part.onset)} found")
        if not self.meters or self.meters[0].step != 0:
            raise ValueError("meters: one that begins at step 0 expected")

    @property
    def parts(self) -> dict[str, Part]:
        """The three parts by name."""
        return {"drums": self.drums, "bass": self.bass, "melody": self.melody}

    @property
    def steps(self) -> int:
        """S, the number of sixteenth-note steps."""
        return len(self.seconds) - 1

    @property
    def duration(self) -> float:
        """Length in s, from the first step's onset to the end of the last."""
        return float(self.seconds[-1] - self.seconds[0])

    def cumulative_velocity(self) -> Array:
        """(S + 1,) sum of the velocities, 0 to 1 each, of all onsets before each step and before the end."""
        velocity = sum(part.velocity.sum(axis=1) / 127.0 for part in self.parts.values())
        return np.concatenate([[0.0], np.cumsum(velocity)])

    @cached_property
    def bars(self) -> Array:
        """(B,) downbeats: the first step of each bar."""
        lines = bar_lines(self.meters, self.steps)
        return lines[lines < self.steps]


def bar_lines(meters: Sequence[Meter], min_end: float) -> Array:
    """Bar lines (B + 1,) in steps, from 0 to the first at or after `min_end`; a new meter cuts a bar short."""
    lines: list[Array] = []
    for index, meter in enumerate(meters):
        following = meters[index + 1].step if index + 1 < len(meters) else np.inf
        end = min(following, min_end + meter.bar_steps)
        starts = np.rint(
            meter.step + meter.bar_steps * np.arange(np.ceil(max(end - meter.step, 0.0) / meter.bar_steps) + 1)
        )
        lines.append(starts[starts < following].astype(int))
    all_lines = np.unique(np.concatenate(lines))
    return all_lines[: np.searchsorted(all_lines, min_end) + 1]


def cut_bars(score: Score, first: int, last: int) -> Score:
    """Excerpt of a score: its bars `first` to `last`, inclusive and counted from 0, with times from 0 s.

    Notes tied over the first bar line begin at it, except drums, which are dropped. Raises ValueError for bars that
    do not exist.
    """
    lines = [*score.bars.tolist(), score.steps]
    if not 0 <= first <= last < len(score.bars):
        raise ValueError(f"bars of 0 to {len(score.bars) - 1} expected, {first} to {last} found")
    begin, end = lines[first], lines[last + 1]
    drums, bass, melody = (cut_part(part, begin, end, drop_tied=name == "drums") for name, part in score.parts.items())
    before = [meter for meter in score.meters if meter.step <= begin]
    inside = [meter for meter in score.meters if begin < meter.step < end]
    meters = tuple(replace(meter, step=max(meter.step - begin, 0)) for meter in (before[-1], *inside))
    return Score(drums, bass, melody, score.seconds[begin : end + 1] - score.seconds[begin], meters, score.swing)


def cut_part(part: Part, begin: int, end: int, *, drop_tied: bool) -> Part:
    """Excerpt of a part: steps `begin` to `end` (exclusive).

    drop_tied: leave out notes that begin before it instead of shortening them.
    """
    notes = part_to_note_array(part)
    notes = notes[(notes[:, 3] > begin) & (notes[:, 2] < end)]
    if drop_tied:
        notes = notes[notes[:, 2] >= begin]
    return part_from_note_array(
        np.column_stack([notes[:, :2], np.clip(notes[:, 2:] - begin, 0, end - begin)]), end - begin
    )


def part_from_note_array(notes: Array, steps: int) -> Part:
    """Convert a note array to a part of `steps` steps; a note ends where the next of its pitch begins.

    notes: (N, 4) int: pitch, velocity, start and end, as in `Note`.
    Two notes with the same onset and pitch merge: the higher velocity and the later end count.
    """
    onset = np.zeros((steps, PITCHES), bool)
    velocity = np.zeros((steps, PITCHES), np.uint8)
    change = np.zeros((steps + 1, PITCHES), np.int8)  # of the number of sounding notes, at most 1 per pitch
    pitches, velocities, starts, ends = notes[np.lexsort((notes[:, 2], notes[:, 0]))].T
    if len(notes):
        distinct = np.flatnonzero(np.append(True, (np.diff(pitches) != 0) | (np.diff(starts) != 0)))
        velocities, ends = (np.maximum.reduceat(values, distinct) for values in (velocities, ends))
        pitches, starts = pitches[distinct], starts[distinct]
        following = np.where(np.diff(pitches, append=-1) == 0, np.roll(starts, -1), steps)
        ends = np.minimum(np.maximum(ends, starts + 1), following)
        onset[starts, pitches] = True
        velocity[starts, pitches] = velocities
        change[starts, pitches] = 1
        change[ends, pitches] -= 1
    return Part(onset, np.cumsum(change[:-1], axis=0, dtype=np.int8).astype(bool), velocity)


def part_to_note_array(part: Part) -> Array:
    """Note array of a part, (N, 4) int: pitch, velocity, start and end, sorted by start and pitch."""
    starts, pitches = np.nonzero(part.onset)
    used_pitches, column = np.unique(pitches, return_inverse=True)
    is_end = np.ones((len(used_pitches), len(part.onset) + 1), bool)
    is_end[:, :-1] = (part.onset | ~part.sustain)[:, used_pitches].T
    ends = np.flatnonzero(is_end)
    shift = column * is_end.shape[1]
    ends = ends[np.searchsorted(ends, starts + shift, side="right")] - shift
    return np.column_stack([pitches, part.velocity[starts, pitches], starts, ends]).astype(int)


def part_from_notes(notes: Iterable[Note], steps: int) -> Part:
    """Convert notes to a part of `steps` steps, see `part_from_note_array`."""
    rows = [(note.pitch, note.velocity, note.start, note.end) for note in notes]
    return part_from_note_array(np.array(rows, int).reshape(-1, 4), steps)


def part_to_notes(part: Part) -> list[Note]:
    """Notes of a part, sorted by start and pitch."""
    return [Note(*note) for note in part_to_note_array(part).tolist()]
