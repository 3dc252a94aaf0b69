"""Fréchet distances between sets of motion features: ours for few windows, and FID as published for dance."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.covariance import ledoit_wolf

from rigs import Array

_LEAST_SPREAD = 0.25
"""The least standard deviation of a feature, as a part of the median one: rare features would drown the rest."""
_PUBLISHED_EPSILON = 1e-10
"""What the published code adds to each feature's standard deviation."""


@dataclass(frozen=True)
class FeatureDistribution:
    """Normal distribution of real windows' features, standardised by their own mean and standard deviation.

    centre, spread: (D,) by which features are standardised.  mean: (D,), covariance: (D, D) of standardised features.
    """

    centre: Array
    spread: Array
    mean: Array
    covariance: Array

    @classmethod
    def fit(cls, features: Array) -> "FeatureDistribution":
        """Fit features (N, D) of real windows: floored standard deviations and a shrunk (Ledoit-Wolf) covariance."""
        centre, spread = features.mean(axis=0), features.std(axis=0)
        typical = np.median(spread[spread > 0.0]) if (spread > 0.0).any() else 1.0
        spread = np.maximum(spread, _LEAST_SPREAD * typical)
        return cls(centre, spread, *_shrunk_normal((features - centre) / spread))

    @classmethod
    def fit_published(cls, features: Array) -> "FeatureDistribution":
        """Fit as Duolando's evaluation does: plain standard deviations plus 1e-10, and the plain sample covariance."""
        centre, spread = features.mean(axis=0), features.std(axis=0) + _PUBLISHED_EPSILON
        return cls(centre, spread, *_sample_normal((features - centre) / spread))

    def refit(self, features: Array) -> "FeatureDistribution":
        """Fit other features (N, D) in this one's units: for windows too few to be standardised by themselves."""
        return FeatureDistribution(self.centre, self.spread, *_shrunk_normal(self.standardise(features)))

    def standardise(self, features: Array) -> Array:
        """(N, D) in units of the real features' standard deviations."""
        return (features - self.centre) / self.spread

    def frechet_distance(self, features: Array) -> float:
        """Fréchet distance of windows' features (N, D) from the real ones, with a shrunk covariance; nan below two.

        Not the published FID: that has the plain covariance, which few windows leave singular.
        """
        if len(features) < 2:
            return float("nan")
        return frechet_distance(*_shrunk_normal(self.standardise(features)), self.mean, self.covariance)

    def fid(self, features: Array) -> float:
        """FID of clips' features (N, D) from the real ones with the plain covariance; nan below two clips.

        FID_k, FID_g and FID_cd as Duolando's evaluation computes them (Siyao et al. 2024, 5.1, after Siyao et al. 2022,
        Bailando, and Li et al. 2021, AI Choreographer), on a distribution made by `fit_published`.
        """
        if len(features) < 2:
            return float("nan")
        return frechet_distance(*_sample_normal(self.standardise(features)), self.mean, self.covariance)


def frechet_distance(mean_a: Array, covariance_a: Array, mean_b: Array, covariance_b: Array) -> float:
    """Squared Fréchet distance of two normal distributions: means (D,), covariances (D, D).

    |a - b|² + tr(A + B - 2 (A B)^½), Dowson and Landau 1982; used on learnt features as FID by Heusel et al. 2017. The
    trace of the root is the sum of the square roots of the eigenvalues of A^½ B A^½, which is symmetric, so that
    singular covariances, which break scipy.linalg.sqrtm(A B), need no care.
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = np.linalg.eigvalsh(root @ covariance_b @ root)
    offset = mean_a - mean_b
    trace = np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * np.sqrt(np.maximum(product, 0.0)).sum()
    return float(max(offset @ offset + trace, 0.0))


def diversity(features: Array) -> float:
    """Mean Euclidean distance between two of the feature vectors (N, D), as Li et al. 2021 (AIST++); 0 of fewer."""
    return float(pdist(features).mean()) if len(features) > 1 else 0.0


def _shrunk_normal(features: Array) -> tuple[Array, Array]:
    """Mean (D,) and Ledoit-Wolf shrunk covariance (D, D) of features (N, D); Ledoit and Wolf 2004."""
    return features.mean(axis=0), ledoit_wolf(features)[0]


def _sample_normal(features: Array) -> tuple[Array, Array]:
    """Mean (D,) and sample covariance (D, D) of features (N, D)."""
    return features.mean(axis=0), np.cov(features, rowvar=False)
