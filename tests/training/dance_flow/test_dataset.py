"""Windows of dances to music: off the beat as often as configured, at several speeds, and with their music."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.features import PoseSequence
from backend.music.music_features import MUSIC_DIM, phrase_counts
from rigs.files import BadFile
from tests.backend.models.small_networks import SMALL
from tests.training.choreo_bridge.pairs import dancer, pairs, song
from tests.training.dance_flow.small_training import small_config
from training.dance_flow.dataset import (
    DanceFlowTrainingConfig,
    DanceFlowWindows,
    interpolate_poses,
    role_of,
    score_leader,
)
from training.motion_flow.dataset import TrainingClip, dancer_tensors

FPS = 30.0


@pytest.fixture(scope="module")
def config() -> DanceFlowTrainingConfig:
    return small_config()


@pytest.fixture(scope="module")
def windows(config: DanceFlowTrainingConfig) -> DanceFlowWindows:
    return DanceFlowWindows(pairs(2), SMALL, config)


def windows_and_truth(
    clip: TrainingClip, config: DanceFlowTrainingConfig, count: int = 30
) -> Iterator[tuple[PoseSequence, PoseSequence]]:
    """Windows of a clip as a training samples them, each with the clip's own frames."""
    windows = DanceFlowWindows(pairs(1), SMALL, config)
    rng = np.random.default_rng(0)
    for _ in range(count):
        first = int(rng.integers(len(clip.leader) - windows.length))
        yield windows.window_poses(clip, first, rng), clip.poses[first : first + windows.length]


def clip_frames(poses: PoseSequence) -> torch.Tensor:
    """The frames (F,) of `clock_clip` that poses are of."""
    return poses.root[:, 0]


@pytest.fixture(scope="module")
def clock_clip(windows: DanceFlowWindows) -> TrainingClip:
    """A clip whose pelvis moves by 1 a frame along x."""
    clip = windows.clips[0][0]
    root = clip.poses.root.clone()
    root[:, 0] = torch.arange(len(root))
    return clip._replace(poses=PoseSequence(root, clip.poses.rotations, clip.poses.contacts))


def test_a_past_off_the_beat_is_on_it_before_the_window_ends(
    clock_clip: TrainingClip, config: DanceFlowTrainingConfig
) -> None:
    mean_delays = []
    for window, truth in windows_and_truth(clock_clip, replace(config, off_beat=1.0)):
        delay = clip_frames(window) - clip_frames(truth)
        inside = (clip_frames(truth) > 8) & (clip_frames(truth) < len(clock_clip.leader) - 9)
        assert delay[72:].abs().max() < 1e-4
        assert delay.abs().max() <= config.max_delay * FPS + 1e-4
        assert clip_frames(window).diff()[inside[1:]].min() > 0.0
        mean_delays.append(float(delay[:8][inside[:8]].mean()))
    assert min(mean_delays) < -2.0
    assert max(mean_delays) > 2.0


def test_windows_on_the_beat_are_the_dance(clock_clip: TrainingClip, config: DanceFlowTrainingConfig) -> None:
    for window, truth in windows_and_truth(clock_clip, replace(config, off_beat=0.0), count=5):
        assert torch.equal(window.root, truth.root)
        assert torch.equal(window.rotations, truth.rotations)


def test_as_many_windows_are_off_the_beat_as_configured(
    clock_clip: TrainingClip, config: DanceFlowTrainingConfig
) -> None:
    windows = windows_and_truth(clock_clip, replace(config, off_beat=0.6), count=300)
    off_beat = [not torch.equal(window.root, truth.root) for window, truth in windows]
    assert np.mean(off_beat) == pytest.approx(0.6, abs=0.1)


def test_poses_between_two_frames_are_halfway_and_whole_bodies() -> None:
    poses, _, offsets = dancer_tensors(dancer(0))
    result = interpolate_poses(poses, torch.tensor([-3.0, 0.0, 4.5, 10.0, 178.75, 400.0]))
    assert torch.allclose(result.root[2], (poses.root[4] + poses.root[5]) / 2.0)
    for row, frame in ((0, 0), (1, 0), (3, 10), (5, -1)):
        assert torch.allclose(result.rotations[row], poses.rotations[frame], atol=1e-5)
    product = result.rotations @ result.rotations.transpose(-1, -2)
    assert torch.allclose(product, torch.eye(3).expand_as(product), atol=1e-5)
    halfway = (poses.joint_positions(offsets)[4] + poses.joint_positions(offsets)[5]) / 2.0
    assert (result.joint_positions(offsets)[2] - halfway).norm(dim=-1).max() < 0.01


def test_equal_steps_have_equal_windows_and_music_is_not_scaled(windows: DanceFlowWindows) -> None:
    first = [batch for batch, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    windows.start = 0
    assert torch.equal(first[2].leader, again.leader)
    assert torch.equal(first[2].root, again.root)
    music = {tuple(row.tolist()) for (clip,) in windows.clips for row in clip.leader[:, :MUSIC_DIM]}
    assert {tuple(row.tolist()) for row in first[0].leader[0, :, :MUSIC_DIM]} <= music


def test_dances_come_at_each_speed_with_their_music_and_mirrored(config: DanceFlowTrainingConfig) -> None:
    clips = DanceFlowWindows(pairs(1), SMALL, replace(config, speeds=[0.75, 1.0, 1.2])).clips
    assert len(clips) == 6
    for speed, (clip,), (mirrored,) in zip([0.75, 1.0, 1.2], clips[::2], clips[1::2], strict=True):
        assert len(clip.poses.root) == pytest.approx(180 / speed, abs=2)
        assert torch.equal(clip.leader[:, :MUSIC_DIM], mirrored.leader[:, :MUSIC_DIM])
        assert torch.allclose(clip.poses.root[:, 0], -mirrored.poses.root[:, 0], atol=1e-5)
        beats = np.diff(np.unwrap(phrase_counts(clip.leader[:100].numpy()), period=8.0))
        assert beats.mean() == pytest.approx(3.0 * speed / FPS, rel=1e-3)  # the song has 180 steps a minute


def test_home_is_the_middle_of_the_floor_that_is_danced_on(windows: DanceFlowWindows) -> None:
    (clip,) = windows.clips[0]
    home = clip.leader[:, MUSIC_DIM:]
    assert torch.allclose(home, clip.poses.root[:, :2].mean(dim=0).expand_as(home), atol=1e-5)


def test_followers_are_recognised_by_their_name() -> None:
    pair = pairs(1)[0]
    assert [role_of(replace(pair, name=f"salsa_{who}_x")) for who in ("follower", "leader", "solo")] == [1, 0, 0]


def test_too_short_dances_are_refused(config: DanceFlowTrainingConfig) -> None:
    short = [replace(pair, dancer=pair.dancer[:60]) for pair in pairs(2)]
    with pytest.raises(BadFile, match=r"takes of more than 3\.0 s expected, none found"):
        DanceFlowWindows(short, SMALL, config)


def test_the_leader_is_music_and_home() -> None:
    leader = torch.from_numpy(score_leader(song(0), 50, np.array([1.0, -2.0], np.float32)))
    assert leader.shape == (50, DanceFlow.leader_dim)
    assert (leader[:, MUSIC_DIM:] == torch.tensor([1.0, -2.0])).all()
