"""Music features per frame for a dance model: beat phase, tempo, drum, bass and melody onsets, onset density."""

import numpy as np

from backend.music.piano_roll import DRUM_KINDS, KIND_OF_DRUM
from backend.music.pulse import dance_pulse
from backend.music.score import Part, Score
from rigs import Array
from rigs.choreography.beat_tracking import BEATS_PER_PHRASE

_PHASE_PERIODS = (1, 2, 4, 8)
"""Counts in each of the cycles whose phase is a feature."""
_DECAY = 0.12
"""s in which the envelope of an onset decays to 1/e."""
_DENSITY_WINDOWS = (0.5, 2.0, 8.0)
"""s over which onset density is averaged: about a beat, a bar and a section."""
_REFERENCE_TEMPO = 165.0
"""Dance steps a minute at which the tempo feature is 0."""
_MIDDLE_C, _OCTAVE = 60, 12
MUSIC_DIM = 2 * len(_PHASE_PERIODS) + 1 + len(DRUM_KINDS) + 5 + len(_DENSITY_WINDOWS) + 3
"""Features of a frame."""
BAR_DENSITY = MUSIC_DIM - 5
"""Index of the feature with the onset density over a bar."""


def music_features(score: Score, frames: int, fps: float) -> Array:
    """Music features (frames, MUSIC_DIM) float32 of a score, resampled to a frame rate.

    Sines and cosines of the beat phase in four cycles; log2 tempo; decaying onset envelopes of each kind of drum, bass
    and melody; highest pitch of bass and melody, in octaves; melody voices; onset density over three windows; which of
    the three parts the score has. Raises ValueError for music of less than two beats.
    """
    seconds = np.arange(frames) / fps
    beats = dance_pulse(score)
    positions = np.interp(seconds, score.seconds, np.arange(score.steps + 1.0))
    step = np.clip(positions.astype(int), 0, score.steps - 1)
    counts = beats.counts_at(seconds)
    phases = 2 * np.pi * counts[:, None] / _PHASE_PERIODS
    beat_length = np.interp(seconds, beats.seconds[:-1], np.diff(beats.seconds))
    kinds = range(len(DRUM_KINDS))
    drums = np.stack([score.drums.velocity[:, kind == KIND_OF_DRUM].max(axis=1) for kind in kinds], axis=1) / 127.0
    onsets = np.concatenate([drums, _onset_velocity(score.bass), _onset_velocity(score.melody)], axis=1)
    has_part = np.array([part.onset.any() for part in score.parts.values()], float)
    return np.concatenate(
        [
            np.sin(phases),
            np.cos(phases),
            np.log2(60.0 / beat_length / _REFERENCE_TEMPO)[:, None],
            _onset_envelopes(onsets, score.seconds, seconds),
            _highest_pitch(score.bass)[step, None],
            _highest_pitch(score.melody)[step, None],
            score.melody.sustain.sum(axis=1)[step, None] / 4.0,
            _onset_density(score, seconds),
            np.tile(has_part, (frames, 1)),
        ],
        axis=1,
    ).astype(np.float32)


def log_loudness(score: Score, positions: Array) -> Array:
    """Log loudness (N,), of the summed onset velocities, in each interval between positions (N + 1,) in steps.

    An onset at the beginning of an interval belongs to it, so intervals begin and end half a step earlier.
    """
    earlier = np.maximum(positions - 0.5, 0.0)
    return np.log1p(np.diff(np.interp(earlier, np.arange(score.steps + 1.0), score.cumulative_velocity())))


def phrase_counts(features: Array) -> Array:
    """Counts (F,) from 0 up to 8 in a dancer's phrase, decoded from the phases in music features (F, MUSIC_DIM)."""
    last = len(_PHASE_PERIODS) - 1
    angle = np.arctan2(features[:, last], features[:, len(_PHASE_PERIODS) + last])
    return angle / (2 * np.pi) * BEATS_PER_PHRASE % BEATS_PER_PHRASE


def _onset_velocity(part: Part) -> Array:
    """(S, 1) velocity of the loudest onset in each step, 0 to 1."""
    return part.velocity.max(axis=1, keepdims=True) / 127.0


def _onset_envelopes(onsets: Array, step_seconds: Array, seconds: Array) -> Array:
    """Exponentially decaying envelopes (F, N) at `seconds` (F,) of onsets (S, N) at `step_seconds` (S + 1,)."""
    envelopes = np.zeros((len(seconds), onsets.shape[1]))
    for step, voice in np.argwhere(onsets > 0.0):
        first = np.searchsorted(seconds, step_seconds[step] - 1e-6)
        last = np.searchsorted(seconds, step_seconds[step] + 5 * _DECAY)
        decaying = onsets[step, voice] * np.exp(-(seconds[first:last] - step_seconds[step]) / _DECAY)
        np.maximum(envelopes[first:last, voice], decaying, out=envelopes[first:last, voice])
    return envelopes


def _highest_pitch(part: Part) -> Array:
    """(S,) octaves from middle C to the highest sounding note; 0 in rests."""
    highest = part.sustain.shape[1] - 1 - part.sustain[:, ::-1].argmax(axis=1)
    return np.where(part.sustain.any(axis=1), (highest - _MIDDLE_C) / _OCTAVE, 0.0)


def _onset_density(score: Score, seconds: Array) -> Array:
    """(F, 3) log of the onset velocity per second over a beat, a bar, and a section relative to the whole piece."""
    cumulative, end = score.cumulative_velocity(), score.seconds[-1]
    columns = []
    for width in _DENSITY_WINDOWS:
        first, last = np.clip(seconds - width / 2, 0.0, end), np.clip(seconds + width / 2, 0.0, end)
        total = np.interp(last, score.seconds, cumulative) - np.interp(first, score.seconds, cumulative)
        columns.append(np.log1p(total / np.maximum(last - first, 0.1)))
    columns[-1] = columns[-1] - np.log1p(cumulative[-1] / max(end, 0.1))
    return np.stack(columns, axis=1)
