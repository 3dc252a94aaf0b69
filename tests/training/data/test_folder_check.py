"""What the check of a folder finds: sound recordings with one fault put in each, and real ones with none."""

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
from tests.training.data.duet_files import duet
from training.data.folder_check import FolderReport, check_folder

Couple = tuple[Motion, Motion]


def couple(take: int = 0, frames: int = 200) -> Couple:
    """One of three couples with dances of their own, 6.6 s long."""
    leader, follower = duet()
    part = slice(200 * take, 200 * take + frames)
    return leader[part], follower[part]


def record(folder: Path, name: str, dancers: Couple, suffix: str = ".bvh") -> None:
    for role, motion in zip(("leader", "follower"), dancers, strict=True):
        write(folder / f"{name}_{role}{suffix}", motion)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sound recordings: a, b and c."""
    folder = tmp_path / "duets"
    folder.mkdir()
    for take, name in enumerate("abc"):
        record(folder, name, couple(take))
    return folder


def fatal(report: FolderReport) -> list[str]:
    return [str(finding) for finding in report.findings if finding.fatal]


def warned(report: FolderReport) -> list[str]:
    """The warnings but for that of the little data, which these folders all get."""
    found = [str(finding) for finding in report.findings if not finding.fatal]
    return [said for said in found if "minutes expected" not in said]


def lifted(motion: Motion, height: float) -> Motion:
    return translate(motion, np.array([0.0, 0.0, height]))


def test_sound_recordings_are_measured_and_dealt_out(folder: Path) -> None:
    report = check_folder(folder)
    assert report.trainable
    assert warned(report) == []
    assert [(take.name, take.part) for take in report.recordings] == [("a", "train"), ("b", "validation"), ("c", "test")]
    for take, (leader, follower) in zip(report.recordings, map(couple, range(3)), strict=True):
        apart = np.linalg.norm(leader.root - follower.root, axis=-1)
        assert take.seconds == pytest.approx(199 / 30)
        assert take.usable == pytest.approx(199 / 30)
        assert take.closest == pytest.approx(apart.min(), abs=1e-3)
        assert take.median == pytest.approx(np.median(apart), abs=1e-3)


def test_less_than_a_minute_of_dance_is_warned_of(folder: Path) -> None:
    assert str(check_folder(folder).findings[0]) == "duets: 20 s of dance in all, minutes expected; expect a poor dancer"
    leader, follower = duet()
    record(folder, "a", (replace(leader, fps=10.0), replace(follower, fps=10.0)))
    assert check_folder(folder).findings == ()


def test_real_salsa_is_fit_for_training(corpus: Path) -> None:
    report = check_folder(corpus / "salsa", ["salsa_10"], ["salsa_07"])
    assert report.trainable
    assert len(report.recordings) == 11
    assert {take.name for take in report.recordings if take.part != "train"} == {"salsa_10", "salsa_07"}
    assert all(" a leap at " in said for said in warned(report))
    for take in report.recordings:
        assert 0.2 < take.closest < 0.5
        assert 0.6 < take.median < 0.9
        assert 0.6 * take.seconds < take.usable < take.seconds


def test_everything_that_is_wrong_is_told_at_once(folder: Path) -> None:
    lines = (folder / "a_leader.bvh").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    lines[first + 40] = lines[first + 40].rsplit(" ", 1)[0]
    (folder / "a_leader.bvh").write_text("\n".join(lines))
    (folder / "a_follower.bvh").write_text("")
    (folder / "b_follower.bvh").unlink()
    (folder / "c_leader.bvh").unlink()
    numbers = len(lines[first].split())
    report = check_folder(folder)
    assert fatal(report) == [
        f"a_leader.bvh, line {first + 41}: {numbers} numbers expected, {numbers - 1} found",
        "a_follower.bvh: empty file, a BVH hierarchy expected",
        "b_leader.bvh: no b_follower beside it",
        "c_follower.bvh: no c_leader beside it",
    ]
    assert report.findings[0].file == "a_leader.bvh"
    assert report.findings[0].place == f"line {first + 41}"
    assert not report.trainable


def turned_over(motion: Motion) -> Motion:
    """A dancer on the head: turned about the x axis, and put where the head just touches the floor."""
    over = np.array([0.0, 1.0, 0.0, 0.0])
    turns = motion.rotations.copy()
    turns[:, 0] = rotations.multiply(over, turns[:, 0])
    return replace(motion, root=motion.root * [1.0, 1.0, -1.0] + [0.0, 0.0, 1.8], rotations=turns)


def at_first_far_away(motion: Motion) -> Motion:
    away = np.zeros((len(motion), 3))
    away[: len(motion) * 3 // 4, 1] = -5.0
    return replace(motion, root=motion.root + away)


def larger(motion: Motion, factor: float) -> Motion:
    return replace(motion, skeleton=motion.skeleton.scale(factor), root=motion.root * factor)


SAME = "expected as in d_leader.bvh"
FLOOR = "one floor with d_leader.bvh expected, one"
FATAL: dict[str, tuple[Callable[[Couple], Couple], str]] = {
    "another length": (lambda d: (d[0], d[1][:150]), f"200 frames at 30 fps {SAME}, 150 at 30 found"),
    "another rate": (lambda d: (d[0], replace(d[1], fps=60.0)), f"200 frames at 30 fps {SAME}, 200 at 60 found"),
    "another place": (
        lambda d: (d[0], translate(d[1], np.array([0.0, -4.0, 0.0]))),
        "one world with d_leader.bvh expected; the dancers are never nearer than",
    ),
    "mostly another place": (lambda d: (d[0], at_first_far_away(d[1])), "and half of the time more than 5"),
    "a higher floor": (lambda d: (d[0], lifted(d[1], 0.2)), f"{FLOOR} 0.20 m above found"),
    "a lower floor": (lambda d: (lifted(d[0], 0.3), d[1]), f"{FLOOR} 0.30 m below found"),
    "a root in metres, bones in centimetres": (lambda d: (d[0], replace(d[1], root=d[1].root * 0.01)), FLOOR),
    "the leader once more": (
        lambda d: (d[0], translate(rotate_about_z(d[0], np.pi), np.array([0.0, -0.9, 0.0]))),
        "another dancer than in d_leader.bvh expected, the same movement found",
    ),
    "upside down": (lambda d: (d[0], turned_over(d[1])), "the head is below the pelvis most of the time"),
}


@pytest.mark.parametrize("fault", FATAL)
def test_a_take_that_would_spoil_a_training_is_fatal(folder: Path, fault: str) -> None:
    spoil, sentence = FATAL[fault]
    record(folder, "d", spoil(couple(1)))
    found = fatal(check_folder(folder))
    assert any(said.startswith("d_follower.bvh") and sentence in said for said in found), found
    assert all(said.startswith("d_follower.bvh") for said in found)


@pytest.mark.parametrize("factor", [100.0, 2.54, 1.0 / 2.54])
def test_a_dancer_in_other_units_is_fatal(folder: Path, factor: float) -> None:
    """In the project's own archive, which is in metres."""
    leader, follower = couple(1)
    record(folder, "d", (leader, larger(follower, factor)), ".npz")
    [said] = fatal(check_folder(folder))
    height = f"{np.ptp(leader.skeleton.rest_positions()[:, 2]) * factor:.3g}"
    assert said.startswith(f"d_follower.npz: a dancer 0.8 to 2.6 m tall expected, one of {height} m found")


