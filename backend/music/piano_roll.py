"""What a music model sees of a score: one roll of 128 rows for all three parts, two bars at a time.

Row 0 is C-2, so C-1 is row 12 and C1 row 36. Drums have rows 0 to 11 (C-2 up to C-1), one for each kind of drum; the
bass has 12 to 35 (C-1 up to C1) and the melody 36 to 127 (C1 and above). A pitch outside its rows moves in by octaves.
"""

import numpy as np

from backend.music.score import PITCHES, Part, Score
from rigs import Array

WINDOW_STEPS = 32
"""Steps in a window: two bars of 4/4."""
BASS_ROW, MELODY_ROW = 12, 36
"""The first rows of the bass and of the melody."""
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
_OCTAVE = 12


def piano_roll(score: Score) -> Array:
    """(S, 128) float32, 0 to 1: how loud each row sounds; drums at their onsets, the others while they last."""
    rows = np.zeros((score.steps, PITCHES), np.float32)
    for part, targets in ((score.bass, _bass_rows()), (score.melody, _melody_rows())):
        np.maximum.at(rows.T, targets, _loudness(part).T)
    np.maximum.at(rows.T, _drum_rows(), score.drums.velocity.T / np.float32(127.0))
    return rows


def piano_roll_windows(score: Score) -> Array:
    """(N, 32, 128) float32: the roll from each of `window_starts` on; what lies behind the end is silent.

    A window has 32 steps whatever the meter: two bars of 4/4, and from a pickup or in 3/4 whatever 32 steps hold.
    """
    rows = np.pad(piano_roll(score), ((0, WINDOW_STEPS), (0, 0)))
    return rows[window_starts(score)[:, None] + np.arange(WINDOW_STEPS)]


def window_starts(score: Score) -> Array:
    """(N,) the steps that windows begin with: each bar's first, until a window reaches the end."""
    starts = score.bars
    return starts[: np.searchsorted(starts, score.steps - WINDOW_STEPS) + 1]


def _loudness(part: Part) -> Array:
    """(S, 128) float32, 0 to 1: each note's velocity for as long as it sounds."""
    steps = np.arange(len(part.onset))[:, None]
    begun = np.maximum.accumulate(np.where(part.onset, steps, 0), axis=0)
    return np.take_along_axis(part.velocity, begun, axis=0) * part.sustain / np.float32(127.0)


def _drum_rows() -> Array:
    rows = np.full(PITCHES, len(DRUM_KINDS) - 1)
    for row, (_, numbers) in enumerate(DRUM_KINDS):
        rows[list(numbers)] = row
    return rows


def _bass_rows() -> Array:
    pitches = np.arange(PITCHES)
    low, high = BASS_ROW + pitches % _OCTAVE, MELODY_ROW - _OCTAVE + pitches % _OCTAVE
    return np.where(pitches < BASS_ROW, low, np.where(pitches >= MELODY_ROW, high, pitches))


def _melody_rows() -> Array:
    pitches = np.arange(PITCHES)
    return np.where(pitches < MELODY_ROW, MELODY_ROW + pitches % _OCTAVE, pitches)
