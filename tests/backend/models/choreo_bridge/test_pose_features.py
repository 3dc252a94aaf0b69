"""choreo-bridge's pose features: root-relative poses and BlazePose's landmarks."""

import numpy as np

from backend.models.choreo_bridge.pose_features import blazepose_landmarks, root_relative_poses
from rigs.files.joint_positions import blazepose
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import JOINTS


def test_poses_are_relative_to_the_pelvis_and_hold_after_the_end() -> None:
    dance = sample_dance()
    features = root_relative_poses(dance, np.array([1.0, 2.0, 99.0]), 29)
    np.testing.assert_allclose(features[0], dance.positions[30] - dance.root[30], atol=1e-12)
    np.testing.assert_allclose(features[2], dance.positions[-1] - dance.root[-1], atol=1e-12)


def test_landmarks_convert_back_to_the_joints() -> None:
    """By the reader of BlazePose's files, within the accuracy of estimated noses and ears."""
    dance = sample_dance()[:200]
    landmarks = blazepose_landmarks(dance)
    assert landmarks.shape == (200, 33, 3)
    errors = np.linalg.norm(blazepose.joints_from_landmarks(landmarks) - dance.positions, axis=-1).mean(axis=0)
    assert max(errors) < 0.05, JOINTS[int(errors.argmax())]
    left, right = (landmarks[:, blazepose.LANDMARKS.index(f"{side}_ear")] for side in ("left", "right"))
    np.testing.assert_allclose(np.linalg.norm(left - right, axis=-1), 0.15, atol=1e-9)
