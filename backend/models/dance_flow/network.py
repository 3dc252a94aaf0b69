"""dance-flow's network: the motion flow whose leader is music."""

import torch
from torch import Tensor, nn

from backend.models.motion_flow.features import FloorFrame, PoseSequence
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, MotionFlowConfig
from backend.music.music_features import MUSIC_DIM

NAME = "dance-flow"
_HOME_DIM = 2
_FEATURE_LIMIT = 4.0
"""Standard deviations at which features of the music are clamped."""


class DanceFlow(MotionFlow):
    """Motion flow to music, whose frames (..., MUSIC_DIM + 2) are music features and the home position in m.

    Music features: see `backend.music.music_features`. Home is the middle of the floor that is danced on; it
    keeps a dancer from wandering off. `initial_pasts` are in their own floor frames, each with its count in the music's
    phrase: `initial_counts` (2, N). `rhythm` (4, 2): real and imaginary parts of the rhythm of real dancers, see
    `rigs.choreography.beat_alignment`.
    """

    name = NAME
    leader_dim = MUSIC_DIM + _HOME_DIM

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.initial_counts = nn.Buffer(torch.zeros(2, INITIAL_PASTS))
        self.rhythm = nn.Buffer(torch.zeros(4, 2))

    def features(self, past: PoseSequence, offsets: Tensor, leader: Tensor, frame: FloorFrame) -> tuple[Tensor, Tensor]:
        """Normalized input features, see `MotionFlow.features`; the music's are clamped.

        Whole songs have louder and quieter passages than the windows of the training data.
        """
        past_features, music = super().features(past, offsets, leader, frame)
        return past_features, music.clamp(-_FEATURE_LIMIT, _FEATURE_LIMIT)

    def leader_features(self, frame: FloorFrame, leader: Tensor) -> Tensor:
        """Music features and home in the floor frame, see `MotionFlow.leader_features`."""
        music, home = leader[..., 1:, :MUSIC_DIM], leader[..., 1:, MUSIC_DIM:]
        home = frame.to_local(nn.functional.pad(home, (0, 1)))
        return torch.cat([music, home[..., :_HOME_DIM]], dim=-1)


def music_leader(music: Tensor, home: Tensor) -> Tensor:
    """Leader (F, MUSIC_DIM + 2) of a dance to music features (F, MUSIC_DIM) around a home position (2,) m."""
    return torch.cat([music, home.expand(len(music), _HOME_DIM)], dim=-1)
