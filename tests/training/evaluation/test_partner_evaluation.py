"""Evaluation on small duets: every metric, for the real partner too, with intervals and with other leaders."""

import numpy as np
import pytest

from rigs.motion import Motion, concatenate, translate
from tests.training.data.duet_files import duet
from training.data.duets import Duet
from training.evaluation import confidence_intervals
from training.evaluation.baselines import PartnerGenerator, floor_placement
from training.evaluation.partner_evaluation import (
    HISTORY,
    HORIZONS,
    REAL,
    PartnerEvaluation,
    delayed_leader,
    evaluate_partners,
    leader_changes,
    other_leader,
    train_partner_classifiers,
)
from training.evaluation.partner_metrics import METRICS


def drifting_partner() -> PartnerGenerator:
    """A model that knows the real follower of `duet`, but drifts 1 m/s up and away from it."""

    def generate(leader: Motion, history: Motion, takes: int) -> list[Motion]:
        follower = duet()[1]
        first = int(np.argmin(np.linalg.norm(follower.root - history.root[0], axis=-1)))
        real = follower[first : first + len(leader)]
        seconds = np.maximum(np.arange(len(leader)) - HISTORY + 1, 0) / 30.0
        drifted = Motion(30.0, real.skeleton, real.root + seconds[:, None] * [0.6, 0.0, 0.8], real.rotations)
        lifts = [np.array([0.0, 0.0, 0.01 * take]) for take in range(takes)]
        return [concatenate(history, translate(drifted, lift)[HISTORY:]) for lift in lifts]

    return PartnerGenerator("drifting", generate, stochastic=True, uses_leader=False)


@pytest.fixture(scope="module")
def evaluations() -> dict[str, PartnerEvaluation]:
    patch = pytest.MonkeyPatch()
    patch.setattr(confidence_intervals, "RESAMPLES", 10)
    train = [Duet("a", *duet(300)), Duet("b", *(dancer[300:600] for dancer in duet(600)))]
    models = [drifting_partner()]
    classifiers = train_partner_classifiers(models, train, lambda text: None)
    evaluations = evaluate_partners(models, train, [Duet("c", *duet(300))], classifiers, lambda text: None)
    patch.undo()
    return evaluations


def test_every_metric_of_every_partner_is_there_with_its_interval(evaluations: dict[str, PartnerEvaluation]) -> None:
    names = {metric.name for group in METRICS.values() for metric in group}
    assert next(iter(evaluations)) == REAL
    assert len(evaluations) == 7
    unknown = {("zero velocity", "seams"), ("mean pose", "seams"), ("drifting", "foot slide")}
    for partner, evaluation in evaluations.items():
        assert names <= set(evaluation.metrics), partner
        for name, estimate in evaluation.metrics.items():
            if np.isnan(estimate.value):
                assert (partner, name) in unknown or name in ("FID_k", "FID_g", "FID_cd")  # there is no clip of 10 s
            else:
                assert estimate.low <= estimate.high


def test_the_real_partner_has_the_best_values(evaluations: dict[str, PartnerEvaluation]) -> None:
    real = evaluations[REAL].metrics
    for name in ("kinetic, this take", "cross-dancer, this take", "distance moved", "facing moved", "best of 10"):
        assert real[name].value == pytest.approx(0.0, abs=1e-6), name
    assert all(real[f"after {h / 30:.1f} s"].value == 0.0 for h in HORIZONS)
    assert real["told apart"].value == real["told apart alone"].value == 0.5
    assert real["bones change"].value == pytest.approx(0.0, abs=1e-9)


def test_a_drift_of_a_metre_a_second_is_measured_as_that(evaluations: dict[str, PartnerEvaluation]) -> None:
    drifting = evaluations["drifting"].metrics
    error = 100.0 * np.mean([np.linalg.norm([0.6, 0.0, 0.8 + 0.01 * take]) for take in range(10)])
    assert drifting["after 1.0 s"].value == pytest.approx(error, rel=1e-6)
    assert drifting["takes apart"].value == pytest.approx(100.0 * 0.01 * 11 / 3, rel=1e-3)
    assert drifting["best of 10"].value == pytest.approx(100.0 * np.mean(np.arange(1, 61)) / 30.0, rel=1e-3)
    assert drifting["floating"].value > 90.0
    assert evaluations[REAL].metrics["floating"].value < 5.0
    assert drifting["told apart alone"].value > 0.9


def test_only_partners_that_use_the_leader_are_evaluated_with_other_ones(
    evaluations: dict[str, PartnerEvaluation],
) -> None:
    changes = {name: set(evaluation.with_other_leaders) for name, evaluation in evaluations.items()}
    assert {name for name, leaders in changes.items() if leaders} == {"copy of the leader", "stitching"}
    assert changes["copy of the leader"] == {"swapped", "late", "gone"}
    copy = evaluations["copy of the leader"]
    assert copy.with_other_leaders["late"]["BED"].value < copy.metrics["BED"].value
    assert copy.with_other_leaders["gone"]["speed"].value < 0.2 * copy.metrics["speed"].value


def test_other_leaders_begin_where_the_real_one_is() -> None:
    pair = Duet("a", *duet(300))
    other = Duet("b", *(translate(dancer[100:], np.array([4.0, 0.0, 0.0])) for dancer in duet(600)))
    for change in leader_changes([pair, other]).values():
        leader = change(pair)
        assert len(leader) == len(pair)
        np.testing.assert_array_equal(leader.root[:HISTORY], pair.leader.root[:HISTORY])
    own, swapped = (floor_placement(m.positions[HISTORY]) for m in (pair.leader, other_leader([pair, other])(pair)))
    np.testing.assert_allclose(own.position, swapped.position, atol=1e-9)
    assert own.heading == pytest.approx(swapped.heading)
    np.testing.assert_array_equal(delayed_leader(pair).root[HISTORY + 30 :], pair.leader.root[HISTORY:-30])


def test_metrics_that_are_scored_toward_the_real_value_say_so() -> None:
    metrics = {metric.name: metric for group in METRICS.values() for metric in group}
    assert {metric.aim for metric in metrics.values()} == {"lower", "real"}
    for name in ("BED", "BAS", "PFC", "told apart", "diversity kinetic"):
        assert metrics[name].aim == "real"
        assert "→" in metrics[name].header
    assert "↓" in metrics["FID_k"].header
    [title] = [title for title, group in METRICS.items() if metrics["Fréchet kinetic"] in group]
    assert "not the published FID" in title
