"""Shape of a motion flow, and the conditions that it is given, as normalized arrays.

Written against the array API standard: numpy arrays in inference, torch tensors in training.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from backend.models.common.array_api import AnyArray, array_namespace
from backend.models.common.energy import normalized_energy
from backend.models.common.time_embedding import TIME_DIM, time_embedding
from backend.models.motion_flow.features import PARTNER_DIM, FloorFrame, PoseSequence, partner_features
from backend.models.motion_flow.legacy_names import LEGACY_CONFIG

TARGET_HORIZON = 40
"""Largest number of frames from a block's first frame to a target pose in training."""
MAX_LOG_FREQUENCY = 6.0
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
        """Frames of the leader that `MotionFlowConditions.features` takes for a block that begins at `first`."""
        return slice(first - 1 - self.before * self.block, first + (1 + self.after) * self.block)


class MotionCondition(NamedTuple):
    """Condition of B blocks to be sampled: inputs of the network.

    past: (B, history, PAST_DIM).  leader: (B, leader_blocks * block, leader_dim).  role: (B,) 0 where the dancer leads,
    1 where they follow.  leader_mask: (B, leader_blocks) bool, False where a block of the leader is replaced by the
    null condition.  target: (B, TARGET_DIM) the target pose, 0 where there is none.  energy: (B, 2) see
    `MotionFlowConditions.energy_condition`, 0 where it is not given.
    """

    past: AnyArray
    leader: AnyArray
    role: AnyArray
    leader_mask: AnyArray
    target: AnyArray
    energy: AnyArray


class MotionFlowConditions(ABC):
    """The conditions of a motion flow, from poses and a leader, and the statistics by which they are normalized.

    Base of the torch network and of the one that runs without torch. partner_mean, partner_scale: (PAST_DIM,).
    leader_mean, leader_scale: (leader_dim,).  energy_stats: (2,) mean and standard deviation of a block's log speed.
    """

    config: MotionFlowConfig
    partner_mean: AnyArray
    partner_scale: AnyArray
    leader_mean: AnyArray
    leader_scale: AnyArray
    energy_stats: AnyArray
    leader_dim: ClassVar[int]
    """Features per frame of the leader."""

    @abstractmethod
    def predict(self, noisy: AnyArray, t: AnyArray, condition: MotionCondition) -> AnyArray:
        """Predict the clean block (B, block, PARTNER_DIM) behind `noisy` of that shape at flow times `t` (B,)."""

    @abstractmethod
    def leader_features(self, frame: FloorFrame, leader: AnyArray) -> AnyArray:
        """Features (B, F - 1, leader_dim) of the leader (B, F, ...) in a floor frame."""

    def keep_distance(self, block: PoseSequence, leader: AnyArray) -> PoseSequence:
        """Move a block (B, F) out of the way of its leader (F, ...); by default it stays."""
        return block

    def features(
        self, past: PoseSequence, offsets: AnyArray, leader: AnyArray, frame: FloorFrame
    ) -> tuple[AnyArray, AnyArray]:
        """Normalized input features in a floor frame: the past (B, history, PAST_DIM), and the leader.

        offsets: (..., 29, 3) m.  leader: (B, 1 + leader_blocks * block, ...) as `leader_features` takes it, from one
        frame before its first block.
        """
        xp = array_namespace(past.root)
        joints = past.joint_positions(offsets)
        points = frame.to_local(xp.reshape(joints, (*joints.shape[:-3], -1, 3)))
        past_features = xp.concat(
            [partner_features(past, frame), xp.reshape(points, (*past.root.shape[:-1], 3 * 29))], axis=-1
        )
        leader = self.leader_features(frame, leader)
        return (past_features - self.partner_mean) / self.partner_scale, (leader - self.leader_mean) / self.leader_scale

    def normalize(self, poses: PoseSequence, frame: FloorFrame) -> AnyArray:
        """Normalized features (B, F, PARTNER_DIM) of poses in a floor frame."""
        features = partner_features(poses, frame)
        return (features - self.partner_mean[:PARTNER_DIM]) / self.partner_scale[:PARTNER_DIM]

    def denormalize(self, features: AnyArray) -> AnyArray:
        """Invert the normalization of `normalize`: (B, F, PARTNER_DIM)."""
        return features * self.partner_scale[:PARTNER_DIM] + self.partner_mean[:PARTNER_DIM]

    def target_features(self, poses: AnyArray, frames: AnyArray, has_velocity: AnyArray, present: AnyArray) -> AnyArray:
        """Encode target poses as the network's condition: (B, TARGET_DIM).

        poses: (B, 2, PARTNER_DIM), normalized, the pose and the one a frame later.  frames: (B,) counted from the
        block's first.  has_velocity: (B,) bool, whether the later pose counts.  present: (B,) bool, False for none.
        """
        xp = array_namespace(poses)
        flags = xp.stack([xp.astype(flag, poses.dtype) for flag in (has_velocity, present)], axis=1)
        velocity = self.config.block * (poses[:, 1] - poses[:, 0]) * flags[:, :1]
        time = time_embedding(frames / TARGET_HORIZON, MAX_LOG_FREQUENCY)
        return xp.concat([poses[:, 0], velocity, time, flags], axis=1) * flags[:, 1:]

    def energy_condition(self, speed: AnyArray) -> AnyArray:
        """Energy condition (B, 2), normalized log speed and 1, of blocks whose joints move at mean speeds (B,) m/s."""
        return normalized_energy(speed, self.energy_stats)
