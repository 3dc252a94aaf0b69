"""FBX and glTF of the commands, written and read by a Blender in a process of its own."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.cli import blender_process
from backend.cli.motion_files import read_clip, write_motions
from backend.cli.terminal import BadInput
from rigs import files
from rigs.files import ReadOptions
from rigs.motion import resample
from rigs.sample_dance.salsa import sample_dance

MILLIMETRE = 1e-3


@pytest.fixture(autouse=True)
def extension_is_built() -> None:
    if not list((blender_process.ROOT / "dist").glob("pas_de_deux-*.zip")):
        pytest.skip("the extension's zip is not built: make extension")


@pytest.fixture
def leader(tmp_path: Path) -> Path:
    files.write(tmp_path / "leader.bvh", resample(sample_dance()[:90], 50.0))
    return tmp_path / "leader.bvh"


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "backend.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("suffix", [".fbx", ".glb"])
def test_a_written_partner_is_read_again_and_can_lead(leader: Path, tmp_path: Path, suffix: str) -> None:
    out, again = tmp_path / f"partner{suffix}", tmp_path / "again.npz"
    assert run("partner", leader, "-o", tmp_path / "partner.npz", "--model", "mirror").returncode == 0
    result = run("partner", leader, "-o", out, "--model", "mirror")
    assert (result.returncode, result.stdout) == (0, f"{out}\n")
    expected = files.read(tmp_path / "partner.npz").motions[0]
    clip = read_clip(out)
    assert clip.warnings == ()
    assert (clip.source.fps, clip.source.frames) == (50.0, len(files.read(leader).motions[0]))
    np.testing.assert_allclose(clip.motions[0].positions, expected.positions, atol=MILLIMETRE)
    assert run("partner", out, "-o", again, "--model", "mirror").returncode == 0
    assert len(files.read(again).motions[0]) == clip.source.frames
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["leader.bvh", "partner.npz", out.name, "again.npz"]
    )


def test_several_takes_are_written_at_once_and_match_a_file(leader: Path, tmp_path: Path) -> None:
    motion, like = sample_dance()[:60], files.read(leader).source
    takes = {Path(f"take-{n}.fbx"): motion[:length] for n, length in ((1, 60), (2, 40))}
    write_motions(tmp_path, takes, lambda *_: None, like=like)
    for name in takes:
        assert len(read_clip(tmp_path / name).motions[0]) == like.frames


def test_a_given_rate_and_unit_count_for_an_fbx_as_for_other_files(tmp_path: Path) -> None:
    motion = sample_dance()[:60]
    write_motions(tmp_path, {Path("a.fbx"): motion}, lambda *_: None)
    given = read_clip(tmp_path / "a.fbx", ReadOptions(fps=60.0, up="Y", unit="cm"))
    assert given.motions[0].fps == 60.0
    np.testing.assert_allclose(given.motions[0].positions, motion.positions, atol=MILLIMETRE)


@pytest.mark.parametrize(("blender", "suffix"), [("/nowhere/blender", ".fbx"), ("/nowhere/blender", ".glb")])
def test_without_blender_the_command_says_so_before_the_work(
    leader: Path, monkeypatch: pytest.MonkeyPatch, blender: str, suffix: str
) -> None:
    monkeypatch.setenv("PASDEDEUX_BLENDER", blender)
    result = run("partner", leader, "-o", leader.with_name(f"p{suffix}"))
    assert result.returncode == 2
    assert re.fullmatch(rf"p{suffix}: Blender reads and writes such files\. .* no such program\n", result.stderr)
    assert list(leader.parent.iterdir()) == [leader]


def test_a_blender_that_is_too_old_for_gltf_is_refused_before_the_work(
    leader: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path_factory.mktemp("bin") / "blender"
    program.write_text("#!/bin/sh\necho Blender 4.2.9 LTS\n")
    program.chmod(0o755)
    monkeypatch.setenv("PASDEDEUX_BLENDER", str(program))
    assert blender_process.blender_version() == (4, 2)
    result = run("partner", leader, "-o", leader.with_name("p.glb"))
    sentence = "p.glb: Blender 4.5 or later expected for glTF, 4.2 found; use .fbx with this one\n"
    assert (result.returncode, result.stderr) == (2, sentence)


def test_a_blender_that_fails_leaves_nothing(leader: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASDEDEUX_BLENDER", "false")
    result = run("partner", leader, "-o", leader.with_name("p.fbx"), "--model", "mirror")
    assert result.returncode == 1
    assert result.stderr.endswith("Blender ended with status 1 before it was done\n")
    assert list(leader.parent.iterdir()) == [leader]


def test_a_file_that_is_no_fbx_needs_no_blender(tmp_path: Path) -> None:
    (tmp_path / "words.fbx").write_text("not an fbx")
    with pytest.raises(BadInput, match=r"^words\.fbx: an FBX file expected, something else found$"):
        read_clip(tmp_path / "words.fbx")
