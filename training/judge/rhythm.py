"""How a dance keeps to the counts of its music: which part of the feet's speed comes and goes with them."""

import numpy as np

from rigs import Array
from rigs.contacts import FEET

CYCLES = (1, 2, 4, 8)
"""Counts after which a dance may repeat itself: a step, a weight change to and fro, a half and a whole basic step."""


def rhythm(positions: Array, counts: Array, fps: float) -> Array:
    """By how much the feet's speed swings with each of `CYCLES`, as a part of its mean, and when: (4,) complex.

    positions: (F, 29, 3) m.  counts: (F,) where in the phrase each frame is, with fractions.
    The Fourier coefficients of the speed over the counts; the angle is that of the count at which the feet are fastest.
    """
    speed = np.linalg.norm(np.gradient(positions[:, FEET], axis=0), axis=-1).mean(axis=1) * fps
    beside = speed / max(float(speed.mean()), 1e-6) - 1.0
    waves = np.exp(2j * np.pi * counts[:, None] / np.array(CYCLES))
    return np.asarray(2.0 * (beside[:, None] * waves).mean(axis=0))
