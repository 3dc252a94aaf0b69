"""dance-flow's data set: dances with the music of their pairs, in some windows off the beat at first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from backend.models.dance_flow.conditions import music_leader
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.motion_flow.features import FPS, PoseSequence, orthonormalize
from backend.music.music_features import music_features
from backend.music.score import Score
from rigs import Array
from rigs.easing import smoothstep
from training.data.music_pairs import Pair
from training.motion_flow.dataset import MotionFlowTrainingConfig, MotionFlowWindows, TrainingClip, augmented_copies

_RECOVERY_FRAMES = (16, 40)
"""Least and most frames in which a dancer off the beat returns to it."""


@dataclass(frozen=True)
class DanceFlowTrainingConfig(MotionFlowTrainingConfig):
    """Settings of `configs/dance-flow.toml`: those of every motion flow, and of pasts off the beat.

    off_beat: probability of such a past.  max_delay: s by which it is early or late, at most.
    """

    off_beat: float = field(metadata={"key": "beside"})
    max_delay: float = field(metadata={"key": "late"})


class DanceFlowWindows(MotionFlowWindows):
    """Windows of dances to music, some with a past that is early or late and returns to the beat.

    If all pasts were on the beat, the network could continue them without attending to the music.
    """

    config: DanceFlowTrainingConfig

    def __init__(
        self, pairs: Sequence[Pair], network_config: MotionFlowConfig, config: DanceFlowTrainingConfig
    ) -> None:
        super().__init__(_music_clips(pairs, config), (1.0,), network_config, config)
        self.history = network_config.history

    def window_poses(self, clip: TrainingClip, first: int, rng: np.random.Generator) -> PoseSequence:
        """Poses of a window, in some time-warped to be off the beat at first; see `MotionFlowWindows`."""
        delay = FPS * rng.uniform(-self.config.max_delay, self.config.max_delay)
        begin = rng.uniform(self.history / 3, self.history + 8)
        recovery = rng.uniform(*_RECOVERY_FRAMES)
        if rng.random() >= self.config.off_beat:
            return super().window_poses(clip, first, rng)
        frames = torch.arange(self.length, dtype=torch.float32)
        warped = first + frames + delay * (1.0 - smoothstep((frames - begin) / recovery))
        return interpolate_poses(clip.poses, warped)


def interpolate_poses(poses: PoseSequence, frames: Tensor) -> PoseSequence:
    """Interpolate poses (F) at fractional frames (N,), clamped to the first and the last."""
    frames = frames.clamp(0, len(poses.root) - 1)
    before = frames.floor().long().clamp(max=len(poses.root) - 2)
    fraction = frames - before

    def lerp(rows: Tensor) -> Tensor:
        return rows[before] + fraction.reshape(-1, *[1] * (rows.dim() - 1)) * (rows[before + 1] - rows[before])

    return PoseSequence(lerp(poses.root), orthonormalize(lerp(poses.rotations)), lerp(poses.contacts))


def score_leader(score: Score, frames: int, home: Array) -> Array:
    """Leader (F, MUSIC_DIM + 2) of a dance of so many frames to a score, around a home position (2,) m."""
    return np.asarray(music_leader(music_features(score, frames, FPS), home))


def role_of(pair: Pair) -> int:
    """Role of a pair's dancer: 1 for a follower, by the pair's name, 0 for any other."""
    return int("follower" in pair.name)


def _music_clips(pairs: Sequence[Pair], config: MotionFlowTrainingConfig) -> Iterator[tuple[TrainingClip]]:
    for pair in pairs:
        for speed in config.speeds:
            score = replace(pair.score, seconds=pair.score.seconds / speed)
            for (dancer,) in augmented_copies((pair.dancer,), speed):
                root = dancer.poses.root
                leader = torch.from_numpy(score_leader(score, len(root), root[:, :2].mean(dim=0).numpy()))
                yield (TrainingClip(dancer.poses, leader, dancer.offsets, role_of(pair)),)
