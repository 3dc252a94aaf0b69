"""Pose tensors against the rigs' kinematics, and features against the poses that they are of."""

import numpy as np
import pytest

from backend.models.common.world_frame import WorldFrame
from backend.models.motion_flow.features import (
    ROTATED_JOINTS,
    floor_frame,
    motion_to_poses,
    partner_features,
    poses_from_features,
    poses_to_motions,
)
from rigs import kinematics, rotations
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from training.motion_flow.dataset import dancer_tensors


@pytest.fixture(scope="module")
def dance() -> Motion:
    return resample(sample_dance()[:240], 30.0)


def test_joints_are_where_the_rigs_have_them(dance: Motion) -> None:
    poses, joints, offsets = dancer_tensors(dance)
    assert np.abs(poses.joint_positions(offsets).numpy() - dance.positions).max() < 1e-5
    assert np.abs(joints.numpy() - dance.positions).max() < 1e-5


def test_features_lead_back_to_the_poses(dance: Motion) -> None:
    poses = motion_to_poses(dance)
    frame = floor_frame(poses)
    features = partner_features(poses, frame)
    again = poses_from_features(features, frame)
    assert (again.root - poses.root).abs().max() < 1e-5
    assert (again.rotations - poses.rotations).abs().max() < 1e-5
    assert features[-1, :2].abs().max() < 1e-5


@pytest.mark.parametrize("world", [WorldFrame(1.0, 0.0), WorldFrame(0.9, 0.1)])
def test_poses_become_the_motion_they_were(dance: Motion, world: WorldFrame) -> None:
    [again] = poses_to_motions(motion_to_poses(dance, world=world).map(lambda part: part[None]), dance.skeleton, world)
    assert np.abs(again.positions - dance.positions).max() < 1e-4
    global_rotations = [kinematics.global_rotations(m.rotations)[:, list(ROTATED_JOINTS)] for m in (again, dance)]
    assert np.degrees(rotations.angle_between(*global_rotations)).max() < 0.1


def test_some_frames_become_the_same_poses_as_all(dance: Motion) -> None:
    some, whole = motion_to_poses(dance, np.array([3, 3, 50])), motion_to_poses(dance)
    assert (some.root == whole.root[[3, 3, 50]]).all()
    assert (some.contacts == whole.contacts[[3, 3, 50]]).all()
