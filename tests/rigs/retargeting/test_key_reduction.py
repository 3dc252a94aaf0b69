"""Key reduction against scipy's Hermite splines through the same keys and slopes."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from rigs import Array, rotations
from rigs.retargeting import rotation_modes
from rigs.retargeting.key_reduction import PropertyCurve, reduce_keys, tangents

HALF_A_DEGREE = np.radians(0.5)
MILLIMETRE = 1e-3


def hermite_curves(values: Array, key_frames: Array) -> Array:
    """The curves (F, n) that an animator's programme draws through the keys."""
    spline = CubicHermiteSpline(key_frames, values[key_frames], tangents(values)[key_frames])
    return spline(np.arange(len(values)))


def smooth_rotations(frames: int, seed: int) -> Array:
    random = np.random.default_rng(seed)
    time = np.arange(frames)[:, None]
    vector = sum(random.normal(0.0, 1.0, 3) * np.sin(time * 0.03 * n + random.uniform(0.0, 6.0, 3)) for n in (1, 2, 3))
    return rotations.from_rotation_vector(vector)


def smooth_locations(frames: int = 300) -> Array:
    return np.stack([np.sin(np.arange(frames) * speed) for speed in (0.05, 0.11, 0.02)], axis=-1)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", "ZXY", "AXIS_ANGLE"])
def test_rotation_curves_stay_within_tolerance(mode: str) -> None:
    bones = [rotation_modes.from_quaternions(smooth_rotations(300, seed), mode) for seed in range(4)]
    keys = reduce_keys([[PropertyCurve(values, mode, HALF_A_DEGREE)] for values in bones])
    for seed, (values, key_frames) in enumerate(zip(bones, keys, strict=True)):
        quaternions = rotation_modes.to_quaternions(hermite_curves(values, key_frames), mode)
        assert rotations.angle_between(quaternions, smooth_rotations(300, seed)).max() <= HALF_A_DEGREE * (1.0 + 1e-9)
        assert len(key_frames) < 150
        assert (key_frames[0], key_frames[-1]) == (0, 299)


def test_location_curves_stay_within_tolerance() -> None:
    (key_frames,) = reduce_keys([[PropertyCurve(smooth_locations(), None, MILLIMETRE)]])
    assert (
        np.linalg.norm(hermite_curves(smooth_locations(), key_frames) - smooth_locations(), axis=-1).max() <= MILLIMETRE
    )
    assert len(key_frames) < 100


def test_all_curves_of_a_bone_share_their_keys() -> None:
    quaternions = smooth_rotations(300, 0)
    tracks = [
        PropertyCurve(quaternions, "QUATERNION", HALF_A_DEGREE),
        PropertyCurve(smooth_locations(), None, MILLIMETRE),
    ]
    (both,) = reduce_keys([tracks])
    assert np.linalg.norm(hermite_curves(smooth_locations(), both) - smooth_locations(), axis=-1).max() <= MILLIMETRE
    assert rotations.angle_between(
        rotations.normalize(hermite_curves(quaternions, both)), quaternions
    ).max() <= HALF_A_DEGREE * (1 + 1e-9)


def test_bones_are_reduced_independently() -> None:
    bones = [[PropertyCurve(smooth_rotations(200, seed), "QUATERNION", HALF_A_DEGREE)] for seed in range(3)]
    together = reduce_keys(bones)
    for key_frames, bone in zip(together, bones, strict=True):
        assert np.array_equal(key_frames, reduce_keys([bone])[0])


def test_a_still_bone_keeps_only_its_first_and_last_key() -> None:
    still = np.tile([1.0, 0.0, 0.0, 0.0], (50, 1))
    assert [list(key_frames) for key_frames in reduce_keys([[PropertyCurve(still, "QUATERNION", HALF_A_DEGREE)]])] == [
        [0, 49]
    ]


def test_hardly_any_key_is_redundant() -> None:
    (key_frames,) = reduce_keys([[PropertyCurve(smooth_locations(), None, MILLIMETRE)]])
    redundant = 0
    for key in range(1, len(key_frames) - 1):
        without = hermite_curves(smooth_locations(), np.delete(key_frames, key))
        redundant += np.linalg.norm(without - smooth_locations(), axis=-1).max() <= MILLIMETRE
    assert redundant <= 0.1 * len(key_frames)


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ", None])
def test_zero_tolerance_keeps_nearly_all_keys(mode: str | None) -> None:
    values = smooth_locations() if mode is None else rotation_modes.from_quaternions(smooth_rotations(100, 0), mode)
    (key_frames,) = reduce_keys([[PropertyCurve(values, mode, 0.0)]])
    assert len(key_frames) > 0.9 * len(values)


def test_a_jump_is_kept_on_its_frame() -> None:
    jump = np.zeros((60, 1))
    jump[30:] = 1.0
    (key_frames,) = reduce_keys([[PropertyCurve(jump, None, MILLIMETRE)]])
    assert np.abs(hermite_curves(jump, key_frames) - jump).max() <= MILLIMETRE


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_curves_keep_their_ends(frames: int) -> None:
    (key_frames,) = reduce_keys([[PropertyCurve(np.zeros((frames, 3)), None, MILLIMETRE)]])
    assert list(key_frames) == sorted({0, frames - 1})


def test_no_bones_give_no_keys() -> None:
    assert reduce_keys([]) == []
