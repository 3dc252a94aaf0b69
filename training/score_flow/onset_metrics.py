"""Onsets of music in seconds, matched one to one with those of other music, whatever grid, beat or key either has.

Bass and melody are told by their pitch class in C major or A minor, drums by their kind: whether music fits a dance is
no question of octaves or keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.models.score_flow.bar_features import KINDS, PARTS, ROWS, STEPS, VOICES, Bars, key_of, rows_of, whole_bars
from backend.models.score_flow.beat_grid import BarLines, lay_bars
from backend.music.note_times import step_times
from backend.music.score import Score
from rigs import Array
from training.data.music_pairs import Pair

CLASSES = 12
"""Kinds of drums, and pitch classes."""
NEAR = 0.05
"""s that two onsets lie apart at most to be one."""
_CLASS = np.concatenate([(lowest + np.arange(rows)) % CLASSES for _, _, rows, lowest in VOICES])
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

    begun: Mapping[str, Array]
    seconds: Array

    def before(self, end: float) -> "Onsets":
        """Those before a moment in s."""
        steps = slice(0, int(np.searchsorted(self.seconds, end)))
        return Onsets({part: begun[steps] for part, begun in self.begun.items()}, self.seconds[steps])


def onsets_of(score: Score, key: int | None = None) -> Onsets:
    """A score's onsets by its parts; key: semitones from C major or A minor up to its key, None finds it."""
    onset, _, _ = rows_of(score, key_of(score) if key is None else -key)
    return Onsets(folded(onset), step_times(score, np.arange(score.steps)))


def folded(onset: Array) -> dict[str, Array]:
    """By part (S, 12) bool of rows (S, 84) bool."""
    parts = {}
    for part, rows in PARTS.items():
        inside = slice(rows.start - KINDS, rows.stop - KINDS)
        parts[part] = onset[:, rows] if part == "drums" else onset[:, rows].astype(int) @ _FOLD[inside] > 0
    return parts


def matched(one: Array, other: Array) -> int:
    """How many pairs of one onset each can be made of two rising rows of moments (N,), (M,) in s, `NEAR` each other."""
    first = second = pairs = 0
    while first < len(one) and second < len(other):
        away = one[first] - other[second]
        pairs += abs(away) <= NEAR
        first += away <= NEAR
        second += away >= -NEAR
    return pairs


def counted(made: Onsets, real: Onsets, part: str) -> Array:
    """(3,) of a part: the onsets that are in both, those made, and the real ones."""
    both = 0
    for kind in range(CLASSES):
        one, other = (music.seconds[music.begun[part][:, kind]] for music in (made, real))
        both += matched(one.tolist(), other.tolist())
    return np.array([both, made.begun[part].sum(), real.begun[part].sum()])


def f1_of(counts: Array) -> float:
    """The F1 of what `counted` has counted, (3,)."""
    return float(2.0 * counts[0] / max(counts[1] + counts[2], 1.0))


def alike(several: Sequence[Onsets], part: str) -> float:
    """The part of their onsets that two of several pieces have in common, in the mean."""
    return float(np.mean([f1_of(counted(a, b, part)) for n, a in enumerate(several) for b in several[:n]]))


def mean_bar(scores: Sequence[Score]) -> dict[str, Array]:
    """By part (16, 12): how often each class begins in each step of a bar, in the scores that have the part."""
    bars: dict[str, list[Array]] = {part: [] for part in PARTS}
    for score in scores:
        starts = whole_bars(score)
        onset, _, _ = rows_of(score, key_of(score))
        steps = starts[:, None] + np.arange(STEPS)
        for part, begun in folded(onset).items():
            if begun.any() and len(starts):
                bars[part].append(begun[steps])
    return {part: np.concatenate(rows).mean(axis=0) if rows else np.zeros((STEPS, CLASSES))
            for part, rows in bars.items()}  # fmt: skip


@dataclass(frozen=True)
class Likely:
    """How likely onsets are: by part (S, 12), and the seconds (S,) of the steps."""

    chances: Mapping[str, Array]
    seconds: Array

    def certain(self, least: Mapping[str, float]) -> Onsets:
        """The onsets that are at least so likely, by part."""
        return Onsets({part: rows >= least.get(part, 2.0) for part, rows in self.chances.items()}, self.seconds)

    def drawn(self, seed: int) -> Onsets:
        """Each onset as often as it is likely."""
        rng = np.random.default_rng(seed)
        return Onsets({part: rng.random(rows.shape) < rows for part, rows in self.chances.items()}, self.seconds)


def laid(bar: Mapping[str, Array], lines: BarLines) -> Likely:
    """A mean bar over and over on a grid."""
    steps = (np.arange(len(lines.seconds) - 1) + lines.pickup) % STEPS
    return Likely({part: rows[steps] for part, rows in bar.items()}, lines.seconds[:-1])


def mean_of(takes: Sequence[Bars], lines: BarLines) -> Likely:
    """How many of several takes have each onset."""
    count = len(lines.seconds) - 1
    rows = [folded(take.onset.reshape(-1, ROWS)[lines.pickup :][:count]) for take in takes]
    return Likely({part: np.mean([row[part] for row in rows], axis=0) for part in PARTS}, lines.seconds[:-1])


def on_mean_tempo(bar: Mapping[str, Array], pairs: Sequence[Pair], seconds: float) -> list[Likely]:
    """A mean bar of so many seconds over and over from each pair's first frame on."""
    return [laid(bar, BarLines(np.arange(0.0, pair.seconds, seconds / STEPS), 0)) for pair in pairs]


def on_beats(bar: Mapping[str, Array], pairs: Sequence[Pair], seconds: float) -> list[Likely]:
    """A mean bar on the beats that the dancers keep, of which a bar has four or eight, see `lay_bars`."""
    return [laid(bar, lay_bars((pair.dancer,), None, seconds)) for pair in pairs]


def best_least(guesses: Sequence[Likely], truths: Sequence[Onsets], ends: Sequence[float]) -> dict[str, float]:
    """By part how likely an onset must be to be counted on, for the highest F1."""
    tried = {least: scored([[guess.certain(dict.fromkeys(PARTS, least))] for guess in guesses], truths, ends)
             for least in _LEAST}  # fmt: skip
    return {part: max(tried, key=lambda least: tried[least].get(part, 0.0)) for part in PARTS}


def scored(made: Sequence[Sequence[Onsets]], truths: Sequence[Onsets], ends: Sequence[float]) -> dict[str, float]:
    """The onset F1 of each part of several pieces for each true one that has the part, up to `ends` in s."""
    counts = {part: np.zeros(3) for part in PARTS}
    for several, whole_truth, end in zip(made, truths, ends, strict=True):
        truth = whole_truth.before(end)
        for part in PARTS:
            if truth.begun[part].any():
                for piece in several:
                    counts[part] += counted(piece.before(end), truth, part)
    return {part: f1_of(of) for part, of in counts.items() if of[2]}


def changes(music: Onsets, part: str, end: float) -> Array:
    """(N,) how many of a part's onsets fall into each second of music up to a moment in s."""
    edges = np.arange(0.0, end + 1e-6, _STRETCHES)
    steps, _ = np.nonzero(music.begun[part])
    return np.histogram(music.seconds[steps], edges)[0]
