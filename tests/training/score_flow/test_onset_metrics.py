"""Onset F1 in seconds, on music whose matches are known."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from backend.models.score_flow.bar_features import DRUM_ROWS, ROWS, Bars
from backend.models.score_flow.dance_features import BarGrid
from backend.music.score import Note, Score, part_from_notes
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import Pair
from training.score_flow.onset_metrics import (
    CLASSES,
    OnsetProbabilities,
    Onsets,
    best_thresholds,
    count_matches,
    f1_from_counts,
    match_counts,
    mean_bar,
    mean_bar_at_mean_tempo,
    mean_bar_on_beats,
    mean_of_takes,
    mean_pairwise_f1,
    onset_f1,
    onsets_per_second,
    repeat_bar,
    score_onsets,
)

STEPS = 64


def song(*, up: int = 0) -> Score:
    """Four bars of 2 s in C: a kick on each beat, a bass on C, G and C, and a tune."""
    drums = [Note(36, 90, step, step + 1) for step in range(0, STEPS, 4)]
    bass = [Note(pitch + up, 80, 16 * n, 16 * n + 16) for n, pitch in enumerate((36, 43, 41, 36))]
    scale = [60, 64, 67, 72, 67, 65, 64, 62, 60, 62, 64, 65, 67, 71, 72, 72]
    tune = [Note(pitch + up, 80, 4 * n, 4 * n + 4) for n, pitch in enumerate(scale)]
    parts = [part_from_notes(notes, STEPS) for notes in (drums, bass, tune)]
    return Score(parts[0], parts[1], parts[2], np.arange(STEPS + 1) / 8.0)


def shifted(music: Onsets, seconds: float) -> Onsets:
    return replace(music, seconds=music.seconds + seconds)


def pair(name: str, song_name: str, score: Score | None = None) -> Pair:
    return Pair(name, resample(sample_dance(), 30.0), score or song(), "r", song_name)


def test_the_largest_number_of_onsets_is_matched() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        one, other = (np.sort(rng.random(5) * 0.5).tolist() for _ in range(2))
        near = [[abs(a - b) <= 0.05 for b in other] for a in one]
        best = max(
            size
            for size in range(6)
            for rows in combinations(range(5), size)
            for columns in combinations(range(5), size)
            if all(near[row][column] for row, column in zip(rows, columns, strict=True))
        )
        assert count_matches(one, other) == best


def test_music_matches_itself_within_the_tolerance_and_in_any_key() -> None:
    real = score_onsets(song())
    assert real.active["drums"].sum() == 16
    for part in ("drums", "bass", "melody"):
        for composed in (real, shifted(real, 0.04), score_onsets(song(up=3))):
            assert f1_from_counts(match_counts(composed, real, part)) == 1.0
        assert f1_from_counts(match_counts(shifted(real, 0.1), real, part)) == 0.0


def test_only_the_common_time_counts() -> None:
    real = score_onsets(song())
    cut = real.until(4.0)
    assert cut.active["drums"].sum() == 8
    assert onset_f1([[cut]], [real], [4.0])["drums"] == 1.0
    assert onset_f1([[cut]], [real], [8.0])["drums"] == pytest.approx(2 / 3)


def test_a_part_that_the_real_music_lacks_is_not_scored() -> None:
    alone = replace(song(), drums=part_from_notes([], STEPS))
    assert set(onset_f1([[score_onsets(song())]], [score_onsets(alone)], [8.0])) == {"bass", "melody"}


def test_a_mean_bar_on_the_right_beats_is_right_and_on_others_is_not() -> None:
    bar, real = mean_bar([song()]), score_onsets(song())
    assert bar["drums"][::4, 0].tolist() == [1.0] * 4
    right, wrong = (repeat_bar(bar, BarGrid(np.arange(65) * step, 0)) for step in (0.125, 0.16))
    thresholds = best_thresholds([right], [real], [8.0])
    assert onset_f1([[right.threshold(thresholds)]], [real], [8.0])["drums"] == 1.0
    assert onset_f1([[wrong.threshold(thresholds)]], [real], [8.0])["drums"] < 0.6


def test_a_pickup_moves_the_mean_bar() -> None:
    bar = mean_bar([song()])
    composed = repeat_bar(bar, BarGrid(np.arange(33) * 0.125, 2)).threshold(dict.fromkeys(bar, 0.5))
    assert np.flatnonzero(composed.active["drums"][:, 0])[:3].tolist() == [2, 6, 10]


def test_the_mean_bar_follows_the_dancers_beats_or_the_mean_tempo() -> None:
    bar, one = mean_bar([song()]), pair("a", "s")
    even, on_beats = mean_bar_at_mean_tempo(bar, [one], 2.0)[0], mean_bar_on_beats(bar, [one], 4 / 3)[0]
    assert np.allclose(np.diff(even.seconds), 0.125)
    assert np.median(np.diff(on_beats.seconds)) == pytest.approx(1 / 12, rel=0.05)
    assert len(on_beats.probabilities["drums"]) == len(on_beats.seconds)


def test_takes_are_averaged() -> None:
    onset = np.zeros((2, 16, ROWS), bool)
    onset[0, 3, 0] = True
    onset[1, 5, DRUM_ROWS + 1] = True  # F, as the bass begins with E
    bars = Bars(onset, onset[..., DRUM_ROWS:], np.zeros((2, 16, DRUM_ROWS + 3)))
    empty = replace(bars, onset=np.zeros_like(onset))
    mean = mean_of_takes([bars, empty], BarGrid(np.arange(31) / 8.0, 2))
    assert mean.probabilities["drums"][1, 0] == 0.5
    assert mean.probabilities["bass"][19, 5] == 0.5
    assert sum(rows.sum() for rows in mean.probabilities.values()) == 1.0
    assert mean.threshold(dict.fromkeys(mean.probabilities, 0.5)).active["drums"].sum() == 1


def test_onsets_are_sampled_by_their_probability() -> None:
    probabilities = OnsetProbabilities({"drums": np.full((2000, CLASSES), 0.3)}, np.arange(2000) / 8.0)
    assert probabilities.sample(1).active["drums"].mean() == pytest.approx(0.3, abs=0.02)
    assert (probabilities.sample(1).active["drums"] == probabilities.sample(1).active["drums"]).all()


def test_onsets_are_counted_second_by_second_and_pieces_with_each_other() -> None:
    real = score_onsets(song())
    assert onsets_per_second(real, "drums", 8.0).tolist() == [2] * 8
    assert mean_pairwise_f1([real, real, shifted(real, 0.1)], "drums") == pytest.approx(1 / 3)


def test_a_given_key_is_not_estimated() -> None:
    active = score_onsets(song(up=5), 5).active["bass"]
    assert (active == score_onsets(song(), 0).active["bass"]).all()
    assert not (active == score_onsets(song(), 2).active["bass"]).all()
