"""Broken Acclaim files are refused in one line that names the file and the line."""

from pathlib import Path

import numpy as np
import pytest

from rigs.files import BadFile, read
from rigs.files.acclaim.acclaim_parser import parse_amc, parse_asf
from tests.rigs.files.acclaim.acclaim_files import RECORDING, SKELETON, write_recording


@pytest.mark.parametrize(
    ("wrong", "right", "complaint"),
    [
        ("", "arm 40 50\n", r"test_01\.amc, line 7: numbers for arm in frame 1 expected, none found"),
        ("arm 40\n", "arm 40 50\n", r"test_01\.amc, line 6: 2 numbers expected for arm, 1 found"),
        ("arm 40 x\n", "arm 40 50\n", r"test_01\.amc, line 6: numbers expected for arm, '40 x' found"),
        ("arm 40 nan\n", "arm 40 50\n", r"test_01\.amc, line 6: numbers expected for arm, '40 nan' found"),
        ("leg 40 50\n", "arm 40 50\n", r"test_01\.amc, line 6: a bone of its skeleton expected, 'leg' found"),
        ("", "1\n", r"test_01\.amc, line 4: the number of a frame expected, 'root' found"),
        ("# only this\n", RECORDING, r"test_01\.amc: at least one frame expected, none found"),
        (RECORDING, RECORDING, r"test_01\.amc: no bone for .*; a humanoid with two arms and two legs expected"),
    ],
)
def test_a_wrong_recording_is_refused_with_its_line(tmp_path: Path, wrong: str, right: str, complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint) as refused:
        read(write_recording(tmp_path, recording=RECORDING.replace(right, wrong, 1)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "right", "complaint"),
    [
        ("     name\n", "     name arm\n", r"test\.asf: every bone|test\.asf, line"),
        ("", "     length 3\n", r"test\.asf, line 14: a bone with a length expected"),
        ("direction 0 2", "direction 0 2 0", r"test\.asf, line 17: 3 numbers expected for direction, 2 found"),
        ("length three", "length 3", r"test\.asf, line 18: numbers expected for length, 'three' found"),
        ("XXZ", "90 XYZ", r"test\.asf, line 19: .*expected"),
        ("dof rx l", "dof rx rz", r"test\.asf, line 20: degrees of freedom such as rx expected, 'rx l' found"),
        ("    arm leg", "    arm hand", r"test\.asf, line 35: a bone of :bonedata expected, 'leg' found"),
        ("", "    arm hand\n", r"test\.asf: every bone below the root expected in :hierarchy, hand is not"),
        ("    hand arm", "    root arm", r"test\.asf: every bone below the root expected in :hierarchy, a cycle"),
        ("length 0", "length 1.0", r"test\.asf, line 6: a unit of length above zero expected, 0 found"),
        ("order TX", "   order TX TY TZ RX RY RZ", r"test_01\.amc, line 5: 1 number expected for root, 6 found"),
        ("", "   order TX TY TZ RX RY RZ\n", r"test\.asf: an order such as TX TY TZ RX RY RZ expected for the root"),
        ("BVH", SKELETON, r"test\.asf: an Acclaim skeleton with :bonedata and :hierarchy, each to its end, expected"),
        ("", "    arm hand\n  end\n", r"test\.asf: an Acclaim skeleton with :bonedata and :hierarchy"),
    ],
)
def test_a_wrong_skeleton_is_refused_with_its_line(tmp_path: Path, wrong: str, right: str, complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint) as refused:
        read(write_recording(tmp_path, skeleton=SKELETON.replace(right, wrong, 1)))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_truncated_recording_is_read_up_to_its_end_with_a_warning(corpus: Path, tmp_path: Path, cut: float) -> None:
    whole = (corpus / "cmu_solo/05_10.amc").read_bytes()
    (tmp_path / "05.asf").write_bytes((corpus / "cmu_solo/05.asf").read_bytes())
    (tmp_path / "05_10.amc").write_bytes(whole[: int(len(whole) * cut)])
    clip, original = read(tmp_path / "05_10.amc"), read(corpus / "cmu_solo/05_10.amc")
    frames = len(clip.motions[0])
    assert abs(frames - cut * len(original.motions[0])) < 3
    np.testing.assert_allclose(clip.motions[0].root, original.motions[0].root[:frames], atol=2e-3)
    assert clip.warnings[0].startswith("05_10.amc, line ")
    assert clip.warnings[0].endswith("; the cut-off frame is left out")


def test_missing_frame_numbers_are_interpolated(tmp_path: Path) -> None:
    recording = write_recording(tmp_path, recording=RECORDING.replace("\n2\n", "\n4\n"))
    (root, arm, hand), warnings = parse_amc(recording, parse_asf(tmp_path / "test.asf"))
    np.testing.assert_allclose(np.degrees(arm), [[40, 50], [80 / 3, 100 / 3], [40 / 3, 50 / 3], [0, 0]])
    assert len(root) == len(hand) == 4
    assert warnings == ("test_01.amc: 2 of 4 frames missing by their numbers, interpolated",)


@pytest.mark.parametrize("number", ["1", "0", "99999999999999999999"])
def test_frame_numbers_that_do_not_count_are_ignored_with_a_warning(tmp_path: Path, number: str) -> None:
    recording = write_recording(tmp_path, recording=RECORDING.replace("\n2\n", f"\n{number}\n"))
    values, warnings = parse_amc(recording, parse_asf(tmp_path / "test.asf"))
    assert len(values[0]) == 2
    assert warnings == ("test_01.amc: frame numbers that count up expected, taken in their order",)


def test_another_encoding_and_decimal_commas_are_read(tmp_path: Path) -> None:
    plain, _ = parse_amc(write_recording(tmp_path), parse_asf(tmp_path / "test.asf"))
    (tmp_path / "test.asf").write_bytes(SKELETON.replace("length 3", "length 3,0").encode("utf-16"))
    (tmp_path / "test_01.amc").write_bytes(RECORDING.replace("40 50", "40,0 50,0").encode("utf-16"))
    skeleton = parse_asf(tmp_path / "test.asf")
    values, warnings = parse_amc(tmp_path / "test_01.amc", skeleton)
    np.testing.assert_array_equal(np.concatenate(values, axis=1), np.concatenate(plain, axis=1))
    assert (len(skeleton.warnings), len(warnings)) == (2, 2)
