"""The headless driver as a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from conftest import ROOT, Server
from motions import swaying_motion

from rigs import files


def run(folder: Path, **task: Any) -> tuple[int, list[dict[str, Any]]]:
    """Run a task with this Blender: the exit status and the lines of JSON."""
    path = folder / "task.json"
    path.write_text(json.dumps(task))
    command = [sys.executable, ROOT / "blender_addon" / "headless.py", path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=250)
    return result.returncode, [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


@pytest.fixture
def leader(tmp_path: Path) -> Path:
    files.write(tmp_path / "leader.bvh", swaying_motion(frames=70, fps=60.0))
    return tmp_path / "leader.bvh"


def test_the_demo_leaves_video_file_and_partner(extension: Path, server: Server, leader: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = {"leader": str(leader), "server": server.address, "out": str(out), "seed": 3, "size": [64, 36]}
    status, messages = run(tmp_path, task="demo", extension=str(extension), **options)
    result = messages[-1]["result"]
    assert status == 0
    assert result["frames"] == 70
    assert result["blender"] == bpy.app.version_string
    assert set(result["seconds"]) == {"install", "import", "generate", "render"}
    fractions = [line["progress"] for line in messages[:-1]]
    assert fractions == sorted(fractions)
    assert sorted(path.name for path in out.iterdir()) == ["duet.blend", "duet.mp4", "partner.bvh"]
    ours, theirs = files.read(out / "partner.bvh"), files.read(leader)
    assert (ours.source.fps, ours.source.frames) == (theirs.source.fps, theirs.source.frames)
    gap = ours.motions[0].root - theirs.motions[0].root
    assert np.linalg.norm(gap[:, :2], axis=-1).max() < 5.0
    bpy.ops.wm.open_mainfile(filepath=str(out / "duet.blend"))
    duet = bpy.context.scene.pas_de_deux
    assert (duet.leader.name, duet.partner.name) == ("leader", "leader partner")


def test_two_files_become_one_video(extension: Path, leader: Path, tmp_path: Path) -> None:
    video = tmp_path / "pair.mp4"
    files.write(tmp_path / "other.bvh", swaying_motion(frames=70, fps=60.0, x=0.8))
    motions = [str(leader), str(tmp_path / "other.bvh")]
    status, messages = run(
        tmp_path, task="render", extension=str(extension), motions=motions, out=str(video), size=[64, 36]
    )
    assert (status, list(messages[-1])) == (0, ["result"])
    assert video.stat().st_size > 1000


def test_a_leader_that_is_not_there_is_bad_input(extension: Path, server: Server, tmp_path: Path) -> None:
    options = {"leader": str(tmp_path / "nobody.bvh"), "server": server.address, "out": str(tmp_path)}
    status, messages = run(tmp_path, task="demo", extension=str(extension), **options)
    assert status == 2
    assert messages[-1] == {"error": "nobody.bvh: no such file"}


@pytest.mark.parametrize("task", [{"task": "sing"}, {"task": "render", "extension": "gone.zip"}, {}])
def test_a_task_that_cannot_be_done_is_bad_input(tmp_path: Path, task: dict[str, Any]) -> None:
    status, messages = run(tmp_path, **task)
    assert status == 2
    assert list(messages[-1]) == ["error"]
