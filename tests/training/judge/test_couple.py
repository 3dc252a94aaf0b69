"""How two dancers stand to each other, on couples that one can see before one's eyes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rigs import Array, rotations
from rigs.skeleton import DEFAULT, INDEX
from training.judge import capsules, couple

LEADER = np.repeat(DEFAULT.rest_positions()[None], 30, axis=0)


def beside(turn: float, at: tuple[float, float]) -> Array:
    """Another dancer in the T-pose, turned by so many degrees from facing -Y, at a place on the floor."""
    return rotations.rotate(rotations.about_z(np.radians(turn)), LEADER) + np.array([*at, 0.0])


@pytest.mark.parametrize(
    ("turn", "at", "angle"),
    [(180.0, (0.0, -1.0), 0.0), (0.0, (0.0, -1.0), 180.0), (90.0, (0.0, -1.0), 90.0), (0.0, (0.0, 1.0), 0.0)],
)
def test_facing_is_the_angle_from_the_partners_front_to_the_leader(
    turn: float, at: tuple[float, float], angle: float
) -> None:
    np.testing.assert_allclose(couple.facing(beside(turn, at), LEADER), angle, atol=1e-4)


def test_pelvises_under_25_cm_overlap() -> None:
    near, far = beside(180.0, (0.0, -0.2)), beside(180.0, (0.0, -0.3))
    assert couple.overlap(near, LEADER).all()
    assert not couple.overlap(far, LEADER).any()
    np.testing.assert_allclose(couple.pelvis_distance(far, LEADER), 0.3)


def test_hands_that_meet_for_a_moment_do_not_hold() -> None:
    partner = beside(180.0, (0.0, -1.5))
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    held, touched = partner.copy(), partner.copy()
    held[10:20, left] = LEADER[10:20, right] + 0.05
    touched[10:13, left] = LEADER[10:13, right]
    assert couple.hand_in_hand(held, LEADER, 30.0).tolist() == [float(10 <= f < 20) for f in range(30)]
    assert not couple.hand_in_hand(touched, LEADER, 30.0).any()


points = arrays(float, (4, 3), elements=st.floats(-2.0, 2.0, width=32))


@given(points)
def test_distance_of_segments_is_the_least_over_both(ends: Array) -> None:
    a, b, c, d = ends
    found = float(capsules.segment_distance(a, b, c, d))
    t = np.linspace(0.0, 1.0, 101)
    first, second = a + t[:, None] * (b - a), c + t[:, None] * (d - c)
    sampled = np.linalg.norm(first[:, None] - second, axis=-1).min()
    coarse = 0.005 * (np.linalg.norm(b - a) + np.linalg.norm(d - c))
    assert sampled - coarse - 1e-6 <= found <= sampled + 1e-6


def test_bodies_apart_do_not_touch_and_bodies_at_one_place_lie_in_each_other() -> None:
    assert not capsules.penetration(beside(180.0, (0.0, -1.0)), LEADER).any()
    np.testing.assert_allclose(capsules.penetration(LEADER, LEADER), 0.22)
    near = np.linalg.norm([0.0, 0.15])
    assert capsules.penetration(beside(180.0, (0.0, -0.15)), LEADER).max() <= 0.22 - near + 0.03
