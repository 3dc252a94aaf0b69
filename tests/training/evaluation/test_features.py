"""Motion features of windows against closed forms, and what must not change them."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from training.evaluation import features

STILL = np.repeat(DEFAULT_SKELETON.rest_positions()[None, None], 20, axis=1)


def relation(name: str, values: Array) -> float:
    """One geometric feature by its meaning."""
    order = {
        "right elbow bent": 6,
        "hands wide": 8,
        "right hand fast": 12,
        "left hand fast": 13,
        "right foot up": 16,
        "right arm away": 23,
        "left leg away": 26,
        "trunk lies": 28,
        "right hand low": 29,
        "body fast": 31,
    }
    return float(values[0, order[name]])


def dance(frames: int = 60) -> Array:
    return sample_dance().positions[None, 100 : 100 + frames]


def test_there_are_72_and_32_and_100_of_them() -> None:
    windows = np.concatenate([dance(), dance() + 1.0])
    assert features.kinetic_features(windows).shape == (2, 72)
    assert features.geometric_features(windows).shape == (2, 32)
    assert features.cross_distance_features(windows, windows).shape == (2, 100)


def test_kinetic_features_of_a_steady_glide_are_its_squared_speeds() -> None:
    glide = STILL + np.arange(20)[None, :, None, None] * np.array([0.03, 0.04, -0.02])
    values = features.kinetic_features(glide, frame_time=0.1).reshape(24, 3)
    np.testing.assert_allclose(values, np.tile([0.25, 0.04, 0.0], (24, 1)), atol=1e-9)


def test_kinetic_effort_of_a_steady_push_is_its_acceleration() -> None:
    pushed = STILL + 0.5 * (np.arange(20)[None, :, None, None] * 0.1) ** 2 * np.array([3.0, 0.0, 4.0])
    np.testing.assert_allclose(features.kinetic_features(pushed, frame_time=0.1).reshape(24, 3)[:, 2], 5.0)


def test_kinetic_velocities_are_means_of_five_frames_and_fewer_at_the_ends() -> None:
    """One joint, frame after frame, as the definition is written."""
    path = dance(12)[0, :, INDEX["left_wrist"]]
    steps = {i: path[i] - path[i - 1] for i in range(1, 12)}
    speeds = []
    for i in range(1, 12):
        mean = np.mean([steps[k] for k in range(i - 2, i + 3) if k in steps], axis=0) * 30.0
        speeds.append(mean[0] ** 2 + mean[1] ** 2)
    values = features.kinetic_features(dance(12), frame_time=1 / 30).reshape(24, 3)
    assert values[INDEX["left_wrist"], 0] == pytest.approx(np.mean(speeds))


def test_a_standing_t_pose_has_the_relations_that_one_sees() -> None:
    values = features.geometric_features(STILL)
    expected = {"hands wide": 1, "right arm away": 1, "right elbow bent": 0, "right hand fast": 0, "right foot up": 0}
    expected |= {"left leg away": 0, "trunk lies": 0, "right hand low": 0, "body fast": 0}
    assert {name: relation(name, values) for name in expected} == expected


def test_a_body_that_lies_is_seen_to_lie() -> None:
    lying = rotations.rotate(rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), np.pi / 2), STILL)
    values = features.geometric_features(lying)
    assert relation("trunk lies", values) == 1.0
    assert relation("right hand low", values) == 1.0


def test_only_a_hand_faster_than_its_threshold_counts_as_fast() -> None:
    moved = STILL.copy()
    step = np.concatenate([np.zeros(10), np.arange(10) * 0.65 / 30])
    moved[0, :, INDEX["right_wrist"], 2] += step
    values = features.geometric_features(moved, frame_time=1 / 30)
    assert relation("right hand fast", values) == pytest.approx(9 / 19)
    assert relation("left hand fast", values) == 0.0
    assert relation("right hand fast", features.geometric_features(moved, frame_time=1 / 29)) == 0.0


def test_where_on_the_floor_and_which_way_changes_nothing() -> None:
    turned = rotations.rotate(rotations.about_z(1.3), dance()) + np.array([2.0, -3.0, 0.0])
    np.testing.assert_allclose(features.kinetic_features(turned), features.kinetic_features(dance()), rtol=1e-9)
    np.testing.assert_allclose(features.geometric_features(turned), features.geometric_features(dance()), atol=0.02)


def test_cross_features_are_mean_distances_between_the_dancers() -> None:
    partner, leader = dance(), dance() + np.array([3.0, 4.0, 0.0])
    values = features.cross_distance_features(partner, leader).reshape(10, 10)
    np.testing.assert_allclose(np.diag(values), 5.0)
    between = np.linalg.norm(partner[0, :, 0] - leader[0, :, INDEX["right_wrist"]], axis=-1).mean()
    assert values[0, 9] == pytest.approx(between)
