"""Sampled poses against Blender's evaluated pose."""

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyframes
from bl_ext.user_default.pas_de_deux.animation.keys.channels import Channel
from bl_ext.user_default.pas_de_deux.animation.sampling import pose_sampling
from motions import TENTH_OF_A_MILLIMETRE, random_motion

from rigs import Array, rotations

FRAMES = range(3, 24, 2)


@pytest.fixture
def visited_frames() -> Iterator[list[int]]:
    """The frames to which the scene was set: none where a movement was worked out from its curves."""
    frames: list[int] = []

    def record(scene: bpy.types.Scene, *_: object) -> None:
        frames.append(scene.frame_current)

    bpy.app.handlers.frame_change_pre.append(record)
    yield frames
    bpy.app.handlers.frame_change_pre.remove(record)


def evaluated_pose(rig: bpy.types.Object, frames: range = FRAMES) -> tuple[Array, Array, Array]:
    """What Blender shows: the bones' rotations (B, F, 3, 3), heads and tails (B, F, 3), in the world."""
    matrices, heads, tails = [], [], []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        bones = [evaluated.pose.bones[bone.name] for bone in rig.data.bones]
        matrices.append([(evaluated.matrix_world @ bone.matrix).to_quaternion().to_matrix() for bone in bones])
        heads.append([evaluated.matrix_world @ bone.head for bone in bones])
        tails.append([evaluated.matrix_world @ bone.tail for bone in bones])
    return tuple(np.array(values).swapaxes(0, 1) for values in (matrices, heads, tails))


def assert_as_evaluated(sampled: pose_sampling.SampledPose, rig: bpy.types.Object, frames: range = FRAMES) -> None:
    matrices, heads, tails = evaluated_pose(rig, frames)
    bones = rig.data.bones
    leaves = [b for b, bone in enumerate(bones) if not bone.children]
    assert sampled.names == (*bones.keys(), *(f"{bones[b].name} end site" for b in leaves))
    np.testing.assert_allclose(sampled.positions, np.concatenate([heads, tails[leaves]]), atol=TENTH_OF_A_MILLIMETRE)
    np.testing.assert_allclose(
        rotations.to_matrix(sampled.world), np.concatenate([matrices, matrices[leaves]]), atol=TENTH_OF_A_MILLIMETRE
    )


def animated_dancer() -> bpy.types.Object:
    """One of our own who goes anywhere, keyed from frame 1 on."""
    motion = random_motion(frames=30)
    rig = armatures.create_armature(bpy.context, "dancer", motion.skeleton)
    keyframes.assign_action(rig, armatures.create_motion_action(rig, motion, "dance", 1))
    return rig


def chain(*modes: str, frames: int = 24, moving: bool = True) -> bpy.types.Object:
    """Bones that hang on one another, each with its own rotation mode, and keyed on every frame in that mode."""
    random = np.random.default_rng(1)
    rig = bpy.data.objects.new("chain", bpy.data.armatures.new("chain"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for b in range(len(modes)):
        bone = rig.data.edit_bones.new(f"bone {b}")
        bone.head, bone.tail, bone.roll = (0.3 * b, 0.1, b), (0.3 * b, 0.3, b + 0.8), 0.4 * b
        bone.parent = rig.data.edit_bones[b - 1] if b else None
    bpy.ops.object.mode_set(mode="OBJECT")
    channels = []
    for bone, mode in zip(rig.pose.bones, modes, strict=True):
        bone.rotation_mode = mode
        name = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")
        path = f'pose.bones["{bone.name}"].'
        width = len(getattr(bone, name))
        channels.append(Channel(path + name, random.normal(0.0, 1.0, (frames, width)), bone.name))
        channels.append(Channel(path + "location", random.normal(0.0, 0.3, (frames, 3)), bone.name))
    if moving:
        keyframes.assign_action(rig, keyframes.create_action(rig, "twist", channels, 1))
    bpy.context.view_layer.update()
    return rig


def test_a_dancer_is_read_from_curves_alone(visited_frames: list[int]) -> None:
    rig = animated_dancer()
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig)


def test_an_imported_mixamo_dance_is_read_from_curves_alone(corpus: Path, visited_frames: list[int]) -> None:
    bpy.ops.import_scene.fbx(filepath=str(corpus / "fbx_zoo" / "Samba_Dancing.fbx"))
    rig = next(obj for obj in bpy.data.objects if obj.type == "ARMATURE")
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig)


@pytest.mark.parametrize("mode", ["NATIVE", "QUATERNION"])
def test_an_imported_bvh_dance_is_read_from_curves_alone(corpus: Path, visited_frames: list[int], mode: str) -> None:
    path = corpus / "bvh_zoo" / "dataset-1_dance-short_normal_001.bvh"
    bpy.ops.import_anim.bvh(filepath=str(path), global_scale=0.01, rotate_mode=mode)
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, bpy.context.object, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, bpy.context.object)


