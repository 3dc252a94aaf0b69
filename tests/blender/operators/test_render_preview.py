"""Preview videos: both dancers in the picture, frame counts, and an unchanged scene."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux import background_job
from bl_ext.user_default.pas_de_deux.animation import takes
from bl_ext.user_default.pas_de_deux.media.preview_video import PreviewOptions, TakeBeside
from bl_ext.user_default.pas_de_deux.operators import preview_process, render_preview
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


def settings() -> Any:
    return bpy.context.scene.pas_de_deux.preview_settings


def render(video: Path, *, unchanged: SceneState = dict, size: tuple[int, int] = SIZE) -> tuple[Array, int]:
    """The first frame of a preview, and the number of frames; `unchanged` describes what it may not change."""
    before = unchanged()
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=size) == {"FINISHED"}
    assert unchanged() == before
    return frame_of(video, 1, video.parent)


@pytest.mark.parametrize(("frames", "expected"), [("CUSTOM", 4), ("TIMELINE", 6)])
def test_the_chosen_frames_are_rendered(pair: None, tmp_path: Path, frames: str, expected: int) -> None:
    scene, chosen = bpy.context.scene, settings()
    chosen.frames, chosen.first, chosen.last = frames, 11, 14
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 21, 26
    assert render(tmp_path / "some.mp4", size=(64, 36))[1] == expected


def test_frames_in_the_wrong_order_are_told(pair: None, tmp_path: Path) -> None:
    settings().frames, settings().first, settings().last = "CUSTOM", 9, 4
    with pytest.raises(RuntimeError, match="last frame is before its first"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"))


def test_the_chosen_resolution_is_rendered(pair: None, tmp_path: Path) -> None:
    settings().frames, settings().last = "CUSTOM", 2
    settings().resolution = "SCENE"
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 202, 360, 50
    bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "tall.mp4"))
    clip = bpy.data.movieclips.load(str(tmp_path / "tall.mp4"))
    assert tuple(clip.size) == (100, 180)  # H.264 needs even numbers


def add_camera(location: tuple[float, float, float], yaw: float) -> bpy.types.Object:
    """A level camera that looks along -Y turned by `yaw` degrees."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = location, np.radians([90.0, 0.0, yaw])
    bpy.context.scene.collection.objects.link(camera)
    return camera


def test_the_chosen_camera_films_and_another_one_does_not(pair: None, tmp_path: Path, scene_state: SceneState) -> None:
    chosen = settings()
    chosen.frames, chosen.last = "CUSTOM", 2
    bpy.context.scene.camera = add_camera((0.5, -8.0, 1.0), 180.0)  # it looks away from the dancers
    chosen.camera = "SCENE"
    away, _ = render(tmp_path / "away.mp4", unchanged=scene_state)
    assert not coral(away).any()
    chosen.camera, chosen.camera_object = "OBJECT", add_camera((0.5, -8.0, 1.0), 0.0)
    facing, _ = render(tmp_path / "facing.mp4")
    assert coral(facing).mean() > 0.002
    assert teal(facing).mean() > 0.002


@pytest.mark.parametrize("camera", ["SCENE", "OBJECT"])
def test_a_missing_camera_is_told(pair: None, tmp_path: Path, camera: str) -> None:
    settings().camera = camera
    with pytest.raises(RuntimeError, match="camera"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "duet.mp4"))


def paint(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    """A material with a base colour, and the viewport colour that nobody has set."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*colour, 1.0)
    return material


def clothe(dancer: bpy.types.Object, colour: tuple[float, float, float]) -> bpy.types.Object:
    """A box around a dancer's chest, in place of its mannequin."""
    for child in list(dancer.children):
        bpy.data.objects.remove(child)
    mesh = bpy.data.meshes.new("suit")
    corners = [(x, y, z) for x in (-0.2, 0.2) for y in (-0.15, 0.15) for z in (0.9, 1.5)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], faces)
    mesh.materials.append(paint("suit", colour))
    suit = bpy.data.objects.new("suit", mesh)
    suit.vertex_groups.new(name="spine2").add(range(8), 1.0, "REPLACE")
    modifier = suit.modifiers.new("rig", "ARMATURE")
    modifier.object = dancer
    bpy.context.scene.collection.objects.link(suit)
    return suit


def green(picture: Array) -> Array:
    return (picture[..., 1] > 1.4 * picture[..., 0]) & (picture[..., 1] > 1.4 * picture[..., 2])


def test_own_characters_are_rendered_with_their_materials(pair: None, tmp_path: Path, scene_state: SceneState) -> None:
    suit = clothe(bpy.data.objects["duet 2"], (0.05, 0.5, 0.05))
    chosen = settings()
    chosen.frames, chosen.last, chosen.characters = "CUSTOM", 2, "OWN"
    picture, frames = render(tmp_path / "own.mp4", unchanged=scene_state)
    assert frames == 2
    assert green(picture).mean() > 0.005
    assert coral(picture).mean() > 0.005
    assert not teal(picture).any()
    suit.hide_render = True
    hidden, _ = render(tmp_path / "hidden.mp4")
    assert not green(hidden).any()
    assert teal(hidden).mean() > 0.005  # a dancer with nothing to show is a mannequin


