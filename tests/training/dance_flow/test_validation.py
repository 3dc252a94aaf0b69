"""Validation of dance-flow: rhythms that match themselves, and metrics of whole rollouts."""

import numpy as np
import pytest

from tests.training.dance_flow.small_training import couple_pairs, network_with_buffers
from training.dance_flow.validation import DanceFlowValidation, frame_counts, mean_rhythm, rhythm_match
from training.data.music_pairs import Pair


@pytest.fixture(scope="module")
def couples() -> list[Pair]:
    return couple_pairs()


def test_a_rhythm_matches_itself_and_not_one_that_is_late(couples: list[Pair]) -> None:
    rhythm = mean_rhythm(couples)
    assert rhythm_match(rhythm, rhythm) == pytest.approx(1.0)
    assert rhythm_match(0.5 * rhythm, rhythm) == pytest.approx(0.5)
    half_a_count_late = rhythm * np.exp(1j * np.pi / np.array([1, 2, 4, 8]))
    assert rhythm_match(half_a_count_late, rhythm) < 0.6
    assert frame_counts(couples[0].score, 30)[[0, 10]].tolist() == pytest.approx([0.0, 1.0])


def test_metrics_tell_how_far_whole_rollouts_are_from_real_dances(couples: list[Pair]) -> None:
    network = network_with_buffers(couples).eval()
    validation = DanceFlowValidation(couples[:2], couples[2:])
    metrics = validation.metrics(network)
    assert metrics.keys() == {"frechet", "in time", "kinetic", "geometric"}
    assert np.isfinite(list(metrics.values())).all()
    assert metrics["frechet"] == pytest.approx(np.sqrt(metrics["kinetic"] * metrics["geometric"]), rel=1e-6)
    assert validation.metrics(network) == metrics
