"""Rotations against scipy's, and the properties that hold for all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation, Slerp

from rigs import Array, rotations

ORDERS = ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "XYX", "XZX", "YXY", "YZY", "ZXZ", "ZYZ"]
numbers = st.floats(-1.0, 1.0, allow_subnormal=False)
vectors = arrays(float, 3, elements=numbers).filter(lambda v: np.linalg.norm(v) > 1e-3)
quaternions = (
    arrays(float, 4, elements=numbers).filter(lambda q: np.linalg.norm(q) > 1e-3).map(lambda q: q / np.linalg.norm(q))
)
angles = st.floats(-np.pi, np.pi)


def scipy_rotation(q: Array) -> Rotation:
    return Rotation.from_quat(np.asarray(q)[..., [1, 2, 3, 0]])


def from_scipy(rotation: Rotation) -> Array:
    return rotation.as_quat()[..., [3, 0, 1, 2]]


def assert_same(a: Array, b: Array, tolerance: float = 1e-9) -> None:
    """Two arrays of quaternions turn alike; the sign of a quaternion says nothing."""
    np.testing.assert_allclose(rotations.angle_between(a, b), 0.0, atol=tolerance)


@pytest.fixture
def random() -> Array:
    return from_scipy(Rotation.random(500, random_state=1))


@pytest.fixture
def others() -> Array:
    return from_scipy(Rotation.random(500, random_state=2))


def test_multiply_is_scipys(random: Array, others: Array) -> None:
    assert_same(rotations.multiply(random, others), from_scipy(scipy_rotation(random) * scipy_rotation(others)))


def test_rotate_is_scipys(random: Array) -> None:
    vector = np.random.default_rng(3).normal(size=(500, 3))
    np.testing.assert_allclose(rotations.rotate(random, vector), scipy_rotation(random).apply(vector), atol=1e-12)


def test_leading_axes_broadcast(random: Array) -> None:
    many = random.reshape(5, 100, 4)
    one = random[7]
    assert rotations.multiply(many, one).shape == (5, 100, 4)
    turned = rotations.rotate(many[:, :1], np.eye(3)[0])
    np.testing.assert_allclose(turned[:, 0], scipy_rotation(many[:, 0]).apply([1.0, 0.0, 0.0]), atol=1e-12)


def test_matrices_are_scipys(random: Array) -> None:
    np.testing.assert_allclose(rotations.to_matrix(random), scipy_rotation(random).as_matrix(), atol=1e-12)
    assert_same(rotations.from_matrix(scipy_rotation(random).as_matrix()), random)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (-1, 1, 1)])
def test_half_turns_survive_a_matrix(axis: tuple[int, ...]) -> None:
    q = rotations.from_axis_angle(rotations.normalize(np.array(axis, dtype=float)), np.pi)
    assert_same(rotations.from_matrix(rotations.to_matrix(q)), q)


def test_rotation_vectors_are_scipys(random: Array) -> None:
    np.testing.assert_allclose(rotations.to_rotation_vector(random), scipy_rotation(random).as_rotvec(), atol=1e-9)
    vector = np.random.default_rng(4).normal(size=(200, 3)) * 3.0
    assert_same(rotations.from_rotation_vector(vector), from_scipy(Rotation.from_rotvec(vector)))


@given(arrays(float, 3, elements=st.floats(-1e-12, 1e-12)))
def test_tiny_rotation_vectors_come_back(vector: Array) -> None:
    back = rotations.to_rotation_vector(rotations.from_rotation_vector(vector))
    np.testing.assert_allclose(back, vector, atol=1e-20)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_are_scipys_in_every_order(order: str, random: Array) -> None:
    angle = np.random.default_rng(5).uniform(-np.pi, np.pi, (500, 3))
    assert_same(rotations.from_euler(angle, order), from_scipy(Rotation.from_euler(order, angle)), 1e-8)
    ours, theirs = rotations.to_euler(random, order), scipy_rotation(random).as_euler(order)
    np.testing.assert_allclose((ours - theirs + 1.0) % (2.0 * np.pi) - 1.0, 0.0, atol=1e-8)


@pytest.mark.parametrize("order", ORDERS)
@given(first=angles, last=angles, sign=st.sampled_from([-1.0, 1.0]))
def test_gimbal_lock_keeps_the_rotation(order: str, first: float, last: float, sign: float) -> None:
    locked = (0.0 if sign < 0.0 else np.pi) if order[0] == order[2] else sign * np.pi / 2.0
    q = from_scipy(Rotation.from_euler(order, [first, locked, last]))
    angle = rotations.to_euler(q, order)
    assert_same(rotations.from_euler(angle, order), q, 1e-6)
    assert angle[2] == 0.0


@pytest.mark.parametrize("order", ORDERS)
@given(q=quaternions)
def test_euler_angles_give_their_rotation_back(order: str, q: Array) -> None:
    angle = rotations.to_euler(q, order)
    assert np.all(np.abs(angle) <= np.pi)
    assert_same(rotations.from_euler(angle, order), q, 1e-6)


def test_two_axes_are_made_orthonormal_as_gram_and_schmidt_do() -> None:
    x, y = np.random.default_rng(6).normal(size=(2, 200, 3))
    matrix = rotations.to_matrix(rotations.from_axes(x, y))
    first = x / np.linalg.norm(x, axis=1, keepdims=True)
    second = y - np.sum(first * y, axis=1, keepdims=True) * first
    second /= np.linalg.norm(second, axis=1, keepdims=True)
    expected = np.stack([first, second, np.cross(first, second)], axis=-1)
    np.testing.assert_allclose(matrix, expected, atol=1e-9)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0)


def test_slerp_is_scipys(random: Array, others: Array) -> None:
    t = np.linspace(0.0, 1.0, 11)
    for a, b in zip(random[:40], others[:40], strict=True):
        expected = Slerp([0.0, 1.0], scipy_rotation(np.stack([a, b])))(t)
        assert_same(rotations.slerp(a, b, t), from_scipy(expected), 1e-7)


def test_mean_is_scipys() -> None:
    q = rotations.normalize(np.array([1.0, 0.0, 0.0, 0.0]) + np.random.default_rng(3).normal(0.0, 0.4, (30, 5, 4)))
    theirs = np.array([from_scipy(scipy_rotation(q[:, n]).mean()) for n in range(5)])
    assert_same(rotations.mean(q), theirs)
    np.testing.assert_array_equal(rotations.mean(q[:, 0]), rotations.mean(q)[0])


@given(quaternions, vectors, st.floats(1e-12, 1e-3), st.floats(0.0, 1.0))
def test_slerp_is_even_between_near_rotations(q: Array, axis: Array, angle: float, t: float) -> None:
    step = rotations.from_axis_angle(rotations.normalize(axis), np.array(angle))
    way = rotations.angle_between(q, rotations.slerp(q, rotations.multiply(q, step), t))
    np.testing.assert_allclose(way, t * angle, atol=1e-10)


@given(quaternions, quaternions)
def test_slerp_takes_the_shorter_arc_from_end_to_end(a: Array, b: Array) -> None:
    assert_same(rotations.slerp(a, b, 0.0), a, 1e-7)
    assert_same(rotations.slerp(a, b, 1.0), b, 1e-7)
    whole = rotations.angle_between(a, b)
    np.testing.assert_allclose(rotations.angle_between(a, rotations.slerp(a, -b, 0.25)), whole / 4.0, atol=1e-6)


@given(vectors, vectors)
def test_between_turns_one_direction_into_the_other(u: Array, v: Array) -> None:
    q = rotations.between(u, v)
    np.testing.assert_allclose(rotations.rotate(q, rotations.normalize(u)), rotations.normalize(v), atol=1e-6)
    cosine = np.clip(np.dot(rotations.normalize(u), rotations.normalize(v)), -1.0, 1.0)
    np.testing.assert_allclose(rotations.angle_between(q, rotations.IDENTITY), np.arccos(cosine), atol=1e-6)


@given(vectors, vectors, st.floats(1e-12, 1e-3))
def test_between_is_exact_for_nearly_opposite_directions(u: Array, v: Array, away: float) -> None:
    u = rotations.normalize(u)
    target = rotations.normalize(away * v - u)
    np.testing.assert_allclose(rotations.rotate(rotations.between(u, target), u), target, atol=1e-6)


def test_between_nothing_and_a_direction_is_no_turn() -> None:
    nothing, up = np.zeros(3), np.array([0.0, 0.0, 1.0])
    np.testing.assert_array_equal(rotations.between(nothing, up), rotations.IDENTITY)
    np.testing.assert_array_equal(rotations.between(nothing, nothing), rotations.IDENTITY)


@given(vectors)
def test_between_opposite_directions_is_a_half_turn(u: Array) -> None:
    q = rotations.between(u, -u)
    np.testing.assert_allclose(rotations.rotate(q, u), -u, atol=1e-6)


def test_align_vectors_is_scipys() -> None:
    generator = np.random.default_rng(7)
    shape = generator.normal(size=(5, 3))
    turned = np.stack([r.apply(shape) for r in Rotation.random(50, random_state=8)])
    turned += 0.3 * generator.normal(size=turned.shape)
    expected = [Rotation.align_vectors(seen, shape)[0] for seen in turned]
    assert_same(rotations.align_vectors(shape, turned), from_scipy(Rotation.concatenate(expected)), 1e-7)


@given(quaternions)
def test_align_vectors_never_reflects(q: Array) -> None:
    shape = np.diag([3.0, 2.0, 1.0])
    reflected = rotations.rotate(q, shape * np.array([-1.0, 1.0, 1.0]))
    np.testing.assert_allclose(np.linalg.det(rotations.to_matrix(rotations.align_vectors(shape, reflected))), 1.0)


def test_unroll_changes_signs_only() -> None:
    steady = rotations.about_z(np.linspace(0.0, 8.0 * np.pi, 200))
    signs = np.random.default_rng(9).choice([-1.0, 1.0], 200)
    smooth = rotations.unroll(steady * signs[:, None])
    assert np.all(np.sum(smooth[1:] * smooth[:-1], axis=-1) > 0.0)
    np.testing.assert_array_equal(np.abs(smooth), np.abs(steady))


@given(quaternions, angles)
def test_heading_turns_with_the_body(q: Array, angle: float) -> None:
    facing = scipy_rotation(q).apply([0.0, -1.0, 0.0])
    level = np.hypot(facing[0], facing[1])
    if level < 0.21:
        return
    before = rotations.heading(q)
    after = rotations.heading(rotations.multiply(rotations.about_z(angle), q))
    np.testing.assert_allclose(np.cos(after - before - angle), 1.0, atol=1e-9)


def test_heading_is_zero_when_the_body_faces_the_front() -> None:
    np.testing.assert_allclose(rotations.heading(rotations.IDENTITY), 0.0)
    np.testing.assert_allclose(rotations.heading(rotations.about_z(0.5 * np.pi)), 0.5 * np.pi)
