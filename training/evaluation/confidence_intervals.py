"""Means of metrics, and their bootstrap confidence intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from rigs import Array

Item = TypeVar("Item")

RESAMPLES = 200
CONFIDENCE = 0.9


@dataclass(frozen=True)
class Estimate:
    """A metric's value and the ends of its bootstrap confidence interval."""

    value: float
    low: float
    high: float


def nan_mean(values: Array) -> float:
    """Mean of the values that are not nan, nan where all are."""
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if len(valid) else float("nan")


def bootstrap_estimates(
    items: Sequence[Item], metrics: Callable[[Sequence[Item]], dict[str, float]], seed: int = 0
) -> dict[str, Estimate]:
    """Metrics of the items with percentile bootstrap intervals (Efron and Tibshirani 1993, 12 f.), centred by median.

    The interval is shifted so that the median resample lies on the value: a resample has repetitions, so it varies less
    than the items, which biases Fréchet distances upwards. scipy.stats.bootstrap has no such interval. Values are never
    below 0; a resample in which a metric is nan is left out of its interval.
    """
    rng = np.random.default_rng(seed)
    values = metrics(items)
    resamples = [metrics([items[i] for i in rng.integers(len(items), size=len(items))]) for _ in range(RESAMPLES)]
    return {name: _estimate(value, np.array([row[name] for row in resamples])) for name, value in values.items()}


def _estimate(value: float, resamples: Array) -> Estimate:
    valid = resamples[~np.isnan(resamples)]
    if len(valid) == 0 or np.isnan(value):
        return Estimate(value, value, value)
    low, median, high = np.quantile(valid, [(1.0 - CONFIDENCE) / 2.0, 0.5, (1.0 + CONFIDENCE) / 2.0])
    return Estimate(value, max(float(value + low - median), 0.0), float(value + high - median))
