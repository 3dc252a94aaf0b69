"""The flow network: a rectified flow that dances on, eight frames at a time, beside what leads it.

A block is drawn from noise in a few steps (Liu et al. 2023), given the dancer's last frames and the leader's around it.
Everything is seen from where the dancer's pelvis stood last: its place on the floor is the origin, its heading the
front. Rotations are those of the world, not of the parent, so that an error stays where it is made. Guidance (Ho and
Salimans 2022) follows the leader more strongly than the model alone would.

What leads is another dancer (`partner_flow`) or music (`dance_flow`).
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from backend.models.common.weights_file import read_weights, save_weights
from backend.models.motion_flow.features import PARTNER_DIM, PAST_DIM, FloorFrame, PoseSequence, partner_features
from rigs.easing import smoothstep

INITIAL_PASTS = 48
"""Ways to begin a dance that a network keeps for each role."""
TARGET_HORIZON = 40
"""Frames after a block's first one within which the network has learnt to head for a pose."""
_TIME_DIM = 64
TARGET_DIM = 2 * PARTNER_DIM + _TIME_DIM + 2
"""Numbers that a pose to head for has: itself, the step after it, when, whether the step is known, whether it is."""


@dataclass(frozen=True)
class MotionFlowConfig:
    """The network's shape.

    block: frames drawn at once.  past: blocks of the partner's own past.  before, after: blocks of the leader before
    the one that is drawn, and after it.  over: frames in which a block goes over from where the past leads to what is
    drawn.  width, layers, heads, dropout: of the transformer.
    """

    block: int = 8
    past: int = 3
    before: int = 2
    after: int = 2
    over: int = 6
    width: int = 256
    layers: int = 5
    heads: int = 4
    dropout: float = 0.1

    @property
    def history(self) -> int:
        """Frames of the partner's past."""
        return self.block * self.past

    @property
    def leader_blocks(self) -> int:
        """Blocks of the leader."""
        return self.before + 1 + self.after