def test_own_characters_are_rendered_by_the_scenes_engine(pair: None, tmp_path: Path) -> None:
    clothe(bpy.data.objects["duet 2"], (0.05, 0.5, 0.05))
    chosen, scene = settings(), bpy.context.scene
    chosen.frames, chosen.last, chosen.characters, chosen.shading = "CUSTOM", 1, "OWN", "RENDERED"
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 4, False
    picture, _ = render(tmp_path / "own.mp4")
    assert green(picture).mean() > 0.005


def test_two_takes_are_rendered_side_by_side(pair: None, tmp_path: Path, scene_state: SceneState) -> None:
    partner = bpy.data.objects["duet 2"]
    shown = partner.animation_data.action
    files.write(tmp_path / "other.npz", swaying_motion(x=-0.9))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "other.npz"))
    other = bpy.data.objects["other"].animation_data.action
    bpy.context.scene.pas_de_deux.leader = bpy.data.objects["duet 1"]
    bpy.context.scene.pas_de_deux.partner = partner
    bpy.context.view_layer.update()
    chosen = settings()
    chosen.frames, chosen.last, chosen.beside = "CUSTOM", 3, other
    picture, frames = render(tmp_path / "two.mp4", unchanged=scene_state)
    assert frames == 3
    assert partner.animation_data.action == shown
    halves = picture[:, : SIZE[0] // 2], picture[:, SIZE[0] // 2 :]
    sides = []
    for half in halves:
        assert coral(half).mean() > 0.005
        assert teal(half).mean() > 0.005
        sides.append(np.nonzero(teal(half))[1].mean() - np.nonzero(coral(half))[1].mean())
    leaders = [np.nonzero(coral(half))[1].mean() for half in halves]
    assert sides[0] * sides[1] < 0.0  # the partner is on the leader's other side
    assert abs(leaders[0] - leaders[1]) < 2.0  # the camera is the same
    chosen.beside = shown
    with pytest.raises(RuntimeError, match="is the take shown now"):
        bpy.ops.pasdedeux.render_preview(filepath=str(tmp_path / "two.mp4"))


def test_a_take_of_the_list_is_rendered_beside_the_one_that_is_shown(
    dancing_leader: bpy.types.Object, tmp_path: Path, scene_state: SceneState
) -> None:
    duet = bpy.context.scene.pas_de_deux
    actions = []
    for device in ("mirror", "unison"):
        duet.model = device
        bpy.ops.pasdedeux.generate_partner()
        actions.append(duet.partner.animation_data.action)
    first, second = actions
    if takes.find_take(bpy.context, first) is None:
        takes.keep_take(bpy.context, duet.partner, first, takes.TakeRecord("partner", "mirror", 0), "first")
    chosen = settings()
    chosen.frames, chosen.first, chosen.last, chosen.beside = "CUSTOM", 20, 21, first
    assert render_preview._take_names(bpy.context, TakeBeside(duet.partner.name, first.name)) == (
        second.name,
        first.name,
    )
    picture, frames = render(tmp_path / "two.mp4", unchanged=scene_state)
    assert frames == 2
    left, right = picture[:, : SIZE[0] // 2 - 2], picture[:, SIZE[0] // 2 + 2 :]
    assert np.abs(left - right).max() > 0.2
    assert teal(left).any()
    assert teal(right).any()


def test_a_file_of_others_is_neither_overwritten_nor_asked_about_twice(pair: None, tmp_path: Path) -> None:
    video, chosen = tmp_path / "duet.mp4", settings()
    chosen.frames, chosen.last = "CUSTOM", 2
    bpy.context.scene.pas_de_deux.preview = str(video)
    video.write_bytes(b"the animator's own")
    operator = render_preview.PASDEDEUX_OT_render_preview
    asked = SimpleNamespace(filepath="", _video_path=lambda _: video)
    assert "Overwrite it?" in operator.question(asked, bpy.context)
    with pytest.raises(RuntimeError, match=r"duet\.mp4 is there already"):
        bpy.ops.pasdedeux.render_preview(size=(64, 36))
    assert video.read_bytes() == b"the animator's own"
    bpy.ops.pasdedeux.render_preview(filepath=str(video), size=(64, 36))
    assert frame_of(video, 1, tmp_path)[1] == 2
    assert operator.question(asked, bpy.context) == ""
    bpy.ops.pasdedeux.render_preview(size=(64, 36))


@pytest.mark.parametrize("characters", ["MANNEQUINS", "OWN"])
def test_a_folder_that_takes_no_file_is_told_in_one_sentence(pair: None, characters: str) -> None:
    settings().characters = characters
    with pytest.raises(RuntimeError, match=r"/proc/duet\.mp4: the video cannot be written \(.*\)"):
        bpy.ops.pasdedeux.render_preview(filepath="/proc/duet.mp4", size=(64, 36))
