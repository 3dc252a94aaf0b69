"""How a piece ends: on the last bar line that has room to sound, all parts rest on the tonic's chord."""

from dataclasses import replace

import numpy as np

from backend.models.score_flow.bar_features import BASS_ROWS, DRUM_ROWS, PITCHED_VOICES, ROWS, TUNE_ROWS, Bars
from backend.models.score_flow.beat_grid import BarGrid
from backend.music.piano_roll import DRUM_KINDS
from rigs import Array

_ROOM = 4
"""Steps that the last chord has at least."""
_MAJOR, _MINOR = (0, 4, 7), (9, 0, 4)
"""The tonic's chord in C major and in A minor, its root first."""
_OCTAVE = 12
_KICK, _CRASH = (next(n for n, (name, _) in enumerate(DRUM_KINDS) if name == wanted) for wanted in ("kick", "crash"))
_LOUD = 0.8


def add_cadence(bars: Bars, lines: BarGrid) -> Bars:
    """The bars, of which those that play end together."""
    steps = len(lines.seconds) - 1
    starts = lines.bar_starts[(lines.bar_starts > 0) & (lines.bar_starts <= steps - _ROOM)]
    if not len(starts):
        return bars
    at = int(starts[-1]) + lines.pickup
    onset, sustain, loud = (
        part.reshape(-1, part.shape[-1]).copy() for part in (bars.onset, bars.sustain, bars.velocity)
    )
    chord = _MINOR if _minor(sustain[:at]) else _MAJOR
    last_tune = np.flatnonzero(onset[:at, ROWS - TUNE_ROWS :].any(axis=1))
    near = int(onset[last_tune[-1], ROWS - TUNE_ROWS :].argmax()) if len(last_tune) else TUNE_ROWS // 2
    played = onset[:at].any(axis=0)
    onset[at:], sustain[at:] = False, False
    if played[:DRUM_ROWS].any():
        onset[at, [_KICK, _CRASH]] = True
        loud[at, [_KICK, _CRASH]] = _LOUD
    if played[DRUM_ROWS:].any():
        rows = [
            _row(0, chord[:1], BASS_ROWS // 2),
            *(_row(1, (tone,), 0) for tone in chord),
            _row(2, chord, near),
        ]
        onset[at, rows] = True
        sustain[np.ix_(range(at, len(sustain)), [row - DRUM_ROWS for row in rows])] = True
        loud[at, DRUM_ROWS:] = np.maximum(loud[at, DRUM_ROWS:], _LOUD / 2.0)
    shapes = (bars.onset.shape, bars.sustain.shape, bars.velocity.shape)
    onset, sustain, loud = (part.reshape(shape) for part, shape in zip((onset, sustain, loud), shapes, strict=True))
    return replace(bars, onset=onset, sustain=sustain, velocity=loud)


def _minor(sustain: Array) -> bool:
    """Whether A and E sound more than C and G."""
    classes = np.zeros(_OCTAVE)
    for _, first, rows, lowest in PITCHED_VOICES:
        np.add.at(classes, (lowest + np.arange(rows)) % _OCTAVE, sustain[:, first - DRUM_ROWS :][:, :rows].sum(axis=0))
    return bool(classes[9] > classes[7])


def _row(voice: int, classes: tuple[int, ...], near: int) -> int:
    """The row of a voice that has one of these pitch classes and is nearest to its row `near`."""
    _, first, rows, lowest = PITCHED_VOICES[voice]
    fitting = [row for row in range(rows) if (lowest + row) % _OCTAVE in classes]
    return first + min(fitting, key=lambda row: abs(row - near))
