"""partner-flow's network: the motion flow whose leader is another dancer, given by joint positions."""

import torch
from torch import Tensor, nn

from backend.models.motion_flow.features import JOINTS_DIM, FloorFrame, PoseSequence, joint_features
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, MotionFlowConfig
from rigs.easing import smoothstep

NAME = "partner-flow"
_MIN_PELVIS_DISTANCE = 0.32
"""m between the two pelvises below which the partner steps aside."""
_MIN_SIDESTEP_FRAMES = 5
"""Frames that stepping aside takes at least."""


class PartnerFlow(MotionFlow):
    """Motion flow beside a dancer, whose frames are joint positions (..., 29, 3) m in the world.

    `initial_pasts` are in the leader's floor frame; `initial_leader_poses` (2, N, 29, 3) m are the leader's poses at
    their last frames, in the same floor frame.
    """

    name = NAME
    leader_dim = JOINTS_DIM

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.initial_leader_poses = nn.Buffer(torch.zeros(2, INITIAL_PASTS, 29, 3))

    def leader_features(self, frame: FloorFrame, leader: Tensor) -> Tensor:
        """Joint positions and velocities of the leader, see `MotionFlow.leader_features`."""
        return joint_features(leader, frame)

    def keep_distance(self, block: PoseSequence, leader: Tensor) -> PoseSequence:
        """Move a block aside until the pelvises, where they come closest, keep their least distance.

        The block moves in one direction, so that a partner who crosses the leader's path passes on one side.
        """
        offset = (block.root - leader[:, 0])[..., :2]
        distance, closest = offset.norm(dim=-1).min(dim=-1)
        direction = offset[torch.arange(len(offset), device=offset.device), closest] / distance.clamp_min(1e-3)[:, None]
        frames = torch.arange(1, offset.shape[1] + 1).to(offset)
        share = smoothstep(frames / (closest[:, None] + 1).clamp_min(_MIN_SIDESTEP_FRAMES))
        sidestep = ((_MIN_PELVIS_DISTANCE - distance).clamp_min(0.0)[:, None] * direction)[:, None] * share[..., None]
        return PoseSequence(block.root + nn.functional.pad(sidestep, (0, 1)), block.rotations, block.contacts)
