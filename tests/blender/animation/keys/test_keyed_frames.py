"""Which keyframes are an animator's: selected ones, and those changed since their generation."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyed_frames, keyframes
from bl_ext.user_default.pas_de_deux.animation.keys.keyed_frames import AnimatorsFrames

from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


@pytest.fixture
def dancer() -> bpy.types.Object:
    """A dancer with an action of 60 frames that is remembered as generated."""
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    action = armatures.create_motion_action(dancer, sample_dance()[:60], "dance", 1)
    keyframes.assign_action(dancer, action)
    keyed_frames.remember_keys(action, dancer)
    return dancer


def knee_keys(dancer: bpy.types.Object) -> bpy.types.FCurveKeyframePoints:
    return fcurves.fcurves_by_path(dancer)['pose.bones["left_knee"].rotation_quaternion', 1].keyframe_points


def test_a_generated_action_has_no_frames_of_the_animators(dancer: bpy.types.Object) -> None:
    assert AnimatorsFrames.of(dancer) == AnimatorsFrames()


def test_changed_inserted_and_deleted_keys_are_the_animators(dancer: bpy.types.Object) -> None:
    keys = knee_keys(dancer)
    keys[9].co.y += 0.01
    keys.remove(keys[19])
    bpy.context.scene.frame_set(30)
    dancer.pose.bones["head"].scale = (1.1, 1.1, 1.1)
    dancer.pose.bones["head"].keyframe_insert("scale", frame=30)
    dancer.pose.bones["head"].keyframe_insert("scale", frame=80)
    assert AnimatorsFrames.of(dancer).edited == (10, 20, 30, 80)


def test_moving_the_object_is_no_pose(dancer: bpy.types.Object) -> None:
    dancer.keyframe_insert("location", frame=10)
    assert AnimatorsFrames.of(dancer).edited == ()


def test_edits_are_told_after_save_and_reload(dancer: bpy.types.Object, tmp_path: Path) -> None:
    knee_keys(dancer)[9].co.y += 0.01
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "saved.blend"))
    assert AnimatorsFrames.of(bpy.data.objects["dancer"]).edited == (10,)


def test_frames_can_stay_edited(dancer: bpy.types.Object) -> None:
    keyed_frames.remember_keys(dancer.animation_data.action, dancer, edited=[5, 6])
    assert AnimatorsFrames.of(dancer).edited == (5, 6)


def test_selected_keyframes_come_before_edited_ones(dancer: bpy.types.Object) -> None:
    keys = knee_keys(dancer)
    keys[9].co.y += 0.01
    keys[3].select_control_point = keys[40].select_control_point = True
    frames = AnimatorsFrames.of(dancer)
    assert (frames.selected, frames.edited, frames.meant) == ((4, 41), (10,), (4, 41))


def test_a_selection_of_all_is_none(dancer: bpy.types.Object) -> None:
    for key in knee_keys(dancer):
        key.select_control_point = True
    assert AnimatorsFrames.of(dancer).meant == ()


@pytest.mark.parametrize(("step", "counts"), [(10, True), (1, False)])
def test_only_sparse_keys_of_other_actions_are_the_animators(step: int, counts: bool) -> None:
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    frames = range(1, 52, step)
    for frame in frames:
        dancer.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=frame)
    for curve in fcurves.action_fcurves(dancer):
        curve.keyframe_points.foreach_set("select_control_point", np.zeros(len(frames), bool))
    assert AnimatorsFrames.of(dancer).meant == (tuple(frames) if counts else ())