class MotionFlow(nn.Module, ABC):
    """Where a noisy block of a dancer is going: the clean block, from which the flow's velocity follows.

    A block has far more numbers than the network is wide, so the noise itself would not pass through it (Li and He
    2025). What the network writes takes over from the past's last movement within the first frames, so that blocks
    join by construction; its later frames are absolute, so that no error adds up.

    All inputs are normalised features. The buffers keep the statistics that make them so, and what a dance needs beside
    the network: the bodies (2, 29, 3) m of the leader and the follower trained on, the heights of their floors (2,) m,
    the mean and spread of the log of a block's speed, and for each of the two N ways to begin, `starts`.
    """

    name: ClassVar[str]
    """Of the model, and of its weights."""
    leader_dim: ClassVar[int]
    """Numbers that a frame of the leader has as the network sees it."""

    partner_mean: Tensor
    partner_scale: Tensor
    leader_mean: Tensor
    leader_scale: Tensor
    energy: Tensor
    bodies: Tensor
    floors: Tensor
    starts: Tensor
    over: Tensor

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__()
        self.config = config
        block, width = config.block, config.width
        self.register_buffer("partner_mean", torch.zeros(PAST_DIM))
        self.register_buffer("partner_scale", torch.ones(PAST_DIM))
        self.register_buffer("leader_mean", torch.zeros(self.leader_dim))
        self.register_buffer("leader_scale", torch.ones(self.leader_dim))
        self.register_buffer("energy", torch.tensor([0.0, 1.0]))
        self.register_buffer("bodies", torch.zeros(2, 29, 3))
        self.register_buffer("floors", torch.zeros(2))
        self.register_buffer("starts", torch.zeros(2, INITIAL_PASTS, config.history, PARTNER_DIM))
        self.register_buffer("over", _blend_weight(config), persistent=False)
        self.read_past = nn.Linear(block * PAST_DIM, width)
        self.read_noisy = nn.Linear(block * PARTNER_DIM, width)
        self.read_leader = nn.Linear(block * self.leader_dim, width)
        self.read_goal = nn.Linear(TARGET_DIM, width)
        self.read_energy = nn.Linear(2, width)
        self.unheard = nn.Parameter(torch.randn(config.leader_blocks, width) * 0.02)
        self.places = nn.Parameter(torch.randn(config.past + config.leader_blocks + 2, width) * 0.02)
        self.roles = nn.Embedding(2, width)
        self.clock = nn.Sequential(nn.Linear(_TIME_DIM, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(_TransformerLayer(width, config.heads, config.dropout) for _ in range(config.layers))
        self.finish = nn.LayerNorm(width)
        self.write = nn.Linear(width, block * PARTNER_DIM)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)

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
        moods: Tensor | None = None,
        known: list[Tensor] | None = None,
    ) -> Tensor:
        """The clean block (B, block, PARTNER) behind `noisy` (B, block, PARTNER) at the times `t` (B,) from 0 to 1.

        past: (B, history, PAST).  leader: (B, seen * block, led).  role: (B,) 0 where the partner leads, 1 where it
        follows.  heard: (B, seen) bool, False for blocks of the leader that are not to be looked at.
        goal: (B, GOAL), 0 where there is none.  energy: (B, 2), the block's log speed, normalised, and 1, or 0 and 0.
        So that nothing is made twice in the steps of one block:  moods: what `moods` makes of t, role and energy.
        known: a list, at first empty, where the first step leaves the others the tokens that are the same for all.
        """
        config = self.config
        known = [] if known is None else known
        if not known:
            known.append(self._context_tokens(past, leader, leader_mask, target))
        drawn = self.read_noisy(noisy.flatten(1))[:, None] + self.places[:1]
        tokens = torch.cat([drawn, *known], dim=1)
        moods = self.modulation(t, role, energy) if moods is None else moods
        for n, (layer, mood) in enumerate(zip(self.layers, moods, strict=True), start=1):
            tokens = layer(tokens, mood, wanted=1 if n == len(self.layers) else None)
        written = self.write(self.finish(tokens[:, 0])).reshape(-1, config.block, PARTNER_DIM)
        last, before = past[:, -1, None, :PARTNER_DIM], past[:, -2, None, :PARTNER_DIM]
        further = torch.arange(1, config.block + 1, device=past.device)[:, None]
        ahead = last + further * (last - before)
        clean: Tensor = ahead + self.over * (written - ahead)
        return clean

    def modulation(self, t: Tensor, role: Tensor, energy: Tensor) -> Tensor:
        """By how much each layer's norms are moved: (layers, B, 1, 4 * width). See `forward`."""
        mood = nn.functional.silu(self.clock(_time_embedding(t)) + self.roles(role) + self.read_energy(energy))
        return torch.stack([layer.get_submodule("mood")(mood)[:, None] for layer in self.layers])

    def _context_tokens(self, past: Tensor, leader: Tensor, heard: Tensor, goal: Tensor) -> Tensor:
        """All tokens but the first, (B, N - 1, width): what there is beside the block that is drawn. See `forward`."""
        config = self.config
        led = self.read_leader(leader.reshape(-1, config.leader_blocks, config.block * self.leader_dim))
        led = torch.where(heard[..., None], led, self.unheard)
        own = self.read_past(past.reshape(-1, config.past, config.block * PAST_DIM))
        return torch.cat([self.read_goal(goal)[:, None], own, led], dim=1) + self.places[1:]

    @torch.no_grad()
    def sample(
        self,
        noisy: Tensor,
        past: Tensor,
        leader: Tensor,
        role: Tensor,
        leader_mask: Tensor,
        target: Tensor,
        energy: Tensor,
        *,
        t_start: float = 0.0,
        steps: int = 4,
        guidance: float = 2.0,
        target_guidance: float = 1.0,
    ) -> Tensor:
        """A block (B, block, PARTNER), normalised, drawn from `noisy` of that shape, which is at the time `begin`.

        guidance: 1 as learnt, more to follow the leader more strongly, 0 not to look at it.  aiming: 1 as learnt, more
        to head for the goal more strongly.
        """
        alone, size = torch.zeros_like(leader_mask), len(noisy)
        views = [(1.0, leader_mask if guidance else alone, target)]  # what counts how much, heard and headed for
        if guidance not in (0.0, 1.0):
            views = [(guidance, leader_mask, target), (1.0 - guidance, alone, target)]
        if target_guidance != 1.0:
            views = [(views[0][0] + target_guidance - 1.0, *views[0][1:]), *views[1:], (1.0 - target_guidance, views[0][1], target * 0.0)]
        weights, hearing, goals = zip(*views, strict=True)
        many = len(views)
        past, leader, role, energy = (torch.cat([part] * many) for part in (past, leader, role, energy))
        leader_mask, target = torch.cat(hearing), torch.cat(goals)
        times = (t_start + (1.0 - t_start) * torch.arange(steps) / steps).repeat_interleave(many * size).to(noisy)
        moods = self.modulation(times, role.repeat(steps), energy.repeat(steps, 1)).chunk(steps, dim=1)
        drawn, known = noisy, list[Tensor]()
        for step, t in enumerate(times.chunk(steps)):
            found = self(torch.cat([drawn] * many), t, past, leader, role, leader_mask, target, energy, moods[step], known)
            clean = sum((weight * part for weight, part in zip(weights, found.chunk(many), strict=True)), drawn * 0.0)
            drawn = drawn + (clean - drawn) / (steps - step)
        return drawn

    def features(self, past: PoseSequence, offsets: Tensor, leader: Tensor, place: FloorFrame) -> tuple[Tensor, Tensor]:
        """What the network sees from a place, normalised: the past (B, history, PAST), and the leader.

        offsets: (..., 29, 3) m.  leader: (B, 1 + seen * block, ...) as `seen_from` takes it, from a frame before its
        first block.
        """
        joints = place.to_local(past.joint_positions(offsets).flatten(-3, -2)).reshape(*past.root.shape[:-1], 3 * 29)
        own = torch.cat([partner_features(past, place), joints], dim=-1)
        led = self.leader_features(place, leader)
        return (own - self.partner_mean) / self.partner_scale, (led - self.leader_mean) / self.leader_scale

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the weights, ready to dance. Raises ValueError for those of another model."""
        config, tensors = read_weights(path, cls.name)
        network = cls(MotionFlowConfig(**config))
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
        return network.eval()

    @abstractmethod
    def leader_features(self, place: FloorFrame, leader: Tensor) -> Tensor:
        """The leader as seen from a place: (B, F - 1, led) of (B, F, ...)."""

    def keep_distance(self, made: PoseSequence, leader: Tensor) -> PoseSequence:
        """A block (B, F) with what leads it (F, ...), brought to where it can be."""
        return made

    def normalize(self, dance: PoseSequence, place: FloorFrame) -> Tensor:
        """The features (B, F, PARTNER) of a dance, normalised."""
        return (partner_features(dance, place) - self.partner_mean[:PARTNER_DIM]) / self.partner_scale[:PARTNER_DIM]

    def denormalize(self, drawn: Tensor) -> Tensor:
        """The features (B, F, PARTNER) that `normalised` has normalised."""
        return drawn * self.partner_scale[:PARTNER_DIM] + self.partner_mean[:PARTNER_DIM]

    def target_features(self, poses: Tensor, frames: Tensor, stepped: Tensor, known: Tensor) -> Tensor:
        """Poses to head for (B, GOAL).

        poses: (B, 2, PARTNER), normalised, the pose and the one a frame later.  frames: (B,) from the block's first.
        stepped: (B,) bool, whether the later one counts.  known: (B,) bool, whether there is one.
        """
        step = self.config.block * (poses[:, 1] - poses[:, 0]) * stepped[:, None]
        flags = torch.stack([stepped, known], dim=1).to(poses)
        return torch.cat([poses[:, 0], step, _time_embedding(frames / TARGET_HORIZON), flags], dim=1) * known[:, None]

    def energy_condition(self, speed: Tensor) -> Tensor:
        """The energy (B, 2) of blocks in which joints move at the mean speeds (B,) m/s."""
        value = (torch.log(speed + 0.05) - self.energy[0]) / self.energy[1]
        return torch.stack([value, torch.ones_like(value)], dim=1)


class _TransformerLayer(nn.Module):
    """One layer of the transformer, its norms moved by the time of the flow and the role (Peebles and Xie 2023)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.drop = nn.Dropout(dropout)
        self.before, self.between = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.mood = nn.Linear(width, 4 * width)
        self.look = nn.Linear(width, 3 * width)
        self.gather = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, mood: Tensor, wanted: int | None = None) -> Tensor:
        """The tokens (B, N, width), or the first `wanted` of them alone, after this layer.  mood: (B, 1, 4 * width)."""
        a, b, c, d = mood.chunk(4, dim=-1)
        queries, keys, values = self.look(torch.addcmul(b, self.before(tokens), 1 + a)).chunk(3, dim=-1)
        queries, tokens = queries[:, :wanted], tokens[:, :wanted]
        parts = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (queries, keys, values))
        looked = nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        tokens = tokens + self.drop(self.gather(looked))
        thought: Tensor = tokens + self.drop(self.think(torch.addcmul(d, self.between(tokens), 1 + c)))
        return thought


def _time_embedding(t: Tensor) -> Tensor:
    """Times (B,) from 0 to 1 as sines and cosines."""
    speeds = torch.exp(torch.linspace(0.0, 6.0, _TIME_DIM // 2)).to(t)
    angles = t[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _blend_weight(config: MotionFlowConfig) -> Tensor:
    """How much what is written counts in each frame of a block (block, PARTNER): at once for contacts."""
    t = (torch.arange(1, config.block + 1) / config.over).clamp(max=1.0)
    over = smoothstep(t)[:, None].repeat(1, PARTNER_DIM)
    over[:, -4:] = 1.0
    return over


def save_network(path: Path, network: MotionFlow) -> None:
    """Write the weights, as halves, whole or not at all."""
    halves = {name: tensor.half() for name, tensor in network.state_dict().items()}
    save_weights(path, network.name, asdict(network.config), halves)
