"""Rollouts of a small network: their frames, keyframes, guidance, and distance from the leader."""

import numpy as np
import pytest
import torch

from backend.models.common.runtime import TorchNetwork
from backend.models.motion_flow.rollout import Keyframe, RolloutOptions, rollout
from backend.models.motion_flow.sampler import noise_source
from backend.models.partner_flow.pipeline import TrainedPartnerFlow
from rigs import Array
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from tests.backend.models.small_networks import small_partner_flow
from training.motion_flow.dataset import DancerArrays, dancer_arrays


@pytest.fixture
def network() -> TrainedPartnerFlow:
    return TrainedPartnerFlow(TorchNetwork(small_partner_flow()))


@pytest.fixture(scope="module")
def dancer() -> DancerArrays:
    return dancer_arrays(resample(sample_dance()[:240], 30.0))


@pytest.mark.parametrize("frames", [7, 8, 61])
def test_a_rollout_has_the_frames_asked_for(network: TrainedPartnerFlow, dancer: DancerArrays, frames: int) -> None:
    past, noise = dancer.poses[6:30], noise_source(2, 0, 8)
    result = rollout(network, dancer.joints, range(30, 30 + frames), past, 1, dancer.offsets, noise)
    assert result.poses.root.shape == (2, frames, 3)
    assert np.abs(result.poses.root[0] - result.poses.root[1]).max() > 1e-3
    assert result.seams == list(range(0, frames, 8))


def test_a_partner_in_the_leader_s_way_steps_aside(dancer: DancerArrays) -> None:
    standing_network = small_partner_flow()
    torch.nn.init.zeros_(standing_network.out_proj.weight)
    network = TrainedPartnerFlow(TorchNetwork(standing_network))
    poses, joints, offsets = dancer
    past = poses[6:30]
    path = np.linspace(-1.5, 1.5, 90, dtype=np.float32)[:, None] * [[1, 0, 0]] + np.float32([0.0, 0.05, 0.0])
    leader = np.asarray((joints[29] - joints[29, 0] + past.root[-1])[None] + path[:, None], np.float32)
    root = rollout(network, leader, range(90), past, 1, offsets, noise_source(1, 0, 8)).poses.root[0]
    distance = np.linalg.norm((root - leader[:, 0])[:, :2], axis=-1)
    standing = np.linalg.norm((past.root[-1] - leader[:, 0])[:, :2], axis=-1)
    assert standing.min() < 0.06
    assert distance.min() > 0.22
    assert np.linalg.norm(np.diff(root, axis=0)[:, :2], axis=-1).max() < 0.12


@pytest.mark.parametrize("frame", [31, 37, 38, 44, 61])
def test_a_keyframe_is_reached_with_its_velocity(network: TrainedPartnerFlow, dancer: DancerArrays, frame: int) -> None:
    poses, joints, offsets = dancer
    leader = joints + np.float32([0.0, 2.0, 0.0])
    options = RolloutOptions(keyframes=[Keyframe(frame, poses[frame : frame + 2], has_velocity=True)])
    result = rollout(network, leader, range(30, 70), poses[6:30], 1, offsets, noise_source(2, 0, 8), options).poses
    assert np.abs(result.root[:, frame - 30] - poses.root[frame]).max() < 1e-4
    assert np.abs(result.rotations[:, frame - 30] - poses.rotations[frame]).max() < 1e-3
    if frame - 30 >= 7:
        step = result.root[:, frame - 30] - result.root[:, frame - 31]
        assert np.linalg.norm(step - (poses.root[frame + 1] - poses.root[frame]), axis=-1).max() < 0.03


def test_without_guidance_the_leader_changes_nothing(network: TrainedPartnerFlow, dancer: DancerArrays) -> None:
    def rotations(distance: float, guidance: float) -> Array:
        leader, options = dancer.joints + np.float32([distance, 0.0, 0.0]), RolloutOptions(guidance=guidance)
        past, noise = dancer.poses[6:30], noise_source(1, 0, 8)
        return rollout(network, leader, range(30, 60), past, 1, dancer.offsets, noise, options).poses.rotations

    assert np.array_equal(rotations(4.0, 0.0), rotations(8.0, 0.0))
    assert not np.array_equal(rotations(4.0, 2.0), rotations(8.0, 2.0))
