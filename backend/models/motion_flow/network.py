"""Rectified flow matching network for dancers: a transformer that generates motion block by block.

A block of eight frames is sampled from noise in a few Euler steps of a rectified flow (Liu et al. 2023), conditioned on
the dancer's own last frames and on the leader's frames around it. Classifier-free guidance (Ho and Salimans 2022)
strengthens the leader's influence. All features are local to the floor frame of the dancer's last pelvis: its position
on the floor is the origin, its heading the front. Rotations are global, not relative to the parent joint, so that an
error in one joint does not move the others.

The leader is another dancer (`partner_flow`) or music (`dance_flow`).
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from backend.models.common.adaptive_layers import TIME_DIM, AdaptiveTransformerLayer, time_embedding
from backend.models.common.energy import normalized_energy
from backend.models.common.weights_file import open_weights, save_weights
from backend.models.motion_flow.features import PARTNER_DIM, PAST_DIM, FloorFrame, PoseSequence, partner_features
from backend.models.motion_flow.legacy_names import LEGACY_CONFIG, LEGACY_KEYS
from rigs.easing import smoothstep

INITIAL_PASTS = 48
"""Number of initial pasts per role that a network keeps."""
TARGET_HORIZON = 40
"""Largest number of frames from a block's first frame to a target pose in training."""
_MAX_LOG_FREQUENCY = 6.0
"""Of the time embedding, see `time_embedding`."""
TARGET_DIM = 2 * PARTNER_DIM + TIME_DIM + 2
"""Size of the target pose condition: pose, its velocity, time embedding, flags for velocity and presence."""


@dataclass(frozen=True)
class MotionFlowConfig:
    """Shape of the network.

    block: frames generated at once.  past: blocks of the dancer's own past.  before, after: blocks of the leader before
    and after the generated one.  blend: frames over which a block blends from extrapolating the past to the network's
    output.  width, layers, heads, dropout: of the transformer.
    """

    block: int = 8
    past: int = 3
    before: int = 2
    after: int = 2
    blend: int = 6
    width: int = 256
    layers: int = 5
    heads: int = 4
    dropout: float = 0.1

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Self:
        """Build the config from a [network] table or a checkpoint; also under the field names of 0.1.0."""
        return cls(**{LEGACY_CONFIG.get(name, name): value for name, value in table.items()})

    @property
    def history(self) -> int:
        """Frames of the dancer's past."""
        return self.block * self.past

    @property
    def leader_blocks(self) -> int:
        """Blocks of the leader that the network attends to."""
        return self.before + 1 + self.after

    def leader_window(self, first: int) -> slice:
        """Frames of the leader that `MotionFlow.features` takes for a block that begins at the frame `first`."""
        return slice(first - 1 - self.before * self.block, first + (1 + self.after) * self.block)


class MotionCondition(NamedTuple):
    """Condition of B blocks to be sampled: inputs of `MotionFlow.forward`.

    past: (B, history, PAST_DIM).  leader: (B, leader_blocks * block, leader_dim).  role: (B,) 0 where the dancer leads,
    1 where they follow.  leader_mask: (B, leader_blocks) bool, False where a block of the leader is replaced by the
    null condition.  target: (B, TARGET_DIM) the target pose, 0 where there is none.  energy: (B, 2) see
    `MotionFlow.energy_condition`, 0 where it is not given.
    """

    past: Tensor
    leader: Tensor
    role: Tensor
    leader_mask: Tensor
    target: Tensor
    energy: Tensor


