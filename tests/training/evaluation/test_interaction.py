"""Interaction metrics on couples placed by hand."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.skeleton import DEFAULT_SKELETON, INDEX
from training.data.duets import pelvis_distance
from training.evaluation import interaction

LEADER = np.repeat(DEFAULT_SKELETON.rest_positions()[None], 30, axis=0)


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
    np.testing.assert_allclose(interaction.facing_angle(beside(turn, at), LEADER), angle, atol=1e-4)


def test_pelvises_under_25_cm_overlap() -> None:
    near, far = beside(180.0, (0.0, -0.2)), beside(180.0, (0.0, -0.3))
    assert interaction.bodies_overlap(near, LEADER).all()
    assert not interaction.bodies_overlap(far, LEADER).any()
    np.testing.assert_allclose(pelvis_distance(far, LEADER), 0.3)


def test_hands_that_meet_for_a_moment_do_not_hold() -> None:
    partner = beside(180.0, (0.0, -1.5))
    left, right = INDEX["left_wrist"], INDEX["right_wrist"]
    held, touched = partner.copy(), partner.copy()
    held[10:20, left] = LEADER[10:20, right] + 0.05
    touched[10:13, left] = LEADER[10:13, right]
    assert interaction.hands_held(held, LEADER, 30.0).tolist() == [float(10 <= f < 20) for f in range(30)]
    assert not interaction.hands_held(touched, LEADER, 30.0).any()
