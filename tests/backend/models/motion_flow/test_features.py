"""Pose tensors against the rigs' kinematics, and features against the poses that they are of."""

import numpy as np
import pytest

from backend.models.common.world_frame import WorldFrame
from backend.models.motion_flow.features import (
    ROTATED_JOINTS,
    floor_frame,
    joint_features,
    motion_to_poses,
    partner_features,
    poses_from_features,
    poses_to_motions,
)
from rigs import kinematics, rotations
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from training.motion_flow.dataset import dancer_arrays, dancer_tensors


@pytest.fixture(scope="module")
def dance() -> Motion:
    return resample(sample_dance()[:240], 30.0)


def test_joints_are_where_the_rigs_have_them(dance: Motion) -> None:
    poses, joints, offsets = dancer_arrays(dance)
    assert np.abs(poses.joint_positions(offsets) - dance.positions).max() < 1e-5
    assert np.abs(joints - dance.positions).max() < 1e-5


def test_features_lead_back_to_the_poses(dance: Motion) -> None:
    poses = motion_to_poses(dance)
    frame = floor_frame(poses)
    features = partner_features(poses, frame)
    again = poses_from_features(features, frame)
    assert np.abs(again.root - poses.root).max() < 1e-5
    assert np.abs(again.rotations - poses.rotations).max() < 1e-5
    assert np.abs(features[-1, :2]).max() < 1e-5


def test_torch_and_numpy_compute_the_same_features(dance: Motion) -> None:
    in_numpy, in_torch = dancer_arrays(dance), dancer_tensors(dance)
    for poses, offsets in ((in_numpy.poses, in_numpy.offsets), (in_torch.poses, in_torch.offsets)):
        frame = floor_frame(poses)
        features = (partner_features(poses, frame), joint_features(poses.joint_positions(offsets), frame))
        if poses is in_numpy.poses:
            expected = features
    for ours, theirs in zip(expected, features, strict=True):
        assert isinstance(ours, np.ndarray)
        assert ours.dtype == np.float32
        assert np.abs(theirs.numpy() - ours).max() < 1e-4


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
