"""Tilt of rest poses: leans of the whole body, told from posture, however the armature's object is rotated."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.characters.rest_tilt import rest_tilt
from rigs.skeleton import DEFAULT_SKELETON, INDEX, PARENTS

X, Y = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
STANDING = DEFAULT_SKELETON.rest_positions()


def about(axis: Array, degrees: float) -> Array:
    return rotations.from_axis_angle(rotations.normalize(np.asarray(axis, dtype=float)), np.radians(degrees))


def lean_from(joint: str, degrees: float) -> Array:
    """The T-pose with all that hangs on a joint leaned forward about it."""
    bent = STANDING.copy()
    for j in range(29):
        above = j
        while above >= 0 and above != INDEX[joint]:
            above = PARENTS[above]
        if above >= 0:
            pivot = STANDING[INDEX[joint]]
            bent[j] = pivot + rotations.rotate(about(X, degrees), STANDING[j] - pivot)
    return bent


def missed_degrees(tilt: Array | None, expected: Array) -> float:
    """The angle between the verticals of two tilts."""
    assert tilt is not None
    up = np.array([0.0, 0.0, 1.0])
    cosine = rotations.rotate(tilt, up) @ rotations.rotate(expected, up)
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


@pytest.mark.parametrize("heading", [0.0, 2.0])
@pytest.mark.parametrize("axis", [X, Y, X + Y], ids=["X", "Y", "both"])
@pytest.mark.parametrize("degrees", [3.0, 10.0, -45.0, 90.0, 180.0])
def test_the_tilt_of_an_object_is_exact(axis: Array, degrees: float, heading: float) -> None:
    placed = rotations.multiply(about(axis, degrees), rotations.about_z(heading))
    tilt = rest_tilt(rotations.rotate(placed, STANDING), placed)
    assert missed_degrees(tilt, about(axis, degrees)) < 1e-3


@pytest.mark.parametrize("axis", [X, Y, X + Y], ids=["X", "Y", "both"])
@pytest.mark.parametrize("degrees", [10.0, -10.0, 30.0, -45.0, 80.0, 135.0])
def test_the_lean_of_a_rest_pose_is_measured_to_within_the_body_s_posture(axis: Array, degrees: float) -> None:
    tilt = rest_tilt(rotations.rotate(about(axis, degrees), STANDING))
    assert missed_degrees(tilt, about(axis, degrees)) < 2.0


@pytest.mark.parametrize("degrees", [90.0, -90.0, 180.0])
def test_a_rest_pose_that_lies_along_an_axis_is_exact(degrees: float) -> None:
    tilt = rest_tilt(rotations.rotate(about(X, degrees), STANDING))
    assert missed_degrees(tilt, about(X, degrees)) < 1e-3


def test_a_tilted_body_keeps_its_heading() -> None:
    turned = rotations.rotate(rotations.about_z(0.8), STANDING)
    tilt = rest_tilt(rotations.rotate(about(X, 45.0), turned))
    assert tilt is not None
    standing = rotations.rotate(rotations.inverse(tilt), rotations.rotate(about(X, 45.0), turned))
    left = standing[INDEX["left_hip"]] - standing[INDEX["right_hip"]]
    assert abs(left[2]) < 1e-9


@pytest.mark.parametrize(
    "rest",
    [STANDING, lean_from("spine1", 10.0), lean_from("spine1", 40.0), lean_from("pelvis", 3.0)],
    ids=["T-pose", "slouch", "hunched", "leaning a little"],
)
def test_posture_is_no_tilt(rest: Array) -> None:
    assert rest_tilt(rest) is None
    lying = about(X, 90.0)  # of files in which Y is up, with an object that turns them
    in_file = rotations.rotate(rotations.inverse(lying), rest)
    assert rest_tilt(rotations.rotate(lying, in_file), lying) is None


def test_a_sitting_rest_pose_is_upright() -> None:
    sitting = STANDING.copy()
    for side in ("left", "right"):
        hip, knee = INDEX[f"{side}_hip"], INDEX[f"{side}_knee"]
        moved = STANDING[hip] + np.array([0.0, -0.4, 0.0]) - STANDING[knee]
        for joint in ("knee", "ankle", "foot", "bigtoe"):
            sitting[INDEX[f"{side}_{joint}"]] += moved
    assert rest_tilt(sitting) is None
