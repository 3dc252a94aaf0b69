"""Rotation modes against scipy's rotations, and continuity of the values."""

from itertools import permutations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from rigs import Array, rotations
from rigs.retargeting import rotation_modes

ORDERS = ["".join(order) for order in permutations("XYZ")]
MODES = ["QUATERNION", "AXIS_ANGLE", *ORDERS]


def wandering(frames: int = 600, seed: int = 0) -> Array:
    """Two bones that turn everywhere, at most a few degrees a frame: (F, 2, 4)."""
    random = np.random.default_rng(seed)
    pull = np.cumsum(random.normal(0.0, 0.004, (frames, 2, 3)), axis=0)
    turns = [rotations.identity(2)]
    for step in rotations.from_rotation_vector(np.clip(pull, -0.05, 0.05)):
        turns.append(rotations.multiply(turns[-1], step))
    return np.array(turns)


@pytest.mark.parametrize("order", ORDERS)
def test_euler_angles_rotate_about_fixed_axes_in_their_order(order: str) -> None:
    angles = np.random.default_rng(2).uniform(-3.0, 3.0, (20, 3))
    in_turn = angles[:, ["XYZ".index(letter) for letter in order]]
    truth = Rotation.from_euler(order.lower(), in_turn).as_matrix()
    assert np.allclose(rotations.to_matrix(rotation_modes.to_quaternions(angles, order)), truth)


def test_axis_angle_accepts_an_axis_of_any_length() -> None:
    values = np.random.default_rng(2).normal(0.0, 2.0, (20, 4))
    truth = Rotation.from_rotvec(values[:, :1] * rotations.normalize(values[:, 1:])).as_matrix()
    assert np.allclose(rotations.to_matrix(rotation_modes.to_quaternions(values, "AXIS_ANGLE")), truth)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_survives_a_round_trip(mode: str) -> None:
    turns = wandering()
    values = rotation_modes.from_quaternions(turns, mode)
    assert values.shape == (*turns.shape[:-1], rotation_modes.PROPERTY_WIDTHS[rotation_modes.rotation_property(mode)])
    assert rotations.angle_between(rotation_modes.to_quaternions(values, mode), turns).max() < 1e-6


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("axis", range(3))
def test_a_spinning_bone_has_continuous_values(mode: str, axis: int) -> None:
    angle = np.linspace(0.1, 6.0 * np.pi, 400)
    turns = rotations.from_axis_angle(np.eye(3)[axis], angle)[:, None]
    values = rotation_modes.from_quaternions(turns, mode)
    assert np.abs(np.diff(values, axis=0)).max() < 0.06


@pytest.mark.parametrize("order", ORDERS)
def test_interpolated_angles_stay_near_the_rotations(order: str) -> None:
    turns = wandering()
    values = rotation_modes.from_quaternions(turns, order)
    halfway = rotation_modes.to_quaternions((values[1:] + values[:-1]) / 2.0, order)
    apart = rotations.angle_between(halfway, rotations.slerp(turns[1:], turns[:-1], 0.5))
    assert np.quantile(apart, 0.99) < np.radians(1.0)


def test_the_axis_is_filled_in_a_frame_without_rotation() -> None:
    angle = np.linspace(-1.0, 1.0, 41)
    turns = rotations.from_axis_angle(rotations.normalize(np.array([1.0, 2.0, -1.0])), angle)[:, None]
    values = rotation_modes.from_quaternions(turns, "AXIS_ANGLE")
    assert np.abs(np.diff(values, axis=0)).max() < 0.051


def test_a_bone_without_rotation_has_some_axis() -> None:
    values = rotation_modes.from_quaternions(rotations.identity(5, 1), "AXIS_ANGLE")
    assert np.allclose(values, [0.0, 0.0, 1.0, 0.0])


@pytest.mark.parametrize("mode", MODES)
def test_values_continue_from_any_equivalent_of_the_frame_before(mode: str) -> None:
    turns = wandering()[:, 0]
    whole = rotation_modes.from_quaternions(turns, mode)
    rest = rotation_modes.from_quaternions(-turns[300:], mode)
    goes_on = rotation_modes.continue_from(rest, whole[299], mode)
    assert np.allclose(goes_on, whole[300:], atol=1e-6)
    assert rotations.angle_between(rotation_modes.to_quaternions(goes_on, mode), turns[300:]).max() < 1e-6
