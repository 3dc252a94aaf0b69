"""Rollouts of a small network: their frames, keyframes, guidance, and distance from the leader."""

import pytest
import torch

from backend.models.motion_flow.rollout import Keyframe, RolloutOptions, rollout
from backend.models.motion_flow.sampler import noise_source
from backend.models.partner_flow.network import PartnerFlow
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance
from tests.backend.models.small_networks import small_partner_flow
from training.motion_flow.dataset import DancerTensors, dancer_tensors


@pytest.fixture
def network() -> PartnerFlow:
    return small_partner_flow()


@pytest.fixture(scope="module")
def dancer() -> DancerTensors:
    return dancer_tensors(resample(sample_dance()[:240], 30.0))


@pytest.mark.parametrize("frames", [7, 8, 61])
def test_a_rollout_has_the_frames_asked_for(network: PartnerFlow, dancer: DancerTensors, frames: int) -> None:
    past, noise = dancer.poses[6:30], noise_source(2, 0, 8)
    result = rollout(network, dancer.joints, range(30, 30 + frames), past, 1, dancer.offsets, noise)
    assert result.poses.root.shape == (2, frames, 3)
    assert (result.poses.root[0] - result.poses.root[1]).abs().max() > 1e-3
    assert result.seams == list(range(0, frames, 8))


def test_a_partner_in_the_leader_s_way_steps_aside(network: PartnerFlow, dancer: DancerTensors) -> None:
    torch.nn.init.zeros_(network.out_proj.weight)  # it would stand still
    poses, joints, offsets = dancer
    past = poses[6:30]
    path = torch.linspace(-1.5, 1.5, 90)[:, None] * torch.tensor([1.0, 0.0, 0.0]) + torch.tensor([0.0, 0.05, 0.0])
    leader = (joints[29] - joints[29, 0] + past.root[-1])[None] + path[:, None]
    root = rollout(network, leader, range(90), past, 1, offsets, noise_source(1, 0, 8)).poses.root[0]
    distance = (root - leader[:, 0])[:, :2].norm(dim=-1)
    standing = (past.root[-1] - leader[:, 0])[:, :2].norm(dim=-1)
    assert standing.min() < 0.06
    assert distance.min() > 0.22
    assert root.diff(dim=0)[:, :2].norm(dim=-1).max() < 0.12


@pytest.mark.parametrize("frame", [31, 37, 38, 44, 61])
def test_a_keyframe_is_reached_with_its_velocity(network: PartnerFlow, dancer: DancerTensors, frame: int) -> None:
    poses, joints, offsets = dancer
    leader = joints + torch.tensor([0.0, 2.0, 0.0])
    options = RolloutOptions(keyframes=[Keyframe(frame, poses[frame : frame + 2], has_velocity=True)])
    result = rollout(network, leader, range(30, 70), poses[6:30], 1, offsets, noise_source(2, 0, 8), options).poses
    assert (result.root[:, frame - 30] - poses.root[frame]).abs().max() < 1e-4
    assert (result.rotations[:, frame - 30] - poses.rotations[frame]).abs().max() < 1e-3
    if frame - 30 >= 7:
        step = result.root[:, frame - 30] - result.root[:, frame - 31]
        assert (step - (poses.root[frame + 1] - poses.root[frame])).norm(dim=-1).max() < 0.03


def test_without_guidance_the_leader_changes_nothing(network: PartnerFlow, dancer: DancerTensors) -> None:
    def rotations(distance: float, guidance: float) -> torch.Tensor:
        leader, options = dancer.joints + torch.tensor([distance, 0.0, 0.0]), RolloutOptions(guidance=guidance)
        past, noise = dancer.poses[6:30], noise_source(1, 0, 8)
        return rollout(network, leader, range(30, 60), past, 1, dancer.offsets, noise, options).poses.rotations

    assert torch.equal(rotations(4.0, 0.0), rotations(8.0, 0.0))
    assert not torch.equal(rotations(4.0, 2.0), rotations(8.0, 2.0))
