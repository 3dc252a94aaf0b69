"""What a dancer hears of a score, moment by moment: where in the phrase it is, what is struck, how lively it is."""

import numpy as np

from backend.music.piano_roll import DRUM_KINDS
from backend.music.pulse import COUNTS_PER_PHRASE, dance_pulse
from backend.music.score import PITCHES, Part, Score
from rigs import Array

_CYCLES = (1, 2, 4, 8)
"""Counts after which a phase comes round."""
_FADES = 0.12
"""s in which what was struck is heard by a third of its strength."""
_WIDTHS = (0.5, 2.0, 8.0)
"""s over which liveliness is heard: the moment's, the bar's, the section's."""
_USUAL = 165.0
"""Steps a minute of a usual dance."""
_MIDDLE, _OCTAVE = 60, 12
_NAMED = [list(numbers) for _, numbers in DRUM_KINDS]
_KINDS = [*_NAMED[:-1], sorted({*range(PITCHES)}.difference(*_NAMED[:-1]))]
"""The drums of each kind, all else among the last."""
MUSIC_DIM = 2 * len(_CYCLES) + 1 + len(DRUM_KINDS) + 5 + len(_WIDTHS) + 3
"""Numbers that a moment has."""
BAR_DENSITY = MUSIC_DIM - 5
"""Which of them says how lively the bar is."""


def music_features(score: Score, frames: int, fps: float) -> Array:
    """(frames, HEARD) float32: the phases of four cycles, the tempo, each kind of drum, bass and melody, liveliness.

    Raises ValueError for music of less than two beats.
    """
    seconds = np.arange(frames) / fps
    beats = dance_pulse(score)
    steps = np.interp(seconds, score.seconds, np.arange(score.steps + 1.0))
    now = np.clip(steps.astype(int), 0, score.steps - 1)
    counts = beats.counts_at(seconds)
    phases = 2 * np.pi * counts[:, None] / _CYCLES
    length = np.interp(seconds, beats.seconds[:-1], np.diff(beats.seconds))
    drums = np.stack([score.drums.velocity[:, kind].max(axis=1) for kind in _KINDS], axis=1) / 127.0
    struck = np.concatenate([drums, _struck(score.bass), _struck(score.melody)], axis=1)
    there = np.array([part.onset.any() for part in (score.drums, score.bass, score.melody)], float)
    return np.concatenate(
        [
            np.sin(phases),
            np.cos(phases),
            np.log2(60.0 / length / _USUAL)[:, None],
            _ringing(struck, score.seconds, seconds),
            _pitch(score.bass)[now, None],
            _pitch(score.melody)[now, None],
            score.melody.sustain.sum(axis=1)[now, None] / 4.0,
            _liveliness(score, seconds),
            np.tile(there, (frames, 1)),
        ],
        axis=1,
    ).astype(np.float32)


def phrase_counts(hearing: Array) -> Array:
    """(F,) the counts, from 0 up to 8, of what is heard (F, HEARD)."""
    last = len(_CYCLES) - 1
    angle = np.arctan2(hearing[:, last], hearing[:, len(_CYCLES) + last])
    return angle / (2 * np.pi) * COUNTS_PER_PHRASE % COUNTS_PER_PHRASE


def _struck(part: Part) -> Array:
    """(S, 1) how hard the hardest note is struck in each step, 0 to 1."""
    return part.velocity.max(axis=1, keepdims=True) / 127.0


def _ringing(struck: Array, begins: Array, seconds: Array) -> Array:
    """What is struck (S, N) at `begins` (S + 1,) s, as it fades away: (F, N) at `seconds` (F,)."""
    ringing = np.zeros((len(seconds), struck.shape[1]))
    for step, voice in np.argwhere(struck > 0.0):
        first = np.searchsorted(seconds, begins[step] - 1e-6)
        last = np.searchsorted(seconds, begins[step] + 5 * _FADES)
        fading = struck[step, voice] * np.exp(-(seconds[first:last] - begins[step]) / _FADES)
        np.maximum(ringing[first:last, voice], fading, out=ringing[first:last, voice])
    return ringing


def _pitch(part: Part) -> Array:
    """(S,) octaves from middle C to the highest note that sounds; 0 where none does."""
    highest = part.sustain.shape[1] - 1 - part.sustain[:, ::-1].argmax(axis=1)
    return np.where(part.sustain.any(axis=1), (highest - _MIDDLE) / _OCTAVE, 0.0)


def _liveliness(score: Score, seconds: Array) -> Array:
    """(F, 3) the log of how much is struck a second, over a moment, a bar and a section beside the whole piece."""
    struck = sum(part.velocity.sum(axis=1) / 127.0 for part in (score.drums, score.bass, score.melody))
    far = np.concatenate([[0.0], np.cumsum(struck)])
    end = score.seconds[-1]
    columns = []
    for width in _WIDTHS:
        first, last = np.clip(seconds - width / 2, 0.0, end), np.clip(seconds + width / 2, 0.0, end)
        much = np.interp(last, score.seconds, far) - np.interp(first, score.seconds, far)
        columns.append(np.log1p(much / np.maximum(last - first, 0.1)))
    columns[-1] = columns[-1] - np.log1p(far[-1] / max(end, 0.1))
    return np.stack(columns, axis=1)