class MotionFlow(nn.Module, ABC):
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
    leader_dim: ClassVar[int]
    """Features per frame of the leader."""

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
        modulation: Tensor | None = None,
        context_cache: list[Tensor] | None = None,
    ) -> Tensor:
        """Predict the clean block (B, block, PARTNER_DIM) behind `noisy` of that shape at flow times `t` (B,), 0 to 1.

        past to energy: see `MotionCondition`.
        To compute nothing twice in the Euler steps of one block:  modulation: of these `t`, see `modulation`.
        context_cache: an empty list, which the first step fills with the tokens that all steps share.
        """
        config = self.config
        context_cache = [] if context_cache is None else context_cache
        if not context_cache:
            context_cache.append(self._context_tokens(past, leader, leader_mask, target))
        noisy_token = self.noisy_proj(noisy.flatten(1))[:, None] + self.position_embedding[:1]
        tokens = torch.cat([noisy_token, *context_cache], dim=1)
        modulation = self.modulation(t, role, energy) if modulation is None else modulation
        for n, (layer, shifts) in enumerate(zip(self.layers, modulation, strict=True), start=1):
            tokens = layer(tokens, shifts, outputs=1 if n == len(self.layers) else None)
        output = self.out_proj(self.out_norm(tokens[:, 0])).reshape(-1, config.block, PARTNER_DIM)
        last, before = past[:, -1, None, :PARTNER_DIM], past[:, -2, None, :PARTNER_DIM]
        steps = torch.arange(1, config.block + 1, device=past.device)[:, None]
        extrapolated = last + steps * (last - before)
        clean: Tensor = extrapolated + self.blend_weight * (output - extrapolated)
        return clean

    def modulation(self, t: Tensor, role: Tensor, energy: Tensor) -> Tensor:
        """Adaptive layer-norm modulation of each layer, from flow time, role and energy: (layers, B, 1, 4 * width)."""
        condition = (
            self.time_mlp(time_embedding(t, _MAX_LOG_FREQUENCY)) + self.role_embedding(role) + self.energy_proj(energy)
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

    def features(self, past: PoseSequence, offsets: Tensor, leader: Tensor, frame: FloorFrame) -> tuple[Tensor, Tensor]:
        """Normalized input features in a floor frame: the past (B, history, PAST_DIM), and the leader.

        offsets: (..., 29, 3) m.  leader: (B, 1 + leader_blocks * block, ...) as `leader_features` takes it, from one
        frame before its first block.
        """
        joints = frame.to_local(past.joint_positions(offsets).flatten(-3, -2)).reshape(*past.root.shape[:-1], 3 * 29)
        past_features = torch.cat([partner_features(past, frame), joints], dim=-1)
        leader = self.leader_features(frame, leader)
        return (past_features - self.partner_mean) / self.partner_scale, (leader - self.leader_mean) / self.leader_scale

    @abstractmethod
    def leader_features(self, frame: FloorFrame, leader: Tensor) -> Tensor:
        """Features (B, F - 1, leader_dim) of the leader (B, F, ...) in a floor frame."""

    def keep_distance(self, block: PoseSequence, leader: Tensor) -> PoseSequence:
        """Move a block (B, F) out of the way of its leader (F, ...); by default it stays."""
        return block

    def normalize(self, poses: PoseSequence, frame: FloorFrame) -> Tensor:
        """Normalized features (B, F, PARTNER_DIM) of poses in a floor frame."""
        features = partner_features(poses, frame)
        return (features - self.partner_mean[:PARTNER_DIM]) / self.partner_scale[:PARTNER_DIM]

    def denormalize(self, features: Tensor) -> Tensor:
        """Invert the normalization of `normalize`: (B, F, PARTNER_DIM)."""
        return features * self.partner_scale[:PARTNER_DIM] + self.partner_mean[:PARTNER_DIM]

    def target_features(self, poses: Tensor, frames: Tensor, has_velocity: Tensor, present: Tensor) -> Tensor:
        """Encode target poses as the network's condition: (B, TARGET_DIM).

        poses: (B, 2, PARTNER_DIM), normalized, the pose and the one a frame later.  frames: (B,) counted from the
        block's first.  has_velocity: (B,) bool, whether the later pose counts.  present: (B,) bool, False for none.
        """
        velocity = self.config.block * (poses[:, 1] - poses[:, 0]) * has_velocity[:, None]
        flags = torch.stack([has_velocity, present], dim=1).to(poses)
        time = time_embedding(frames / TARGET_HORIZON, _MAX_LOG_FREQUENCY)
        return torch.cat([poses[:, 0], velocity, time, flags], dim=1) * present[:, None]

    def energy_condition(self, speed: Tensor) -> Tensor:
        """Energy condition (B, 2), normalized log speed and 1, of blocks whose joints move at mean speeds (B,) m/s."""
        return normalized_energy(speed, self.energy_stats)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a network from a weight file, in eval mode. Raises ValueError for other files."""
        with open_weights(path, cls.name, legacy_keys=LEGACY_KEYS, legacy_config=LEGACY_CONFIG) as (config, tensors):
            network = cls(MotionFlowConfig(**config))
            network.load_state_dict(tensors)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the weight file in half precision, whole or not at all."""
        halves = {name: tensor.half() for name, tensor in self.state_dict().items()}
        save_weights(path, self.name, asdict(self.config), halves)


def _blend_weight(config: MotionFlowConfig) -> Tensor:
    """Weight of the network's output beside the extrapolated past, (block, PARTNER_DIM); 1 for contacts."""
    weight = smoothstep(torch.arange(1, config.block + 1) / config.blend)[:, None].repeat(1, PARTNER_DIM)
    weight[:, -4:] = 1.0
    return weight
