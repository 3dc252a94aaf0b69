"""The partner flow: a rectified flow that dances a partner on, eight frames at a time, beside a leader.

A block is drawn from noise in a few steps (Liu et al. 2023), given the partner's last frames and the leader's around
it. Everything is seen from where the partner's pelvis stood last: its place on the floor is the origin, its heading
the front. Rotations are those of the world, not of the parent, so that an error stays where it is made. Guidance (Ho
and Salimans 2022) follows the leader more strongly than the model alone would.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rigs.skeleton import CHILDREN, PARENTS

NAME = "partner-flow"
FPS = 30.0
TURNED = tuple(j for j in range(29) if CHILDREN[j])
"""The 24 joints that have a rotation of their own."""
_CARRIER = [TURNED.index(PARENTS[j]) if j else 0 for j in range(29)]
PARTNER = 3 + 6 * len(TURNED) + 4
"""Numbers a frame of the partner has: the pelvis's place, rotations, and contacts of the feet."""
LEADER = 2 * 3 * 29
"""Numbers a frame of the leader has: places and velocities."""
STARTS = 48
"""Ways to begin a dance that a network keeps for each role."""


@dataclass(frozen=True)
class FlowConfig:
    """The network's shape.

    block: frames drawn at once.  past: blocks of the partner's own past.  before, after: blocks of the leader before
    the one that is drawn, and after it.  width, layers, heads: of the transformer.
    """

    block: int = 8
    past: int = 3
    before: int = 2
    after: int = 1
    width: int = 256
    layers: int = 5
    heads: int = 4

    @property
    def history(self) -> int:
        """Frames of the partner's past."""
        return self.block * self.past

    @property
    def seen(self) -> int:
        """Blocks of the leader."""
        return self.before + 1 + self.after


@dataclass(frozen=True)
class Dance:
    """How one dancer moves.

    root: (..., F, 3) m, the pelvis.  turned: (..., F, 24, 3, 3) world rotations of `TURNED`.
    contacts: (..., F, 4) from 0 to 1.
    """

    root: Tensor
    turned: Tensor
    contacts: Tensor

    def __getitem__(self, frames: slice) -> "Dance":
        return Dance(self.root[..., frames, :], self.turned[..., frames, :, :, :], self.contacts[..., frames, :])

    def joints(self, offsets: Tensor) -> Tensor:
        """Joint places (..., F, 29, 3) m of a body with bone `offsets` (..., 29, 3) m."""
        steps = torch.einsum("...fjab,...jb->...fja", self.turned[..., _CARRIER, :, :], offsets)
        steps = torch.cat([self.root[..., None, :], steps[..., 1:, :]], dim=-2)
        return torch.einsum("ij,...fja->...fia", _LINEAGE.to(steps), steps)


def joined(first: Dance, second: Dance) -> Dance:
    """One dance after the other."""
    return Dance(
        torch.cat([first.root, second.root], dim=-2),
        torch.cat([first.turned, second.turned], dim=-4),
        torch.cat([first.contacts, second.contacts], dim=-2),
    )


@dataclass(frozen=True)
class Place:
    """Where someone stands: origin (..., 3) m on the floor, and turn (..., 3, 3) about the vertical."""

    origin: Tensor
    turn: Tensor

    def into(self, points: Tensor) -> Tensor:
        """World points (..., n, 3) as seen from here."""
        return (points - self.origin[..., None, :]) @ self.turn

    def out_of(self, points: Tensor) -> Tensor:
        """Points seen from here (..., n, 3) in the world."""
        return points @ self.turn.transpose(-1, -2) + self.origin[..., None, :]


def place_of(dance: Dance) -> Place:
    """Where the dancer stands in the last frame."""
    front = -dance.turned[..., -1, 0, :, 1]
    return _place(dance.root[..., -1, :], torch.atan2(front[..., 0], -front[..., 1]))


def place_of_joints(joints: Tensor) -> Place:
    """Where a dancer stands whose joints are at (..., 29, 3) m, by the hips."""
    left = joints[..., 1, :] - joints[..., 2, :]
    return _place(joints[..., 0, :], torch.atan2(left[..., 1], left[..., 0]))


