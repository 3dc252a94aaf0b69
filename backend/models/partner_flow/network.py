"""The partner flow: the flow network that dances beside another dancer, whose joints it sees."""

import torch
from torch import Tensor

from backend.models.motion_flow.features import LEADER_DIM, FloorFrame, PoseSequence, joint_features
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, MotionFlowConfig
from rigs.easing import smoothstep

NAME = "partner-flow"
_MIN_PELVIS_DISTANCE = 0.32
"""m between two pelvises below which the partner gives way."""
_MIN_SIDESTEP_FRAMES = 5
"""Frames, at least, in which it does."""


class PartnerFlow(MotionFlow):
    """See `FlowNetwork`. Ways to begin are as seen from the other dancer, whose poses then are `stances`.

    stances: (2, N, 29, 3) m, from where that dancer stands.  The leader's frames: (..., 29, 3) m, joints in the world.
    """

    name = NAME
    leader_dim = LEADER_DIM

    initial_leader_poses: Tensor

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.register_buffer("initial_leader_poses", torch.zeros(2, INITIAL_PASTS, 29, 3))

    def leader_features(self, place: FloorFrame, leader: Tensor) -> Tensor:
        """See `FlowNetwork.leader_features`."""
        return joint_features(leader, place)

    def keep_distance(self, made: PoseSequence, leader: Tensor) -> PoseSequence:
        """The block brought aside until its pelvis, where it comes nearest to the leader's, has room.

        It goes aside as one movement, so that who would walk through the leader is led past on one side, not thrown.
        """
        away = (made.root - leader[:, 0])[..., :2]
        least, nearest = away.norm(dim=-1).min(dim=-1)
        side = away[torch.arange(len(away), device=away.device), nearest] / least.clamp_min(1e-3)[:, None]
        frames = torch.arange(1, away.shape[1] + 1).to(away)
        t = (frames / (nearest[:, None] + 1).clamp_min(_MIN_SIDESTEP_FRAMES)).clamp(max=1.0)
        aside = ((_MIN_PELVIS_DISTANCE - least).clamp_min(0.0)[:, None] * side)[:, None] * smoothstep(t)[..., None]
        return PoseSequence(made.root + torch.nn.functional.pad(aside, (0, 1)), made.rotations, made.contacts)
