"""The end-to-end table of composed music: onsets matched in seconds, and controls of which the verdict is known."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from backend.models.score_flow.bar_features import DRUM_ROWS, ROWS, Bars
from backend.models.score_flow.beat_grid import BarGrid
from backend.music import midi
from backend.music.score import Note, Score, part_from_notes
from rigs import files
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from training.data.music_pairs import MANIFEST, Pair
from training.score_flow import evaluate
from training.score_flow.evaluate import (
    BRIDGE,
    MEAN,
    MEAN_SAMPLED_ON_BEATS,
    MODEL,
    MODEL_OTHER_DANCE,
    REAL,
    TAKES_MEAN,
    TAKES_MEAN_OTHER_DANCE,
    gains_over_mean,
    unrelated_pairs,
)
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


def test_as_many_onsets_are_matched_as_can_be() -> None:
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


def test_music_matches_itself_a_little_late_in_any_key_and_not_much_too_late() -> None:
    real = score_onsets(song())
    assert real.active["drums"].sum() == 16
    for part in ("drums", "bass", "melody"):
        for made in (real, shifted(real, 0.04), score_onsets(song(up=3))):
            assert f1_from_counts(match_counts(made, real, part)) == 1.0
        assert f1_from_counts(match_counts(shifted(real, 0.1), real, part)) == 0.0


def test_only_the_time_that_both_have_counts() -> None:
    real = score_onsets(song())
    cut = real.until(4.0)
    assert cut.active["drums"].sum() == 8
    assert onset_f1([[cut]], [real], [4.0])["drums"] == 1.0
    assert onset_f1([[cut]], [real], [8.0])["drums"] == pytest.approx(2 / 3)


def test_a_part_that_the_true_music_lacks_is_not_judged() -> None:
    alone = replace(song(), drums=part_from_notes([], STEPS))
    assert set(onset_f1([[score_onsets(song())]], [score_onsets(alone)], [8.0])) == {"bass", "melody"}


def test_a_mean_bar_on_the_right_beats_is_right_and_on_others_is_not() -> None:
    bar, real = mean_bar([song()]), score_onsets(song())
    assert bar["drums"][::4, 0].tolist() == [1.0] * 4
    right, wrong = (repeat_bar(bar, BarGrid(np.arange(65) * step, 0)) for step in (0.125, 0.16))
    least = best_thresholds([right], [real], [8.0])
    assert onset_f1([[right.threshold(least)]], [real], [8.0])["drums"] == 1.0
    assert onset_f1([[wrong.threshold(least)]], [real], [8.0])["drums"] < 0.6


def test_a_pickup_moves_the_mean_bar() -> None:
    bar = mean_bar([song()])
    made = repeat_bar(bar, BarGrid(np.arange(33) * 0.125, 2)).threshold(dict.fromkeys(bar, 0.5))
    assert np.flatnonzero(made.active["drums"][:, 0])[:3].tolist() == [2, 6, 10]


def test_the_mean_bar_follows_the_dancers_beats_or_the_mean_tempo() -> None:
    bar, one = mean_bar([song()]), pair("a", "s")
    even, danced = mean_bar_at_mean_tempo(bar, [one], 2.0)[0], mean_bar_on_beats(bar, [one], 4 / 3)[0]
    assert np.allclose(np.diff(even.seconds), 0.125)
    assert np.median(np.diff(danced.seconds)) == pytest.approx(1 / 12, rel=0.05)
    assert len(danced.probabilities["drums"]) == len(danced.seconds)


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


def test_what_is_likely_is_drawn_as_often() -> None:
    likely = OnsetProbabilities({"drums": np.full((2000, CLASSES), 0.3)}, np.arange(2000) / 8.0)
    assert likely.sample(1).active["drums"].mean() == pytest.approx(0.3, abs=0.02)
    assert (likely.sample(1).active["drums"] == likely.sample(1).active["drums"]).all()


def test_onsets_are_counted_second_by_second_and_pieces_with_each_other() -> None:
    real = score_onsets(song())
    assert onsets_per_second(real, "drums", 8.0).tolist() == [2] * 8
    assert mean_pairwise_f1([real, real, shifted(real, 0.1)], "drums") == pytest.approx(1 / 3)


def test_a_stranger_has_another_song_and_another_moment() -> None:
    pairs = [pair("a", "s"), pair("b", "s"), pair("c", "t"), pair("d", "t")]
    begins = {"a": 0.0, "b": 5.0, "c": 0.0, "d": 5.0}
    assert unrelated_pairs(pairs, begins) == [3, 2, 1, 0]


def test_what_a_stranger_costs_is_weighed_against_half_the_gain() -> None:
    marks = {
        MODEL: 0.5,
        MODEL_OTHER_DANCE: 0.3,
        "drawn from the mean bar": 0.2,
        TAKES_MEAN: 0.6,
        TAKES_MEAN_OTHER_DANCE: 0.58,
        MEAN: 0.4,
    }
    found = gains_over_mean({name: {"drums": mark} for name, mark in marks.items()})
    assert found["pieces"]["drums"] == pytest.approx({"gain": 0.3, "cost": 0.2, "lost": 2 / 3})
    assert found["what is expected"]["drums"]["lost"] == pytest.approx(0.1)
    assert (
        "lost" not in gains_over_mean({name: {"drums": 0.5 - mark} for name, mark in marks.items()})["pieces"]["drums"]
    )


def test_a_key_that_is_known_is_not_looked_for() -> None:
    begun = score_onsets(song(up=5), 5).active["bass"]
    assert (begun == score_onsets(song(), 0).active["bass"]).all()
    assert not (begun == score_onsets(song(), 2).active["bass"]).all()


def test_all_music_is_judged_and_the_figures_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SEEDS", 1), ("_SEEDS_APART", 2), ("_DIVERSE", 1), ("_KNOWN", 1)):
        monkeypatch.setattr(evaluate, name, value)
    folder, listed = tmp_path / "pairs", []
    folder.mkdir()
    for n, part in enumerate(("train", "train", "validation", "validation", "test")):
        one = pair(f"p{n}", f"s{n}", song(up=n))
        files.write(folder / f"{one.name}.npz", one.dancer[10 * n : 10 * n + 180])
        midi.write(folder / f"{one.name}.mid", one.score)
        listed.append({"name": one.name, "recording": f"{part}{n}", "song": one.song, "part": part, "from": n})
    (folder / MANIFEST).write_text(json.dumps({"pairs": listed}))
    found = evaluate.evaluate(folder, tmp_path / "found.json", ("validation",))["validation"]
    assert set(found["onsets"]) >= {MODEL, MODEL_OTHER_DANCE, TAKES_MEAN, MEAN, MEAN_SAMPLED_ON_BEATS, BRIDGE}
    # All songs here have one and the same bar of drums, which is all that a mean has to know on the right beats.
    assert found["onsets"]["mean bar, on our beats"]["drums"] > 0.2
    assert found["music"][REAL]["variance, drums"] == pytest.approx(1.0)
    assert 0.0 < found["music"][MODEL]["seeds alike, drums"] < 1.0
    assert found["strict"]["onsets"]["drums"]["mean"] == 1.0
    assert json.loads((tmp_path / "found.json").read_text())["validation"]["onsets"] == found["onsets"]
