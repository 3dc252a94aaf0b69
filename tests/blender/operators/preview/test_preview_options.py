"""What a preview shows: frames, resolution, camera, characters, and two takes side by side."""

from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.takes import take_list as takes
from bl_ext.user_default.pas_de_deux.media.preview_video import TakeBeside
from bl_ext.user_default.pas_de_deux.operators.preview import render_preview
from motions import swaying_motion
from videos import SIZE, SceneState, coral, green, import_pair, teal
from videos import render_preview as render

from rigs import files


@pytest.fixture
def pair(tmp_path: Path) -> None:
    """Two seconds of a pair, as leader and partner."""
    import_pair(tmp_path)


def settings() -> Any:
    return bpy.context.scene.pas_de_deux.preview_settings


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
