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
from motions import swaying_motion, travelling_motion

from rigs import files
from rigs.skeleton import JOINTS


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


SUFFIXES = [".fbx", ".glb"]
GLTF_CRASHES = bpy.app.version < (4, 5, 0)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("fps", [30.0, 30.0 / 1.001, 12.5, 119.88])
def test_an_exported_dancer_stands_and_moves_the_same_in_blender_alone(
    extension: Path, tmp_path: Path, suffix: str, fps: float
) -> None:
    motion = travelling_motion(frames=50, fps=fps, x=0.7)
    source, out = tmp_path / "motion.npz", tmp_path / f"partner{suffix}"
    files.write(source, motion)
    task = {"task": "export", "extension": str(extension), "motions": [str(source)], "out": [str(out)]}
    status, messages = run(tmp_path, **task)
    if suffix == ".glb" and GLTF_CRASHES:
        sentence = "partner.glb: Blender 4.5 or later expected to write glTF; write FBX with this one"
        assert (status, messages[-1]) == (2, {"error": sentence})
        return
    assert status == 0
    importer = bpy.ops.import_scene.fbx if suffix == ".fbx" else bpy.ops.import_scene.gltf
    importer(filepath=str(out))
    scene = bpy.context.scene
    (rig,) = (obj for obj in scene.objects if obj.type == "ARMATURE")
    assert rig.name == "partner"
    assert {bone.name for bone in rig.data.bones} == set(JOINTS)
    assert any(obj.type == "MESH" and obj.parent == rig for obj in scene.objects)
    first, last = rig.animation_data.action.frame_range
    ticks = scene.render.fps if suffix == ".fbx" else scene.render.fps / scene.render.fps_base
    assert (last - first) / ticks == pytest.approx(motion.seconds, abs=1e-3)
    if suffix == ".fbx":
        assert scene.render.fps / scene.render.fps_base == pytest.approx(fps)
    for f in (0, 17, 49):
        frame = first + f * (last - first) / 49.0
        scene.frame_set(int(frame), subframe=frame % 1.0)
        pose = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        heads = np.array([pose.matrix_world @ pose.pose.bones[joint].head for joint in JOINTS])
        np.testing.assert_allclose(heads, motion.positions[f], atol=1e-3)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exported_dancer_is_read_again(extension: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == ".glb" and GLTF_CRASHES:
        pytest.skip("Blender 4.2 writes no glTF")
    motions = [travelling_motion(frames=50, fps=29.97), travelling_motion(frames=40, fps=60.0, x=1.0)]
    sources = [str(tmp_path / f"{n}.npz") for n in range(2)]
    outs = [str(tmp_path / f"take-{n}{suffix}") for n in range(2)]
    for source, motion in zip(sources, motions, strict=True):
        files.write(source, motion)
    status, _ = run(tmp_path, task="export", extension=str(extension), motions=sources, out=outs)
    assert status == 0
    for out, motion in zip(outs, motions, strict=True):
        folder = tmp_path / Path(out).stem
        folder.mkdir()
        status, messages = run(tmp_path, task="import", extension=str(extension), motion=out, out=str(folder))
        assert status == 0
        result = messages[-1]["result"]
        assert result["warnings"] == []
        (path,) = result["motions"]
        again = files.read(path).motions[0]
        assert again.fps == pytest.approx(motion.fps)
        np.testing.assert_allclose(again.positions, motion.positions, atol=1e-3)


def test_an_fbx_without_a_dancer_is_bad_input(extension: Path, tmp_path: Path) -> None:
    (tmp_path / "words.fbx").write_text("not an fbx")
    options = {"motion": str(tmp_path / "words.fbx"), "out": str(tmp_path)}
    status, messages = run(tmp_path, task="import", extension=str(extension), **options)
    assert status == 2
    assert messages[-1]["error"].startswith("words.fbx: Blender reads only binary FBX 7.1 or later, no FBX found")
