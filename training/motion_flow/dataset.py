"""Data set of a motion flow: random windows of dancers and their leaders, at several speeds and mirrored."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.motion_flow.conditions import TARGET_HORIZON, MotionFlowConfig
from backend.models.motion_flow.features import FPS, PoseSequence, motion_to_poses
from rigs import Array
from rigs.files import BadFile
from rigs.motion import Motion, mirror, resample


@dataclass(frozen=True)
class MotionFlowTrainingConfig:
    """Augmentation, loss weights and optimization of a motion flow's training; comments are in the TOML files.

    `key` is a setting's name in the TOML file where that is another one.
    """

    speeds: list[float]
    scale: float = field(metadata={"key": "size"})
    past_noise: float = field(metadata={"key": "noise"})
    perturb_past: float = field(metadata={"key": "nudged"})
    drop_leader: float = field(metadata={"key": "unheard"})
    drop_future: float = field(metadata={"key": "unforeseen"})
    target_pose: float = field(metadata={"key": "aimed"})
    energy_condition: float = field(metadata={"key": "stirred"})
    rollout_start: float = field(metadata={"key": "rolled_from"})
    rollout_probability: float = field(metadata={"key": "rolled"})
    rollout_blocks: int = field(metadata={"key": "rolls"})
    flow: float
    position: float
    velocity: float
    acceleration: float
    contact: float
    steps: int
    batch_size: int = field(metadata={"key": "batch"})
    learning_rate: float = field(metadata={"key": "rate"})
    gradient_clip: float = field(metadata={"key": "clip"})
    ema_decay: float = field(metadata={"key": "average"})
    seed: int


class DancerArrays(NamedTuple):
    """A dancer as numpy arrays: poses, joint positions (F, 29, 3) m, and bone offsets (29, 3) m."""

    poses: PoseSequence
    joints: Array
    offsets: Array


class DancerTensors(NamedTuple):
    """A dancer as tensors: poses, joint positions (F, 29, 3) m, and bone offsets (29, 3) m."""

    poses: PoseSequence
    joints: Tensor
    offsets: Tensor


class TrainingClip(NamedTuple):
    """A dancer with their leader: poses, leader (F, ...), the dancer's bone offsets (29, 3) m and role."""

    poses: PoseSequence
    leader: Tensor
    offsets: Tensor
    role: int


class MotionFlowBatch(NamedTuple):
    """Windows of B clips: the dancers' poses, bone offsets (B, 29, 3) m and roles (B,), and leaders (B, F, ...)."""

    root: Tensor
    rotations: Tensor
    contacts: Tensor
    leader: Tensor
    offsets: Tensor
    roles: Tensor

    @property
    def poses(self) -> PoseSequence:
        """The dancers' poses (B, F)."""
        return PoseSequence(self.root, self.rotations, self.contacts)


class MotionFlowWindows(IterableDataset[MotionFlowBatch]):
    """Batches of random windows, one a training step, the same for equal seed and step; `start` is the first step.

    clips: for each recording, equally long clips of the dancers who can be generated.  shares: (K,) the probability of
    each of these dancers.
    """

    def __init__(
        self,
        clips: Iterable[Sequence[TrainingClip]],
        shares: Sequence[float],
        network_config: MotionFlowConfig,
        config: MotionFlowTrainingConfig,
    ) -> None:
        self.length = 1 + network_config.history + config.rollout_blocks * network_config.block + TARGET_HORIZON + 2
        self.clips = [dancers for dancers in clips if len(dancers[0].leader) > self.length]
        if not self.clips:
            raise BadFile(f"training: takes of more than {self.length / FPS:.1f} s expected, none found")
        starts = [len(dancers[0].leader) - self.length for dancers in self.clips]
        self.window_starts = [(clip, frame) for clip, count in enumerate(starts) for frame in range(count)]
        self.config, self.shares, self.start = config, np.asarray(shares), 0
        self.steps_per_epoch = min(100, config.steps)

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[MotionFlowBatch]:
        for step in range(self.start, len(self)):
            yield self.batch(np.random.default_rng([self.config.seed, step]))

    def batch(self, rng: np.random.Generator) -> MotionFlowBatch:
        """Sample a batch of windows, each scaled as a whole at random."""
        size = self.config.batch_size
        starts = [self.window_starts[i] for i in rng.integers(len(self.window_starts), size=size)]
        dancers = rng.choice(len(self.shares), size=size, p=self.shares)
        scales = torch.from_numpy(1.0 + self.config.scale * rng.uniform(-1.0, 1.0, size)).float()
        poses, leaders, offsets, roles = [], [], [], []
        for (number, first), dancer in zip(starts, dancers.tolist(), strict=True):
            clip = self.clips[number][dancer]
            poses.append(self.window_poses(clip, first, rng))
            leaders.append(clip.leader[first : first + self.length])
            offsets.append(clip.offsets)
            roles.append(clip.role)
        root = torch.stack([window.root for window in poses]) * scales[:, None, None]
        rotations = torch.stack([window.rotations for window in poses])
        contacts = torch.stack([window.contacts for window in poses])
        leader = torch.stack(leaders)
        if leader.dim() == 4:  # a leader's joints are scaled with the couple, music is not
            leader = leader * scales[:, None, None, None]
        scaled_offsets = torch.stack(offsets) * scales[:, None, None]
        return MotionFlowBatch(root, rotations, contacts, leader, scaled_offsets, torch.tensor(roles))

    def window_poses(self, clip: TrainingClip, first: int, rng: np.random.Generator) -> PoseSequence:
        """Poses of the window of a clip that begins with the frame `first`."""
        return clip.poses[first : first + self.length]


def dancer_arrays(motion: Motion) -> DancerArrays:
    """Convert a Motion to arrays in float32."""
    joints, offsets = (np.asarray(part, np.float32) for part in (motion.positions, motion.skeleton.offsets))
    return DancerArrays(motion_to_poses(motion), joints, offsets)


def dancer_tensors(motion: Motion) -> DancerTensors:
    """Convert a Motion to tensors."""
    poses, joints, offsets = dancer_arrays(motion)
    return DancerTensors(poses.map(torch.from_numpy), torch.from_numpy(joints), torch.from_numpy(offsets))


def augmented_copies(dancers: Sequence[Motion], speed: float) -> list[list[DancerTensors]]:
    """Dancers at another speed, as they are and mirrored."""
    resampled = [resample(Motion(FPS * speed, m.skeleton, m.root, m.rotations), FPS) for m in dancers]
    mirrored = [mirror(motion) for motion in resampled]
    return [[dancer_tensors(motion) for motion in motions] for motions in (resampled, mirrored)]
