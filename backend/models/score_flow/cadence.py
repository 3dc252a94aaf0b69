"""How a piece ends: on the last bar line that has room to sound, all parts rest on the tonic's chord."""

from dataclasses import replace

import numpy as np

from backend.models.score_flow.bar_features import BASS, KINDS, ROWS, TUNE, VOICES, Bars
from backend.models.score_flow.beat_grid import BarLines
from backend.music.piano_roll import DRUMS
from rigs import Array

_ROOM = 4
"""Steps that the last chord has at least."""
_MAJOR, _MINOR = (0, 4, 7), (9, 0, 4)
"""The tonic's chord in C major and in A minor, its root first."""
_OCTAVE = 12
_KICK, _CRASH = (next(n for n, (name, _) in enumerate(DRUMS) if name == wanted) for wanted in ("kick", "crash"))
_LOUD = 0.8


def ended(bars: Bars, lines: BarLines) -> Bars:
    """The bars, of which those that play end together."""
    steps = len(lines.seconds) - 1
    starts = lines.bars[(lines.bars > 0) & (lines.bars <= steps - _ROOM)]
    if not len(starts):
        return bars
    at = int(starts[-1]) + lines.pickup
    onset, sustain, loud = (part.reshape(-1, part.shape[-1]).copy() for part in (bars.onset, bars.sustain, bars.loud))
    chord = _MINOR if _minor(sustain[:at]) else _MAJOR
    last_tune = np.flatnonzero(onset[:at, ROWS - TUNE :].any(axis=1))
    near = int(onset[last_tune[-1], ROWS - TUNE :].argmax()) if len(last_tune) else TUNE // 2
    played = onset[:at].any(axis=0)
    onset[at:], sustain[at:] = False, False
    if played[:KINDS].any():
        onset[at, [_KICK, _CRASH]] = True
        loud[at, [_KICK, _CRASH]] = _LOUD
    if played[KINDS:].any():
        rows = [
            _row(0, chord[:1], BASS // 2),
            *(_row(1, (tone,), 0) for tone in chord),
            _row(2, chord, near),
        ]
        onset[at, rows] = True
        sustain[np.ix_(range(at, len(sustain)), [row - KINDS for row in rows])] = True
        loud[at, KINDS:] = np.maximum(loud[at, KINDS:], _LOUD / 2.0)
    shapes = (bars.onset.shape, bars.sustain.shape, bars.loud.shape)
    onset, sustain, loud = (part.reshape(shape) for part, shape in zip((onset, sustain, loud), shapes, strict=True))
    return replace(bars, onset=onset, sustain=sustain, loud=loud)


def _minor(sustain: Array) -> bool:
    """Whether A and E sound more than C and G."""
    classes = np.zeros(_OCTAVE)
    for _, first, rows, lowest in VOICES:
        np.add.at(classes, (lowest + np.arange(rows)) % _OCTAVE, sustain[:, first - KINDS :][:, :rows].sum(axis=0))
    return bool(classes[9] > classes[7])


def _row(voice: int, classes: tuple[int, ...], near: int) -> int:
    """The row of a voice that has one of these pitch classes and is nearest to its row `near`."""
    _, first, rows, lowest = VOICES[voice]
    fitting = [row for row in range(rows) if (lowest + row) % _OCTAVE in classes]
    return first + min(fitting, key=lambda row: abs(row - near))
