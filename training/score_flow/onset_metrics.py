"""Onsets of music in seconds, matched one to one with those of other music, whatever grid, beat or key either has.

Bass and melody are told by their pitch class in C major or A minor, drums by their kind: whether music fits a dance is
no question of octaves or keys.
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
from backend.models.score_flow.beat_grid import BarGrid, fit_bar_grid
from backend.music.quantization import step_times
from backend.music.score import Score
from rigs import Array
from training.data.music_pairs import Pair

CLASSES = 12
"""Kinds of drums, and pitch classes."""
ONSET_TOLERANCE = 0.05
"""s that two onsets lie apart at most to be one."""
_CLASS = np.concatenate([(lowest + np.arange(rows)) % CLASSES for _, _, rows, lowest in PITCHED_VOICES])
_FOLD: Array = np.arange(CLASSES) == _CLASS[:, None]
"""(72, 12) which class each pitched row has."""
_LEAST = np.linspace(0.02, 0.6, 30).tolist()
_STRETCHES = 1.0
"""s of music whose onsets are counted together, where it is asked how their number changes."""


@dataclass(frozen=True)
class Onsets:
    """Where onsets fall.

    begun: by part (S, 12) bool, which classes begin in each step.  seconds: (S,) s of the steps, which rise.
    """

    active: Mapping[str, Array]
    seconds: Array

    def until(self, end: float) -> "Onsets":
        """Those before a moment in s."""
        steps = slice(0, int(np.searchsorted(self.seconds, end)))
        return Onsets({part: begun[steps] for part, begun in self.active.items()}, self.seconds[steps])


def score_onsets(score: Score, key: int | None = None) -> Onsets:
    """A score's onsets by its parts; key: semitones from C major or A minor up to its key, None finds it."""
    onset, _, _ = score_rows(score, key_transposition(score) if key is None else -key)
    return Onsets(fold_pitch_classes(onset), step_times(score, np.arange(score.steps)))


def fold_pitch_classes(onset: Array) -> dict[str, Array]:
    """By part (S, 12) bool of rows (S, 84) bool."""
    parts = {}
    for part, rows in PART_SLICES.items():
        inside = slice(rows.start - DRUM_ROWS, rows.stop - DRUM_ROWS)
        parts[part] = onset[:, rows] if part == "drums" else onset[:, rows].astype(int) @ _FOLD[inside] > 0
    return parts


def count_matches(one: Array, other: Array) -> int:
    """How many pairs of one onset each can be made of two rising rows of moments (N,), (M,) in s, `NEAR` each other."""
    first = second = pairs = 0
    while first < len(one) and second < len(other):
        away = one[first] - other[second]
        pairs += abs(away) <= ONSET_TOLERANCE
        first += away <= ONSET_TOLERANCE
        second += away >= -ONSET_TOLERANCE
    return pairs


def match_counts(made: Onsets, real: Onsets, part: str) -> Array:
    """(3,) of a part: the onsets that are in both, those made, and the real ones."""
    both = 0
    for kind in range(CLASSES):
        one, other = (music.seconds[music.active[part][:, kind]] for music in (made, real))
        both += count_matches(one.tolist(), other.tolist())
    return np.array([both, made.active[part].sum(), real.active[part].sum()])


def f1_from_counts(counts: Array) -> float:
    """The F1 of what `counted` has counted, (3,)."""
    return float(2.0 * counts[0] / max(counts[1] + counts[2], 1.0))


def mean_pairwise_f1(several: Sequence[Onsets], part: str) -> float:
    """The part of their onsets that two of several pieces have in common, in the mean."""
    return float(
        np.mean([f1_from_counts(match_counts(a, b, part)) for n, a in enumerate(several) for b in several[:n]])
    )


def mean_bar(scores: Sequence[Score]) -> dict[str, Array]:
    """By part (16, 12): how often each class begins in each step of a bar, in the scores that have the part."""
    bars: dict[str, list[Array]] = {part: [] for part in PART_SLICES}
    for score in scores:
        starts = bar_starts(score)
        onset, _, _ = score_rows(score, key_transposition(score))
        steps = starts[:, None] + np.arange(BAR_STEPS)
        for part, begun in fold_pitch_classes(onset).items():
            if begun.any() and len(starts):
                bars[part].append(begun[steps])
    return {part: np.concatenate(rows).mean(axis=0) if rows else np.zeros((BAR_STEPS, CLASSES))
            for part, rows in bars.items()}  # fmt: skip


