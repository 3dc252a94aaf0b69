"""Rectified flow matching network for dancers: a transformer that generates motion block by block.

A block of eight frames is sampled from noise in a few Euler steps of a rectified flow (Liu et al. 2023), conditioned on
the dancer's own last frames and on the leader's frames around it. Classifier-free guidance (Ho and Salimans 2022)
strengthens the leader's influence. All features are local to the floor frame of the dancer's last pelvis: its position
on the floor is the origin, its heading the front. Rotations are global, not relative to the parent joint, so that an
error in one joint does not move the others.

The leader is another dancer (`partner_flow`) or music (`dance_flow`).
"""

from abc import ABC
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from backend.models.common.adaptive_layers import AdaptiveTransformerLayer
from backend.models.common.exported_function import ExportedFunction
from backend.models.common.time_embedding import TIME_DIM, time_embedding
from backend.models.common.weights_file import open_weights, save_weights
from backend.models.motion_flow.conditions import (
    MAX_LOG_FREQUENCY,
    TARGET_DIM,
    MotionCondition,
    MotionFlowConditions,
    MotionFlowConfig,
)
from backend.models.motion_flow.features import PARTNER_DIM, PAST_DIM
from backend.models.motion_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS
from rigs.easing import smoothstep

INITIAL_PASTS = 48
"""Number of initial pasts per role that a network keeps."""


