"""Noise that is the same with and without torch: the numbers of its CPU generator, in numpy.

A seed so gives the same take on every machine, in every version, and beside the network in training.
"""

import numpy as np

from rigs import Array

_GROUP = 16
"""Normal numbers that torch computes at once, from as many uniform ones."""
_UNIFORM_BITS = 24
"""Bits of a uniform number, as many as the significand of a float32 has."""


class NoiseGenerator:
    """Random numbers from a seed, as `torch.Generator().manual_seed(seed)` gives them on the CPU (Mersenne Twister)."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.RandomState(seed & 0xFFFFFFFF)

    def normal(self, *shape: int) -> Array:
        """Standard normal numbers of this shape, in float32; at least 16 of them. As `torch.randn`.

        By the transform of Box and Muller 1958 on groups of 16 uniform numbers; the last 16 numbers are a group too.
        """
        size = int(np.prod(shape))
        if size < _GROUP:
            raise ValueError(f"noise: {_GROUP} numbers or more expected, {size} found")
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
        """Uniform numbers from 0 to 1, without 1."""
        return (self._bits(count) & (2**_UNIFORM_BITS - 1)).astype(np.float32) * np.float32(2.0**-_UNIFORM_BITS)


def _box_muller(uniform: Array) -> Array:
    """Normal numbers from as many uniform ones, in groups of 16: cosines from the first 8, sines from the others."""
    first, second = uniform.reshape(-1, 2, _GROUP // 2).swapaxes(0, 1)
    radius = np.sqrt(np.float32(-2.0) * np.log(np.float32(1.0) - first))
    angle = np.float32(2.0 * np.pi) * second
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
