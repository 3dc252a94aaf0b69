"""Noise that is the same with and without torch: the numbers of its CPU generator, in numpy.

A seed so gives the same take on every machine, in every version, and beside the network in training.
"""

import numpy as np

from rigs import Array

_GROUP = 16
"""Normal numbers that torch computes at once, from as many uniform ones."""
_SINGLE_BITS, _DOUBLE_BITS = 24, 53
"""Bits of a uniform number in single and in double precision: those of the significand."""


class NoiseGenerator:
    """Random numbers from a seed, as `torch.Generator().manual_seed(seed)` gives them on the CPU (Mersenne Twister)."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed & 0xFFFFFFFF)
        self._next: float | None = None

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers of this shape, in float32, as `torch.randn`: by the transform of Box and Muller 1958.

        16 numbers or more come from groups of 16 uniform numbers in single precision, of which the last 16 numbers are
        one too; fewer come one by one from pairs in double precision.
        """
        size = int(np.prod(shape))
        if size < _GROUP:
            return np.array([self._one_normal() for _ in range(size)], np.float32).reshape(shape)
        uniform = self._uniform(size)
        whole = size - size % _GROUP
        values = np.empty(size, np.float32)
        values[:whole] = _box_muller(uniform[:whole])
        if whole < size:
            values[-_GROUP:] = _box_muller(self._uniform(_GROUP))
        return values.reshape(shape)

    def integer(self, high: int) -> int:
        """A random integer from 0 to `high` - 1. As `torch.randint`."""
        return int(self._bits(1)[0] % high)

    def _bits(self, count: int) -> Array:
        return self._random.randint(0, 2**32, size=count, dtype=np.uint32)

    def _uniform(self, count: int) -> Array:
        """Uniform numbers in single precision from 0 to 1, without 1."""
        return (self._bits(count) & (2**_SINGLE_BITS - 1)).astype(np.float32) * np.float32(2.0**-_SINGLE_BITS)

    def _one_normal(self) -> float:
        """The next normal number of a pair, of which the second is kept."""
        if self._next is not None:
            value, self._next = self._next, None
            return value
        high, low = self._bits(4).reshape(2, 2).astype(np.uint64).T
        words = ((high << np.uint64(32)) | low) & np.uint64(2**_DOUBLE_BITS - 1)
        first, second = (float(word) * 2.0**-_DOUBLE_BITS for word in words)
        radius, angle = np.sqrt(-2.0 * np.log1p(-second)), 2.0 * np.pi * first
        self._next = float(radius * np.sin(angle))
        return float(radius * np.cos(angle))


def _box_muller(uniform: Array) -> Array:
    """Normal numbers from as many uniform ones, in groups of 16: cosines from the first 8, sines from the others."""
    first, second = uniform.reshape(-1, 2, _GROUP // 2).swapaxes(0, 1)
    radius = np.sqrt(np.float32(-2.0) * np.log(np.float32(1.0) - first))
    angle = np.float32(2.0 * np.pi) * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
