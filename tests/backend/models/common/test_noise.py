"""Noise without torch against torch's own."""

import numpy as np
import pytest
import torch

from backend.models.common.noise import NoiseGenerator


@pytest.mark.parametrize("seed", [0, 5, 2**31, 2**62 + 12_345])
def test_numbers_are_those_of_torch(seed: int) -> None:
    ours, generator = NoiseGenerator(seed), torch.Generator().manual_seed(seed)
    for shape in ((8, 151), (3,), (16,), (3, 7), (2, 2), (2, 300, 64), (15,)):
        assert np.abs(ours.normal(*shape) - torch.randn(shape, generator=generator).numpy()).max() < 1e-6
    assert [ours.integer(6) for _ in range(20)] == [int(torch.randint(6, (), generator=generator)) for _ in range(20)]
