"""Decode note probabilities to notes, with monophonic bass and tune and short chords; end a piece with a cadence."""

from dataclasses import replace

import numpy as np

from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    BASS_ROWS,
    DRUM_ROWS,
    PITCHED_VOICES,
    ROWS,
    TUNE_ROWS,
    VOICE_SIZES,
    Bars,
)
from backend.models.score_flow.conditions import BarTensors
from backend.models.score_flow.dance_features import BarGrid
from backend.music.piano_roll import DRUM_KINDS
from rigs import Array

_MAX_CHORD_ONSETS = 3
"""Onsets of a chord in one step at most; with the tune the melody part has four voices."""
_MIN_FINAL_STEPS = 4
"""Steps that the final chord has at least."""
_MAJOR_TRIAD, _MINOR_TRIAD = (0, 4, 7), (9, 0, 4)
"""Pitch classes of the tonic triads of C major and of A minor, the root first."""
_OCTAVE = 12
_KICK, _CRASH = ([name for name, _ in DRUM_KINDS].index(kind) for kind in ("kick", "crash"))
_FINAL_VELOCITY = 0.8


def decode_notes(
    probabilities: BarTensors, tied: Array, onset_thresholds: Array, sustain_thresholds: Array
) -> tuple[BarTensors, Array]:
    """Decode probabilities (B, 16, ...) to bars of notes, 0 or 1, and the pitched rows (B, 72) that sound at the end.

    tied: (B, 72) bool, rows that sound right before.  onset_thresholds (15,), sustain_thresholds (3,): see `ScoreFlow`.
    A new onset in the bass or the tune ends the note before.
    """
    onset = decode_onsets(probabilities.onset, onset_thresholds)
    is_sustained = probabilities.sustain >= np.repeat(sustain_thresholds, VOICE_SIZES)
    sustain = np.zeros_like(is_sustained)
    for step in range(BAR_STEPS):
        onsets = onset[:, step, DRUM_ROWS:]
        is_cut = [
            np.broadcast_to(voice.any(axis=1, keepdims=True) if n != 1 else False, voice.shape)
            for n, voice in enumerate(_split_voices(onsets))
        ]
        tied = onsets | (tied & is_sustained[:, step] & ~np.concatenate(is_cut, axis=1))
        sustain[:, step] = tied
    return BarTensors(onset.astype(np.float32), sustain.astype(np.float32), probabilities.velocity), tied


def decode_onsets(probabilities: Array, thresholds: Array) -> Array:
    """Onsets (B, 16, 84) bool: drums above their thresholds, the likeliest bass and tune note, three chord notes."""
    drums, voices = probabilities[..., :DRUM_ROWS], _split_voices(probabilities[..., DRUM_ROWS:])
    parts = [drums >= thresholds[:DRUM_ROWS]]
    for voice, threshold, most in zip(voices, thresholds[DRUM_ROWS:], (1, _MAX_CHORD_ONSETS, 1), strict=True):
        likeliest = np.argsort(-voice, axis=-1, kind="stable")[..., :most]
        onsets = np.zeros(voice.shape, bool)
        np.put_along_axis(onsets, likeliest, np.take_along_axis(voice, likeliest, axis=-1) >= threshold, axis=-1)
        parts.append(onsets)
    return np.concatenate(parts, axis=-1)


def _split_voices(rows: Array) -> list[Array]:
    """Split pitched rows (..., 72) by their voices: bass, chords and tune."""
    return np.split(rows, np.cumsum(VOICE_SIZES)[:-1], axis=-1)


def add_cadence(bars: Bars, grid: BarGrid) -> Bars:
    """End a piece on the tonic: all playing parts sustain its chord from the last bar line with room for it."""
    steps = len(grid.seconds) - 1
    starts = grid.bar_starts[(grid.bar_starts > 0) & (grid.bar_starts <= steps - _MIN_FINAL_STEPS)]
    if not len(starts):
        return bars
    final = int(starts[-1]) + grid.pickup
    arrays = (bars.onset, bars.sustain, bars.velocity)
    onset, sustain, velocity = (array.reshape(-1, array.shape[-1]).copy() for array in arrays)
    triad = _MINOR_TRIAD if _is_minor(sustain[:final]) else _MAJOR_TRIAD
    tune_steps = np.flatnonzero(onset[:final, ROWS - TUNE_ROWS :].any(axis=1))
    last_tune_row = int(onset[tune_steps[-1], ROWS - TUNE_ROWS :].argmax()) if len(tune_steps) else TUNE_ROWS // 2
    is_played = onset[:final].any(axis=0)
    onset[final:], sustain[final:] = False, False
    if is_played[:DRUM_ROWS].any():
        onset[final, [_KICK, _CRASH]] = True
        velocity[final, [_KICK, _CRASH]] = _FINAL_VELOCITY
    if is_played[DRUM_ROWS:].any():
        rows = [
            _nearest_row(0, triad[:1], BASS_ROWS // 2),
            *(_nearest_row(1, (pitch_class,), 0) for pitch_class in triad),
            _nearest_row(2, triad, last_tune_row),
        ]
        onset[final, rows] = True
        sustain[np.ix_(range(final, len(sustain)), [row - DRUM_ROWS for row in rows])] = True
        velocity[final, DRUM_ROWS:] = np.maximum(velocity[final, DRUM_ROWS:], _FINAL_VELOCITY / 2.0)
    onset, sustain, velocity = (
        flat.reshape(array.shape) for flat, array in zip((onset, sustain, velocity), arrays, strict=True)
    )
    return replace(bars, onset=onset, sustain=sustain, velocity=velocity)


def _is_minor(sustain: Array) -> bool:
    """Whether music in C major or A minor is in minor: A sounds more than G."""
    pitch_classes = np.zeros(_OCTAVE)
    for _, first, rows, lowest in PITCHED_VOICES:
        sounding = sustain[:, first - DRUM_ROWS :][:, :rows].sum(axis=0)
        np.add.at(pitch_classes, (lowest + np.arange(rows)) % _OCTAVE, sounding)
    return bool(pitch_classes[9] > pitch_classes[7])


def _nearest_row(voice: int, pitch_classes: tuple[int, ...], row: int) -> int:
    """Row of a pitched voice with one of these pitch classes, nearest to row `row` of the voice."""
    _, first, rows, lowest = PITCHED_VOICES[voice]
    candidates = [candidate for candidate in range(rows) if (lowest + candidate) % _OCTAVE in pitch_classes]
    return first + min(candidates, key=lambda candidate: abs(candidate - row))
