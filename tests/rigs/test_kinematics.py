"""Forward kinematics against scipy's rotations, joint by joint."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rigs import Array, kinematics, rotations
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS


@pytest.fixture
def local() -> Array:
    vector = np.random.default_rng(1).normal(size=(40, 29, 3))
    return rotations.from_rotation_vector(vector)


def by_matrices(root: Array, local: Array, offsets: Array) -> tuple[Array, Array]:
    """World matrices (29, 3, 3) and places (29, 3) of one frame, by 4 x 4 matrices one joint at a time."""
    world: list[Array] = []
    for j, parent in enumerate(PARENTS):
        step = np.eye(4)
        step[:3, :3] = Rotation.from_quat(local[j, [1, 2, 3, 0]]).as_matrix()
        step[:3, 3] = root if parent < 0 else offsets[j]
        world.append(step if parent < 0 else world[parent] @ step)
    return np.stack(world)[:, :3, :3], np.stack(world)[:, :3, 3]


def test_joints_are_where_matrices_put_them(local: Array) -> None:
    root = np.random.default_rng(2).normal(size=(40, 3))
    positions = kinematics.fk(root, local, DEFAULT_SKELETON.offsets)
    world = rotations.to_matrix(kinematics.global_rotations(local))
    for frame in range(40):
        turned, placed = by_matrices(root[frame], local[frame], DEFAULT_SKELETON.offsets)
        np.testing.assert_allclose(world[frame], turned, atol=1e-12)
        np.testing.assert_allclose(positions[frame], placed, atol=1e-12)


def test_local_rotations_undo_global_ones(local: Array) -> None:
    back = kinematics.local_rotations(kinematics.global_rotations(local))
    np.testing.assert_allclose(rotations.angle_between(back, local), 0.0, atol=1e-9)


def test_bones_keep_their_lengths(local: Array) -> None:
    positions = kinematics.fk(np.zeros((40, 3)), local, DEFAULT_SKELETON.offsets)
    bones = positions[:, 1:] - positions[:, list(PARENTS[1:])]
    expected = np.broadcast_to(np.linalg.norm(DEFAULT_SKELETON.offsets[1:], axis=-1), (40, 28))
    np.testing.assert_allclose(np.linalg.norm(bones, axis=-1), expected)


def test_leading_axes_are_free(local: Array) -> None:
    root = np.random.default_rng(2).normal(size=(40, 3))
    together = kinematics.fk(root, local, DEFAULT_SKELETON.offsets)
    folded = kinematics.fk(root.reshape(4, 10, 3), local.reshape(4, 10, 29, 4), DEFAULT_SKELETON.offsets)
    np.testing.assert_array_equal(folded.reshape(40, 29, 3), together)
    np.testing.assert_allclose(kinematics.fk(root[3], local[3], DEFAULT_SKELETON.offsets), together[3])


def test_no_turn_is_the_rest_pose() -> None:
    positions = kinematics.fk(DEFAULT_SKELETON.offsets[0], rotations.identity(29), DEFAULT_SKELETON.offsets)
    np.testing.assert_allclose(positions, DEFAULT_SKELETON.rest_positions())


def test_the_rest_pose_is_a_t_pose_that_faces_the_front_on_the_floor() -> None:
    place = dict(zip(JOINTS, DEFAULT_SKELETON.rest_positions(), strict=True))
    assert place["left_wrist"][0] > place["left_shoulder"][0] > 0.0 > place["right_wrist"][0]
    np.testing.assert_allclose(place["left_wrist"][2], place["left_shoulder"][2])
    assert place["left_bigtoe"][1] < place["left_ankle"][1]
    assert place["jaw"][1] < place["neck"][1]
    np.testing.assert_allclose(min(z for _, _, z in place.values()), 0.0, atol=1e-9)
    assert 1.5 < place["head"][2] < 1.9


def test_a_turned_joint_carries_only_what_hangs_on_it() -> None:
    turned = rotations.identity(29)
    turned[INDEX["left_elbow"]] = rotations.about_z(-0.5 * np.pi)
    moved = kinematics.fk(DEFAULT_SKELETON.offsets[0], turned, DEFAULT_SKELETON.offsets)
    carried = np.abs(moved - DEFAULT_SKELETON.rest_positions()).max(axis=-1) > 1e-9
    assert {name for name, was in zip(JOINTS, carried, strict=True) if was} == {
        "left_wrist",
        "left_thumb",
        "left_middle",
    }
    assert moved[INDEX["left_wrist"], 1] < -0.2
