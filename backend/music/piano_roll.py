"""Piano rolls: all parts of a score in one matrix of 128 rows, windows of two bars, and decoding back to a score.

Rows 0 to 11 (C-2 up to C-1) are kinds of drums, rows 12 to 35 (C-1 up to C1) the bass and rows 36 to 127 the melody,
row 0 being C-2. A pitch outside the rows of its part moves in by octaves.
"""

from collections.abc import Sequence

import numpy as np

from backend.music.quantization import STRAIGHT
from backend.music.score import PARTS, PITCHES, Meter, Note, Part, Score, part_from_notes
from rigs import Array

WINDOW_STEPS = 32
"""Steps in a window: two bars of 4/4."""
BASS_ROW, MELODY_ROW = 12, 36
"""First rows of the bass and of the melody."""
DRUM_KINDS: tuple[tuple[str, tuple[int, ...]], ...] = (
    # the kind of drum in each row, and its numbers: General MIDI's, and an electronic kit's for edges and rims
    ("kick", (35, 36)),
    ("stick and clap", (31, 37, 39)),
    ("snare", (38, 40)),
    ("low tom", (41, 43, 45, 58)),
    ("high tom", (47, 48, 50)),
    ("closed hi-hat", (22, 42, 44)),
    ("open hi-hat", (26, 46)),
    ("crash", (49, 52, 55, 57)),
    ("ride", (51, 53, 59)),
    ("hand drum", (60, 61, 62, 63, 64, 65, 66, 78, 79, 86, 87)),
    ("bell and block", (56, 67, 68, 73, 74, 75, 76, 77, 80, 81)),
    ("shaken, and all else", (54, 69, 70, 82)),
)
_KIND_OF_NUMBER = {number: kind for kind, (_, numbers) in enumerate(DRUM_KINDS) for number in numbers}
KIND_OF_DRUM: Array = np.array([_KIND_OF_NUMBER.get(number, len(DRUM_KINDS) - 1) for number in range(PITCHES)])
"""(128,) index in DRUM_KINDS of each General MIDI drum number."""
DRUM_PITCHES: tuple[int, ...] = (36, 37, 38, 45, 48, 42, 46, 49, 51, 62, 56, 70)
"""General MIDI drum number on which each kind of drum is played."""
_OCTAVE = 12
_MAX_VELOCITY = 127
_PITCHES = np.arange(PITCHES)
_BASS_ROWS = np.where(_PITCHES < BASS_ROW, BASS_ROW + _PITCHES % _OCTAVE, _PITCHES)
_BASS_ROWS = np.where(_PITCHES >= MELODY_ROW, MELODY_ROW - _OCTAVE + _PITCHES % _OCTAVE, _BASS_ROWS)
_MELODY_ROWS = np.where(_PITCHES < MELODY_ROW, MELODY_ROW + _PITCHES % _OCTAVE, _PITCHES)
"""(128,) row of each pitch of the bass and of the melody, octaves folded."""


def piano_roll(score: Score) -> Array:
    """Piano roll (S, 128) float32 of velocities from 0 to 1; drums at their onsets, other notes while they sound."""
    rows = np.zeros((score.steps, PITCHES), np.float32)
    for part, targets in ((score.bass, _BASS_ROWS), (score.melody, _MELODY_ROWS)):
        np.maximum.at(rows.T, targets, _sustained_velocity(part).T)
    np.maximum.at(rows.T, KIND_OF_DRUM, score.drums.velocity.T / np.float32(_MAX_VELOCITY))
    return rows


def drum_kind(number: int) -> str:
    """Name of the kind of drum, one of DRUM_KINDS, that a General MIDI drum number is."""
    return DRUM_KINDS[KIND_OF_DRUM[number]][0]


def piano_roll_windows(score: Score) -> Array:
    """Piano rolls (N, 32, 128) float32 from each of `window_starts` on, padded with silence after the end.

    A window has 32 steps whatever the meter: two bars of 4/4, less or more than two bars elsewhere.
    """
    rows = np.pad(piano_roll(score), ((0, WINDOW_STEPS), (0, 0)))
    return rows[window_starts(score)[:, None] + np.arange(WINDOW_STEPS)]


def window_starts(score: Score) -> Array:
    """First steps (N,) of the windows: every downbeat, until a window reaches the end."""
    starts = score.bars
    return starts[: np.searchsorted(starts, score.steps - WINDOW_STEPS) + 1]


def score_from_piano_roll(
    rows: Array,
    seconds: Array,
    meters: tuple[Meter, ...] = (Meter(0),),
    swing: float = STRAIGHT,
    *,
    threshold: float,
    parts: Sequence[str] = PARTS,
) -> Score:
    """Decode a piano roll to a score, the inverse of `piano_roll`.

    rows: (S, 128), 0 to 1.  seconds: (S + 1,) s, step times.  threshold: louder cells sound.  parts: those that play.
    A piano roll can't tell a sustained note from a repeated one: a run of steps becomes one note; a drum is hit at
    every step.
    """
    active = rows > threshold
    velocity = np.clip(np.rint(rows * _MAX_VELOCITY), 1, _MAX_VELOCITY).astype(int)
    decoded = {
        "drums": _decode_drums(active, velocity),
        "bass": _decode_pitched(active, velocity, BASS_ROW, MELODY_ROW),
        "melody": _decode_pitched(active, velocity, MELODY_ROW, PITCHES),
    }
    silence = part_from_notes([], len(rows))
    drums, bass, melody = (decoded[name] if name in parts else silence for name in PARTS)
    return Score(drums, bass, melody, seconds, meters, swing)


def _decode_drums(active: Array, velocity: Array) -> Part:
    """Drum part of the active cells (S, 128); velocity: (S, 128), 1 to 127."""
    hits = np.argwhere(active[:, : len(DRUM_KINDS)]).tolist()
    notes = (Note(DRUM_PITCHES[row], int(velocity[step, row]), step, step + 1) for step, row in hits)
    return part_from_notes(notes, len(active))


def _decode_pitched(active: Array, velocity: Array, first: int, last: int) -> Part:
    """Part of rows `first` to `last` (exclusive): a note for each run of active steps, as loud as its loudest one."""
    notes = []
    for row in range(first, last):
        edges = np.flatnonzero(np.diff(active[:, row].astype(int), prepend=0, append=0))
        for start, end in edges.reshape(-1, 2).tolist():
            notes.append(Note(row, int(velocity[start:end, row].max()), start, end))
    return part_from_notes(notes, len(active))


def _sustained_velocity(part: Part) -> Array:
    """(S, 128) float32, 0 to 1: the velocity of each note for as long as it sounds."""
    steps = np.arange(len(part.onset))[:, None]
    last_onset = np.maximum.accumulate(np.where(part.onset, steps, 0), axis=0)
    return np.take_along_axis(part.velocity, last_onset, axis=0) * part.sustain / np.float32(_MAX_VELOCITY)
