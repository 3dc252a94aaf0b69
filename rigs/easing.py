"""Easing curves: smoothstep, minimum-jerk moves and a bump, from 0 to 1 with smooth ends."""

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from rigs import Array

T = TypeVar("T", bound=Any)


def smoothstep(t: T) -> T:
    """Hermite smoothstep 3t² - 2t³: 0 up to t = 0, 1 from t = 1, no slope at either.

    t: a numpy array or a torch tensor of any shape; the result is of the same kind.
    """
    t = t.clip(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def minimum_jerk(t: Array, start: float, end: float) -> Array:
    """Minimum-jerk move from 0 at `start` to 1 at `end`, held outside (Flash and Hogan 1985): (T,) as `t`."""
    s = np.clip((t - start) / (end - start), 0.0, 1.0)
    return s**3 * (10.0 - 15.0 * s + 6.0 * s**2)


def minimum_jerk_path(t: Array, times: Sequence[float], values: Array, lead: float, lag: float) -> Array:
    """Path (T, ...) through the keys `values` (K, ...) as a sum of overlapping minimum-jerk moves.

    Each move lasts from `lead` s before its key's time to `lag` s after it (Flash and Henis 1991).
    """
    values = np.asarray(values, dtype=float)
    path = np.repeat(values[:1], len(t), axis=0)
    for time, change in zip(times[1:], np.diff(values, axis=0), strict=True):
        path += np.multiply.outer(minimum_jerk(t, time - lead, time + lag), change)
    return path


def bump(t: Array, start: float, end: float) -> Array:
    """Polynomial bump 64 (s (1 - s))³: 1 halfway, 0 outside, with two continuous derivatives: (T,) as `t`."""
    s = np.clip((t - start) / (end - start), 0.0, 1.0)
    return 64.0 * (s * (1.0 - s)) ** 3