class MotionFlow(nn.Module, MotionFlowConditions, ABC):
    """Rectified flow network: predicts the clean block behind a noisy one, from which the flow's velocity follows.

    It predicts the clean block and not the noise or velocity, because a block has far more numbers than the transformer
    is wide and noise would not pass through it (Li and He 2025). The output is blended, over the first frames, with an
    extrapolation of the past's last velocity, so that blocks join without a jump; later frames are absolute, so that
    errors do not accumulate.

    All inputs are normalized features. Buffers hold the normalization statistics and what a rollout needs beside the
    network: bone offsets (2, 29, 3) m and floor heights (2,) m of the training data's leader and follower, mean and
    standard deviation of a block's log speed (2,), and N initial pasts for each of the two roles.
    """

    name: ClassVar[str]
    """Of the model, and of its weights."""

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__()
        self.config = config
        block, width = config.block, config.width
        self.partner_mean = nn.Buffer(torch.zeros(PAST_DIM))
        self.partner_scale = nn.Buffer(torch.ones(PAST_DIM))
        self.leader_mean = nn.Buffer(torch.zeros(self.leader_dim))
        self.leader_scale = nn.Buffer(torch.ones(self.leader_dim))
        self.energy_stats = nn.Buffer(torch.tensor([0.0, 1.0]))
        self.bone_offsets = nn.Buffer(torch.zeros(2, 29, 3))
        self.floor_heights = nn.Buffer(torch.zeros(2))
        self.initial_pasts = nn.Buffer(torch.zeros(2, INITIAL_PASTS, config.history, PARTNER_DIM))
        self.blend_weight = nn.Buffer(_blend_weight(config), persistent=False)
        self.past_proj = nn.Linear(block * PAST_DIM, width)
        self.noisy_proj = nn.Linear(block * PARTNER_DIM, width)
        self.leader_proj = nn.Linear(block * self.leader_dim, width)
        self.target_proj = nn.Linear(TARGET_DIM, width)
        self.energy_proj = nn.Linear(2, width)
        self.null_condition = nn.Parameter(torch.randn(config.leader_blocks, width) * 0.02)
        self.position_embedding = nn.Parameter(torch.randn(config.past + config.leader_blocks + 2, width) * 0.02)
        self.role_embedding = nn.Embedding(2, width)
        self.time_mlp = nn.Sequential(nn.Linear(TIME_DIM, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(
            AdaptiveTransformerLayer(width, config.heads, config.dropout) for _ in range(config.layers)
        )
        self.out_norm = nn.LayerNorm(width)
        self.out_proj = nn.Linear(width, block * PARTNER_DIM)
        nn.init.zeros_(self.out_proj.weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        noisy: Tensor,
        t: Tensor,
        past: Tensor,
        leader: Tensor,
        role: Tensor,
        leader_mask: Tensor,
        target: Tensor,
        energy: Tensor,
    ) -> Tensor:
        """Predict the clean block (B, block, PARTNER_DIM) behind `noisy` of that shape at flow times `t` (B,), 0 to 1.

        past to energy: see `MotionCondition`.
        """
        config = self.config
        noisy_token = self.noisy_proj(noisy.flatten(1))[:, None] + self.position_embedding[:1]
        tokens = torch.cat([noisy_token, self._context_tokens(past, leader, leader_mask, target)], dim=1)
        modulation = self.modulation(t, role, energy)
        for n, (layer, shifts) in enumerate(zip(self.layers, modulation, strict=True), start=1):
            tokens = layer(tokens, shifts, outputs=1 if n == len(self.layers) else None)
        output = self.out_proj(self.out_norm(tokens[:, 0])).reshape(-1, config.block, PARTNER_DIM)
        last, before = past[:, -1, None, :PARTNER_DIM], past[:, -2, None, :PARTNER_DIM]
        steps = torch.arange(1, config.block + 1, device=past.device)[:, None]
        extrapolated = last + steps * (last - before)
        clean: Tensor = extrapolated + self.blend_weight * (output - extrapolated)
        return clean

    def predict(self, noisy: Tensor, t: Tensor, condition: MotionCondition) -> Tensor:
        """Predict the clean block, see `forward`."""
        clean: Tensor = self(noisy, t, *condition)
        return clean

    def modulation(self, t: Tensor, role: Tensor, energy: Tensor) -> Tensor:
        """Adaptive layer-norm modulation of each layer, from flow time, role and energy: (layers, B, 1, 4 * width)."""
        condition = (
            self.time_mlp(time_embedding(t, MAX_LOG_FREQUENCY)) + self.role_embedding(role) + self.energy_proj(energy)
        )
        condition = nn.functional.silu(condition)
        return torch.stack([layer.get_submodule("modulation")(condition)[:, None] for layer in self.layers])

    def _context_tokens(self, past: Tensor, leader: Tensor, leader_mask: Tensor, target: Tensor) -> Tensor:
        """Embed target pose, past and leader as the tokens after the noisy block's: (B, N - 1, width)."""
        config = self.config
        leader = self.leader_proj(leader.reshape(-1, config.leader_blocks, config.block * self.leader_dim))
        leader = torch.where(leader_mask[..., None], leader, self.null_condition)
        past = self.past_proj(past.reshape(-1, config.past, config.block * PAST_DIM))
        return torch.cat([self.target_proj(target)[:, None], past, leader], dim=1) + self.position_embedding[1:]

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a network from a weight file, in eval mode. Raises ValueError for other files."""
        with open_weights(path, cls.name, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG) as (config, tensors):
            network = cls(MotionFlowConfig(**config))
            network.load_state_dict({name: torch.from_numpy(values) for name, values in tensors.items()})
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the weight file in half precision, whole or not at all."""
        halves = {name: tensor.half().numpy() for name, tensor in self.state_dict().items()}
        save_weights(path, self.name, config_of(self), halves)


def config_of(network: MotionFlow) -> dict[str, Any]:
    """The shape of a network, as in its weight file."""
    return asdict(network.config)


def exported_functions(network: MotionFlow) -> dict[str, ExportedFunction]:
    """What inference without torch calls: `predict`, that is `MotionFlow.forward`."""
    config, size = network.config, 3
    inputs = {
        "noisy": torch.randn(size, config.block, PARTNER_DIM),
        "t": torch.rand(size),
        "past": torch.randn(size, config.history, PAST_DIM),
        "leader": torch.randn(size, config.leader_blocks * config.block, network.leader_dim),
        "role": torch.randint(0, 2, (size,)),
        "leader_mask": torch.rand(size, config.leader_blocks) < 0.7,
        "target_pose": torch.randn(size, TARGET_DIM),
        "energy": torch.randn(size, 2),
    }
    return {"predict": ExportedFunction(network.forward, inputs, ("clean",))}


def _blend_weight(config: MotionFlowConfig) -> Tensor:
    """Weight of the network's output beside the extrapolated past, (block, PARTNER_DIM); 1 for contacts."""
    weight = smoothstep(torch.arange(1, config.block + 1) / config.blend)[:, None].repeat(1, PARTNER_DIM)
    weight[:, -4:] = 1.0
    return weight
