"""Key reduction of IK controls, against two-bone IK at scipy's Hermite splines through the keys."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from rigs import Array, rotations
from rigs.retargeting.control_reduction import reduce_control
from rigs.retargeting.key_reduction import KeyedCurve, PropertyCurve, Tolerance, reduce_keys
from rigs.two_bone_ik import two_bone_ik

FRAMES = 200
UPPER, LOWER = 0.27, 0.25
AXES = rotations.from_rotation_vector(np.array([0.3, -0.8, 0.2]))
POLE = np.array([0.0, 1.0, 0.0])


def reaching_arm(straightest: float) -> Array:
    """An arm (F, 3, 3) that reaches to and fro, at most `straightest` of its length."""
    time = np.arange(FRAMES)
    reach = (UPPER + LOWER) * straightest * (0.8 + 0.2 * np.sin(time * 0.07))
    direction = rotations.rotate(rotations.about_z(0.6 * np.sin(time * 0.03)), np.array([1.0, 0.0, 0.0]))
    start = np.zeros((FRAMES, 3))
    elbow, wrist = two_bone_ik(start, reach[:, None] * direction, (UPPER, LOWER), np.tile(POLE, (FRAMES, 1)))
    return np.stack([start, elbow, wrist], axis=1)


def values(curve: KeyedCurve) -> Array:
    return np.asarray(CubicHermiteSpline(curve.frames, curve.values, curve.slopes)(np.arange(FRAMES)))


@pytest.mark.parametrize("straightest", [0.8, 0.999])
def test_elbow_and_wrist_stay_within_tolerance_however_straight_the_arm(straightest: float) -> None:
    chain = reaching_arm(straightest)
    location = rotations.rotate(rotations.inverse(AXES), chain[:, 2])
    keys, _ = reduce_control(location, rotations.identity(FRAMES), AXES, chain, Tolerance())
    wrist = rotations.rotate(AXES, values(keys))
    elbow, _ = two_bone_ik(chain[:, 0], wrist, (UPPER, LOWER), np.tile(POLE, (FRAMES, 1)))
    assert np.linalg.norm(wrist - chain[:, 2], axis=-1).max() <= 1.0001e-3
    assert np.linalg.norm(elbow - chain[:, 1], axis=-1).max() < 2e-3
    assert len(keys.frames) < 0.4 * FRAMES


def test_a_straight_arm_needs_more_keys_than_its_path_alone() -> None:
    chain = reaching_arm(0.999)
    (path,) = reduce_keys([[PropertyCurve(chain[:, 2], None, 1e-3)]])
    keys, _ = reduce_control(chain[:, 2], rotations.identity(FRAMES), rotations.IDENTITY, chain, Tolerance())
    assert len(keys.frames) > len(path)


def test_rotation_stays_within_tolerance_and_has_its_keys_on_the_same_frames() -> None:
    chain = reaching_arm(0.8)
    turning = rotations.from_axis_angle(np.array([0.0, 0.0, 1.0]), 3.0 * np.sin(np.arange(FRAMES) * 0.05))
    location, rotation = reduce_control(chain[:, 2], turning, rotations.IDENTITY, chain, Tolerance())
    assert np.array_equal(location.frames, rotation.frames)
    assert rotation.mode == "QUATERNION"
    played = rotations.normalize(values(rotation))
    assert rotations.angle_between(played, turning).max() <= np.radians(0.5001)
    assert np.allclose(rotation.play(FRAMES), played, atol=1e-9)
