"""Reading and writing by suffix: missing files, folders, unknown formats, and the registry of formats."""

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from rigs.files import FORMATS, BadFile, Clip, FileFormat, Source, read, write
from tests.rigs.files.bvh.bvh_files import dance, rig_file


def test_missing_files_folders_and_unknown_formats_are_refused(tmp_path: Path) -> None:
    for path, complaint in [
        (tmp_path / "leader.bvh", "leader.bvh: no such file"),
        (tmp_path, f"{tmp_path.name}: a file expected, a folder found"),
    ]:
        with pytest.raises(BadFile) as refused:
            read(path)
        assert str(refused.value) == complaint
    (tmp_path / "leader.fbx").write_text("x")
    with pytest.raises(BadFile, match=r"leader.fbx: .bvh, .*file extension expected, an FBX file found; open it"):
        read(tmp_path / "leader.fbx")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("hmr4d_results.pt", "global_orient, body_pose, transl and betas of 'smpl_params_global'"),
        ("wham_output.pkl", "of WHAM: pose_world, trans_world"),
        ("dance.GLB", "a glTF file found; open it with Import Mocap in Blender"),
        ("dance.vmd", "MMD Tools"),
        ("01.asf", "open the .amc file beside it"),
        ("walk.tsv", "export a .c3d"),
        ("dance.mp4", "a video found; lift the video to 3D"),
    ],
)
def test_a_file_of_another_program_is_refused_with_what_to_do(tmp_path: Path, name: str, instead: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadFile) as refused:
        read(tmp_path / name)
    assert str(refused.value).startswith(f"{name}: .bvh, .npz")
    assert instead in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken.bvh").mkdir()
    for name, complaint in [
        ("nowhere/x.bvh", "x.bvh: a writable location expected"),
        ("taken.bvh", "taken.bvh: a writable location expected"),
        ("x.fbx", r"x.fbx: \.bvh, \.npz or \.csv file extension expected$"),
    ]:
        with pytest.raises(BadFile, match=complaint):
            write(tmp_path / name, dance())
    with pytest.raises(BadFile, match=r"two.bvh: one dancer expected in a BVH file, 2 given"):
        write(tmp_path / "two.bvh", [dance(), dance()])
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["taken.bvh"]


@pytest.mark.parametrize("fps", [0.0, -30.0, 1e-4, 1e5, float("nan"), float("inf")])
def test_an_invalid_frame_rate_is_refused(tmp_path: Path, fps: float) -> None:
    with pytest.raises(BadFile, match=r"x.bvh: a frame rate of 1 to 10000 expected, .* found"):
        read(rig_file(tmp_path / "x.bvh", dance()), fps=fps)


def test_an_impossible_frame_rate_of_the_file_is_refused_but_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "x.bvh"
    rig_file(path, dance())
    path.write_text(re.sub(r"Frame Time: .*", "Frame Time: 8000", path.read_text()))
    with pytest.raises(BadFile, match=r"x.bvh, line \d+: a frame time in seconds expected, '8000' found"):
        read(path)
    assert read(path, fps=30.0).motions[0].fps == 30.0


def test_writing_is_deterministic(tmp_path: Path) -> None:
    for name in ("one.bvh", "two.bvh", "one.npz", "two.npz"):
        write(tmp_path / name, dance())
    assert (tmp_path / "one.bvh").read_bytes() == (tmp_path / "two.bvh").read_bytes()
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    assert "-0.000000" not in (tmp_path / "one.bvh").read_text()


def test_a_registered_format_is_read_by_its_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("throwaway_format")
    module.read = lambda path, options: Clip((dance(),), Source(path, 1.0, "Z", options.fps or 30.0, 40))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(FORMATS, ".dance", FileFormat(module.__name__, "a made-up format"))
    (tmp_path / "solo.dance").write_text("one two three")
    assert read(tmp_path / "solo.dance", fps=25.0).source.fps == 25.0
    (tmp_path / "empty.dance").touch()
    with pytest.raises(BadFile, match=r"empty\.dance: empty file, a made-up format expected"):
        read(tmp_path / "empty.dance")
    with pytest.raises(BadFile, match=r"solo\.dance: \.bvh, \.npz or \.csv file extension expected"):
        write(tmp_path / "solo.dance", dance())
