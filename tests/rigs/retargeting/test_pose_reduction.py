"""Key reduction of whole bodies, against forward kinematics of scipy's Hermite splines through the keys."""

import numpy as np
import pytest
from scipy.interpolate import CubicHermiteSpline

from rigs import Array, kinematics, rotations
from rigs.contacts import FEET, PLANTED_SPEED, foot_contacts
from rigs.motion import Motion
from rigs.retargeting.key_reduction import KeyedCurve, Tolerance
from rigs.retargeting.pose_reduction import KeyedMotion, reduce_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS


def curve_values(curve: KeyedCurve | None, frames: int) -> Array:
    assert curve is not None
    return np.asarray(CubicHermiteSpline(curve.frames, curve.values, curve.slopes)(np.arange(frames)))


def played(keyed: KeyedMotion) -> Motion:
    """The motion that an animator's programme plays from the keys."""
    motion, frames = keyed.motion, len(keyed)
    local = [rotations.normalize(curve_values(keyed.keys[joint][0], frames)) for joint in JOINTS]
    root = motion.skeleton.rest_positions()[0] + curve_values(keyed.keys["pelvis"][1], frames)
    return Motion(motion.fps, motion.skeleton, root, np.stack(local, axis=1))


def world_angles(a: Motion, b: Motion) -> Array:
    turns = (kinematics.global_rotations(motion.rotations) for motion in (a, b))
    return np.degrees(rotations.angle_between(*turns))


@pytest.mark.parametrize(("degrees", "millimetres"), [(0.5, 1.0), (2.0, 10.0), (0.05, 0.1)])
def test_every_joint_stays_within_tolerance_in_the_world(degrees: float, millimetres: float) -> None:
    dance = sample_dance()[:300]
    reduced = played(reduce_motion(dance, Tolerance(np.radians(degrees), millimetres / 1e3)))
    assert world_angles(reduced, dance).max() <= degrees * (1.0 + 1e-6)
    assert np.linalg.norm(reduced.positions - dance.positions, axis=-1).max() <= millimetres / 1e3 * (1.0 + 1e-6)


def test_a_third_of_a_dances_keys_remain_and_fewer_with_more_tolerance() -> None:
    dance = sample_dance()[:300]
    counts = [
        sum(len(rotation.frames) for rotation, _ in reduce_motion(dance, tolerance).keys.values())
        for tolerance in (Tolerance(), Tolerance(np.radians(2.0), 0.01))
    ]
    assert counts[0] < 0.35 * 300 * len(JOINTS)
    assert counts[1] < 0.6 * counts[0]


def test_planted_feet_stay_where_they_were_planted() -> None:
    dance = sample_dance()[:300]
    planted = foot_contacts(dance.positions, dance.fps, speed=PLANTED_SPEED)
    moved = np.linalg.norm((played(reduce_motion(dance, Tolerance())).positions - dance.positions)[:, FEET], axis=-1)
    assert planted.mean() > 0.3
    assert moved[planted].max() < 3e-3


def test_a_bones_keys_of_rotation_and_location_stand_on_the_same_frames() -> None:
    rotation, location = reduce_motion(sample_dance()[:100], Tolerance()).keys["pelvis"]
    assert location is not None
    assert np.array_equal(rotation.frames, location.frames)


def test_a_dancer_that_stands_still_has_two_keys() -> None:
    still = Motion(30.0, DEFAULT_SKELETON, np.tile(DEFAULT_SKELETON.offsets[0], (90, 1)), rotations.identity(90, 29))
    assert {tuple(rotation.frames) for rotation, _ in reduce_motion(still, Tolerance()).keys.values()} == {(0, 89)}


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_the_shortest_motions_keep_their_ends(frames: int) -> None:
    for rotation, _ in reduce_motion(sample_dance()[:frames], Tolerance()).keys.values():
        assert {0, frames - 1} <= set(rotation.frames)


def test_zero_tolerance_keeps_the_motion() -> None:
    dance = sample_dance()[:60]
    assert np.abs(played(reduce_motion(dance, Tolerance(0.0, 0.0))).positions - dance.positions).max() < 1e-6
