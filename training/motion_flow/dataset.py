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

DancerTensors = tuple[PoseSequence, Tensor, Tensor]
"""A dancer as the network sees them: the dance, the joints (F, 29, 3) m, the bones (29, 3) m."""

_FOLLOWER_SHARE = 0.65
"""The part of the windows in which the follower is the partner; in the others it is the leader."""


@dataclass(frozen=True)
class MotionFlowTrainingConfig:
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


class TrainingClip(NamedTuple):
    """One dancer with what leads it: the dance, the leader (F, ...), the dancer's bones (29, 3) m, and its role."""

    dance: PoseSequence
    leader: Tensor
    offsets: Tensor
    role: int


class MotionFlowBatch(NamedTuple):
    """Windows of B takes: the partner's dance, what leads it (B, F, ...), bones and roles of the partner."""

    root: Tensor
    rotations: Tensor
    contacts: Tensor
    leader: Tensor
    offsets: Tensor
    roles: Tensor

    @property
    def poses(self) -> PoseSequence:
        """How the partner moves."""
        return PoseSequence(self.root, self.rotations, self.contacts)


class MotionFlowWindows(IterableDataset[MotionFlowBatch]):
    """Batches of windows, one a training step, the same for equal seed and step. `start` is the step to begin with.

    stretches: of each the dancers that may be the partner, equally long, each as often as `shares` (K,) says.
    """

    def __init__(
        self,
        stretches: Iterable[Sequence[TrainingClip]],
        shares: Sequence[float],
        config: MotionFlowConfig,
        plan: MotionFlowTrainingConfig,
    ) -> None:
        self.length = 1 + config.history + plan.rolls * config.block + TARGET_HORIZON + 2
        self.clips = [takes for takes in stretches if len(takes[0].leader) > self.length]
        if not self.clips:
            raise BadFile(f"training: takes of more than {self.length / FPS:.1f} s expected, none found")
        lengths = [len(takes[0].leader) - self.length for takes in self.clips]
        self.window_starts = [(n, f) for n, length in enumerate(lengths) for f in range(length)]
        self.config, self.shares, self.start = plan, np.asarray(shares), 0
        self.steps_per_epoch = min(100, plan.steps)

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[MotionFlowBatch]:
        for step in range(self.start, len(self)):
            yield self.batch(np.random.default_rng([self.config.seed, step]))

    def batch(self, rng: np.random.Generator) -> MotionFlowBatch:
        """Windows drawn at random."""
        size = self.config.batch
        chosen = [self.window_starts[i] for i in rng.integers(len(self.window_starts), size=size)]
        who = rng.choice(len(self.shares), size=size, p=self.shares)
        sizes = torch.from_numpy(1.0 + self.config.size * rng.uniform(-1.0, 1.0, size)).float()
        dances, leaders, bones, roles = [], [], [], []
        for (stretch, first), dancer in zip(chosen, who.tolist(), strict=True):
            take = self.clips[stretch][dancer]
            dances.append(self.window_poses(take, first, rng))
            leaders.append(take.leader[first : first + self.length])
            bones.append(take.offsets)
            roles.append(take.role)
        parts = zip(*((dance.root, dance.rotations, dance.contacts) for dance in dances), strict=True)
        root, turned, contacts = map(torch.stack, parts)
        root, offsets = root * sizes[:, None, None], torch.stack(bones) * sizes[:, None, None]
        leader = torch.stack(leaders)
        if leader.dim() == 4:  # joints grow and shrink with the couple, music does not
            leader = leader * sizes[:, None, None, None]
        return MotionFlowBatch(root, turned, contacts, leader, offsets, torch.tensor(roles))

    def window_poses(self, take: TrainingClip, first: int, rng: np.random.Generator) -> PoseSequence:
        """The window of a take's dance that begins with the frame `first`."""
        return take.dance[slice(first, first + self.length)]


def duet_windows(duets: Sequence[Duet], config: MotionFlowConfig, plan: MotionFlowTrainingConfig) -> MotionFlowWindows:
    """Windows of couples, in which either dancer is the partner beside the other. Raises BadFile."""
    return MotionFlowWindows(_couples(duets, plan), (1.0 - _FOLLOWER_SHARE, _FOLLOWER_SHARE), config, plan)


def _couples(duets: Sequence[Duet], plan: MotionFlowTrainingConfig) -> Iterator[tuple[TrainingClip, TrainingClip]]:
    for duet in duets:
        for speed in plan.speeds:
            for leader, follower in augmented_copies((duet.leader, duet.follower), speed):
                yield (
                    TrainingClip(leader[0], follower[1], leader[2], role=0),
                    TrainingClip(follower[0], leader[1], follower[2], role=1),
                )


def dancer_tensors(motion: Motion) -> DancerTensors:
    """A Motion as the network sees it."""
    world = rotations.to_matrix(kinematics.global_rotations(motion.rotations)[:, list(ROTATED_JOINTS)])
    contacts = foot_contacts(motion.positions, motion.fps)
    parts = (motion.root, world, contacts, motion.positions, motion.skeleton.offsets)
    root, turned, resting, joints, offsets = (torch.from_numpy(np.asarray(part)).float() for part in parts)
    return PoseSequence(root, turned, resting), joints, offsets


def augmented_copies(dancers: Sequence[Motion], speed: float) -> list[list[DancerTensors]]:
    """Dancers at another speed, as they are and in the mirror."""
    paced = [resample(Motion(FPS * speed, m.skeleton, m.root, m.rotations), FPS) for m in dancers]
    return [[dancer_tensors(motion) for motion in motions] for motions in (paced, [mirror(motion) for motion in paced])]
