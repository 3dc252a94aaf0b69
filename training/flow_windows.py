"""What the partner flow trains on: its plan, and windows of duets at several speeds and in the mirror."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.flow_network import FARTHEST, FlowConfig
from backend.models.flow_views import FPS, TURNED, Dance
from rigs import kinematics, rotations
from rigs.contacts import foot_contacts
from rigs.files import BadFile
from rigs.motion import Motion, mirror, resample
from training.data import Duet

Parts = tuple[Dance, Tensor, Tensor]
"""A dancer as the network sees them: the dance, the joints (F, 29, 3) m, the bones (29, 3) m."""

_FOLLOWS = 0.65
"""The part of the windows in which the follower is the partner; in the others it is the leader."""


@dataclass(frozen=True)
class Plan:
    """What `configs/partner-flow.toml` says of augmentation, loss and optimisation."""

    speeds: list[float]
    size: float
    noise: float
    nudged: float
    unheard: float
    unforeseen: float
    aimed: float
    stirred: float
    rolled_from: float
    rolled: float
    rolls: int
    flow: float
    position: float
    velocity: float
    acceleration: float
    pair: float
    hold: float
    contact: float
    nearness: float
    steps: int
    batch: int
    rate: float
    clip: float
    average: float
    seed: int


class Batch(NamedTuple):
    """Windows of B duets: the partner's dance, the leader's joints (B, F, 29, 3) m, bones and roles of the partner."""

    root: Tensor
    turned: Tensor
    contacts: Tensor
    leader: Tensor
    offsets: Tensor
    roles: Tensor

    @property
    def partner(self) -> Dance:
        """How the partner moves."""
        return Dance(self.root, self.turned, self.contacts)


class FlowWindows(IterableDataset[Batch]):
    """Batches of windows, one a training step, the same for equal seed and step; either dancer is the partner.

    Each duet is there at every speed, and in the mirror. `start` is the step to begin with.
    """

    def __init__(self, duets: Sequence[Duet], config: FlowConfig, plan: Plan) -> None:
        copies = [pair for duet in duets for speed in plan.speeds for pair in _copies(duet, speed)]
        self.length = 1 + config.history + plan.rolls * config.block + FARTHEST + 2
        self.pairs = [pair for pair in copies if len(pair[0][0].root) > self.length]
        if not self.pairs:
            raise BadFile(f"{len(duets)} duets: takes of more than {self.length / FPS:.1f} s expected, none found")
        self.places = [(n, f) for n, pair in enumerate(self.pairs) for f in range(len(pair[0][0].root) - self.length)]
        self.plan, self.start = plan, 0
        self.steps_per_epoch = min(100, plan.steps)

    def __len__(self) -> int:
        return self.plan.steps

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.start, len(self)):
            yield self.batch(np.random.default_rng([self.plan.seed, step]))

    def batch(self, rng: np.random.Generator) -> Batch:
        """Windows drawn at random."""
        size = self.plan.batch
        chosen = [self.places[i] for i in rng.integers(len(self.places), size=size)]
        roles = (rng.random(size) < _FOLLOWS).astype(int)
        sizes = torch.from_numpy(1.0 + self.plan.size * rng.uniform(-1.0, 1.0, size)).float()
        dances, leaders, bones = [], [], []
        for (pair, first), role in zip(chosen, roles.tolist(), strict=True):
            dance, _, offsets = self.pairs[pair][role]
            frames = slice(first, first + self.length)
            dances.append(dance[frames])
            leaders.append(self.pairs[pair][1 - role][1][frames])
            bones.append(offsets)
        parts = zip(*((dance.root, dance.turned, dance.contacts) for dance in dances), strict=True)
        root, turned, contacts = map(torch.stack, parts)
        root, offsets = root * sizes[:, None, None], torch.stack(bones) * sizes[:, None, None]
        leader = torch.stack(leaders) * sizes[:, None, None, None]
        return Batch(root, turned, contacts, leader, offsets, torch.from_numpy(roles))


def dance_parts(motion: Motion) -> Parts:
    """A Motion as the network sees it."""
    world = rotations.to_matrix(kinematics.global_rotations(motion.rotations)[:, list(TURNED)])
    contacts = foot_contacts(motion.positions, motion.fps)
    parts = (motion.root, world, contacts, motion.positions, motion.skeleton.offsets)
    root, turned, resting, joints, offsets = (torch.from_numpy(np.asarray(part)).float() for part in parts)
    return Dance(root, turned, resting), joints, offsets


def _copies(duet: Duet, speed: float) -> list[tuple[Parts, Parts]]:
    """A duet at another speed, as it is and in the mirror."""
    pair = [resample(Motion(FPS * speed, m.skeleton, m.root, m.rotations), FPS) for m in (duet.leader, duet.follower)]
    flipped = [mirror(motion) for motion in pair]
    return [(dance_parts(first), dance_parts(second)) for first, second in (pair, flipped)]
