"""BVH files that cannot be used: one sentence that says where and what was expected, and nothing left behind."""

from pathlib import Path

import numpy as np
import pytest

from rigs.bone_mapping.bone_mapper import REQUIRED
from rigs.files import BadFile, read, write
from rigs.motion import Motion
from rigs.skeleton import Skeleton
from tests.rigs.files.bvh_files import SMALL, dance, mixamo, rig_file


def edited(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "x.bvh: empty file, a BVH hierarchy expected"),
        ("\x00\xff junk", "x.bvh, line 1: HIERARCHY expected"),
        ("HIERARCHY\n", "x.bvh, line 1: MOTION expected, the end of the file found"),
        (SMALL.split("MOTION")[0], "x.bvh, line 15: MOTION expected, the end of the file found"),
        ("HIERARCHY\nMOTION\n", "x.bvh, line 2: a joint"),
        (edited("ROOT hips\n{", "ROOT hips\n"), "x.bvh, line 4: a { expected, 'OFFSET' found"),
        (edited("ROOT", "JOINT"), "x.bvh, line 2: one ROOT"),
        (edited("JOINT", "ROOT"), "x.bvh, line 6: one ROOT"),
        (edited("}\n}\nMOTION", "}\nMOTION"), "x.bvh, line 15: a } for every { expected, 'MOTION' found"),
        (edited("MOTION", "}\nMOTION"), "x.bvh, line 16: a joint"),
        (edited("OFFSET 10 0 0", "OFFSET 10 0"), "x.bvh, line 8: 3 numbers expected, 2 found"),
        (edited("OFFSET 10 0 0", "OFFSET 10 nan 0"), "x.bvh, line 8: a number expected, 'nan' found"),
        (edited("CHANNELS 3", "CHANNELS 4"), "x.bvh, line 9: 4 channels expected, 3 found"),
        (edited("CHANNELS 3 Yrot", "CHANNELS 3 Wrot"), "x.bvh, line 9: a channel such as Xrotation"),
        (edited("OFFSET 5 0 0", "JOINT below"), "x.bvh, line 12: nothing below an End Site"),
        (edited("Frames: 2", "Frames: 0"), "x.bvh, line 17: at least one frame expected, 0 found"),
        (edited("Frames: 2", "Frames: -2"), "x.bvh, line 17: at least one frame expected, -2 found"),
        (edited("Frames: 2", "Frames:"), "x.bvh, line 17: 'Frames:' and their number expected"),
        (edited("0.033333", "0"), "x.bvh, line 18: a frame time above zero expected, 0 found"),
        (edited("0.033333", "soon"), "x.bvh, line 18: a number expected, 'soon' found"),
        (edited("Frame Time: 0.033333\n", ""), "x.bvh, line 18: 'Frame Time:' and seconds expected"),
        (edited(" 8 9 10", " 8 9"), "x.bvh, line 20: 9 numbers expected, 8 found"),
        (edited(" 8 9 10", " 8 9 10 11"), "x.bvh, line 20: 9 numbers expected, 10 found"),
        (edited(" 8 9 10", " 8 inf 10"), "x.bvh, line 20: a number of ordinary size expected, 'inf' found"),
        (edited(" 8 9 10", " 8 9 1e300"), "x.bvh, line 20: a number of ordinary size expected, '1e300' found"),
        (edited("OFFSET 5 0 0", "OFFSET 5 0 1e160"), "x.bvh, line 12: a number of ordinary size expected"),
        (edited("1 2 3 4", "1 two 3 4"), "x.bvh, line 19: a number expected, 'two' found"),
        (edited("Frames: 2", "Frames: 3"), "x.bvh, line 20: 3 frames expected, 2 found"),
        (edited("Frames: 2", "Frames: 1"), "x.bvh, line 20: 1 frames expected, 2 found"),
        (edited("Frames: 2", "Frames: 99999999999999"), "x.bvh, line 20: 99999999999999 frames expected, 2 found"),
        (SMALL, "x.bvh: no bone for left_hip; a humanoid with two arms and two legs expected"),
    ],
)
def test_a_broken_file_is_refused_with_the_line_that_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "x.bvh").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadFile) as refused:
        read(tmp_path / "x.bvh")
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.999])
def test_a_truncated_recording_is_refused(corpus: Path, tmp_path: Path, cut: float) -> None:
    whole = (corpus / "salsa/salsa_10_leader.bvh").read_bytes()
    (tmp_path / "cut.bvh").write_bytes(whole[: int(len(whole) * cut)])
    with pytest.raises(BadFile, match=r"cut.bvh, line \d+: (96 numbers|1197 frames) expected, \d+ found"):
        read(tmp_path / "cut.bvh")


@pytest.mark.parametrize("joint", REQUIRED)
def test_the_missing_limb_is_named(tmp_path: Path, joint: str) -> None:
    path = rig_file(tmp_path / "x.bvh", dance())
    path.write_text(path.read_text().replace(f"{mixamo(joint)}\n", "thing\n"))
    with pytest.raises(BadFile, match=f"x.bvh: no bone for {joint}; a humanoid with two arms and two legs expected"):
        read(path)


def test_what_is_not_there_or_no_file_is_said_so(tmp_path: Path) -> None:
    for path, complaint in [
        (tmp_path / "leader.bvh", "leader.bvh: no such file"),
        (tmp_path, f"{tmp_path.name}: a file expected, a folder found"),
    ]:
        with pytest.raises(BadFile) as refused:
            read(path)
        assert str(refused.value) == complaint
    (tmp_path / "leader.fbx").write_text("x")
    with pytest.raises(
        BadFile, match=r"leader.fbx: .bvh, .npz, .npy, .json or .amc file extension expected"
    ):
        read(tmp_path / "leader.fbx")


def test_bones_without_length_are_refused(tmp_path: Path) -> None:
    path = rig_file(tmp_path / "x.bvh", Motion(30.0, Skeleton(np.zeros((29, 3))), np.zeros((3, 3)), dance(3).rotations))
    with pytest.raises(BadFile, match=r"x.bvh: bones of a dancer's size expected, a body 0 units tall found"):
        read(path)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken.bvh").mkdir()
    for name, complaint in [
        ("nowhere/x.bvh", "x.bvh: a writable location expected"),
        ("taken.bvh", "taken.bvh: a writable location expected"),
        ("x.fbx", "x.fbx: .bvh or .npz file extension expected"),
    ]:
        with pytest.raises(BadFile, match=complaint):
            write(tmp_path / name, dance())
    with pytest.raises(BadFile, match=r"two.bvh: one dancer expected in a BVH file, 2 given"):
        write(tmp_path / "two.bvh", [dance(), dance()])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["taken.bvh"]
