"""The way back from a model's roll of 128 rows (`backend.music.piano_roll`) to a score that can be played."""

from collections.abc import Sequence

import numpy as np

from backend.music.piano_roll import BASS_ROW, DRUM_KINDS, MELODY_ROW
from backend.music.score import PARTS, PITCHES, Meter, Note, Part, Score, part_from_notes
from backend.music.swing import STRAIGHT
from rigs import Array

DRUM_PITCHES: tuple[int, ...] = (36, 37, 38, 45, 48, 42, 46, 49, 51, 62, 56, 70)
"""The General MIDI drum that each of the rows in `layout.DRUMS` is played on."""
_LOUDEST = 127


def score_from_piano_roll(
    rows: Array,
    seconds: Array,
    meters: tuple[Meter, ...] = (Meter(0),),
    swing: float = STRAIGHT,
    *,
    threshold: float,
    parts: Sequence[str] = PARTS,
) -> Score:
    """The score whose `layout.roll` is near `rows`.

    rows: (S, 128), 0 to 1.  seconds: (S + 1,) s.  threshold: what is louder sounds.  parts: those that play.
    A roll does not tell a held note from a repeated one, so what sounds on is held; a drum is struck at every step.
    """
    sounds = rows > threshold
    force = np.clip(np.rint(rows * _LOUDEST), 1, _LOUDEST).astype(int)
    silent = part_from_notes([], len(rows))
    drums, bass, melody = (
        made if name in parts else silent
        for name, made in zip(
            PARTS,
            (
                _struck(sounds, force),
                _held(sounds, force, BASS_ROW, MELODY_ROW),
                _held(sounds, force, MELODY_ROW, PITCHES),
            ),
            strict=True,
        )
    )
    return Score(drums, bass, melody, seconds, meters, swing)


def _struck(sounds: Array, force: Array) -> Part:
    """The drums' part of what sounds (S, 128) with this force, 1 to 127."""
    hits = np.argwhere(sounds[:, : len(DRUM_KINDS)]).tolist()
    return part_from_notes(
        (Note(DRUM_PITCHES[row], int(force[step, row]), step, step + 1) for step, row in hits), len(sounds)
    )


def _held(sounds: Array, force: Array, first: int, last: int) -> Part:
    """The part of the rows from `first` to before `last`: a note for each run of steps, as loud as its loudest one."""
    notes = []
    for row in range(first, last):
        edges = np.flatnonzero(np.diff(sounds[:, row].astype(int), prepend=0, append=0))
        for start, end in edges.reshape(-1, 2).tolist():
            notes.append(Note(row, int(force[start:end, row].max()), start, end))
    return part_from_notes(notes, len(sounds))
