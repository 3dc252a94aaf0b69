"""A piece of music on a grid of sixteenths: drums, bass and melody, when each step sounds, and where its bars begin."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rigs import Array

PITCHES = 128
BEAT = 4
"""Steps in a quarter note."""
_WHOLE = 16


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
    def bar(self) -> float:
        """Steps in one of its bars; not whole for such as 7/32."""
        return _WHOLE * self.numerator / self.denominator


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


def bar_lines(meters: Sequence[Meter], least: float) -> Array:
    """(B + 1,) steps: every bar line from 0 to the first one at or behind `least`; a new meter cuts a bar short."""
    lines: list[Array] = []
    for place, meter in enumerate(meters):
        following = meters[place + 1].step if place + 1 < len(meters) else np.inf
        end = min(following, least + meter.bar)
        starts = np.rint(meter.step + meter.bar * np.arange(np.ceil(max(end - meter.step, 0.0) / meter.bar) + 1))
        lines.append(starts[starts < following].astype(int))
    together = np.unique(np.concatenate(lines))
    return together[: np.searchsorted(together, least) + 1]


def from_notes(notes: Iterable[Note], steps: int) -> Part:
    """A part of so many steps; a note ends where the next of its pitch begins.

    Of two that begin in one place the louder's velocity counts, and the longer's end.
    """
    onset, sustain = np.zeros((2, steps, PITCHES), bool)
    velocity = np.zeros((steps, PITCHES), np.uint8)
    for note in sorted(notes, key=lambda note: note.start):
        if not onset[note.start, note.pitch]:
            sustain[note.start :, note.pitch] = False
        onset[note.start, note.pitch] = True
        sustain[note.start : max(note.end, note.start + 1), note.pitch] = True
        velocity[note.start, note.pitch] = max(velocity[note.start, note.pitch], note.velocity)
    return Part(onset, sustain, velocity)


def to_notes(part: Part) -> list[Note]:
    """The notes of a part, by their starts and pitches."""
    held = part.sustain & ~part.onset
    notes = []
    for start, pitch in np.argwhere(part.onset).tolist():
        rest = held[start + 1 :, pitch]
        length = 1 + (len(rest) if rest.all() else int(rest.argmin()))
        notes.append(Note(pitch, int(part.velocity[start, pitch]), start, start + length))
    return notes
