"""What a flow network trains on: its plan, and windows of dancers with what leads them, at several speeds, mirrored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.motion_flow.features import FPS, ROTATED_JOINTS, PoseSequence
from backend.models.motion_flow.network import TARGET_HORIZON, MotionFlowConfig
from rigs import kinematics, rotations
from rigs.contacts import foot_contacts
from rigs.files import BadFile
from rigs.motion import Motion, mirror, resample
from training.data.duets import Duet

Parts = tuple[PoseSequence, Tensor, Tensor]
"""A dancer as the network sees them: the dance, the joints (F, 29, 3) m, the bones (29, 3) m."""

_FOLLOWS = 0.65
"""The part of the windows in which the follower is the partner; in the others it is the leader."""


@dataclass(frozen=True)
class Plan:
    """What a flow network's plan says of augmentation, loss and optimisation."""

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
    contact: float
    steps: int
    batch: int
    rate: float
    clip: float
    average: float
    seed: int


class Take(NamedTuple):
    """One dancer with what leads it: the dance, the leader (F, ...), the dancer's bones (29, 3) m, and its role."""

    dance: PoseSequence
    leader: Tensor
    offsets: Tensor
    role: int


class Batch(NamedTuple):
    """Windows of B takes: the partner's dance, what leads it (B, F, ...), bones and roles of the partner."""

    root: Tensor
    turned: Tensor
    contacts: Tensor
    leader: Tensor
    offsets: Tensor
    roles: Tensor

    @property
    def partner(self) -> PoseSequence:
        """How the partner moves."""
        return PoseSequence(self.root, self.turned, self.contacts)


class FlowWindows(IterableDataset[Batch]):
    """Batches of windows, one a training step, the same for equal seed and step. `start` is the step to begin with.

    stretches: of each the dancers that may be the partner, equally long, each as often as `shares` (K,) says.
    """

    def __init__(
        self, stretches: Iterable[Sequence[Take]], shares: Sequence[float], config: MotionFlowConfig, plan: Plan
    ) -> None:
        self.length = 1 + config.history + plan.rolls * config.block + TARGET_HORIZON + 2
        self.stretches = [takes for takes in stretches if len(takes[0].leader) > self.length]
        if not self.stretches:
            raise BadFile(f"training: takes of more than {self.length / FPS:.1f} s expected, none found")
        lengths = [len(takes[0].leader) - self.length for takes in self.stretches]
        self.places = [(n, f) for n, length in enumerate(lengths) for f in range(length)]
        self.plan, self.shares, self.start = plan, np.asarray(shares), 0
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
        who = rng.choice(len(self.shares), size=size, p=self.shares)
        sizes = torch.from_numpy(1.0 + self.plan.size * rng.uniform(-1.0, 1.0, size)).float()
        dances, leaders, bones, roles = [], [], [], []
        for (stretch, first), dancer in zip(chosen, who.tolist(), strict=True):
            take = self.stretches[stretch][dancer]
            dances.append(self.danced(take, first, rng))
            leaders.append(take.leader[first : first + self.length])
            bones.append(take.offsets)
            roles.append(take.role)
        parts = zip(*((dance.root, dance.rotations, dance.contacts) for dance in dances), strict=True)
        root, turned, contacts = map(torch.stack, parts)
        root, offsets = root * sizes[:, None, None], torch.stack(bones) * sizes[:, None, None]
        leader = torch.stack(leaders)
        if leader.dim() == 4:  # joints grow and shrink with the couple, music does not
            leader = leader * sizes[:, None, None, None]
        return Batch(root, turned, contacts, leader, offsets, torch.tensor(roles))

    def danced(self, take: Take, first: int, rng: np.random.Generator) -> PoseSequence:
        """The window of a take's dance that begins with the frame `first`."""
        return take.dance[slice(first, first + self.length)]


def duet_windows(duets: Sequence[Duet], config: MotionFlowConfig, plan: Plan) -> FlowWindows:
    """Windows of couples, in which either dancer is the partner beside the other. Raises BadFile."""
    return FlowWindows(_couples(duets, plan), (1.0 - _FOLLOWS, _FOLLOWS), config, plan)


def _couples(duets: Sequence[Duet], plan: Plan) -> Iterator[tuple[Take, Take]]:
    for duet in duets:
        for speed in plan.speeds:
            for leader, follower in copies((duet.leader, duet.follower), speed):
                yield (
                    Take(leader[0], follower[1], leader[2], role=0),
                    Take(follower[0], leader[1], follower[2], role=1),
                )


def dance_parts(motion: Motion) -> Parts:
    """A Motion as the network sees it."""
    world = rotations.to_matrix(kinematics.global_rotations(motion.rotations)[:, list(ROTATED_JOINTS)])
    contacts = foot_contacts(motion.positions, motion.fps)
    parts = (motion.root, world, contacts, motion.positions, motion.skeleton.offsets)
    root, turned, resting, joints, offsets = (torch.from_numpy(np.asarray(part)).float() for part in parts)
    return PoseSequence(root, turned, resting), joints, offsets


def copies(dancers: Sequence[Motion], speed: float) -> list[list[Parts]]:
    """Dancers at another speed, as they are and in the mirror."""
    paced = [resample(Motion(FPS * speed, m.skeleton, m.root, m.rotations), FPS) for m in dancers]
    return [[dance_parts(motion) for motion in motions] for motions in (paced, [mirror(motion) for motion in paced])]
