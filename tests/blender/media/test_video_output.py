"""Videos as MP4 files: whole or not at all, and known again as previews."""

from pathlib import Path
from typing import Any

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.background_job import OperatorError
from bl_ext.user_default.pas_de_deux.media import video_output


@pytest.fixture
def scene() -> bpy.types.Scene:
    """A scene of three frames without objects, with a camera."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end = 4, 6
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(scene.camera)
    video_output.set_video_output(scene, (65, 37))
    return scene


def test_a_written_video_is_known_as_a_preview_until_others_change_it(scene: bpy.types.Scene, tmp_path: Path) -> None:
    video, told = tmp_path / "video.mp4", []
    assert not video_output.is_preview(video)
    assert video_output.render_to_file(scene, video, lambda fraction, _: told.append(fraction)) == 3
    assert told == [1 / 3, 2 / 3, 1.0]
    assert video_output.is_preview(video)
    clip = bpy.data.movieclips.load(str(video))
    assert (clip.frame_duration, *clip.size) == (3, 64, 36)
    video.write_bytes(video.read_bytes() + b"more")
    assert not video_output.is_preview(video)
    assert [file.name for file in tmp_path.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("name", ["take #1.mp4", "{duet} 50%.mp4", "Größe.mp4"])
def test_a_video_may_have_any_name(scene: bpy.types.Scene, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "#{a} %d"
    folder.mkdir()
    assert video_output.render_to_file(scene, folder / name, lambda *_: None) == 3
    assert [file.name for file in folder.iterdir()] == [name]


def test_a_video_that_is_cut_off_by_a_full_disk_is_refused(
    scene: bpy.types.Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = tmp_path / "video.mp4"
    video.write_bytes(b"an earlier one")

    def cut_off(*_: Any) -> None:  # what a disk that is full by then leaves
        content = video_output.temporary_path(video).read_bytes()
        video_output.temporary_path(video).write_bytes(content[: len(content) * 2 // 3])

    bpy.app.handlers.render_complete.append(cut_off)
    try:
        with pytest.raises(OperatorError, match=r"video\.mp4: Blender could not write the video"):
            video_output.render_to_file(scene, video, lambda *_: None)
    finally:
        bpy.app.handlers.render_complete.remove(cut_off)
    assert video.read_bytes() == b"an earlier one"
    assert len(list(tmp_path.iterdir())) == 1
