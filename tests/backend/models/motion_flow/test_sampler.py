"""Euler steps with classifier-free guidance towards a known clean block."""

import torch

from backend.models.motion_flow.conditions import TARGET_DIM, MotionCondition
from backend.models.motion_flow.features import PARTNER_DIM
from backend.models.motion_flow.sampler import sample_block
from backend.models.partner_flow.network import PartnerFlow
from tests.backend.models.small_networks import SMALL


def test_a_known_clean_block_is_sampled_in_any_number_of_steps() -> None:
    class Constant(PartnerFlow):
        def forward(self, noisy: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
            return torch.full_like(noisy, 3.0)

    network, zero = Constant(SMALL), torch.zeros(1)
    mask = torch.ones(1, SMALL.leader_blocks, dtype=torch.bool)
    condition = MotionCondition(zero, zero, zero.long(), mask, torch.zeros(1, TARGET_DIM), torch.zeros(1, 2))
    for steps, guidance in ((1, 1.0), (4, 2.5), (4, 0.0)):
        sample = sample_block(network, torch.randn(1, 8, PARTNER_DIM), condition, steps=steps, guidance=guidance)
        assert torch.allclose(sample, torch.tensor(3.0), atol=1e-5)
