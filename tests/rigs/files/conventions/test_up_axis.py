"""The up axis of whole clips: floor work, acrobatics, running and stillness in each of the six axes."""

from pathlib import Path

import numpy as np
import pytest

from rigs.files import read
from rigs.files.conventions.axes import UP_AXES, from_z_up
from rigs.files.conventions.up_axis import STATED, UPRIGHT_REST_POSE, detect_up_axis, direction, rest_pose_axis
from rigs.skeleton import DEFAULT_SKELETON
from tests.rigs.files.conventions import posed_clips

REST = DEFAULT_SKELETON.rest_positions()
UPRIGHT = ("standing", "running", "tai_chi", "jumps", "trampoline")


@pytest.mark.parametrize("up", UP_AXES)
@pytest.mark.parametrize("clip", posed_clips.CLIPS)
def test_every_clip_keeps_the_axis_along_which_its_rest_pose_stands(clip: str, up: str) -> None:
    positions = from_z_up(posed_clips.CLIPS[clip](), up)
    assert detect_up_axis(positions, posed_clips.FPS, {up: UPRIGHT_REST_POSE}).axis == up


@pytest.mark.parametrize("stated", UP_AXES)
@pytest.mark.parametrize("clip", UPRIGHT)
def test_a_dancer_who_stands_tells_the_axis_whatever_is_stated(clip: str, stated: str) -> None:
    found = detect_up_axis(posed_clips.CLIPS[clip](), posed_clips.FPS, {stated: STATED})
    assert (found.axis, found.standing["Z"] > 0.9) == ("Z", True)


@pytest.mark.parametrize("rest", UP_AXES)
@pytest.mark.parametrize("clip", ["running", "jumps", "trampoline"])
def test_steps_and_falls_overrule_a_rest_pose_that_stands_along_another_axis(clip: str, rest: str) -> None:
    found = detect_up_axis(posed_clips.CLIPS[clip](), posed_clips.FPS, {rest: UPRIGHT_REST_POSE})
    assert found.axis == "Z"


def test_what_rests_on_the_floor_tells_a_push_up_from_a_stand() -> None:
    found = detect_up_axis(posed_clips.push_ups(), posed_clips.FPS, {"Z": STATED})
    assert found.standing["-Y"] == 1.0
    assert found.explained["Z"] > max(0.8, 2.0 * found.explained["-Y"])
    assert found.axis == "Z"


def test_nobody_stands_on_both_hands() -> None:
    found = detect_up_axis(posed_clips.handstand(), posed_clips.FPS, {"Z": STATED})
    assert (found.axis, max(found.standing.values())) == ("Z", 0.0)


def test_free_fall_explains_frames_in_the_air() -> None:
    positions = posed_clips.trampoline()
    assert detect_up_axis(positions, posed_clips.FPS, {}).explained["Z"] > 0.5
    at_another_rate = detect_up_axis(positions, 3.0 * posed_clips.FPS, {})
    assert at_another_rate.explained["Z"] < 0.2


@pytest.mark.parametrize("up", UP_AXES)
@pytest.mark.parametrize("file", ["salsa/salsa_03_leader.bvh", "couple_a/Easy_01_follower.bvh", "cmu_solo/05_10.amc"])
def test_real_dances_tell_the_axis_without_any_statement(corpus: Path, file: str, up: str) -> None:
    motion = read(corpus / file).motions[0]
    found = detect_up_axis(from_z_up(motion.positions, up), motion.fps, {})
    assert found.axis == up
    assert found.confidence > 0.99


def test_size_and_missing_joints_do_not_matter() -> None:
    positions = 57.0 * posed_clips.jumps()
    whole = detect_up_axis(positions, posed_clips.FPS, {})
    positions[:, 12:16] = np.nan
    positions[:, 22:] = np.nan
    found = detect_up_axis(positions, posed_clips.FPS, {})
    assert (whole.axis, found.axis) == ("Z", "Z")
    assert found.confidence > 0.99


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_a_short_clip_of_a_stand_is_upright(frames: int) -> None:
    assert detect_up_axis(posed_clips.standing()[:frames], posed_clips.FPS, {"Y": STATED}).axis == "Z"


@pytest.mark.parametrize("up", UP_AXES)
def test_a_rest_pose_stands_along_its_own_axis(up: str) -> None:
    assert rest_pose_axis(from_z_up(REST, up)) == up
    np.testing.assert_array_equal(direction(up), from_z_up(np.array([0.0, 0.0, 1.0]), up))


def test_a_rest_pose_that_is_no_body_stands_along_none() -> None:
    assert rest_pose_axis(np.random.default_rng(0).normal(size=(29, 3))) is None
