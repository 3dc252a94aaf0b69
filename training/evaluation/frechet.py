"""Distances between sets of feature vectors, for sets that are small beside the number of features."""

from dataclasses import dataclass

import numpy as np

from rigs import Array

_NARROWEST = 0.25
"""The part of a typical feature's spread below which no feature's spread counts: rare features would drown the rest."""


@dataclass(frozen=True)
class FeatureDistribution:
    """Real windows' features: what is typical and how it varies.

    centre, spread: (D,) by which features are made comparable.  mean: (D,), covariance: (D, D) of the standardised
    features.
    """

    centre: Array
    spread: Array
    mean: Array
    covariance: Array

    @classmethod
    def fit(cls, features: Array) -> "FeatureDistribution":
        """The reference that the features (N, D) of real windows are.

        Features are standardised by the real ones, as the published duet evaluation does (Li et al. 2024, Duolando).
        There a feature that never varies is divided by 1e-10; here none counts for less than `_NARROWEST`.
        """
        centre, spread = features.mean(axis=0), features.std(axis=0)
        typical = np.median(spread[spread > 0.0]) if (spread > 0.0).any() else 1.0
        spread = np.maximum(spread, _NARROWEST * typical)
        standardised = (features - centre) / spread
        return cls(centre, spread, standardised.mean(axis=0), shrunk_covariance(standardised))

    def refit(self, features: Array) -> "FeatureDistribution":
        """The features (N, D) as a reference, in this one's units: for windows too few to have units of their own."""
        standardised = self.standardise(features)
        return FeatureDistribution(self.centre, self.spread, standardised.mean(axis=0), shrunk_covariance(standardised))

    def standardise(self, features: Array) -> Array:
        """(N, D) in units of the real features' spread."""
        return (features - self.centre) / self.spread

    def frechet_distance(self, features: Array) -> float:
        """The Fréchet distance of the windows' features (N, D) from the real ones."""
        made = self.standardise(features)
        return frechet_distance(made.mean(axis=0), shrunk_covariance(made), self.mean, self.covariance)


def frechet_distance(mean_a: Array, covariance_a: Array, mean_b: Array, covariance_b: Array) -> float:
    """The squared Fréchet distance of two normal distributions: means (D,), covariances (D, D).

    |a - b|² + tr(A + B - 2 (A B)^½), Dowson and Landau 1982; used on learnt features as FID by Heusel et al. 2017. The
    trace of the root is taken as that of (A^½ B A^½)^½, which is symmetric, so that nothing imaginary needs cutting
    off as in the published code.
    """
    root = _root(covariance_a)
    values = np.linalg.eigvalsh(root @ covariance_b @ root)
    apart = mean_a - mean_b
    trace = np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * np.sqrt(np.maximum(values, 0.0)).sum()
    return float(max(apart @ apart + trace, 0.0))


def shrunk_covariance(features: Array) -> Array:
    """The covariance (D, D) of (N, D), drawn towards a ball as far as N is too small to tell.

    Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices", lemma 3.1 to 3.4.
    """
    samples, dimensions = features.shape
    centred = features - features.mean(axis=0)
    sample = centred.T @ centred / samples
    ball = np.trace(sample) / dimensions * np.eye(dimensions)
    from_ball = np.sum((sample - ball) ** 2)
    if from_ball == 0.0:
        return np.asarray(ball)
    squares = np.sum(centred**2, axis=1) ** 2
    noise = (squares.sum() / samples - np.sum(sample**2)) / samples
    part = min(noise, from_ball) / from_ball
    return np.asarray(part * ball + (1.0 - part) * sample)


def diversity(features: Array) -> float:
    """The mean Euclidean distance between two of the feature vectors (N, D), as Li et al. 2021 (AIST++) measure it."""
    samples = len(features)
    if samples < 2:
        return 0.0
    squares = np.sum(features**2, axis=1)
    apart = squares[:, None] + squares - 2.0 * features @ features.T
    return float(np.sqrt(np.maximum(apart, 0.0)).sum() / (samples * (samples - 1)))


def wasserstein(a: Array, b: Array) -> float:
    """How far the values `a` (N,) must be moved on average to be distributed as `b` (M,): the 1-Wasserstein distance.

    On a line it is the area between the two distribution functions (Vallender 1974).
    """
    both = np.sort(np.concatenate([a, b]))
    below_a = np.searchsorted(np.sort(a), both[:-1], side="right") / len(a)
    below_b = np.searchsorted(np.sort(b), both[:-1], side="right") / len(b)
    return float(np.sum(np.abs(below_a - below_b) * np.diff(both)))


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