def test_units_that_the_reader_recognises_are_no_fault(folder: Path) -> None:
    leader, _ = couple(1)
    inches = Source(Path("inches.bvh"), 0.0254, "Y", 30.0, len(leader))
    write(folder / "b_leader.bvh", leader, like=inches)
    assert fatal(check_folder(folder)) == []


def test_dancers_may_stand_a_little_higher_and_farther_apart(folder: Path) -> None:
    record(folder, "b", (couple(1)[0], lifted(couple(1)[1], 0.1)))
    assert warned(check_folder(folder)) == fatal(check_folder(folder)) == []


def test_a_leap_is_shown_where_it_is_and_does_not_stop_a_training(folder: Path) -> None:
    leader, follower = couple(0)
    arm = follower.rotations.copy()
    arm[100, INDEX["left_shoulder"]] = rotations.multiply(arm[100, INDEX["left_shoulder"]], [0.0, 0.0, 0.0, 1.0])
    record(folder, "a", (leader, replace(follower, rotations=arm)))
    report = check_folder(folder)
    [said] = warned(report)
    # the 101st frame, and the way back, at the end of the arm
    assert re.match(
        r"a_follower.bvh, frame 10[12], left_(wrist|thumb|middle): a leap at \d+ m/s, at most 9 expected", said
    )
    assert said.endswith("cut there and at 1 more")
    assert report.trainable
    assert report.recordings[0].usable == pytest.approx((99 + 98) / 30)


