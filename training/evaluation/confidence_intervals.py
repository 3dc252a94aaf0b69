"""Figures and how certain they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")

DRAWS = 200
SURE = 0.9
"""The part of the draws that an interval holds."""


@dataclass(frozen=True)
class Figure:
    """A figure and the interval in which it would lie, of 100 such recordings, in 90."""

    value: float
    low: float
    high: float


def with_intervals(
    items: Sequence[Item], measure: Callable[[Sequence[Item]], dict[str, float]], seed: int = 0
) -> dict[str, Figure]:
    """Figures with bootstrap intervals: of draws of as many items, with repetition (Efron and Tibshirani 1993, 12 f.).

    An interval is moved so that the middle draw lies on the figure: a draw with repetitions varies less than the items
    themselves, which would push Fréchet distances up. No figure is below 0.
    """
    rng = np.random.default_rng(seed)
    values = measure(items)
    draws = [measure([items[i] for i in rng.integers(len(items), size=len(items))]) for _ in range(DRAWS)]
    found = {}
    for name, value in values.items():
        drawn = np.array([draw[name] for draw in draws])
        drawn = drawn[~np.isnan(drawn)]
        if len(drawn) == 0 or np.isnan(value):
            found[name] = Figure(value, value, value)
            continue
        low, middle, high = np.quantile(drawn, [(1.0 - SURE) / 2.0, 0.5, (1.0 + SURE) / 2.0])
        found[name] = Figure(value, max(float(value + low - middle), 0.0), float(value + high - middle))
    return found
