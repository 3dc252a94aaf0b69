"""The partner flow: the flow network that dances beside another dancer, whose joints it sees."""

from pathlib import Path

import torch
from torch import Tensor

from backend.models.motion_flow.features import LEADER, Dance, Place, leader_features
from backend.models.motion_flow.network import STARTS, FlowConfig, FlowNetwork
from rigs.easing import smoothstep

NAME = "partner-flow"
_APART = 0.32
"""m between two pelvises below which the partner gives way."""
_SWIFTEST = 5
"""Frames, at least, in which it does."""


class PartnerFlow(FlowNetwork):
    """See `FlowNetwork`. Ways to begin are as seen from the other dancer, whose poses then are `stances`.

    stances: (2, N, 29, 3) m, from where that dancer stands.  The leader's frames: (..., 29, 3) m, joints in the world.
    """

    name = NAME
    led = LEADER

    stances: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self.register_buffer("stances", torch.zeros(2, STARTS, 29, 3))

    def seen_from(self, place: Place, leader: Tensor) -> Tensor:
        """See `FlowNetwork.seen_from`."""
        return leader_features(leader, place)

    def given_room(self, made: Dance, leader: Tensor) -> Dance:
        """The block brought aside until its pelvis, where it comes nearest to the leader's, has room.

        It goes aside as one movement, so that who would walk through the leader is led past on one side, not thrown.
        """
        away = (made.root - leader[:, 0])[..., :2]
        least, nearest = away.norm(dim=-1).min(dim=-1)
        side = away[torch.arange(len(away), device=away.device), nearest] / least.clamp_min(1e-3)[:, None]
        frames = torch.arange(1, away.shape[1] + 1).to(away)
        t = (frames / (nearest[:, None] + 1).clamp_min(_SWIFTEST)).clamp(max=1.0)
        aside = ((_APART - least).clamp_min(0.0)[:, None] * side)[:, None] * smoothstep(t)[..., None]
        return Dance(made.root + torch.nn.functional.pad(aside, (0, 1)), made.turned, made.contacts)


def load(path: Path) -> PartnerFlow:
    """Read the weights, ready to dance. Raises ValueError for those of another model."""
    return PartnerFlow.load(path)
