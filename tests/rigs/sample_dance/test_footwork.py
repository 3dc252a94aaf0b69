"""Paths of feet, weight and pelvis from a few steps, against closed forms."""

import numpy as np
import pytest

from rigs.sample_dance import footwork
from rigs.sample_dance.footwork import LEFT, RIGHT, Step

T = np.arange(0.0, 4.0, 0.01)
STEPS = [
    Step(0.0, LEFT, np.array([0.1, 0.0]), 0.0),
    Step(0.0, RIGHT, np.array([-0.1, 0.0]), 0.0),
    Step(1.0, LEFT, np.array([0.1, -0.3]), 0.0),
    Step(2.0, RIGHT, np.array([-0.1, -0.3]), 0.5),
    Step(3.0, LEFT, np.array([0.1, 0.0]), 0.5),
]


@pytest.mark.parametrize("foot", [LEFT, RIGHT])
def test_a_foot_rests_on_its_place_between_its_steps(foot: int) -> None:
    path = footwork.foot_path(T, STEPS, foot, np.random.default_rng(1))
    own = [step for step in STEPS if step.foot == foot]
    for step, until in zip(own, [*(step.time for step in own[1:]), 4.5], strict=True):
        resting = (step.time <= T) & (until - footwork.LONG_SWING >= T)
        np.testing.assert_allclose(path.ball[resting], np.tile([*step.place, 0.0], (resting.sum(), 1)), atol=1e-9)
        assert path.flight[resting].max() == pytest.approx(0.0, abs=1e-9)
    assert 0.7 * footwork.CLEARANCE < path.ball[:, 2].max() < 1.3 * footwork.CLEARANCE


def test_the_weight_is_on_the_foot_of_the_last_step() -> None:
    weight = footwork.weight_shift(T, STEPS)
    np.testing.assert_allclose(weight[[150, 250, 350]], [1.0, -1.0, 1.0], atol=1e-9)


def test_the_body_turns_as_the_steps_do() -> None:
    np.testing.assert_allclose(footwork.body_heading(T, STEPS)[[0, 150, 250, 399]], [0.0, 0.0, 0.5, 0.5], atol=1e-9)


def test_the_pelvis_is_over_the_supporting_foot() -> None:
    path = footwork.pelvis_path(T, STEPS)
    left, right = STEPS[2].place, STEPS[3].place
    assert np.linalg.norm(path[150] - left) < np.linalg.norm(path[150] - right)
    assert np.linalg.norm(path[250] - right) < np.linalg.norm(path[250] - left)
