"""What the dance flow trains on: dances with the music that they are paired with, at times a little beside its beat."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from backend.models.dance_flow.network import music_leader
from backend.models.motion_flow.features import FPS, PoseSequence, orthonormalize
from backend.models.motion_flow.network import MotionFlowConfig
from backend.music.music_features import music_features
from backend.music.score import Score
from rigs.easing import smoothstep
from training.data.music_pairs import Pair
from training.motion_flow.dataset import MotionFlowTrainingConfig, MotionFlowWindows, TrainingClip, augmented_copies

_RECOVERY_FRAMES = (16, 40)
"""Frames in which a dancer who is late, or early, is in time again."""


@dataclass(frozen=True)
class DanceFlowTrainingConfig(MotionFlowTrainingConfig):
    """What `configs/dance-flow.toml` says beyond every flow network's plan.

    beside: probability that a past is beside the beat.  late: s by which it is, at most, before the beat or behind it.
    """

    beside: float
    late: float


class DanceFlowWindows(MotionFlowWindows):
    """See `FlowWindows`. In some windows the past is late or early, and the dancer hurries or waits until in time.

    Where the past always was in time, the next frames could be told from it alone, and the music need not be heard.
    """

    plan: DanceFlowTrainingConfig

    def __init__(self, pairs: Sequence[Pair], config: MotionFlowConfig, plan: DanceFlowTrainingConfig) -> None:
        super().__init__(_training_clips(pairs, plan), (1.0,), config, plan)
        self.history = config.history

    def danced(self, take: TrainingClip, first: int, rng: np.random.Generator) -> PoseSequence:
        """See `FlowWindows.danced`."""
        late = FPS * rng.uniform(-self.plan.late, self.plan.late)
        begins = rng.uniform(self.history / 3, self.history + 8)
        takes = rng.uniform(*_RECOVERY_FRAMES)
        if rng.random() >= self.plan.beside:
            return super().window_poses(take, first, rng)
        frames = torch.arange(self.length, dtype=torch.float32)
        t = ((frames - begins) / takes).clamp(0.0, 1.0)
        at = first + frames + late * (1.0 - smoothstep(t))
        return interpolate_poses(take.dance, at)


def interpolate_poses(dance: PoseSequence, at: Tensor) -> PoseSequence:
    """A dance (F) at frames (N,) that may lie between two, the first and the last held."""
    at = at.clamp(0, len(dance.root) - 1)
    before = at.floor().long().clamp(max=len(dance.root) - 2)
    part = at - before

    def between(rows: Tensor) -> Tensor:
        share = part.reshape(-1, *[1] * (rows.dim() - 1))
        return rows[before] + share * (rows[before + 1] - rows[before])

    return PoseSequence(between(dance.root), orthonormalize(between(dance.rotations)), between(dance.contacts))


def score_leader(score: Score, frames: int, home: Tensor) -> Tensor:
    """What leads a dance of so many frames to a score (F, HEARD + 2)."""
    return music_leader(torch.from_numpy(music_features(score, frames, FPS)), home)


def role_of(pair: Pair) -> int:
    """1 for a dancer who follows, by the pair's name, 0 for any other."""
    return int("follower" in pair.name)


def _training_clips(pairs: Sequence[Pair], plan: MotionFlowTrainingConfig) -> Iterator[tuple[TrainingClip]]:
    for pair in pairs:
        for speed in plan.speeds:
            score = replace(pair.score, seconds=pair.score.seconds / speed)
            for ((dance, _, offsets),) in augmented_copies((pair.dancer,), speed):
                leader = score_leader(score, len(dance.root), dance.root[:, :2].mean(dim=0))
                yield (TrainingClip(dance, leader, offsets, role_of(pair)),)
