"""Conversion between any up axis of a file and Blender's."""

import numpy as np
import pytest

from rigs import rotations
from rigs.files.conventions.axes import UP_AXES, from_z_up, quaternions_from_z_up, quaternions_to_z_up, to_z_up

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("up", UP_AXES)
def test_the_up_axis_points_up_and_nothing_is_mirrored(up: str) -> None:
    axis = np.eye(3)["XYZ".index(up[-1])] * (-1.0 if up.startswith("-") else 1.0)
    np.testing.assert_array_equal(to_z_up(axis, up), [0.0, 0.0, 1.0])
    np.testing.assert_allclose(np.linalg.det(to_z_up(np.eye(3), up)), 1.0)


@pytest.mark.parametrize("up", UP_AXES)
def test_there_and_back_is_the_same(up: str) -> None:
    vectors = RNG.normal(size=(5, 4, 3))
    np.testing.assert_array_equal(from_z_up(to_z_up(vectors, up), up), vectors)
    np.testing.assert_array_equal(to_z_up(from_z_up(vectors, up), up), vectors)


@pytest.mark.parametrize("up", UP_AXES)
def test_a_rotation_in_the_files_axes_is_the_same_rotation_in_blenders(up: str) -> None:
    quaternions, vectors = rotations.normalize(RNG.normal(size=(6, 4))), RNG.normal(size=(6, 3))
    expected = to_z_up(rotations.rotate(quaternions, vectors), up)
    found = rotations.rotate(quaternions_to_z_up(quaternions, up), to_z_up(vectors, up))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_array_equal(quaternions_from_z_up(quaternions_to_z_up(quaternions, up), up), quaternions)


def test_y_up_has_z_forward_and_a_camera_looks_along_z() -> None:
    np.testing.assert_array_equal(to_z_up(np.array([0.0, 0.0, 1.0]), "Y"), [0.0, -1.0, 0.0])
    np.testing.assert_array_equal(to_z_up(np.array([0.0, 0.0, 1.0]), "-Y"), [0.0, 1.0, 0.0])
