"""Penetration depths of capsules at known distances."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rigs import Array, rotations
from rigs.post_processing import capsules
from rigs.skeleton import DEFAULT_SKELETON

LEADER = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 30, axis=0)


def opposite(away: float) -> Array:
    """Another dancer in the T-pose who faces the leader `away` m in front."""
    return rotations.rotate(rotations.about_z(np.pi), LEADER) + np.array([0.0, -away, 0.0])


points = arrays(float, (4, 3), elements=st.floats(-2.0, 2.0, width=32))


@given(points)
def test_distance_of_segments_is_the_least_over_both(ends: Array) -> None:
    a, b, c, d = ends
    distance = float(np.linalg.norm(capsules.segment_separation(a, b, c, d)))
    t = np.linspace(0.0, 1.0, 101)
    first, second = a + t[:, None] * (b - a), c + t[:, None] * (d - c)
    sampled = np.linalg.norm(first[:, None] - second, axis=-1).min()
    coarse = 0.005 * (np.linalg.norm(b - a) + np.linalg.norm(d - c))
    assert sampled - coarse - 1e-6 <= distance <= sampled + 1e-6


def test_bodies_apart_do_not_touch_and_bodies_at_one_place_lie_in_each_other() -> None:
    assert not capsules.deepest_penetration(opposite(1.0), LEADER).any()
    np.testing.assert_allclose(capsules.deepest_penetration(LEADER, LEADER), 0.22)
    assert capsules.deepest_penetration(opposite(0.15), LEADER).max() <= 0.22 - 0.15 + 0.03