def test_leaps_that_are_trimmed_with_the_walk_on_are_not_shown(folder: Path) -> None:
    leader, follower = couple(0)
    root = follower.root.copy()
    root[:60, 1] -= 3.0
    root[30, 1] -= 1.0
    record(folder, "a", (leader, replace(follower, root=root)))
    assert warned(check_folder(folder)) == []


@pytest.mark.parametrize(("frames", "found"), [(45, True), (29, False)])
def test_a_capture_that_stopped_is_shown(folder: Path, frames: int, found: bool) -> None:
    leader, follower = couple(0)
    held = np.clip(np.arange(len(leader)), None, 60)
    held[60 + frames :] = np.arange(60 + frames, len(leader))
    record(folder, "a", (replace(leader, root=leader.root[held], rotations=leader.rotations[held]), follower))
    said = [said for said in warned(check_folder(folder)) if "leap" not in said]
    seconds = f"{(frames - 1) / 30:.1f}"
    expected = (
        f"a_leader.bvh, frames 61 to {60 + frames}: nothing moves for {seconds} s; the capture may have stopped there"
    )
    assert said == [expected] * found


def test_left_and_right_that_were_swapped_are_shown(folder: Path) -> None:
    text = (folder / "b_follower.bvh").read_text()
    swapped = re.sub("left_|right_", lambda side: {"left_": "right_", "right_": "left_"}[side[0]], text)
    (folder / "b_follower.bvh").write_text(swapped)
    assert warned(check_folder(folder)) == [
        "b_follower.bvh: the knees bend backwards, as if left and right had been swapped"
    ]  # fmt: skip


def test_a_readers_doubts_are_shown(folder: Path, corpus: Path) -> None:
    for role in ("leader", "follower"):
        text = (corpus / "salsa" / f"salsa_05_{role}.bvh").read_text()
        hasty = re.sub(r"Frame Time: \S+", "Frame Time: 0.0083333", text)
        (folder / f"d_{role}.bvh").write_text(hasty)
    assert any(
        said.startswith("d_leader.bvh: steps of ") and "60 would fit better" in said for said in warned(check_folder(folder))
    )


def test_a_take_that_is_too_short_is_left_out(folder: Path) -> None:
    record(folder, "d", couple(1, 61))
    report = check_folder(folder)
    assert warned(report) == ["d_leader.bvh: at least 3 s expected, 2.0 s found; the take is left out"]
    assert [take.part for take in report.recordings] == ["train", "validation", "test", ""]
    assert report.trainable


def test_fewer_than_three_usable_takes_are_fatal(folder: Path) -> None:
    record(folder, "b", couple(1, 61))
    assert fatal(check_folder(folder)) == [
        "duets: at least three usable recordings expected, for training, validation and test, 2 found"
    ]


def test_a_part_that_the_plan_leaves_empty_is_fatal(folder: Path) -> None:
    assert fatal(check_folder(folder, ["a"], ["salsa_07"])) == [
        "duets: a usable recording for test expected, as the plan names them, none found"
    ]


def test_files_that_no_recording_has_are_named(folder: Path) -> None:
    write(folder / "solo.bvh", couple()[0])
    write(folder / "a_leader.npz", couple()[0])
    (folder / "._a_leader.bvh").write_bytes(b"\0")
    (folder / "a_leader.txt").write_text("the one in red")
    said = "duets: one file NAME_leader and one NAME_follower of each recording expected, not used: "
    assert warned(check_folder(folder)) == [f"{said}a_leader.npz, solo.bvh"]


def test_a_copy_of_a_take_is_shown(folder: Path) -> None:
    record(folder, "d", couple(1))
    [said] = warned(check_folder(folder))
    assert said.startswith("d_leader.bvh: the same dance as b")


def test_a_folder_without_duets_gets_its_sentence(tmp_path: Path) -> None:
    assert "no duets found, files named NAME_leader and NAME_follower expected" in fatal(check_folder(tmp_path))[0]
    assert "a folder of duets expected" in fatal(check_folder(tmp_path / "missing"))[0]
