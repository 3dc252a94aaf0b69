"""The conditions of dance-flow: a motion flow whose leader is music."""

from backend.models.common.array_api import AnyArray, array_namespace
from backend.models.motion_flow.conditions import MotionFlowConditions
from backend.models.motion_flow.features import FloorFrame, PoseSequence
from backend.music.music_features import MUSIC_DIM

NAME = "dance-flow"
_HOME_DIM = 2
_FEATURE_LIMIT = 4.0
"""Standard deviations at which features of the music are clamped."""


class DanceFlowConditions(MotionFlowConditions):
    """Conditions to music, whose frames (..., MUSIC_DIM + 2) are music features and the home position in m.

    Music features: see `backend.music.music_features`. Home is the middle of the floor that is danced on; it keeps a
    dancer from wandering off.
    """

    leader_dim = MUSIC_DIM + _HOME_DIM

    def features(
        self, past: PoseSequence, offsets: AnyArray, leader: AnyArray, frame: FloorFrame
    ) -> tuple[AnyArray, AnyArray]:
        """Normalized input features, see `MotionFlowConditions.features`; the music's are clamped.

        Whole songs have louder and quieter passages than the windows of the training data.
        """
        past_features, music = super().features(past, offsets, leader, frame)
        return past_features, array_namespace(music).clip(music, -_FEATURE_LIMIT, _FEATURE_LIMIT)

    def leader_features(self, frame: FloorFrame, leader: AnyArray) -> AnyArray:
        """Music features and home in the floor frame, see `MotionFlowConditions.leader_features`."""
        xp = array_namespace(leader)
        music, home = leader[..., 1:, :MUSIC_DIM], leader[..., 1:, MUSIC_DIM:]
        home = frame.to_local(xp.concat([home, xp.zeros_like(home[..., :1])], axis=-1))
        return xp.concat([music, home[..., :_HOME_DIM]], axis=-1)


def music_leader(music: AnyArray, home: AnyArray) -> AnyArray:
    """Leader (F, MUSIC_DIM + 2) of a dance to music features (F, MUSIC_DIM) around a home position (2,) m."""
    xp = array_namespace(music)
    return xp.concat([music, xp.broadcast_to(home, (len(music), _HOME_DIM))], axis=-1)
