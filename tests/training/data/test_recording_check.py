"""Checks of a recording: one fault put into a sound one at a time, as the check of its folder reports it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs import rotations
from rigs.files import Source, write
from rigs.motion import Motion, rotate_about_z, translate
from rigs.skeleton import INDEX
from tests.training.data.duet_files import Couple, couple, fatal_findings, warnings, write_duet
from training.data.folder_check import check_folder


def lift(motion: Motion, height: float) -> Motion:
    return translate(motion, np.array([0.0, 0.0, height]))


def turn_upside_down(motion: Motion) -> Motion:
    """A dancer on the head: turned about the x axis, and put where the head just touches the floor."""
    over = np.array([0.0, 1.0, 0.0, 0.0])
    turns = motion.rotations.copy()
    turns[:, 0] = rotations.multiply(over, turns[:, 0])
    return replace(motion, root=motion.root * [1.0, 1.0, -1.0] + [0.0, 0.0, 1.8], rotations=turns)


def start_far_away(motion: Motion) -> Motion:
    away = np.zeros((len(motion), 3))
    away[: len(motion) * 3 // 4, 1] = -5.0
    return replace(motion, root=motion.root + away)


def scale(motion: Motion, factor: float) -> Motion:
    return replace(motion, skeleton=motion.skeleton.scale(factor), root=motion.root * factor)


SAME = "expected as in d_leader.bvh"
FLOOR = "the same floor as in d_leader.bvh expected, one"
FATAL: dict[str, tuple[Callable[[Couple], Couple], str]] = {
    "another length": (lambda d: (d[0], d[1][:150]), f"200 frames at 30 fps {SAME}, 150 at 30 found"),
    "another rate": (lambda d: (d[0], replace(d[1], fps=60.0)), f"200 frames at 30 fps {SAME}, 200 at 60 found"),
    "another place": (
        lambda d: (d[0], translate(d[1], np.array([0.0, -4.0, 0.0]))),
        "the same world space as in d_leader.bvh expected; the dancers are at least",
    ),
    "mostly another place": (lambda d: (d[0], start_far_away(d[1])), "half of the time more than 5"),
    "a higher floor": (lambda d: (d[0], lift(d[1], 0.2)), f"{FLOOR} 0.20 m above it found"),
    "a lower floor": (lambda d: (lift(d[0], 0.3), d[1]), f"{FLOOR} 0.30 m below it found"),
    "the leader once more": (
        lambda d: (d[0], translate(rotate_about_z(d[0], np.pi), np.array([0.0, -0.9, 0.0]))),
        "another movement than in d_leader.bvh expected, the same one found",
    ),
    "upside down": (lambda d: (d[0], turn_upside_down(d[1])), FLOOR),
}


@pytest.mark.parametrize("fault", FATAL)
def test_a_recording_that_would_spoil_a_training_is_fatal(folder: Path, fault: str) -> None:
    spoil, sentence = FATAL[fault]
    write_duet(folder, "d", spoil(couple(1)))
    faults = fatal_findings(check_folder(folder))
    assert any(text.startswith("d_follower.bvh") and sentence in text for text in faults), faults
    assert all(text.startswith("d_follower.bvh") for text in faults)


def test_an_upside_down_dancer_and_a_path_in_metres_are_told(folder: Path) -> None:
    leader, follower = couple(1)
    write_duet(folder, "d", (leader, turn_upside_down(follower)))
    write_duet(folder, "e", (leader, replace(follower, root=follower.root * 0.01)))
    found = warnings(check_folder(folder))
    assert any(text.startswith("d_follower.bvh") and "the dancer moves as if" in text for text in found), found
    assert "e_follower.bvh: the path is in another unit than the bones, scaled by 100" in found


@pytest.mark.parametrize("factor", [2.54, 1.0 / 2.54])
def test_a_dancer_in_other_units_is_fatal(folder: Path, factor: float) -> None:
    """In the project's own archive, which is in metres."""
    leader, follower = couple(1)
    write_duet(folder, "d", (leader, scale(follower, factor)), ".npz")
    [text] = fatal_findings(check_folder(folder))
    height = f"{np.ptp(leader.skeleton.rest_positions()[:, 2]) * factor:.3g}"
    assert text.startswith(f"d_follower.npz: a dancer 0.8 to 2.6 m tall expected, {height} m found")


def test_units_that_the_reader_recognises_are_no_fault(folder: Path) -> None:
    leader, _ = couple(1)
    inches = Source(Path("inches.bvh"), 0.0254, "Y", 30.0, len(leader))
    write(folder / "b_leader.bvh", leader, like=inches)
    assert fatal_findings(check_folder(folder)) == []


def test_dancers_may_stand_a_little_higher_and_farther_apart(folder: Path) -> None:
    write_duet(folder, "b", (couple(1)[0], lift(couple(1)[1], 0.1)))
    assert warnings(check_folder(folder)) == fatal_findings(check_folder(folder)) == []


def test_a_jump_is_reported_where_it_is_and_is_not_fatal(folder: Path) -> None:
    leader, follower = couple(0)
    arm = follower.rotations.copy()
    arm[100, INDEX["left_shoulder"]] = rotations.multiply(arm[100, INDEX["left_shoulder"]], [0.0, 0.0, 0.0, 1.0])
    write_duet(folder, "a", (leader, replace(follower, rotations=arm)))
    report = check_folder(folder)
    [text] = warnings(report)
    # the 101st frame, and the way back, at the end of the arm
    assert re.match(
        r"a_follower.bvh, frame 10[12], left_(wrist|thumb|middle): a jump at \d+ m/s, at most 9 expected", text
    )
    assert text.endswith("cut there and at 1 more")
    assert report.trainable
    assert report.recordings[0].usable == pytest.approx((99 + 98) / 30)


def test_jumps_that_are_trimmed_with_the_walk_on_are_not_cut(folder: Path) -> None:
    leader, follower = couple(0)
    root = follower.root.copy()
    root[:60, 1] -= 3.0
    root[30, 1] -= 1.0
    write_duet(folder, "a", (leader, replace(follower, root=root)))
    assert [text for text in warnings(check_folder(folder)) if "cut there" in text] == []


@pytest.mark.parametrize(("frames", "reported"), [(45, True), (29, False)])
def test_a_frozen_capture_is_reported(folder: Path, frames: int, reported: bool) -> None:
    leader, follower = couple(0)
    frozen = np.clip(np.arange(len(leader)), None, 60)
    frozen[60 + frames :] = np.arange(60 + frames, len(leader))
    write_duet(folder, "a", (replace(leader, root=leader.root[frozen], rotations=leader.rotations[frozen]), follower))
    texts = [text for text in warnings(check_folder(folder)) if "jump" not in text]
    seconds = f"{(frames - 1) / 30:.1f}"
    expected = (
        f"a_leader.bvh, frames 61 to {60 + frames}: nothing moves for {seconds} s; the capture may have stopped there"
    )
    assert texts == [expected] * reported


def test_swapped_left_and_right_are_reported(folder: Path) -> None:
    text = (folder / "b_follower.bvh").read_text()
    swapped = re.sub("left_|right_", lambda side: {"left_": "right_", "right_": "left_"}[side[0]], text)
    (folder / "b_follower.bvh").write_text(swapped)
    [text] = warnings(check_folder(folder))
    assert text.startswith("b_follower.bvh: knees and feet point backwards, as in left-handed axes or with left and")