def test_bones_of_every_rotation_mode_are_read_from_curves_alone(visited_frames: list[int]) -> None:
    rig = chain("QUATERNION", "XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX", "AXIS_ANGLE")
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig)


@pytest.mark.parametrize("setting", ["use_inherit_rotation", "use_local_location", "use_connect"])
def test_bones_that_follow_their_parent_otherwise_are_read_from_curves_alone(
    visited_frames: list[int], setting: str
) -> None:
    rig = chain("QUATERNION", "XYZ", "QUATERNION", "QUATERNION")
    bpy.ops.object.mode_set(mode="EDIT")
    for bone in rig.data.edit_bones:
        setattr(bone, setting, setting == "use_connect" and bone.parent is not None)
    bpy.ops.object.mode_set(mode="OBJECT")
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig)


def test_an_object_that_moves_and_is_enlarged_is_read_from_curves_alone(visited_frames: list[int]) -> None:
    rig = chain("QUATERNION", "XYZ")
    rig.scale = (1.3, 1.3, 1.3)
    for frame, angle in ((1, 0.0), (24, 2.0)):
        rig.location, rig.rotation_euler = (angle, -angle, 0.5), (0.1, angle, 0.0)
        rig.keyframe_insert("location", frame=frame)
        rig.keyframe_insert("rotation_euler", frame=frame)
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig)


def test_keys_far_apart_are_read_between_with_their_easing(visited_frames: list[int]) -> None:
    rig = chain("QUATERNION", "XYZ", moving=False)
    for frame in (5, 12, 20):
        for b, bone in enumerate(rig.pose.bones):
            bone.location = (frame * 0.1, b, 0.0)
            bone.keyframe_insert("location", frame=frame)
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, range(1, 25))
    assert visited_frames == []
    assert_as_evaluated(sampled, rig, range(1, 25))


def test_a_pose_without_an_action_is_read() -> None:
    rig = chain("QUATERNION", "XYZ", moving=False)
    rig.pose.bones[1].rotation_euler = (0.3, 0.4, 0.5)
    rig.location = (1.0, 2.0, 3.0)
    bpy.context.view_layer.update()
    assert_as_evaluated(pose_sampling.sample_pose(bpy.context, rig, FRAMES), rig)


def _constraint(rig: bpy.types.Object) -> None:
    rig.pose.bones[1].constraints.new("LIMIT_ROTATION").use_limit_x = True


def _driver(rig: bpy.types.Object) -> None:
    rig.pose.bones[2].driver_add("location", 1).driver.expression = "frame * 0.1"


