"""The whole judgement on small duets: every figure, for the real partner too, with intervals and other leaders."""

import json
from pathlib import Path

import numpy as np
import pytest

from backend.wire.direction import PARTS, UNDIRECTED, Direction
from rigs.motion import Motion, concatenate, translate
from tests.training.data.duet_files import duet, folder_of_duets
from training.data.duets import Duet, find_duets
from training.evaluate import evaluate
from training.evaluation import baselines, confidence_intervals, partner_evaluation
from training.evaluation.baselines import PartnerGenerator, floor_placement
from training.evaluation.confidence_intervals import Estimate, bootstrap_estimates
from training.evaluation.partner_evaluation import (
    HISTORY,
    HORIZONS,
    REAL,
    PartnerEvaluation,
    delayed_leader,
    other_leader,
    standing_leader,
)
from training.evaluation.partner_metrics import METRICS


def drifting() -> PartnerGenerator:
    """A model that knows the truth of `duet`, but drifts 1 m/s up and away from it."""

    def dance(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        whole = duet()[1]
        first = int(np.argmin(np.linalg.norm(whole.root - history.root[0], axis=-1)))
        rest = whole[first : first + len(leader)]
        away = np.maximum(np.arange(len(leader)) - HISTORY + 1, 0) / 30.0
        made = Motion(30.0, rest.skeleton, rest.root + away[:, None] * [0.6, 0.0, 0.8], rest.rotations)
        return [
            concatenate(history, translate(made, np.array([0.0, 0.0, 0.01 * take]))[HISTORY:]) for take in range(takes)
        ]

    return PartnerGenerator("drifting", dance, stochastic=True, uses_leader=False)


@pytest.fixture(scope="module")
def judged() -> dict[str, PartnerEvaluation]:
    patch = pytest.MonkeyPatch()
    patch.setattr(confidence_intervals, "DRAWS", 10)
    pieces = [Duet("a", *duet(300)), Duet("b", *(dancer[300:600] for dancer in duet(600)))]
    models = [drifting()]
    known = partner_evaluation.train_partner_classifiers(models, pieces, lambda what: None)
    found = partner_evaluation.evaluate_partners(models, pieces, [Duet("c", *duet(300))], known, lambda what: None)
    patch.undo()
    return found


def test_every_figure_of_every_partner_is_there_with_its_interval(judged: dict[str, PartnerEvaluation]) -> None:
    names = {m.name for measures in METRICS.values() for m in measures}
    assert next(iter(judged)) == REAL
    assert len(judged) == 7
    for partner, found in judged.items():
        assert names <= set(found.metrics), partner
        for name, figure in found.metrics.items():
            if np.isnan(figure.value):
                assert (partner, name) in {
                    ("zero velocity", "seams"),
                    ("mean pose", "seams"),
                    ("drifting", "foot slide"),
                }
            else:
                assert figure.low <= figure.high


def test_the_real_partner_is_the_floor(judged: dict[str, PartnerEvaluation]) -> None:
    real = judged[REAL].metrics
    for name in ("kinetic, this take", "cross-dancer, this take", "distance moved", "facing moved", "best of 10"):
        assert real[name].value == pytest.approx(0.0, abs=1e-6), name
    assert all(real[f"after {h / 30:.1f} s"].value == 0.0 for h in HORIZONS)
    assert real["told apart"].value == real["told apart alone"].value == 0.5
    assert real["bones change"].value == pytest.approx(0.0, abs=1e-9)


def test_a_drift_of_a_metre_a_second_is_measured_as_that(judged: dict[str, PartnerEvaluation]) -> None:
    found = judged["drifting"].metrics
    lifted = 100.0 * np.mean([np.linalg.norm([0.6, 0.0, 0.8 + 0.01 * take]) for take in range(10)])
    assert found["after 1.0 s"].value == pytest.approx(lifted, rel=1e-6)
    assert found["takes apart"].value == pytest.approx(100.0 * 0.01 * 11 / 3, rel=1e-3)
    assert found["best of 10"].value == pytest.approx(100.0 * np.mean(np.arange(1, 61)) / 30.0, rel=1e-3)
    assert found["floating"].value > 90.0
    assert judged[REAL].metrics["floating"].value < 5.0
    assert found["told apart alone"].value > 0.9


def test_only_partners_that_listen_are_asked_about_other_leaders(judged: dict[str, PartnerEvaluation]) -> None:
    asked = {name: set(found.with_other_leaders) for name, found in judged.items()}
    every = {"swapped", "late", "gone"}
    assert {name for name, changes in asked.items() if changes} == {"copy of the leader", "stitching"}
    assert asked["copy of the leader"] == every
    copy = judged["copy of the leader"]
    assert copy.with_other_leaders["late"]["BED"].value < copy.metrics["BED"].value
    assert copy.with_other_leaders["gone"]["speed"].value < 0.2 * copy.metrics["speed"].value


def test_other_leaders_begin_where_the_real_one_is() -> None:
    pair = Duet("a", *duet(300))
    other = Duet("b", *(translate(dancer[100:], np.array([4.0, 0.0, 0.0])) for dancer in duet(600)))
    for change in (other_leader([pair, other]), delayed_leader, standing_leader):
        leader = change(pair)
        assert len(leader) == len(pair)
        np.testing.assert_array_equal(leader.root[:HISTORY], pair.leader.root[:HISTORY])
    here, there = (floor_placement(m.positions[HISTORY]) for m in (pair.leader, other_leader([pair, other])(pair)))
    np.testing.assert_allclose(here.position, there.position, atol=1e-9)
    assert here.heading == pytest.approx(there.heading)
    np.testing.assert_array_equal(delayed_leader(pair).root[HISTORY + 30 :], pair.leader.root[HISTORY:-30])


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    """Means of 40 normal values: their intervals are right in about 90 of 100 samples."""
    rng = np.random.default_rng(1)
    right = 0
    for sample in range(200):
        values = [{"x": v} for v in rng.normal(size=40)]
        found = bootstrap_estimates(
            values, lambda drawn: {"x": float(np.mean([d["x"] for d in drawn])) + 10.0}, sample
        )["x"]
        right += found.low <= 10.0 <= found.high
    assert 165 <= right <= 195


def test_a_figure_that_no_frame_has_stays_unknown() -> None:
    assert np.isnan(bootstrap_estimates([1, 2], lambda drawn: {"x": float("nan")})["x"].value)
    assert isinstance(bootstrap_estimates([1, 2], lambda drawn: {"x": float(sum(drawn))})["x"], Estimate)


def test_evaluate_prints_and_writes_what_it_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(confidence_intervals, "DRAWS", 3)

    def model(name: str, direction: Direction = UNDIRECTED) -> PartnerGenerator:
        return PartnerGenerator(name, drifting().generate, stochastic=True)

    monkeypatch.setattr(baselines, "model", model)
    data = folder_of_duets(tmp_path / "duets")
    assert [len(d) for d in find_duets(data)] == [200, 200, 200]
    evaluate(data, "partner-flow", json=tmp_path / "found.json", plot=tmp_path / "found.png")
    printed = capsys.readouterr().out
    for said in (
        "validation: b",
        "test: c",
        "Fréchet kinetic",
        "duet-vae",
        "stitching",
        "another leader",
        "without feet",
    ):
        assert said in printed
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["test"]["recordings"] == ["c"]
    value = found["test"]["partners"]["real"]["told apart"]
    assert value["value"] == 0.5
    assert set(found["test"]["other leaders"]["partner-flow"]) == {"swapped", "late", "gone"}
    unfinished = found["test"]["unfinished"]
    assert list(unfinished) == ["without any", *(f"without {part}" for part in PARTS)]
    assert unfinished["without feet"]["floating"] == found["test"]["partners"]["partner-flow"]["floating"]
    assert (tmp_path / "found.png").stat().st_size > 10_000
    assert {path.name for path in tmp_path.iterdir()} == {"duets", "found.json", "found.png"}