def _place(root: Tensor, angle: Tensor) -> Place:
    cosine, sine, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = torch.stack([cosine, -sine, zero, sine, cosine, zero, zero, zero, zero + 1.0], dim=-1)
    floor = torch.tensor([1.0, 1.0, 0.0]).to(root)
    return Place(root * floor, rows.reshape(*rows.shape[:-1], 3, 3))


def partner_features(dance: Dance, place: Place) -> Tensor:
    """The partner's frames (..., F, PARTNER) as seen from a place."""
    turned = place.turn.transpose(-1, -2)[..., None, None, :, :] @ dance.turned
    columns = turned[..., :2].transpose(-1, -2).flatten(-3)
    return torch.cat([place.into(dance.root), columns, dance.contacts], dim=-1)


def leader_features(joints: Tensor, place: Place) -> Tensor:
    """The leader's frames (..., F - 1, LEADER) of joint places (..., F, 29, 3) m, as seen from a place."""
    seen = place.into(joints.flatten(-3, -2)).reshape(joints.shape)
    return torch.cat([seen[..., 1:, :, :], seen.diff(dim=-3) * FPS], dim=-2).flatten(-2)


def dance_of(features: Tensor, place: Place) -> Dance:
    """The dance in the world that has these features (..., F, PARTNER); rotations are made orthonormal."""
    root, columns, contacts = features[..., :3], features[..., 3:-4], features[..., -4:]
    x, y = columns.reshape(*columns.shape[:-1], len(TURNED), 2, 3).unbind(dim=-2)
    x = nn.functional.normalize(x, dim=-1)
    z = nn.functional.normalize(torch.linalg.cross(x, y), dim=-1)
    turned = torch.stack([x, torch.linalg.cross(z, x), z], dim=-1)
    return Dance(place.out_of(root), place.turn[..., None, None, :, :] @ turned, contacts)


class PartnerFlow(nn.Module):
    """Where a noisy block of the partner is going: the clean block, from which the flow's velocity follows.

    A block has far more numbers than the network is wide, so the noise itself would not pass through it (Li and He
    2025). All inputs are normalised features. The buffers keep the statistics that make them so, and what a dance needs
    beside the network: the bodies (2, 29, 3) m of the leader and the follower trained on, the heights of their floors
    (2,) m, and for each of the two N ways to begin, as seen from the other dancer: `starts`, and that one's pose,
    `stances`.
    """

    partner_mean: Tensor
    partner_scale: Tensor
    leader_mean: Tensor
    leader_scale: Tensor
    bodies: Tensor
    floors: Tensor
    starts: Tensor
    stances: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config = config
        block, width = config.block, config.width
        self.register_buffer("partner_mean", torch.zeros(PARTNER))
        self.register_buffer("partner_scale", torch.ones(PARTNER))
        self.register_buffer("leader_mean", torch.zeros(LEADER))
        self.register_buffer("leader_scale", torch.ones(LEADER))
        self.register_buffer("bodies", torch.zeros(2, 29, 3))
        self.register_buffer("floors", torch.zeros(2))
        self.register_buffer("starts", torch.zeros(2, STARTS, config.history, PARTNER))
        self.register_buffer("stances", torch.zeros(2, STARTS, 29, 3))
        self.read_past = nn.Linear(block * PARTNER, width)
        self.read_noisy = nn.Linear(block * PARTNER, width)
        self.read_leader = nn.Linear(block * LEADER, width)
        self.alone = nn.Parameter(torch.randn(config.seen, width) * 0.02)
        self.places = nn.Parameter(torch.randn(config.past + config.seen + 1, width) * 0.02)
        self.roles = nn.Embedding(2, width)
        self.clock = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        self.layers = nn.ModuleList(_Layer(width, config.heads) for _ in range(config.layers))
        self.finish = nn.LayerNorm(width)
        self.write = nn.Linear(width, block * PARTNER)
        nn.init.zeros_(self.write.weight)
        nn.init.zeros_(self.write.bias)

    def forward(self, noisy: Tensor, t: Tensor, past: Tensor, leader: Tensor, role: Tensor, heard: Tensor) -> Tensor:
        """The clean block (B, block, PARTNER) behind `noisy` (B, block, PARTNER) at the times `t` (B,) from 0 to 1.

        past: (B, history, PARTNER).  leader: (B, seen * block, LEADER).  role: (B,) 0 where the partner leads, 1 where
        it follows.  heard: (B,) bool, False where the leader is to be ignored.
        """
        config = self.config
        led = self.read_leader(leader.reshape(len(leader), config.seen, -1))
        led = torch.where(heard[:, None, None], led, self.alone)
        own = self.read_past(past.reshape(len(past), config.past, -1))
        drawn = self.read_noisy(noisy.flatten(1))[:, None]
        tokens = torch.cat([drawn, own, led], dim=1) + self.places
        mood = self.clock(_waves(t)) + self.roles(role)
        for layer in self.layers:
            tokens = layer(tokens, mood)
        written: Tensor = self.write(self.finish(tokens[:, 0]))
        return written.reshape(len(written), config.block, PARTNER)

    @torch.no_grad()
    def draw(
        self, noise: Tensor, past: Tensor, leader: Tensor, role: Tensor, *, steps: int = 4, guidance: float = 2.5
    ) -> Tensor:
        """A block (B, block, PARTNER), normalised, drawn from `noise` of that shape."""
        both = torch.cat([torch.ones_like(role), torch.zeros_like(role)]).bool()
        drawn = noise
        for step in range(steps):
            t = torch.full((len(noise),), step / steps).to(noise)
            if guidance == 1.0:
                clean = self(drawn, t, past, leader, role, both[: len(role)])
            else:
                twice = (torch.cat([part, part]) for part in (drawn, t, past, leader, role))
                heard, alone = self(*twice, both).chunk(2)
                clean = alone + guidance * (heard - alone)
            drawn = drawn + (clean - drawn) / (steps - step)
        return drawn


