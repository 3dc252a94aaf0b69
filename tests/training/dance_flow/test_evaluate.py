"""Evaluation of dances to music: metrics of dances with known values, and the table with small models."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backend.model_registry import REGISTRY, WEIGHTS_VARIABLE, ModelRegistry
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.music.score import cut_bars
from rigs import Array
from rigs.motion import interpolate
from rigs.sample_dance.salsa import sample_dance
from tests.backend.models.small_networks import small_dance_flow
from tests.training.choreo_bridge.pairs import folder_of_pairs, pairs
from training.dance_flow import evaluate as dance_evaluation
from training.dance_flow.evaluate import METRICS, RealDances, dance_metrics, evaluate_models, fit_real_dances
from training.data.music_pairs import Pair
from training.evaluate import evaluate


@pytest.fixture(scope="module")
def known() -> list[Pair]:
    return pairs(4)


@pytest.fixture(scope="module")
def real(known: list[Pair]) -> RealDances:
    return fit_real_dances(known)


@pytest.fixture(scope="module")
def own(known: list[Pair], real: RealDances) -> dict[str, float]:
    """The figures of the pairs' own dances, as if each had been danced twice."""
    return dance_metrics([[pair.dancer.positions] * 2 for pair in known], known, real)


def at(number: int, speed: float = 1.0, late: float = 0.0) -> Array:
    """What `pairs` dance, at another speed or so many s late: (180, 29, 3) m."""
    frames = 60 * number + speed * (np.arange(180) - 30.0 * late)
    return interpolate(sample_dance(), 30.0, frames).positions


def test_real_dances_have_the_reference_s_metrics(own: dict[str, float]) -> None:
    assert set(own) == set(METRICS)
    assert own["in time"] == pytest.approx(1.0)
    assert own["foot speed, r"] == pytest.approx(1.0)
    assert max(own["Fréchet kinetic"], own["Fréchet geometric"]) < 1.0
    assert own["seeds apart, cm"] == 0.0
    assert own["variance"] == pytest.approx(1.0, abs=0.4)
    assert own["off the floor, %"] < 10.0
    assert own["foot slide, cm/s"] < 12.0


def test_speed_is_that_of_the_joints(known: list[Pair], own: dict[str, float]) -> None:
    means = [np.linalg.norm(np.diff(p.dancer.positions, axis=0), axis=-1).mean() * 30.0 for p in known]
    assert own["speed, m/s"] == pytest.approx(np.mean(means), rel=0.02)


def test_dances_half_a_beat_late_are_out_of_time(known: list[Pair], real: RealDances, own: dict[str, float]) -> None:
    late = dance_metrics([[at(n, late=1.0 / 6.0)] for n in range(len(known))], known, real)
    assert late["in time"] < 0.7
    assert late["BAS"] < own["BAS"]


def test_dances_to_no_beat_are_not_in_time(known: list[Pair], real: RealDances, own: dict[str, float]) -> None:
    slow = dance_metrics([[at(n, speed=0.8)] for n in range(len(known))], known, real)
    assert abs(slow["in time"]) < 0.5
    assert slow["speed, m/s"] == pytest.approx(0.8 * own["speed, m/s"], rel=0.15)


def test_foot_speed_correlates_with_the_same_dance_alone(known: list[Pair], real: RealDances) -> None:
    strangers = [[at(n + 1, late=0.5), at(n + 2, speed=0.9)] for n in range(len(known))]
    assert dance_metrics(strangers, known, real)["foot speed, r"] < 0.6


def test_one_who_stands_has_no_variance_and_is_far_from_real_dancers(
    known: list[Pair], real: RealDances, own: dict[str, float]
) -> None:
    nearly = [at(n, speed=0.01) for n in range(len(known))]
    metrics = dance_metrics([[dance] for dance in nearly], known, real)
    assert metrics["variance"] < 0.05
    assert metrics["speed, m/s"] < 0.05
    assert metrics["Fréchet kinetic"] > own["Fréchet kinetic"] + 1.0


def test_seeds_are_as_far_apart_as_their_poses(known: list[Pair], real: RealDances) -> None:
    """Poses, seen from the pelvis: one who dances the same elsewhere is not another seed's dance."""
    moved = [[dance, dance + np.array([1.0, 2.0, 0.0])] for dance in map(at, range(len(known)))]
    raised = [[dance, raised_hand(dance, 0.29)] for dance in map(at, range(len(known)))]
    assert dance_metrics(moved, known, real)["seeds apart, cm"] == pytest.approx(0.0, abs=1e-9)
    assert dance_metrics(raised, known, real)["seeds apart, cm"] == pytest.approx(1.0)


