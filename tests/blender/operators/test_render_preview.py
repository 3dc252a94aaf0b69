"""Preview videos: both dancers in the picture, frame counts, and an unchanged scene."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux import background_job
from bl_ext.user_default.pas_de_deux.operators import render_preview
from motions import swaying_motion

from rigs import Array, files
from tests.rig_builders import build

SIZE = (320, 180)
SceneState = Callable[[], dict[str, Any]]


@pytest.fixture
def pair(tmp_path: Path) -> None:
    """Two seconds of a pair, as leader and partner."""
    files.write(tmp_path / "duet.npz", (swaying_motion(), swaying_motion(x=0.9)))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "duet.npz"))
    duet = bpy.context.scene.pas_de_deux
    duet.leader, duet.partner = bpy.data.objects["duet 1"], bpy.data.objects["duet 2"]


def frame_of(video: Path, frame: int, scratch: Path) -> tuple[Array, int]:
    """A frame of a video as Blender's own sequencer plays it (H, W, 3), and the number of frames."""
    scene = bpy.data.scenes.new("player")
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie(name="video", filepath=str(video), channel=1, frame_start=1)
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.frame_set(frame)
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(scratch / f"{frame}.png")
    scene.frame_start = scene.frame_end = frame
    with bpy.context.temp_override(scene=scene):
        bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(SIZE[0] * SIZE[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    length = strip.frame_final_duration
    bpy.data.images.remove(image)
    bpy.data.scenes.remove(scene)
    return pixels.reshape(SIZE[1], SIZE[0], 4)[..., :3], length


def coral(picture: Array) -> Array:
    return (picture[..., 0] > 1.5 * picture[..., 2]) & (picture[..., 0] > 1.3 * picture[..., 1])


def teal(picture: Array) -> Array:
    return (picture[..., 2] > 1.3 * picture[..., 0]) & (picture[..., 1] > 1.3 * picture[..., 0])


def test_a_rig_that_is_not_of_our_making_is_shown(tmp_path: Path, corpus: Path) -> None:
    bpy.context.scene.pas_de_deux.leader = build("UE-style", corpus)
    bpy.context.scene.frame_end = 2
    assert bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "rig.mp4"), size=SIZE) == {"FINISHED"}
    picture, frames = frame_of(tmp_path / "rig.mp4", 1, tmp_path)
    assert frames == 2
    assert coral(picture).mean() > 0.002


def test_two_seconds_of_a_pair_become_a_video_of_both(pair: None, tmp_path: Path) -> None:
    video = tmp_path / "duet.mp4"
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=SIZE) == {"FINISHED"}
    pictures = []
    for frame in (2, 20):
        picture, length = frame_of(video, frame, tmp_path)
        assert length == 60
        for dancer in (coral(picture), teal(picture)):
            share = dancer.mean()
            assert 0.01 < share < 0.2
            edge = np.concatenate([dancer[0], dancer[-1], dancer[:, 0], dancer[:, -1]])
            assert not edge.any()
        pictures.append(picture)
    assert np.abs(pictures[0] - pictures[1]).max() > 0.2
    assert not list(tmp_path.glob(".*"))


def test_drawing_leaves_the_scene_as_it_was(pair: None, tmp_path: Path, scene_state: SceneState) -> None:
    bpy.context.scene.frame_set(7)
    before = scene_state()
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"), size=(64, 36))
    assert scene_state() == before


def test_drawing_leaves_the_mode_in_which_the_animator_works(pair: None, tmp_path: Path) -> None:
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"), size=(64, 36))
    assert bpy.context.mode == "POSE"


def test_a_fast_recording_is_drawn_at_thirty_frames_a_second(tmp_path: Path) -> None:
    files.write(tmp_path / "fast.bvh", swaying_motion(frames=121, fps=120.0))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "fast.bvh"))
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "fast.mp4"), size=(64, 36))
    assert frame_of(tmp_path / "fast.mp4", 1, tmp_path)[1] == 31


def test_without_a_dancer_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Choose a leader first"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"))


def test_a_folder_that_is_not_there_is_named(pair: None, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="There is no folder"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "nowhere" / "duet.mp4"))


def test_an_unsaved_file_has_no_place_for_a_preview_beside_it(pair: None) -> None:
    with pytest.raises(RuntimeError, match="Save the"):
        bpy.ops.pasdedeux.render_preview()


def test_a_second_blender_draws_the_same_beside_the_first(tmp_path: Path) -> None:
    motions = [swaying_motion(frames=10), swaying_motion(frames=10, x=0.9)]
    fractions: list[float] = []

    class Reporter:
        def progress(self, fraction: float, what: str) -> None:
            fractions.append(fraction)

        def cancelled(self) -> bool:
            return False

    assert render_preview.render_in_child(motions, tmp_path / "duet.mp4", SIZE, Reporter()) == 10
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    picture, length = frame_of(tmp_path / "duet.mp4", 5, tmp_path)
    assert length == 10
    assert coral(picture).any()
    assert teal(picture).any()


def test_cancelling_the_second_blender_leaves_no_video(tmp_path: Path) -> None:
    motions = [swaying_motion(frames=600), swaying_motion(frames=600, x=0.9)]
    job = background_job.Job(
        lambda reporter: render_preview.render_in_child(motions, tmp_path / "duet.mp4", SIZE, reporter)
    )
    job.start()
    end = time.monotonic() + 60.0
    while job.latest.fraction == 0.0 and time.monotonic() < end:
        list(job.drain())
        time.sleep(0.05)
    job.cancel()
    job.join(10.0)
    *_, last = job.drain()
    assert last == background_job.JobFailure("")
    assert not list(tmp_path.iterdir())