class _Layer(nn.Module):
    """One layer of the transformer, its norms moved by the time of the flow and the role (Peebles and Xie 2023)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = (nn.LayerNorm(width, elementwise_affine=False) for _ in range(2))
        self.mood = nn.Linear(width, 4 * width)
        self.look = nn.Linear(width, 3 * width)
        self.gather = nn.Linear(width, width)
        self.think = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, mood: Tensor) -> Tensor:
        a, b, c, d = self.mood(nn.functional.silu(mood))[:, None].chunk(4, dim=-1)
        queries, keys, values = self.look(self.before(tokens) * (1 + a) + b).chunk(3, dim=-1)
        shape = (*tokens.shape[:2], self.heads, -1)
        parts = (part.reshape(shape).transpose(1, 2) for part in (queries, keys, values))
        looked = nn.functional.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        tokens = tokens + self.gather(looked)
        thought: Tensor = tokens + self.think(self.between(tokens) * (1 + c) + d)
        return thought


def _waves(t: Tensor) -> Tensor:
    """Times (B,) from 0 to 1 as 64 sines and cosines."""
    speeds = torch.exp(torch.linspace(0.0, 6.0, 32)).to(t)
    angles = t[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def _lineage() -> Tensor:
    """(29, 29): 1 where the second joint is the first one or above it."""
    lineage = torch.eye(29)
    for j, parent in enumerate(PARENTS):
        if parent >= 0:
            lineage[j] += lineage[parent]
    return lineage


_LINEAGE = _lineage()


def save(path: Path, network: PartnerFlow) -> None:
    """Write the weights, as halves, whole or not at all."""
    partial = path.with_suffix(".partial")
    about = {"model": NAME, "config": json.dumps(asdict(network.config))}
    halves = {name: tensor.half().contiguous() for name, tensor in network.state_dict().items()}
    save_file(halves, partial, metadata=about)
    partial.chmod(0o644)  # safetensors lets nobody else read what it writes
    os.replace(partial, path)


def load(path: Path) -> PartnerFlow:
    """Read the weights, ready to dance. Raises ValueError for those of another model."""
    with safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
        if about.get("model") != NAME:
            found = about.get("model", "nothing known")
            raise ValueError(f"{path}: weights of {NAME} expected, those of {found} found")
        network = PartnerFlow(FlowConfig(**json.loads(about["config"])))
        network.load_state_dict({name: file.get_tensor(name).float() for name in file.keys()})  # noqa: SIM118
    return network.eval()
