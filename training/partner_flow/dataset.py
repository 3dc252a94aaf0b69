"""partner-flow's data set: windows of couples, in which either dancer is generated beside the other."""

from collections.abc import Iterator, Sequence

from backend.models.motion_flow.conditions import MotionFlowConfig
from training.data.duets import Duet
from training.motion_flow.dataset import MotionFlowTrainingConfig, MotionFlowWindows, TrainingClip, augmented_copies

_FOLLOWER_SHARE = 0.65
"""Share of the windows in which the follower is generated; in the others it is the leader."""


def duet_windows(
    duets: Sequence[Duet], network_config: MotionFlowConfig, config: MotionFlowTrainingConfig
) -> MotionFlowWindows:
    """Windows of couples for training. Raises BadFile where no take is long enough."""
    shares = (1.0 - _FOLLOWER_SHARE, _FOLLOWER_SHARE)
    return MotionFlowWindows(_couple_clips(duets, config), shares, network_config, config)


def _couple_clips(
    duets: Sequence[Duet], config: MotionFlowTrainingConfig
) -> Iterator[tuple[TrainingClip, TrainingClip]]:
    for duet in duets:
        for speed in config.speeds:
            for leader, follower in augmented_copies((duet.leader, duet.follower), speed):
                yield (
                    TrainingClip(leader.poses, follower.joints, leader.offsets, role=0),
                    TrainingClip(follower.poses, leader.joints, follower.offsets, role=1),
                )
