"""Broken Acclaim files are refused in one line that names the file and the line."""

from pathlib import Path

import pytest

from rigs.files import BadFile, read
from tests.rigs.files.acclaim_files import RECORDING, SKELETON, write_recording


@pytest.mark.parametrize(
    ("wrong", "right", "complaint"),
    [
        ("", "arm 40 50\n", r"test_01\.amc, line 7: numbers for arm in frame 1 expected, none found"),
        ("arm 40\n", "arm 40 50\n", r"test_01\.amc, line 6: 2 numbers expected for arm, 1 found"),
        ("arm 40 x\n", "arm 40 50\n", r"test_01\.amc, line 6: numbers expected for arm, '40 x' found"),
        ("arm 40 nan\n", "arm 40 50\n", r"test_01\.amc, line 6: numbers expected for arm, '40 nan' found"),
        ("leg 40 50\n", "arm 40 50\n", r"test_01\.amc, line 6: a bone of its skeleton expected, 'leg' found"),
        ("", "1\n", r"test_01\.amc, line 4: the number of a frame expected, 'root' found"),
        ("", "arm 0 0\n", r"test_01\.amc, line 10: numbers for arm in frame 2 expected, none found"),
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
def test_a_truncated_recording_is_refused(corpus: Path, tmp_path: Path, cut: float) -> None:
    whole = (corpus / "cmu_solo/05_10.amc").read_bytes()
    (tmp_path / "05.asf").write_bytes((corpus / "cmu_solo/05.asf").read_bytes())
    (tmp_path / "05_10.amc").write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(BadFile, match=r"^05_10\.amc, line \d+: .* expected.*found$"):
        read(tmp_path / "05_10.amc")
