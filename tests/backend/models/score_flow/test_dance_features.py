"""Features of a dance for score-flow: the bar grid on its beats, and pose windows."""

from dataclasses import replace

import numpy as np
import pytest

from backend.models.score_flow.dance_features import (
    SPEED_INDEX,
    WINDOW_POSES,
    fit_bar_grid,
    pose_features,
    pose_window,
    window_times,
)
from rigs.motion import Motion, rotate_about_z, translate


def test_features_do_not_depend_on_place_and_heading(dancer: Motion) -> None:
    elsewhere = translate(rotate_about_z(dancer, 2.0), np.array([3.0, -1.0, 0.0]))
    assert np.allclose(pose_features(dancer), pose_features(elsewhere), atol=1e-4)


def test_a_window_samples_the_poses_at_its_times(dancer: Motion) -> None:
    features = pose_features(dancer)
    seconds = 2.0 + np.arange(33) / 15.0
    window = pose_window(features, seconds)
    assert window.shape == (WINDOW_POSES, features.shape[1])
    assert np.allclose(window[::2], features[60:124:2], atol=1e-5)


def test_poses_are_held_before_and_after_the_dance(dancer: Motion) -> None:
    features = pose_features(dancer)
    early = window_times(np.arange(65) / 8.0, np.array([0]))[0]
    assert early[0] == pytest.approx(-2.0)
    assert early[-1] == pytest.approx(2.0)
    window = pose_window(features, early)
    assert (window[: WINDOW_POSES // 2] == features[0]).all()
    late = pose_window(features, window_times(np.arange(65) / 8.0 + dancer.seconds - 7.0, np.array([64]))[0])
    assert np.allclose(late[WINDOW_POSES // 2 :], features[-1])


def test_the_last_feature_is_the_mean_joint_speed(dancer: Motion) -> None:
    standing = replace(dancer, root=dancer.root[:1].repeat(40, 0), rotations=dancer.rotations[:1].repeat(40, 0))
    assert np.allclose(pose_features(standing)[:, SPEED_INDEX], 0.0)
    assert pose_features(dancer)[:, SPEED_INDEX].mean() > 0.3


def test_the_grid_follows_the_dancers_beats_from_the_first_frame_to_the_last(dancer: Motion) -> None:
    grid = fit_bar_grid([dancer], None, 4 / 3)
    assert grid.seconds[0] == 0.0
    assert abs(grid.seconds[-1] - dancer.seconds) < 0.1
    steps = np.diff(grid.seconds)
    assert (steps > 0.03).all()
    assert np.median(steps) * 4 == pytest.approx(1 / 3, rel=0.03)  # the sample dance has 180 steps a minute


def test_a_bar_has_eight_dance_beats_if_that_is_closer_to_the_usual_length(dancer: Motion) -> None:
    grid = fit_bar_grid([dancer], None, 2.7)
    assert np.median(np.diff(grid.seconds)) * 16 == pytest.approx(8 / 3, rel=0.03)


def test_a_given_tempo_makes_an_even_grid(dancer: Motion) -> None:
    grid = fit_bar_grid([dancer], 100.0, 2.0)
    assert np.allclose(np.diff(grid.seconds)[1:], 0.15)
    assert grid.bar_starts[0] <= 0 < grid.bar_starts[1]
