"""Body measures of dancers of known size and orientation."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.characters.body_measures import body_height, body_heights, drop_implausible_crown, faces_front, stands_upright
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, INDEX

BONES = tuple(range(29))
T_POSE = DEFAULT_SKELETON.rest_positions()
Z_UP_TO_Y_UP = rotations.from_axis_angle(np.array([1.0, 0.0, 0.0]), -np.pi / 2.0)


def dancing() -> Array:
    """Joint positions (29, F, 3) m of the sample dance."""
    return sample_dance()[:60].positions.swapaxes(0, 1)


@pytest.mark.parametrize("unit", [0.01, 1.0, 2.54])
def test_height_is_the_default_dancers_in_every_pose_and_unit(unit: float) -> None:
    assert body_height(BONES, unit * dancing()) == pytest.approx(1.7 * unit, rel=1e-3)


def test_height_needs_neither_hands_nor_feet() -> None:
    needed = ("pelvis", "hip", "knee", "ankle", "spine1", "spine3", "neck", "jaw")
    bones = tuple(j if name.endswith(needed) else -1 for name, j in INDEX.items())
    assert body_height(bones, dancing()) == pytest.approx(1.7, rel=1e-3)


def test_one_wrong_frame_does_not_change_the_median_of_the_heights() -> None:
    positions = dancing().copy()
    expected = body_heights(BONES, positions)
    assert expected == pytest.approx(np.full(60, 1.7), rel=1e-3)
    positions[INDEX["left_ankle"], 7] += 1e6
    assert np.median(body_heights(BONES, positions)) == pytest.approx(1.7, rel=1e-3)


def test_only_an_upright_rest_pose_stands() -> None:
    assert stands_upright(T_POSE)
    assert not stands_upright(rotations.rotate(Z_UP_TO_Y_UP, T_POSE))


def test_a_rest_pose_that_is_turned_does_not_face_the_front() -> None:
    assert faces_front(T_POSE)
    assert not faces_front(rotations.rotate(rotations.about_z(np.pi / 2.0), T_POSE))


def test_a_crown_below_the_head_is_dropped() -> None:
    positions = dancing()
    assert drop_implausible_crown(BONES, positions) == BONES
    positions[INDEX["head"]] = positions[INDEX["jaw"]] - [0.0, 0.0, 0.1]
    assert drop_implausible_crown(BONES, positions) == tuple(-1 if j == INDEX["head"] else j for j in BONES)