def _strip(rig: bpy.types.Object) -> None:
    action = rig.animation_data.action
    strip = rig.animation_data.nla_tracks.new().strips.new("twist", 4, action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = action.slots[0]
    rig.animation_data.action = None


def _parent(rig: bpy.types.Object) -> None:
    above = bpy.data.objects.new("above", None)
    above.location, above.rotation_euler = (1.0, 2.0, 3.0), (0.5, 0.0, 1.0)
    bpy.context.scene.collection.objects.link(above)
    rig.parent = above


def _delta(rig: bpy.types.Object) -> None:
    rig.delta_location = (1.0, 0.0, 0.0)
    rig.delta_rotation_euler = (0.0, 1.0, 0.0)


def _size(rig: bpy.types.Object) -> None:
    rig.pose.bones[1].scale = (1.2, 1.2, 1.2)


def _muted(rig: bpy.types.Object) -> None:
    for curve in fcurves.action_fcurves(rig)[::2]:
        curve.mute = True


def _noise(rig: bpy.types.Object) -> None:
    fcurves.action_fcurves(rig)[2].modifiers.new("NOISE").strength = 3.0


def _rest(rig: bpy.types.Object) -> None:
    rig.data.pose_position = "REST"


def _inherit_scale(rig: bpy.types.Object) -> None:
    for bone, mode in zip(rig.data.bones, ("NONE", "ALIGNED", "NONE_LEGACY"), strict=True):
        bone.inherit_scale = mode
    rig.pose.bones[0].scale = (1.2, 0.8, 1.5)


def _bone_parent(rig: bpy.types.Object) -> None:
    other = chain("QUATERNION", "XYZ")
    rig.parent, rig.parent_type, rig.parent_bone = other, "BONE", other.pose.bones[1].name


def _share(rig: bpy.types.Object) -> None:
    """Let an NLA track without strips weaken the action."""
    rig.animation_data.nla_tracks.new()
    rig.animation_data.action_influence = 0.5


def _solo(rig: bpy.types.Object) -> None:
    """Play a solo track's strip in place of the action."""
    action = rig.animation_data.action
    track = rig.animation_data.nla_tracks.new()
    strip = track.strips.new("twist", 9, action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = action.slots[0]
    strip.scale = 0.5
    track.is_solo = True


def _layers(rig: bpy.types.Object) -> None:
    """Play the action above an additive strip of it, with an offset in time."""
    action = rig.animation_data.action
    strip = rig.animation_data.nla_tracks.new().strips.new("twist", -6, action)
    if hasattr(strip, "action_slot"):
        strip.action_slot = action.slots[0]
    rig.animation_data.action_blend_type = "COMBINE"


def _cycles(rig: bpy.types.Object) -> None:
    for curve in fcurves.action_fcurves(rig):
        for point in curve.keyframe_points:
            point.co.x *= 0.3
        curve.modifiers.new("CYCLES")
        curve.update()


def _frame_driver(rig: bpy.types.Object) -> None:
    rig.driver_add("rotation_euler", 2).driver.expression = "sin(frame * 0.3)"


@pytest.mark.parametrize(
    "change",
    [
        *(_constraint, _driver, _strip, _parent, _delta, _size, _muted, _noise, _rest),
        *(_inherit_scale, _bone_parent, _share, _solo, _layers, _cycles, _frame_driver),
    ],
    ids=lambda f: f.__name__,
)
def test_whatever_else_moves_the_bones_is_read_too(change: Callable[[bpy.types.Object], None]) -> None:
    rig = chain("QUATERNION", "XYZ", "AXIS_ANGLE")
    change(rig)
    bpy.context.view_layer.update()
    assert_as_evaluated(pose_sampling.sample_pose(bpy.context, rig, FRAMES), rig)


def test_negative_frames_and_keys_between_frames_are_read(visited_frames: list[int]) -> None:
    rig = chain("QUATERNION", "XYZ")
    for curve in fcurves.action_fcurves(rig):
        for point in curve.keyframe_points:
            point.co.x -= 30.4
        curve.update()
    frames = range(-35, -2, 3)
    visited_frames.clear()
    sampled = pose_sampling.sample_pose(bpy.context, rig, frames)
    assert visited_frames == []
    assert_as_evaluated(sampled, rig, frames)


def test_two_objects_with_one_armature_are_read_each_with_its_own_action() -> None:
    first, second = chain("QUATERNION", "XYZ"), chain("QUATERNION", "XYZ")
    for curve in fcurves.action_fcurves(second):
        for point in curve.keyframe_points:
            point.co.y *= 0.5
        curve.update()
    second.data = first.data
    second.location = (2.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    poses = [pose_sampling.sample_pose(bpy.context, rig, FRAMES) for rig in (first, second)]
    for rig, pose in zip((first, second), poses, strict=True):
        assert_as_evaluated(pose, rig)
    assert np.abs(poses[0].world - poses[1].world).max() > 0.1


def test_two_objects_with_one_action_are_read_alike() -> None:
    rig = chain("QUATERNION", "XYZ")
    other = rig.copy()
    bpy.context.scene.collection.objects.link(other)
    other.location = (0.0, 3.0, 0.0)
    bpy.context.view_layer.update()
    for obj in (rig, other):
        assert_as_evaluated(pose_sampling.sample_pose(bpy.context, obj, FRAMES), obj)


def test_a_dancer_of_two_scenes_is_read_in_the_scene_that_is_shown() -> None:
    rig = chain("QUATERNION", "XYZ")
    _parent(rig)
    other = bpy.data.scenes.new("other")
    other.collection.objects.link(rig)
    other.frame_set(23)
    bpy.context.view_layer.update()
    assert_as_evaluated(pose_sampling.sample_pose(bpy.context, rig, FRAMES), rig)
    assert other.frame_current == 23


@pytest.mark.parametrize("stretched", [200, 50, 125])
def test_keys_are_read_as_they_are_where_the_scene_stretches_time(stretched: int) -> None:
    rig = chain("QUATERNION", "XYZ")
    _parent(rig)
    bpy.context.view_layer.update()
    evaluated = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    bpy.context.scene.render.frame_map_new = stretched
    bpy.context.scene.frame_set(9)
    in_stretched_time = pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert bpy.context.scene.frame_current == 9
    assert np.abs(in_stretched_time.positions - evaluated.positions).max() < TENTH_OF_A_MILLIMETRE


def test_the_nodes_asked_for_come_in_the_order_asked() -> None:
    sampled = pose_sampling.sample_pose(bpy.context, animated_dancer(), FRAMES)
    selected = sampled.select(["left_wrist", "head end site", "pelvis"])
    assert selected.names == ("left_wrist", "head end site", "pelvis")
    assert np.array_equal(selected.positions[2], sampled.positions[sampled.names.index("pelvis")])


def test_the_current_frame_stays() -> None:
    rig = chain("QUATERNION", "XYZ")
    _constraint(rig)
    bpy.context.scene.frame_set(7, subframe=0.25)
    pose_sampling.sample_pose(bpy.context, rig, FRAMES)
    assert (bpy.context.scene.frame_current, bpy.context.scene.frame_subframe) == (7, 0.25)