@dataclass(frozen=True)
class OnsetProbabilities:
    """How likely onsets are: by part (S, 12), and the seconds (S,) of the steps."""

    probabilities: Mapping[str, Array]
    seconds: Array

    def threshold(self, least: Mapping[str, float]) -> Onsets:
        """The onsets that are at least so likely, by part."""
        return Onsets({part: rows >= least.get(part, 2.0) for part, rows in self.probabilities.items()}, self.seconds)

    def sample(self, seed: int) -> Onsets:
        """Each onset as often as it is likely."""
        rng = np.random.default_rng(seed)
        return Onsets({part: rng.random(rows.shape) < rows for part, rows in self.probabilities.items()}, self.seconds)


def repeat_bar(bar: Mapping[str, Array], lines: BarGrid) -> OnsetProbabilities:
    """A mean bar over and over on a grid."""
    steps = (np.arange(len(lines.seconds) - 1) + lines.pickup) % BAR_STEPS
    return OnsetProbabilities({part: rows[steps] for part, rows in bar.items()}, lines.seconds[:-1])


def mean_of_takes(takes: Sequence[Bars], lines: BarGrid) -> OnsetProbabilities:
    """How many of several takes have each onset."""
    count = len(lines.seconds) - 1
    rows = [fold_pitch_classes(take.onset.reshape(-1, ROWS)[lines.pickup :][:count]) for take in takes]
    return OnsetProbabilities(
        {part: np.mean([row[part] for row in rows], axis=0) for part in PART_SLICES}, lines.seconds[:-1]
    )


def mean_bar_at_mean_tempo(bar: Mapping[str, Array], pairs: Sequence[Pair], seconds: float) -> list[OnsetProbabilities]:
    """A mean bar of so many seconds over and over from each pair's first frame on."""
    return [repeat_bar(bar, BarGrid(np.arange(0.0, pair.seconds, seconds / BAR_STEPS), 0)) for pair in pairs]


def mean_bar_on_beats(bar: Mapping[str, Array], pairs: Sequence[Pair], seconds: float) -> list[OnsetProbabilities]:
    """A mean bar on the beats that the dancers keep, of which a bar has four or eight, see `lay_bars`."""
    return [repeat_bar(bar, fit_bar_grid((pair.dancer,), None, seconds)) for pair in pairs]


def best_thresholds(
    guesses: Sequence[OnsetProbabilities], truths: Sequence[Onsets], ends: Sequence[float]
) -> dict[str, float]:
    """By part how likely an onset must be to be counted on, for the highest F1."""
    tried = {least: onset_f1([[guess.threshold(dict.fromkeys(PART_SLICES, least))] for guess in guesses], truths, ends)
             for least in _LEAST}  # fmt: skip
    return {part: max(tried, key=lambda least: tried[least].get(part, 0.0)) for part in PART_SLICES}


def onset_f1(made: Sequence[Sequence[Onsets]], truths: Sequence[Onsets], ends: Sequence[float]) -> dict[str, float]:
    """The onset F1 of each part of several pieces for each true one that has the part, up to `ends` in s."""
    counts = {part: np.zeros(3) for part in PART_SLICES}
    for several, whole_truth, end in zip(made, truths, ends, strict=True):
        truth = whole_truth.until(end)
        for part in PART_SLICES:
            if truth.active[part].any():
                for piece in several:
                    counts[part] += match_counts(piece.until(end), truth, part)
    return {part: f1_from_counts(of) for part, of in counts.items() if of[2]}


def onsets_per_second(music: Onsets, part: str, end: float) -> Array:
    """(N,) how many of a part's onsets fall into each second of music up to a moment in s."""
    edges = np.arange(0.0, end + 1e-6, _STRETCHES)
    steps, _ = np.nonzero(music.active[part])
    return np.histogram(music.seconds[steps], edges)[0]
