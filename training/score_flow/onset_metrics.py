"""Onset F1 in seconds: onsets of two pieces are matched one to one, whatever grid, beat or key either has.

Drums are compared by kind, bass and melody by pitch class in C major or A minor, as whether music fits a dance does not
depend on octave or key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    DRUM_ROWS,
    PART_SLICES,
    PITCHED_VOICES,
    ROWS,
    Bars,
    bar_starts,
    key_transposition,
    score_rows,
)
from backend.models.score_flow.dance_features import BarGrid, fit_bar_grid
from backend.music.quantization import step_times
from backend.music.score import Score
from rigs import Array
from training.data.music_pairs import Pair

CLASSES = 12
"""Kinds of drums, and pitch classes."""
ONSET_TOLERANCE = 0.05
"""s between two onsets that match, at most."""
_PITCH_CLASS = np.concatenate([(voice.lowest_pitch + np.arange(voice.rows)) % CLASSES for voice in PITCHED_VOICES])
_HAS_PITCH_CLASS: Array = np.arange(CLASSES) == _PITCH_CLASS[:, None]
"""(72, 12) bool: the pitch class of each pitched row."""
_THRESHOLDS = np.linspace(0.02, 0.6, 30).tolist()
_DENSITY_WINDOW = 1.0
"""s over which onsets are counted for the variance of their density."""


@dataclass(frozen=True)
class Onsets:
    """Onsets of a piece.

    active: by part (S, 12) bool, which classes begin in each step.  seconds: (S,) s, step times, ascending.
    """

    active: Mapping[str, Array]
    seconds: Array

    def until(self, end: float) -> "Onsets":
        """Onsets before a moment in s."""
        steps = slice(0, int(np.searchsorted(self.seconds, end)))
        return Onsets({part: active[steps] for part, active in self.active.items()}, self.seconds[steps])


def score_onsets(score: Score, key: int | None = None) -> Onsets:
    """Onsets of a score; key: semitones from C major or A minor to its key, None estimates it."""
    onset, _, _ = score_rows(score, key_transposition(score) if key is None else -key)
    return Onsets(fold_pitch_classes(onset), step_times(score, np.arange(score.steps)))


def fold_pitch_classes(onset: Array) -> dict[str, Array]:
    """Fold onset rows (S, 84) bool to kinds of drums and pitch classes: by part (S, 12) bool."""
    parts = {}
    for part, rows in PART_SLICES.items():
        pitched = slice(rows.start - DRUM_ROWS, rows.stop - DRUM_ROWS)
        is_drums = part == "drums"
        parts[part] = onset[:, rows] if is_drums else onset[:, rows].astype(int) @ _HAS_PITCH_CLASS[pitched] > 0
    return parts


def count_matches(first: Sequence[float], second: Sequence[float]) -> int:
    """Largest number of one-to-one matches within the tolerance between ascending onset times in s."""
    i = j = matches = 0
    while i < len(first) and j < len(second):
        difference = first[i] - second[j]
        matches += abs(difference) <= ONSET_TOLERANCE
        i += difference <= ONSET_TOLERANCE
        j += difference >= -ONSET_TOLERANCE
    return matches


def match_counts(composed: Onsets, real: Onsets, part: str) -> Array:
    """(3,) of a part: matched onsets, composed onsets and real onsets."""
    matches = 0
    for kind in range(CLASSES):
        first, second = (music.seconds[music.active[part][:, kind]] for music in (composed, real))
        matches += count_matches(first.tolist(), second.tolist())
    return np.array([matches, composed.active[part].sum(), real.active[part].sum()])


def f1_from_counts(counts: Array) -> float:
    """F1 of `match_counts` (3,)."""
    return float(2.0 * counts[0] / max(counts[1] + counts[2], 1.0))


def mean_pairwise_f1(pieces: Sequence[Onsets], part: str) -> float:
    """Mean onset F1 of a part over all pairs of pieces."""
    return float(np.mean([f1_from_counts(match_counts(a, b, part)) for n, a in enumerate(pieces) for b in pieces[:n]]))


def mean_bar(scores: Sequence[Score]) -> dict[str, Array]:
    """Mean bar by part (16, 12): onset rate of each class in each step, over the scores that have the part."""
    bars: dict[str, list[Array]] = {part: [] for part in PART_SLICES}
    for score in scores:
        starts = bar_starts(score)
        onset, _, _ = score_rows(score, key_transposition(score))
        steps = starts[:, None] + np.arange(BAR_STEPS)
        for part, active in fold_pitch_classes(onset).items():
            if active.any() and len(starts):
                bars[part].append(active[steps])
    silence = np.zeros((BAR_STEPS, CLASSES))
    return {part: np.concatenate(rows).mean(axis=0) if rows else silence for part, rows in bars.items()}


@dataclass(frozen=True)
class OnsetProbabilities:
    """Probabilities of onsets by part (S, 12), and step times (S,) in s."""

    probabilities: Mapping[str, Array]
    seconds: Array

    def threshold(self, thresholds: Mapping[str, float]) -> Onsets:
        """Onsets whose probability reaches the threshold of their part."""
        active = {part: rows >= thresholds.get(part, 2.0) for part, rows in self.probabilities.items()}
        return Onsets(active, self.seconds)

    def sample(self, seed: int) -> Onsets:
        """Sample each onset independently by its probability."""
        rng = np.random.default_rng(seed)
        return Onsets({part: rng.random(rows.shape) < rows for part, rows in self.probabilities.items()}, self.seconds)


def repeat_bar(bar: Mapping[str, Array], grid: BarGrid) -> OnsetProbabilities:
    """Repeat a mean bar over a grid."""
    steps = (np.arange(len(grid.seconds) - 1) + grid.pickup) % BAR_STEPS
    return OnsetProbabilities({part: rows[steps] for part, rows in bar.items()}, grid.seconds[:-1])


def mean_of_takes(takes: Sequence[Bars], grid: BarGrid) -> OnsetProbabilities:
    """Share of takes that have each onset."""
    count = len(grid.seconds) - 1
    rows = [fold_pitch_classes(take.onset.reshape(-1, ROWS)[grid.pickup :][:count]) for take in takes]
    means = {part: np.mean([row[part] for row in rows], axis=0) for part in PART_SLICES}
    return OnsetProbabilities(means, grid.seconds[:-1])


def mean_bar_at_mean_tempo(
    bar: Mapping[str, Array], pairs: Sequence[Pair], bar_seconds: float
) -> list[OnsetProbabilities]:
    """Repeat a mean bar of `bar_seconds` from each pair's first frame on."""
    step = bar_seconds / BAR_STEPS
    return [repeat_bar(bar, BarGrid(np.arange(0.0, pair.seconds, step), 0)) for pair in pairs]


