"""Dancers as armatures against forward kinematics: the evaluated pose follows the Motion, and sampling returns it."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures
from bl_ext.user_default.pas_de_deux.animation.keys import keyframes
from motions import TENTH_OF_A_MILLIMETRE, joint_positions, max_joint_error, random_motion, swaying_motion

from rigs import files, rotations
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, PARENTS


def animated_dancer(motion: Motion, first: int = 1) -> bpy.types.Object:
    dancer = armatures.create_armature(bpy.context, "dancer", motion.skeleton)
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, "dance", first))
    return dancer


def test_a_new_dancer_stands_in_a_t_pose() -> None:
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    assert np.abs(joint_positions(dancer, 1) - DEFAULT_SKELETON.rest_positions()).max() < 1e-6


def test_bones_are_named_and_linked_as_the_joints() -> None:
    bones = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON).data.bones
    assert {bone.name for bone in bones} == set(JOINTS)
    for j, joint in enumerate(JOINTS):
        parent = bones[joint].parent
        assert (parent.name if parent else None) == (JOINTS[PARENTS[j]] if PARENTS[j] >= 0 else None)


def test_limbs_point_at_the_next_joint() -> None:
    bones = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON).data.bones
    for joint, after in (("left_hip", "left_knee"), ("right_elbow", "right_wrist"), ("spine3", "neck")):
        assert np.allclose(bones[joint].tail_local, bones[after].head_local, atol=1e-6)


def test_blender_shows_every_joint_where_the_motion_has_it() -> None:
    motion = random_motion()
    assert max_joint_error(animated_dancer(motion, first=5), motion, first=5) < TENTH_OF_A_MILLIMETRE


def test_a_recorded_dancer_stands_where_the_recording_has_them(corpus: Path) -> None:
    motion = files.read(corpus / "salsa" / "salsa_07_leader.bvh").motions[0]
    assert max_joint_error(animated_dancer(motion), motion, every=100) < TENTH_OF_A_MILLIMETRE


def test_keys_of_a_turning_dancer_never_jump() -> None:
    motion = swaying_motion(frames=90)
    turning = rotations.about_z(np.linspace(0.0, 6.0 * np.pi, 90))
    motion.rotations[:, 0] = rotations.multiply(turning, motion.rotations[:, 0])
    dancer = animated_dancer(motion)
    bpy.context.scene.frame_set(1)
    before = np.array(dancer.pose.bones["pelvis"].rotation_quaternion)
    for frame in range(2, 91):
        bpy.context.scene.frame_set(frame)
        now = np.array(dancer.pose.bones["pelvis"].rotation_quaternion)
        assert before @ now > 0.9
        before = now


def test_reading_back_gives_the_motion() -> None:
    bpy.context.scene.render.fps = 25
    motion = random_motion(fps=25.0)
    sampled = armatures.sample_motion(bpy.context, animated_dancer(motion), range(1, 41))
    assert sampled.fps == 25.0
    assert np.abs(sampled.positions - motion.positions).max() < TENTH_OF_A_MILLIMETRE
    assert rotations.angle_between(sampled.rotations, motion.rotations).max() < 1e-3


def test_reading_back_sees_a_moved_turned_and_enlarged_object() -> None:
    motion = random_motion()
    dancer = animated_dancer(motion)
    dancer.location, dancer.rotation_euler, dancer.scale = (1.0, -2.0, 0.5), (0.1, 0.2, 2.0), (1.2, 1.2, 1.2)
    bpy.context.view_layer.update()
    sampled = armatures.sample_motion(bpy.context, dancer, range(1, 41))
    assert (
        max(np.abs(sampled.positions[f] - joint_positions(dancer, f + 1)).max() for f in range(0, 40, 9))
        < TENTH_OF_A_MILLIMETRE
    )


def test_keys_for_a_moved_object_bring_the_dancer_to_the_same_place_in_the_world() -> None:
    motion = random_motion()
    dancer = armatures.create_armature(bpy.context, "dancer", motion.skeleton)
    dancer.location, dancer.rotation_euler = (1.0, -2.0, 0.5), (0.1, 0.2, 2.0)
    bpy.context.view_layer.update()
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, "dance", 1))
    assert max_joint_error(dancer, motion) < TENTH_OF_A_MILLIMETRE


def test_reading_back_sees_what_constraints_do() -> None:
    dancer = animated_dancer(swaying_motion())
    target = bpy.data.objects.new("target", None)
    target.location = (0.0, -3.0, 1.5)
    bpy.context.scene.collection.objects.link(target)
    constraint = dancer.pose.bones["left_shoulder"].constraints.new("DAMPED_TRACK")
    constraint.target = target
    sampled = armatures.sample_motion(bpy.context, dancer, range(1, 11))
    upper_arm = sampled.positions[:, JOINTS.index("left_elbow")] - sampled.positions[:, JOINTS.index("left_shoulder")]
    to_target = np.array(target.location) - sampled.positions[:, JOINTS.index("left_shoulder")]
    assert np.abs(rotations.normalize(upper_arm) - rotations.normalize(to_target)).max() < 1e-3


def test_reading_back_leaves_the_current_frame() -> None:
    dancer = animated_dancer(swaying_motion())
    bpy.context.scene.frame_set(17)
    armatures.sample_motion(bpy.context, dancer, range(1, 31))
    assert bpy.context.scene.frame_current == 17


def test_an_armature_of_other_bones_is_refused_by_name() -> None:
    bpy.ops.object.armature_add()
    with pytest.raises(armatures.NotADancer, match=r"^Armature: .*29 not found, the first is pelvis$"):
        armatures.require_dancer(bpy.context.object)


def test_an_unevenly_scaled_dancer_is_refused() -> None:
    dancer = animated_dancer(swaying_motion())
    dancer.scale = (1.0, 1.0, 2.0)
    bpy.context.view_layer.update()
    with pytest.raises(armatures.NotADancer, match="it is scaled by 1, 1, 2: give its Scale one"):
        armatures.sample_motion(bpy.context, dancer, range(1, 3))


@pytest.mark.parametrize("mode", ["OBJECT", "EDIT", "SCULPT"])
def test_a_new_dancer_leaves_mode_and_selection_alone(mode: str) -> None:
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    bpy.ops.object.mode_set(mode=mode)
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    assert (bpy.context.object, cube.mode, bpy.context.selected_objects) == (cube, mode, [cube])
    assert len(bpy.data.scenes) == 1
    assert dancer.visible_get()


def test_a_new_dancer_is_visible_though_the_active_collection_is_hidden() -> None:
    hidden = bpy.data.collections.new("hidden")
    bpy.context.scene.collection.children.link(hidden)
    layer = bpy.context.view_layer.layer_collection.children["hidden"]
    bpy.context.view_layer.active_layer_collection = layer
    layer.hide_viewport = True
    assert armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON).visible_get()
