"""Fewer Keys against Blender's own evaluation: every bone stays where each frame's key would have had it."""

from dataclasses import replace

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers, rig_motion
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyframes
from bl_ext.user_default.pas_de_deux.animation.sampling.pose_sampling import sample_pose

from rigs import Array, rotations
from rigs.retargeting.key_reduction import Tolerance
from rigs.retargeting.pose_reduction import reduce_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON

FRAMES = range(1, 121)
DANCE = sample_dance()[40:160]


@pytest.fixture
def dancer() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    return armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)


def evaluated(dancer: bpy.types.Object) -> tuple[Array, Array]:
    """Each bone's rotation (F, B, 4) and head (F, B, 3) m in the world, from Blender's depsgraph."""
    turns, heads = [], []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        posed = dancer.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices = [posed.matrix_world @ bone.matrix for bone in posed.pose.bones]
        turns.append([matrix.to_quaternion() for matrix in matrices])
        heads.append([matrix.translation for matrix in matrices])
    return np.array(turns), np.array(heads)


def key_count(dancer: bpy.types.Object) -> int:
    return sum(len(curve.keyframe_points) for curve in fcurves.action_fcurves(dancer))


def largest_errors(ours: tuple[Array, Array], expected: tuple[Array, Array]) -> tuple[float, float]:
    """Degrees and millimetres."""
    angle = np.degrees(rotations.angle_between(ours[0], expected[0]).max())
    return float(angle), float(1e3 * np.linalg.norm(ours[1] - expected[1], axis=-1).max())


@pytest.mark.parametrize("moved", [False, True])
def test_every_bone_is_where_it_was_with_a_third_of_the_keys(dancer: bpy.types.Object, moved: bool) -> None:
    if moved:
        dancer.location, dancer.rotation_euler, dancer.scale = (1.0, -2.0, 0.5), (0.3, 0.2, 2.0), (1.3, 1.3, 1.3)
        bpy.context.view_layer.update()
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, DANCE, "all", 1))
    every, count = evaluated(dancer), key_count(dancer)
    reduced = reduce_motion(DANCE, Tolerance())
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, reduced, "fewer", 1))
    degrees, millimetres = largest_errors(evaluated(dancer), every)
    assert degrees < 0.501
    assert millimetres < 1.001 * dancer.scale.x
    assert key_count(dancer) < 0.4 * count


def test_reduced_keys_are_sampled_as_blender_evaluates_them(dancer: bpy.types.Object) -> None:
    reduced = reduce_motion(DANCE, Tolerance())
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, reduced, "fewer", 1))
    turns, heads = evaluated(dancer)
    pose = sample_pose(bpy.context, dancer, FRAMES).select([bone.name for bone in dancer.pose.bones])
    assert np.abs(pose.positions.swapaxes(0, 1) - heads).max() < 1e-5
    assert rotations.angle_between(pose.world.swapaxes(0, 1), turns).max() < 1e-3


@pytest.mark.parametrize("root", ["hips", "object"])
@pytest.mark.parametrize("mode", ["QUATERNION", "ZXY"])
def test_a_retargeted_rig_keeps_within_tolerance_in_the_world(dancer: bpy.types.Object, root: str, mode: str) -> None:
    dancers.animate_dancer(bpy.context, dancer, DANCE, "dance", 1)
    target = armatures.create_armature(bpy.context, "target", DEFAULT_SKELETON.scale(0.8))
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    options = {"source": "dancer", "target": "target", "root": root}
    bpy.ops.pasdedeux.retarget(**options)
    every, count = evaluated(target), key_count(target)
    target.animation_data_clear()
    target.location, target.rotation_euler = (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.pasdedeux.retarget(**options, reduce=True)
    degrees, millimetres = largest_errors(evaluated(target), every)
    assert degrees < 0.51
    assert millimetres < 1.01
    assert key_count(target) < 0.5 * count


@pytest.mark.parametrize("fewer", [False, True])
def test_the_setting_reduces_a_generated_partners_keys(dancer: bpy.types.Object, fewer: bool) -> None:
    dancers.animate_dancer(bpy.context, dancer, DANCE, "dance", 1)
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.model, settings.fewer_keys = dancer, "mirror", fewer
    bpy.ops.pasdedeux.generate_partner()
    assert (key_count(settings.partner) < 0.4 * key_count(dancer)) == fewer


def test_a_rig_of_other_proportions_gets_fewer_keys_too(dancer: bpy.types.Object) -> None:
    dancers.animate_dancer(bpy.context, dancer, DANCE, "dance", 1)
    partner = armatures.create_armature(bpy.context, "partner", DEFAULT_SKELETON.scale(0.8))
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.partner, settings.model = dancer, partner, "mirror"
    bpy.ops.pasdedeux.generate_partner()
    every, count = evaluated(partner), key_count(partner)
    settings.fewer_keys = True
    bpy.ops.pasdedeux.generate_partner()
    degrees, millimetres = largest_errors(evaluated(partner), every)
    assert degrees < 0.51
    assert millimetres < 1.01
    assert key_count(partner) < 0.5 * count


@pytest.mark.parametrize("mode", ["QUATERNION", "ZXY"])
def test_channels_of_part_of_a_take_are_reduced_in_the_world_and_join_what_is_beside(
    dancer: bpy.types.Object, mode: str
) -> None:
    for bone in dancer.pose.bones:
        bone.rotation_mode = mode
    channels = armatures.motion_channels(dancer, DANCE)
    turn = 2.0 * np.pi if mode == "ZXY" else 0.0
    sign = -1.0 if mode == "QUATERNION" else 1.0
    channels = [
        channel if channel.path.endswith("location") else replace(channel, values=sign * channel.values + turn)
        for channel in channels
    ]
    keyframes.assign_action(dancer, keyframes.create_action(dancer, "all", channels, 1))
    every, count = evaluated(dancer), key_count(dancer)
    reduced = rig_motion.reduce_channels(dancer, channels, Tolerance())
    for channel, dense in zip(reduced, channels, strict=True):
        assert channel.reduced is not None
        assert np.abs(channel.reduced.values[0] - dense.values[0]).max() < 0.02
    keyframes.assign_action(dancer, keyframes.create_action(dancer, "fewer", reduced, 1))
    degrees, millimetres = largest_errors(evaluated(dancer), every)
    assert degrees < 0.51
    assert millimetres < 1.01
    assert key_count(dancer) < 0.5 * count