def mean_bar_on_beats(bar: Mapping[str, Array], pairs: Sequence[Pair], bar_seconds: float) -> list[OnsetProbabilities]:
    """Repeat a mean bar on each dance's tracked beats, see `fit_bar_grid`."""
    return [repeat_bar(bar, fit_bar_grid((pair.dancer,), None, bar_seconds)) for pair in pairs]


def best_thresholds(
    predictions: Sequence[OnsetProbabilities], truths: Sequence[Onsets], ends: Sequence[float]
) -> dict[str, float]:
    """Thresholds by part with the highest onset F1."""
    scores = {}
    for threshold in _THRESHOLDS:
        thresholds = dict.fromkeys(PART_SLICES, threshold)
        scores[threshold] = onset_f1([[prediction.threshold(thresholds)] for prediction in predictions], truths, ends)
    return {part: max(scores, key=lambda threshold: scores[threshold].get(part, 0.0)) for part in PART_SLICES}


def onset_f1(composed: Sequence[Sequence[Onsets]], truths: Sequence[Onsets], ends: Sequence[float]) -> dict[str, float]:
    """Onset F1 by part of several pieces for each true one, over those that have the part, up to `ends` in s."""
    counts = {part: np.zeros(3) for part in PART_SLICES}
    for pieces, whole_truth, end in zip(composed, truths, ends, strict=True):
        truth = whole_truth.until(end)
        for part in PART_SLICES:
            if truth.active[part].any():
                for piece in pieces:
                    counts[part] += match_counts(piece.until(end), truth, part)
    return {part: f1_from_counts(part_counts) for part, part_counts in counts.items() if part_counts[2]}


def onsets_per_second(music: Onsets, part: str, end: float) -> Array:
    """Number (N,) of a part's onsets in each second up to `end` in s."""
    edges = np.arange(0.0, end + 1e-6, _DENSITY_WINDOW)
    steps, _ = np.nonzero(music.active[part])
    return np.histogram(music.seconds[steps], edges)[0]
