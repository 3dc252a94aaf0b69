"""Feet placed where they are, and steps between two poses, against closed forms."""

import numpy as np

from rigs.choreography.foot_placement import foot_poses, place_feet, step_over
from rigs.motion import Motion, rotate_about_z, translate


def test_feet_placed_where_they_are_leave_the_dance_as_it_is(leader: Motion) -> None:
    same = place_feet(leader, *foot_poses(leader))
    np.testing.assert_allclose(same.positions, leader.positions, atol=5e-3)


def test_placed_ankles_and_feet_are_where_they_should_be(leader: Motion) -> None:
    ankles, feet = foot_poses(leader)
    ankles = ankles + np.array([0.03, -0.05, 0.0])
    placed_ankles, placed_feet = foot_poses(place_feet(leader, ankles, feet))
    np.testing.assert_allclose(placed_ankles, ankles, atol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(placed_feet * feet, axis=-1)), 1.0, atol=1e-9)


def test_a_step_moves_one_foot_after_the_other(leader: Motion) -> None:
    start = leader[:1]
    end = translate(rotate_about_z(start, 0.2), np.array([0.2, 0.1, 0.0]))
    ankles, _ = foot_poses(step_over(start, end, 39))
    (before, _), (after, _) = foot_poses(start), foot_poses(end)
    np.testing.assert_allclose(ankles[:20, 1], np.repeat(before[:, 1], 20, axis=0), atol=1e-6)
    np.testing.assert_allclose(ankles[20:, 0], np.repeat(after[:, 0], 19, axis=0), atol=1e-6)
    lift = ankles[..., 2].max(axis=0) - np.maximum(before, after)[0, :, 2]
    assert ((lift > 0.03) & (lift < 0.06)).all()
