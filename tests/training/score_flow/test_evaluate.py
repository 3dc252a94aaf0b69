"""Evaluation of score-flow on a folder of pairs, with controls whose result is known."""

import json
from pathlib import Path

import pytest

from backend.music import midi
from rigs import files
from tests.training.score_flow.test_onset_metrics import pair, song
from training.data.music_pairs import MANIFEST
from training.score_flow import evaluate
from training.score_flow.evaluate import (
    BASELINE,
    MEAN,
    MEAN_SAMPLED,
    MEAN_SAMPLED_ON_BEATS,
    MODEL,
    MODEL_OTHER_DANCE,
    PIECES,
    PREDICTIONS,
    REAL,
    TAKES_MEAN,
    TAKES_MEAN_OTHER_DANCE,
    gains_over_mean,
    unrelated_pairs,
)

STEPS = 64


def test_an_unrelated_pair_has_another_song_and_another_moment() -> None:
    pairs = [pair("a", "s"), pair("b", "s"), pair("c", "t"), pair("d", "t")]
    begins = {"a": 0.0, "b": 5.0, "c": 0.0, "d": 5.0}
    assert unrelated_pairs(pairs, begins) == [3, 2, 1, 0]


def test_the_cost_of_another_dance_is_a_share_of_the_gain() -> None:
    scores = {
        MODEL: 0.5,
        MODEL_OTHER_DANCE: 0.3,
        MEAN_SAMPLED: 0.2,
        TAKES_MEAN: 0.6,
        TAKES_MEAN_OTHER_DANCE: 0.58,
        MEAN: 0.4,
    }
    gains = gains_over_mean({name: {"drums": score} for name, score in scores.items()})
    assert gains[PIECES]["drums"] == pytest.approx({"gain": 0.3, "cost": 0.2, "lost": 2 / 3})
    assert gains[PREDICTIONS]["drums"]["lost"] == pytest.approx(0.1)
    assert (
        "lost" not in gains_over_mean({name: {"drums": 0.5 - score} for name, score in scores.items()})[PIECES]["drums"]
    )


def test_all_music_is_evaluated_and_the_metrics_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SEEDS", 1), ("_COMPARED_SEEDS", 2), ("_SEED_PAIRS", 1), ("_TRAIN_PAIRS", 1)):
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
    assert set(found["onsets"]) >= {MODEL, MODEL_OTHER_DANCE, TAKES_MEAN, MEAN, MEAN_SAMPLED_ON_BEATS, BASELINE}
    # All songs here have one and the same bar of drums, which is all that a mean has to know on the right beats.
    assert found["onsets"]["mean bar, on tracked beats"]["drums"] > 0.2
    assert found["music"][REAL]["variance, drums"] == pytest.approx(1.0)
    assert 0.0 < found["music"][MODEL]["seed similarity, drums"] < 1.0
    assert found["strict"]["onsets"]["drums"]["mean"] == 1.0
    assert json.loads((tmp_path / "found.json").read_text())["validation"]["onsets"] == found["onsets"]
