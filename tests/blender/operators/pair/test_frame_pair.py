"""Framing a pair: every joint of the whole dance lies within the viewport and within the follow camera's picture."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves
from bl_ext.user_default.pas_de_deux.media import viewport_framing
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from motions import joint_positions

from rigs import Array, files
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance

FRAMES = range(1, 121, 7)


@pytest.fixture
def pair(tmp_path: "files.Path") -> list[bpy.types.Object]:
    leader = sample_dance()[:120]
    partner = Motion(leader.fps, leader.skeleton, leader.root + np.array([0.3, -0.8, 0.0]), leader.rotations)
    files.write(tmp_path / "duet.npz", (leader, partner))
    bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "duet.npz"), body=False)
    settings = bpy.context.scene.pas_de_deux
    return [settings.leader, settings.partner]


def all_joints(pair: list[bpy.types.Object]) -> Array:
    return np.concatenate([joint_positions(dancer, frame) for dancer in pair for frame in FRAMES])


def viewport() -> tuple[bpy.types.Area, bpy.types.SpaceView3D]:
    area = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D")
    return area, area.spaces.active


def seen(space: bpy.types.SpaceView3D, points: Array, width: int, height: int) -> Array:
    """Where a viewport shows points (P, 3), from -1 to 1 from left to right and from below to above: (P, 2)."""
    view = space.region_3d
    axes = np.array(view.view_rotation.to_matrix())
    relative = (points - np.array(view.view_location)) @ axes
    depth = view.view_distance - (relative[:, 2] if view.view_perspective == "PERSP" else 0.0)
    half = 36.0 / space.lens / max(width, height) * np.array([width, height])
    return relative[:, :2] / np.reshape(depth, (-1, 1)) / half


@pytest.mark.parametrize("perspective", ["PERSP", "ORTHO"])
@pytest.mark.parametrize("size", [(1600, 900, 0, 0), (800, 1000, 40, 300)])
def test_the_whole_dance_fits_the_free_part_of_the_viewport(
    pair: list[bpy.types.Object], perspective: str, size: tuple[int, int, int, int]
) -> None:
    _, space = viewport()
    space.region_3d.view_perspective = perspective
    width, height, left, right = size
    viewport_framing.frame_points(space, all_joints(pair), size)
    shown = seen(space, all_joints(pair), width, height)
    low, high = -1.0 + 2.0 * left / width, 1.0 - 2.0 * right / width
    assert low < shown[:, 0].min()
    assert shown[:, 0].max() < high
    assert np.abs(shown[:, 1]).max() < 1.0
    tight = max(np.ptp(shown[:, 0]) / (high - low), np.ptp(shown[:, 1]) / 2.0)
    assert tight > 0.9


def test_frame_pair_keeps_the_view_s_direction_and_all_else(pair: list[bpy.types.Object]) -> None:
    _, space = viewport()
    middle = all_joints(pair).mean(axis=0)
    rotation, frame, active = space.region_3d.view_rotation.copy(), bpy.context.scene.frame_current, bpy.context.object
    space.region_3d.view_location = (50.0, 0.0, 0.0)
    assert bpy.ops.pasdedeux.frame_pair() == {"FINISHED"}
    assert np.linalg.norm(np.array(space.region_3d.view_location) - middle) < 1.5
    assert space.region_3d.view_rotation == rotation
    assert (bpy.context.scene.frame_current, bpy.context.object) == (frame, active)


def test_without_a_dancer_it_is_one_sentence() -> None:
    for operator in (bpy.ops.pasdedeux.frame_pair, bpy.ops.pasdedeux.add_follow_camera):
        with pytest.raises(RuntimeError, match="Choose a leader first"):
            operator()


def picture_positions(camera: bpy.types.Object, pair: list[bpy.types.Object]) -> Array:
    """Where the camera shows the joints, from 0 to 1 across and up, at each of `FRAMES`."""
    scene, shown = bpy.context.scene, []
    for frame in FRAMES:
        joints = [joint for dancer in pair for joint in joint_positions(dancer, frame)]
        scene.frame_set(frame)
        shown += [world_to_camera_view(scene, camera, Vector(joint))[:2] for joint in joints]
    return np.array(shown)


@pytest.mark.parametrize(("size", "unit"), [((1920, 1080), 1.0), ((1080, 1920), 1.0), ((1920, 1080), 0.01)])
def test_the_follow_camera_keeps_both_dancers_in_its_picture(
    tmp_path: "files.Path", size: tuple[int, int], unit: float, request: pytest.FixtureRequest
) -> None:
    scene = bpy.context.scene
    scene.unit_settings.scale_length = unit
    scene.render.resolution_x, scene.render.resolution_y = size
    pair = request.getfixturevalue("pair")
    bpy.ops.pasdedeux.add_follow_camera()
    camera = scene.camera
    shown = picture_positions(camera, pair)
    assert shown.min() > 0.0
    assert shown.max() < 1.0
    assert np.ptp(shown, axis=0).max() > 0.5
    assert max(len(curve.keyframe_points) for curve in fcurves.action_fcurves(camera)) < 20


def test_a_camera_of_the_scene_stays_its_camera(pair: list[bpy.types.Object]) -> None:
    scene, active = bpy.context.scene, bpy.context.object
    bpy.ops.object.camera_add()
    mine = scene.camera = bpy.context.object
    bpy.context.view_layer.objects.active = active
    bpy.ops.pasdedeux.add_follow_camera()
    assert scene.camera == mine
    assert "Follow Camera" in scene.objects
    assert bpy.context.object == active
