"""Motion of hips and head from a few steps, against closed forms."""

import numpy as np
import pytest

from rigs import rotations
from rigs.sample_dance import body_motion
from rigs.sample_dance.footwork import LEFT, RIGHT, Step
from rigs.skeleton import INDEX

T = np.arange(0.0, 3.0, 0.01)
STEPS = [Step(float(n), foot, np.array([0.1 - 0.2 * foot, 0.0]), 0.0) for n, foot in enumerate((LEFT, RIGHT, LEFT))]
TIMING = body_motion.StepTiming(T, STEPS, np.full(len(T), 0.3), np.ones(len(STEPS)))


def test_the_hips_are_over_the_leg_of_the_last_step() -> None:
    np.testing.assert_allclose(TIMING.hip_shift(0.0)[[50, 150, 250]], [1.0, -1.0, 1.0], atol=1e-9)
    np.testing.assert_allclose(TIMING.hip_shift(0.1)[60:], TIMING.hip_shift(0.0)[50:-10], atol=1e-9)


def test_the_hips_sway_sideways_of_the_heading() -> None:
    sideways = np.array([np.cos(0.3), np.sin(0.3)])
    np.testing.assert_allclose(TIMING.sway()[50], body_motion.HIP_SWAY * sideways, atol=1e-9)


@pytest.mark.parametrize("away", [-1.0, 0.0, 1.0])
def test_the_head_turns_towards_the_partner_and_not_beyond(away: float) -> None:
    world = rotations.identity(len(T), 29)
    body_motion.head(world, TIMING, np.full(len(T), 0.3 + away), np.random.default_rng(2))
    turn = rotations.heading(world[:, INDEX["head"]]) - 0.3
    noise = np.radians(8.0)
    assert (turn > min(away, 0.0) - noise).all()
    assert (turn < max(away, 0.0) + noise).all()


def test_slow_noise_stays_within_its_size() -> None:
    noise = body_motion.slow_noise(T, np.random.default_rng(3), 0.2)
    assert 0.02 < np.abs(noise).max() <= 0.2
