"""The second Blender that renders a preview: the same video, cancelled without a trace, and ended with the first."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import bpy
import pytest
from bl_ext.user_default.pas_de_deux import background_job
from bl_ext.user_default.pas_de_deux.media.preview_video import PreviewOptions
from bl_ext.user_default.pas_de_deux.operators.preview import preview_process
from videos import SIZE, SceneState, coral, frame_of, import_pair, teal


@pytest.fixture
def pair(tmp_path: Path) -> None:
    """Two seconds of a pair, as leader and partner."""
    import_pair(tmp_path)


class Reporter:
    """Progress that is remembered, of a job that nobody cancels."""

    def __init__(self) -> None:
        self.fractions: list[float] = []

    def progress(self, fraction: float, text: str) -> None:
        self.fractions.append(fraction)

    def preview(self, value: Any) -> None:
        raise AssertionError("no preview of a preview expected")

    def cancelled(self) -> bool:
        return False


def options_of(pair: None, **changes: Any) -> PreviewOptions:
    """Options for the first ten frames of the pair."""
    scene = bpy.context.scene
    values = {"scene": scene.name, "view_layer": bpy.context.view_layer.name, "dancers": ("duet 1", "duet 2")}
    return PreviewOptions(**(values | {"first": 1, "last": 10, "size": SIZE} | changes))


def test_a_second_blender_renders_the_same_beside_the_first(
    pair: None, tmp_path: Path, scene_state: SceneState
) -> None:
    before, reporter = scene_state(), Reporter()
    with preview_process.copy_blend_file() as folder:
        frames = preview_process.render_in_child(Path(folder), options_of(pair), tmp_path / "duet.mp4", reporter)
    assert scene_state() == before
    assert frames == 10
    assert reporter.fractions == sorted(reporter.fractions)
    assert reporter.fractions[-1] == 1.0
    picture, length = frame_of(tmp_path / "duet.mp4", 5, tmp_path)
    assert length == 10
    assert coral(picture).any()
    assert teal(picture).any()


def test_cancelling_the_second_blender_leaves_no_video(pair: None, tmp_path: Path) -> None:
    scratch = tmp_path / "out"
    scratch.mkdir()
    folder = preview_process.copy_blend_file()
    options = options_of(pair, last=600)

    def render(reporter: background_job.Reporter) -> int:
        with folder as name:
            return preview_process.render_in_child(Path(name), options, scratch / "duet.mp4", reporter)

    job = background_job.Job(render)
    job.start()
    end = time.monotonic() + 60.0
    while job.latest.fraction < 0.06 and time.monotonic() < end:
        list(job.drain())
        time.sleep(0.05)
    assert list(scratch.iterdir())
    job.cancel()
    job.join(10.0)
    *_, last = job.drain()
    assert last == background_job.JobFailure("")
    assert not list(scratch.iterdir())
    assert not Path(folder.name).exists()


def test_the_second_blender_ends_with_the_first(pair: None, tmp_path: Path) -> None:
    with preview_process.copy_blend_file() as name:
        folder = Path(name)
        task = {"out": str(tmp_path / "duet.mp4"), "options": options_of(pair, last=600).to_json()}
        (folder / "task.json").write_text(json.dumps(task))
        command = preview_process._child_command(folder / "task.json")
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            unfinished = tmp_path / ".duet.unfinished.mp4"
            end = time.monotonic() + 60.0
            while not unfinished.exists() and time.monotonic() < end:
                time.sleep(0.05)
            assert unfinished.exists()
            child.stdin.close()  # as the system does when the first Blender is killed
            child.wait(10.0)
        finally:
            child.kill()
        assert not unfinished.exists()
        assert not folder.exists()