def raised_hand(dance: Array, by: float) -> Array:
    """One joint of the 29 so many m higher."""
    higher = dance.copy()
    higher[:, 20, 2] += by
    return higher


def test_sliding_and_floating_are_measured(known: list[Pair], real: RealDances, own: dict[str, float]) -> None:
    t = np.arange(180) / 30.0
    swim = np.stack([0.1 * np.sin(3.0 * t), 0.0 * t, 0.08 * np.sin(2.0 * t)], axis=1)[:, None]
    metrics = dance_metrics([[at(n) + swim] for n in range(len(known))], known, real)
    assert metrics["foot slide, cm/s"] > own["foot slide, cm/s"] + 5.0
    assert metrics["off the floor, %"] > own["off the floor, %"] + 20.0


def test_a_metric_that_one_dance_lacks_is_the_mean_of_the_others(known: list[Pair], real: RealDances) -> None:
    """Feet that rest nowhere slide nowhere."""
    flying = at(0) + 0.1 * np.arange(180)[:, None, None] * np.array([1.0, 0.0, 1.0])
    alone, both = (dance_metrics([[at(0)], [dance]], known[:2], real) for dance in (at(0), flying))
    assert both["foot slide, cm/s"] == pytest.approx(alone["foot slide, cm/s"])


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small dance flow that knows nothing, and only two seeds of each model, so that all is judged in seconds."""
    folder = tmp_path / "weights"
    folder.mkdir()
    small_dance_flow(MotionFlowConfig(width=16, layers=1, heads=2)).save(folder / "dance-flow.safetensors")
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(folder))
    monkeypatch.setattr(dance_evaluation, "SEEDS", 2)
    return folder


def test_the_table_has_each_model_with_its_own_and_with_another_song(weights: Path, known: list[Pair]) -> None:
    statuses: list[str] = []
    short = [replace(pair, score=cut_bars(pair.score, 0, 1)) for pair in known[:2]]
    rows = evaluate_models(short, known[2:], fit_real_dances(known), statuses.append)
    models = [name for model in REGISTRY.names("dance") for name in (model, f"{model}, other song")]
    assert list(rows) == ["real, the pairs", "real, of other songs", *models]
    assert rows["real, the pairs"]["in time"] > max(rows["dance-flow"]["in time"], 0.5)
    for name in rows.keys() - {"real, the pairs"}:
        assert set(rows[name]) == set(METRICS)
    assert rows["dance-flow"]["seeds apart, cm"] > 0.0
    assert statuses[:2] == ["dance-flow: 1 of 2", "dance-flow: 2 of 2"]


def test_other_songs_are_other_ones(weights: Path, known: list[Pair], monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model dances to another song is what it dances to that one; a lone pair's is a training pair's."""
    monkeypatch.setattr(dance_evaluation, "REGISTRY", ModelRegistry([REGISTRY.get("dance-flow")]))
    one, other = (replace(pair, dancer=known[0].dancer, score=cut_bars(pair.score, 0, 1)) for pair in known[:2])
    both = evaluate_models([one, other], known[2:], fit_real_dances(known))
    lone = evaluate_models([one], [other, *known[2:]], fit_real_dances(known))
    for name in ("speed, m/s", "variance", "jerk, m/s³"):
        assert both["dance-flow, other song"][name] == pytest.approx(both["dance-flow"][name])
        assert lone["dance-flow, other song"][name] != lone["dance-flow"][name]


def test_the_command_prints_and_writes_the_dance_metrics(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder_of_pairs(tmp_path / "pairs", 4)
    evaluate(data, "dance-flow", json=tmp_path / "figures.json", parts=("test",))
    output = capsys.readouterr().out
    assert "test: take3, synthetic pairs" in output
    written = json.loads((tmp_path / "figures.json").read_text())
    assert (written["seeds"], "validation" in written) == (2, False)
    for name, row in written["test"].items():
        assert name in output
        assert f"{row['in time']:.3g}" in output
    assert [path.name for path in tmp_path.glob(".*")] == []
