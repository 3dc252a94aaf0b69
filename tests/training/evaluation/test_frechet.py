"""Distances between sets of features against closed forms and scipy."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import pdist
from scipy.stats import wasserstein_distance

from training.evaluation.frechet import FeatureDistribution, diversity, frechet_distance, shrunk_covariance, wasserstein


def spheroid(dimensions: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(dimensions, dimensions))
    return root @ root.T / dimensions + 0.01 * np.eye(dimensions)


@pytest.mark.parametrize("dimensions", [2, 32, 72])
def test_distance_of_normals_is_the_one_with_the_matrix_root(dimensions: int) -> None:
    a, b = spheroid(dimensions, 1), spheroid(dimensions, 2)
    apart = np.arange(dimensions) / dimensions
    expected = apart @ apart + np.trace(a + b - 2.0 * np.real(sqrtm(a @ b)))
    assert frechet_distance(apart, a, np.zeros(dimensions), b) == pytest.approx(expected, rel=1e-8)


def test_distance_of_axis_aligned_normals_has_a_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 0.25])
    expected = 3.0**2 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_distance(np.array([3.0, 0.0, 0.0]), np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(expected)
    assert frechet_distance(np.ones(3), np.diag(a), np.ones(3), np.diag(a)) == pytest.approx(0.0, abs=1e-12)


def test_covariance_is_shrunk_as_ledoit_and_wolf_say() -> None:
    """Their sums, written out one sample after the other."""
    x = np.random.default_rng(3).normal(size=(20, 6)) @ np.diag([1, 2, 3, 1, 1, 5.0])
    x -= x.mean(axis=0)
    sample = sum(np.outer(row, row) for row in x) / 20
    ball = np.trace(sample) / 6 * np.eye(6)
    noise = sum(np.linalg.norm(np.outer(row, row) - sample) ** 2 for row in x) / 20**2
    part = min(noise / np.linalg.norm(sample - ball) ** 2, 1.0)
    np.testing.assert_allclose(shrunk_covariance(x + 7.0), part * ball + (1.0 - part) * sample)


def test_of_few_windows_the_shrunk_covariance_is_nearer_the_truth() -> None:
    truth = np.diag(np.linspace(0.5, 2.0, 72))
    x = np.random.default_rng(4).normal(size=(30, 72)) @ np.sqrt(truth)
    plain = np.linalg.norm(np.cov(x, rowvar=False) - truth)
    assert np.linalg.norm(shrunk_covariance(x) - truth) < 0.3 * plain
    assert np.linalg.eigvalsh(shrunk_covariance(x)).min() > 0.1


def test_reference_is_at_home_with_itself_and_far_from_what_is_moved() -> None:
    x = np.random.default_rng(5).normal(size=(400, 8)) * np.array([1, 1, 1, 1, 5, 5, 5, 0.0])
    reference = FeatureDistribution.fit(x)
    assert reference.frechet_distance(x) == pytest.approx(0.0, abs=1e-9)
    assert reference.frechet_distance(x + 2.0 * reference.spread) == pytest.approx(4.0 * 8, rel=1e-6)
    assert np.all(np.isfinite(reference.standardise(x + 1.0)))


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    x = np.random.default_rng(6).normal(size=(15, 32))
    assert diversity(x) == pytest.approx(pdist(x).mean())
    assert diversity(x[:1]) == 0.0


def test_earth_movers_distance_is_scipys() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=57), rng.exponential(size=91)
    assert wasserstein(a, b) == pytest.approx(wasserstein_distance(a, b))
    assert wasserstein(a, a + 3.0) == pytest.approx(3.0)
