"""The dance flow: the flow network that dances alone to music, which it hears.

A frame of its leader is what is heard in it (`backend.music.music_features`) and where home is: the middle of the
floor it dances on, so that it does not wander off.
"""

import torch
from torch import Tensor

from backend.models.motion_flow.features import FloorFrame, PoseSequence
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, MotionFlowConfig
from backend.music.music_features import MUSIC_DIM

NAME = "dance-flow"
_HOME_DIM = 2
_FEATURE_LIMIT = 4.0
"""Deviations from the mean beyond which nothing is heard."""


class DanceFlow(MotionFlow):
    """See `FlowNetwork`. Ways to begin are as seen from where the dancer stands; `counts` (2, N) tells in which count.

    rhythm: (4, 2) the real and imaginary parts of how dancers keep to the music, see
    `rigs.choreography.beat_alignment`.

    The leader's frames are (..., HEARD + 2), what is heard, and the place of home on the floor in m.
    """

    name = NAME
    leader_dim = MUSIC_DIM + _HOME_DIM

    initial_counts: Tensor
    rhythm: Tensor

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.register_buffer("initial_counts", torch.zeros(2, INITIAL_PASTS))
        self.register_buffer("rhythm", torch.zeros(4, 2))

    def features(self, past: PoseSequence, offsets: Tensor, leader: Tensor, place: FloorFrame) -> tuple[Tensor, Tensor]:
        """See `FlowNetwork.features`. Whole songs swell and rest more than the stretches learnt from: that is bounded."""
        own, led = super().features(past, offsets, leader, place)
        return own, led.clamp(-_FEATURE_LIMIT, _FEATURE_LIMIT)

    def leader_features(self, place: FloorFrame, leader: Tensor) -> Tensor:
        """See `FlowNetwork.leader_features`."""
        heard, home = leader[..., 1:, :MUSIC_DIM], leader[..., 1:, MUSIC_DIM:]
        seen = place.to_local(torch.nn.functional.pad(home, (0, 1)))
        return torch.cat([heard, seen[..., :_HOME_DIM]], dim=-1)


def music_leader(hearing: Tensor, home: Tensor) -> Tensor:
    """The leader (F, HEARD + 2) of a dance to what is heard (F, HEARD), at home (2,) m on the floor."""
    return torch.cat([hearing, home.expand(len(hearing), _HOME_DIM)], dim=-1)
