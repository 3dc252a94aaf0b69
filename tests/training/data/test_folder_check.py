"""Check of a folder of duets: sound recordings, faults of files and of the split, and real recordings with none."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rigs.files import write
from tests.training.data.duet_files import couple, duet, fatal_findings, warnings, write_duet
from training.data.folder_check import check_folder


def test_sound_recordings_are_measured_and_assigned_to_parts(folder: Path) -> None:
    report = check_folder(folder)
    assert report.trainable
    assert warnings(report) == []
    assert [(recording.name, recording.part) for recording in report.recordings] == [
        ("a", "train"),
        ("b", "validation"),
        ("c", "test"),
    ]
    for recording, (leader, follower) in zip(report.recordings, map(couple, range(3)), strict=True):
        distance = np.linalg.norm(leader.root - follower.root, axis=-1)
        assert recording.seconds == pytest.approx(199 / 30)
        assert recording.usable == pytest.approx(199 / 30)
        assert recording.closest == pytest.approx(distance.min(), abs=1e-3)
        assert recording.median == pytest.approx(np.median(distance), abs=1e-3)


def test_less_than_a_minute_of_dance_gets_a_warning(folder: Path) -> None:
    assert str(check_folder(folder).findings[0]) == "duets: minutes of dance expected, 20 s found; results will be poor"
    leader, follower = duet()
    write_duet(folder, "a", (replace(leader, fps=10.0), replace(follower, fps=10.0)))
    assert check_folder(folder).findings == ()


def test_real_salsa_is_fit_for_training(corpus: Path) -> None:
    report = check_folder(corpus / "salsa", ["salsa_10"], ["salsa_07"])
    assert report.trainable
    assert len(report.recordings) == 11
    assert {recording.name for recording in report.recordings if recording.part != "train"} == {"salsa_10", "salsa_07"}
    assert all(" a jump at " in text for text in warnings(report))
    for recording in report.recordings:
        assert 0.2 < recording.closest < 0.5
        assert 0.6 < recording.median < 0.9
        assert 0.6 * recording.seconds < recording.usable < recording.seconds


def test_everything_that_is_wrong_is_reported_at_once(folder: Path) -> None:
    lines = (folder / "a_leader.bvh").read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("Frame Time")) + 1
    lines[first + 40] = lines[first + 40].rsplit(" ", 1)[0]
    (folder / "a_leader.bvh").write_text("\n".join(lines))
    (folder / "a_follower.bvh").write_text("")
    (folder / "b_follower.bvh").unlink()
    (folder / "c_leader.bvh").unlink()
    numbers = len(lines[first].split())
    report = check_folder(folder)
    assert fatal_findings(report) == [
        f"a_leader.bvh, line {first + 41}: {numbers} numbers expected, {numbers - 1} found",
        "a_follower.bvh: empty file, a BVH hierarchy expected",
        "b_leader.bvh: b_follower expected beside it, not found",
        "c_follower.bvh: c_leader expected beside it, not found",
    ]
    assert report.findings[0].file == "a_leader.bvh"
    assert report.findings[0].place == f"line {first + 41}"
    assert not report.trainable


def test_a_readers_warnings_are_reported(folder: Path, corpus: Path) -> None:
    for role in ("leader", "follower"):
        text = (corpus / "salsa" / f"salsa_05_{role}.bvh").read_text()
        faster = re.sub(r"Frame Time: \S+", "Frame Time: 0.0083333", text)
        (folder / f"d_{role}.bvh").write_text(faster)
    texts = warnings(check_folder(folder))
    assert any(text.startswith("d_leader.bvh: steps of ") and "60 would fit better" in text for text in texts)


def test_a_recording_that_is_too_short_is_not_used(folder: Path) -> None:
    write_duet(folder, "d", couple(1, 61))
    report = check_folder(folder)
    assert warnings(report) == ["d_leader.bvh: at least 3 s expected, 2.0 s found; the recording is not used"]
    assert [recording.part for recording in report.recordings] == ["train", "validation", "test", ""]
    assert report.trainable


def test_fewer_than_three_usable_recordings_are_fatal(folder: Path) -> None:
    write_duet(folder, "b", couple(1, 61))
    assert fatal_findings(check_folder(folder)) == [
        "duets: at least three usable recordings expected, for training, validation and test, 2 found"
    ]


def test_a_part_that_the_configuration_leaves_empty_is_fatal(folder: Path) -> None:
    assert fatal_findings(check_folder(folder, ["a"], ["salsa_07"])) == [
        "duets: a usable recording for test expected, as the configuration names it, none found"
    ]


def test_unused_files_are_named(folder: Path) -> None:
    write(folder / "solo.bvh", couple()[0])
    write(folder / "a_leader.npz", couple()[0])
    (folder / "._a_leader.bvh").write_bytes(b"\0")
    (folder / "a_leader.txt").write_text("the one in red")
    text = "duets: one NAME_leader and one NAME_follower file for each recording expected, not used: "
    assert warnings(check_folder(folder)) == [f"{text}a_leader.npz, solo.bvh"]


def test_a_copy_of_a_recording_is_reported(folder: Path) -> None:
    write_duet(folder, "d", couple(1))
    [text] = warnings(check_folder(folder))
    assert text.startswith("d_leader.bvh: a copy of b")


def test_a_folder_without_duets_is_reported(tmp_path: Path) -> None:
    assert "files named NAME_leader and NAME_follower expected, none found" in fatal_findings(check_folder(tmp_path))[0]
    assert "a folder of duets expected" in fatal_findings(check_folder(tmp_path / "missing"))[0]
