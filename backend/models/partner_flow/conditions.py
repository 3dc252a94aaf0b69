"""The conditions of partner-flow: a motion flow whose leader is another dancer, given by joint positions."""

from backend.models.common.array_api import AnyArray, array_namespace, constant_like
from backend.models.motion_flow.conditions import MotionFlowConditions
from backend.models.motion_flow.features import JOINTS_DIM, FloorFrame, PoseSequence, joint_features
from rigs.easing import smoothstep

NAME = "partner-flow"
_MIN_PELVIS_DISTANCE = 0.32
"""m between the two pelvises below which the partner steps aside."""
_MIN_SIDESTEP_FRAMES = 5
"""Frames that stepping aside takes at least."""


class PartnerFlowConditions(MotionFlowConditions):
    """Conditions beside a dancer, whose frames are joint positions (..., 29, 3) m in the world."""

    leader_dim = JOINTS_DIM

    def leader_features(self, frame: FloorFrame, leader: AnyArray) -> AnyArray:
        """Joint positions and velocities of the leader, see `MotionFlowConditions.leader_features`."""
        return joint_features(leader, frame)

    def keep_distance(self, block: PoseSequence, leader: AnyArray) -> PoseSequence:
        """Move a block aside until the pelvises, where they come closest, keep their least distance.

        The block moves in one direction, so that a partner who crosses the leader's path passes on one side.
        """
        xp = array_namespace(block.root)
        offset = (block.root - leader[:, 0])[..., :2]
        distances = xp.linalg.vector_norm(offset, axis=-1)
        closest = xp.argmin(distances, axis=-1)
        distance = xp.min(distances, axis=-1, keepdims=True)
        nearest = xp.take_along_axis(offset, closest[:, None, None], axis=1)[:, 0]
        direction = nearest / xp.clip(distance, 1e-3, None)
        frames = constant_like(range(1, offset.shape[1] + 1), offset)
        least = xp.clip(xp.astype(closest[:, None] + 1, offset.dtype), float(_MIN_SIDESTEP_FRAMES), None)
        share = smoothstep(frames / least)[..., None]
        sidestep = (xp.clip(_MIN_PELVIS_DISTANCE - distance, 0.0, None) * direction)[:, None] * share
        return PoseSequence(
            block.root + xp.concat([sidestep, xp.zeros_like(sidestep[..., :1])], axis=-1),
            block.rotations,
            block.contacts,
        )
