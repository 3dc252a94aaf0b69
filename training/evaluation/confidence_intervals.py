"""Figures and how certain they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

RESAMPLES = 200
CONFIDENCE = 0.9
"""The part of the draws that an interval holds."""


@dataclass(frozen=True)
class Estimate:
    """A figure and the interval in which it would lie, of 100 such recordings, in 90."""

    value: float
    low: float
    high: float


def bootstrap_estimates(
    items: Sequence[Item], measure: Callable[[Sequence[Item]], dict[str, float]], seed: int = 0
) -> dict[str, Estimate]:
    """Figures with bootstrap intervals: of draws of as many items, with repetition (Efron and Tibshirani 1993, 12 f.).

    An interval is moved so that the middle draw lies on the figure: a draw with repetitions varies less than the items
    themselves, which would push Fréchet distances up. No figure is below 0.
    """
    rng = np.random.default_rng(seed)
    values = measure(items)
    draws = [measure([items[i] for i in rng.integers(len(items), size=len(items))]) for _ in range(RESAMPLES)]
    found = {}
    for name, value in values.items():
        drawn = np.array([draw[name] for draw in draws])
        drawn = drawn[~np.isnan(drawn)]
        if len(drawn) == 0 or np.isnan(value):
            found[name] = Estimate(value, value, value)
            continue
        low, middle, high = np.quantile(drawn, [(1.0 - CONFIDENCE) / 2.0, 0.5, (1.0 + CONFIDENCE) / 2.0])
        found[name] = Estimate(value, max(float(value + low - middle), 0.0), float(value + high - middle))
    return found
