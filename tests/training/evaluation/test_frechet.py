"""Distances between sets of features against closed forms and scipy."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from training.evaluation.frechet import FeatureDistribution, diversity, frechet_distance


def random_covariance(dimensions: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(dimensions, dimensions))
    return root @ root.T / dimensions + 0.01 * np.eye(dimensions)


@pytest.mark.parametrize("dimensions", [2, 32, 72])
def test_distance_of_normals_is_the_one_with_the_matrix_root(dimensions: int) -> None:
    a, b = random_covariance(dimensions, 1), random_covariance(dimensions, 2)
    offset = np.arange(dimensions) / dimensions
    expected = offset @ offset + np.trace(a + b - 2.0 * np.real(sqrtm(a @ b)))
    assert frechet_distance(offset, a, np.zeros(dimensions), b) == pytest.approx(expected, rel=1e-8)


def test_distance_of_axis_aligned_normals_has_a_closed_form() -> None:
    a, b = np.array([1.0, 4.0, 0.25]), np.array([9.0, 1.0, 0.25])
    expected = 3.0**2 + np.sum((np.sqrt(a) - np.sqrt(b)) ** 2)
    assert frechet_distance(np.array([3.0, 0.0, 0.0]), np.diag(a), np.zeros(3), np.diag(b)) == pytest.approx(expected)
    assert frechet_distance(np.ones(3), np.diag(a), np.ones(3), np.diag(a)) == pytest.approx(0.0, abs=1e-12)


def test_covariance_is_shrunk_as_ledoit_and_wolf_say() -> None:
    """Their sums, written out one sample after the other."""
    x = np.random.default_rng(3).normal(size=(20, 6)) @ np.diag([1, 2, 3, 1, 1, 2.0])
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    sample = sum(np.outer(row, row) for row in x) / 20
    ball = np.trace(sample) / 6 * np.eye(6)
    noise = sum(np.linalg.norm(np.outer(row, row) - sample) ** 2 for row in x) / 20**2
    weight = min(noise / np.linalg.norm(sample - ball) ** 2, 1.0)
    np.testing.assert_allclose(FeatureDistribution.fit(x).covariance, weight * ball + (1.0 - weight) * sample)


def test_of_few_windows_the_shrunk_covariance_is_nearer_the_truth() -> None:
    correlated = random_covariance(72, 4)
    truth = correlated / np.sqrt(np.outer(np.diag(correlated), np.diag(correlated)))
    x = np.random.default_rng(4).multivariate_normal(np.zeros(72), truth, size=30)
    shrunk, plain = FeatureDistribution.fit(x).covariance, FeatureDistribution.fit_published(x).covariance
    assert np.linalg.norm(shrunk - truth) < 0.6 * np.linalg.norm(plain - truth)
    assert np.linalg.eigvalsh(shrunk).min() > 0.1


def test_distribution_is_at_zero_from_itself_and_far_from_what_is_moved() -> None:
    x = np.random.default_rng(5).normal(size=(400, 8)) * np.array([1, 1, 1, 1, 5, 5, 5, 0.0])
    real = FeatureDistribution.fit(x)
    assert real.frechet_distance(x) == pytest.approx(0.0, abs=1e-9)
    assert real.frechet_distance(x + 2.0 * real.spread) == pytest.approx(4.0 * 8, rel=1e-6)
    assert np.all(np.isfinite(real.standardise(x + 1.0)))


def test_published_fid_of_identical_sets_is_zero_also_with_a_singular_covariance() -> None:
    x = np.random.default_rng(8).normal(size=(12, 30))
    assert FeatureDistribution.fit_published(x).fid(x) == pytest.approx(0.0, abs=1e-5)


def test_published_fid_of_a_shifted_and_widened_normal_is_the_closed_form() -> None:
    """In units of the real standard deviations: |d|² + (1 - s)² tr of the correlation."""
    rng = np.random.default_rng(9)
    x = rng.normal(size=(300, 5)) @ rng.normal(size=(5, 5))
    real = FeatureDistribution.fit_published(x)
    shift = np.array([1.0, 0.0, -2.0, 0.5, 0.0])
    generated = x.mean(axis=0) + 1.5 * (x - x.mean(axis=0)) + shift * x.std(axis=0)
    expected = shift @ shift + 0.25 * 5 * 300 / 299  # the sample covariance divides by N - 1
    assert real.fid(generated) == pytest.approx(expected, rel=1e-6)


def test_published_fid_is_that_of_scipys_matrix_root() -> None:
    """The published formula: standardised by the real set, numpy's covariances, the root of their product."""
    rng = np.random.default_rng(10)
    x, y = rng.normal(size=(200, 6)), rng.normal(size=(150, 6)) * 1.3 + 0.2
    a, b = ((rows - x.mean(axis=0)) / (x.std(axis=0) + 1e-10) for rows in (x, y))
    offset = a.mean(axis=0) - b.mean(axis=0)
    root = np.real(sqrtm(np.cov(b, rowvar=False) @ np.cov(a, rowvar=False)))
    expected = offset @ offset + np.trace(np.cov(a, rowvar=False) + np.cov(b, rowvar=False) - 2.0 * root)
    assert FeatureDistribution.fit_published(x).fid(y) == pytest.approx(expected, rel=1e-8)


def test_distances_of_fewer_than_two_windows_are_unknown() -> None:
    x = np.random.default_rng(11).normal(size=(20, 4))
    assert np.isnan(FeatureDistribution.fit(x).frechet_distance(x[:1]))
    assert np.isnan(FeatureDistribution.fit_published(x).fid(x[:0]))


def test_diversity_is_the_mean_distance_of_pairs() -> None:
    x = np.random.default_rng(6).normal(size=(15, 32))
    pairs = [np.linalg.norm(a - b) for n, a in enumerate(x) for b in x[:n]]
    assert diversity(x) == pytest.approx(np.mean(pairs))
    assert diversity(x[:1]) == 0.0
