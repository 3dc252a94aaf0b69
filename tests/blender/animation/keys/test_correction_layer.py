"""The correction layer, against Blender's own evaluation: corrections lie over any take, and no take is touched."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.animation.keys import frame_ranges, keyframes, nla
from motions import max_joint_error, swaying_motion

from rigs import Array, rotations
from rigs.retargeting.key_reduction import Tolerance
from rigs.retargeting.pose_reduction import reduce_motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS

FRAME = 20
WRIST = INDEX["left_wrist"]
TURN = rotations.from_rotation_vector(np.array([0.4, -0.2, 0.6]))
"""What the animator adds to the wrist's rotation."""


@pytest.fixture
def dancer() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    dancers.animate_dancer(bpy.context, dancer, swaying_motion(), "take one", 10)
    dancers.select_only(bpy.context, dancer)
    return dancer


def pose_rotations(dancer: bpy.types.Object, frame: int = FRAME) -> Array:
    """The joints' evaluated rotations (29, 4) relative to parent and rest."""
    bpy.context.scene.frame_set(frame)
    evaluated = dancer.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.pose.bones[joint].matrix_basis.to_quaternion() for joint in JOINTS])


def correct_wrist(dancer: bpy.types.Object) -> None:
    """Turn the wrist in a frame and key it, as an animator does."""
    rotation = rotations.multiply(pose_rotations(dancer)[WRIST], TURN)
    dancer.pose.bones["left_wrist"].rotation_quaternion = rotation
    dancer.pose.bones["left_wrist"].keyframe_insert("rotation_quaternion", frame=FRAME)


def correction_of_wrist(dancer: bpy.types.Object, take: Array) -> Array:
    return rotations.inverse_multiply(take[WRIST], pose_rotations(dancer)[WRIST])


def assert_only_the_wrist_is_corrected(dancer: bpy.types.Object, take: Array) -> None:
    assert rotations.angle_between(correction_of_wrist(dancer, take), TURN) < 1e-3
    others = [j for j in range(29) if j != WRIST]
    assert rotations.angle_between(pose_rotations(dancer)[others], take[others]).max() < 1e-3


def take_keys(action: bpy.types.Action) -> int:
    bags = [action] if hasattr(action, "fcurves") else action.layers[0].strips[0].channelbags
    return sum(len(curve.keyframe_points) for bag in bags for curve in bag.fcurves)


def test_a_new_layer_changes_no_frame(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    assert max_joint_error(dancer, swaying_motion(), first=10) < 1e-5
    assert frame_ranges.frame_range(dancer) == range(10, 70)
    assert nla.base_action(dancer).name == "take one"


def test_keys_on_the_layer_lie_over_the_take_and_leave_its_keys(dancer: bpy.types.Object) -> None:
    take, keys = pose_rotations(dancer), take_keys(dancer.animation_data.action)
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    assert_only_the_wrist_is_corrected(dancer, take)
    assert take_keys(bpy.data.actions["take one"]) == keys
    assert frame_ranges.frame_range(dancer) == range(10, 70)


def test_another_take_shows_below_the_layer(dancer: bpy.types.Object) -> None:
    other = armatures.create_motion_action(dancer, swaying_motion(frames=90, x=1.0), "take two", 5)
    other.use_fake_user = True
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    keyframes.assign_action(dancer, other)
    assert nla.base_action(dancer) == other
    assert frame_ranges.frame_range(dancer) == range(5, 95)
    assert len(dancer.animation_data.nla_tracks) == 1
    corrected = pose_rotations(dancer)
    bpy.ops.pasdedeux.remove_correction_layer()
    take = pose_rotations(dancer)
    assert rotations.angle_between(rotations.inverse_multiply(take[WRIST], corrected[WRIST]), TURN) < 1e-3
    assert max_joint_error(dancer, swaying_motion(frames=90, x=1.0), first=5) < 1e-4


def test_the_layers_influence_stays_when_the_take_changes(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    dancer.animation_data.action_influence = 0.0
    take = armatures.create_motion_action(dancer, swaying_motion(), "take two", 10)
    keyframes.assign_action(dancer, take)
    assert dancer.animation_data.action_influence == 0.0
    assert max_joint_error(dancer, swaying_motion(), first=10) < 1e-4


def test_sampling_reads_the_corrections(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    sampled = armatures.sample_motion(bpy.context, dancer, range(10, 70))
    difference = rotations.angle_between(sampled.rotations[FRAME - 10], swaying_motion().rotations[FRAME - 10])
    assert difference[WRIST] == pytest.approx(2.0 * np.arccos(TURN[0]), abs=1e-3)
    assert np.delete(difference, WRIST).max() < 1e-3


def test_a_generated_partner_keeps_the_layer_above_the_takes(dancer: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.model = dancer, "mirror"
    bpy.ops.pasdedeux.generate_partner()
    partner = settings.partner
    dancers.select_only(bpy.context, partner)
    take = pose_rotations(partner)
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(partner)
    correction = partner.animation_data.action
    bpy.ops.pasdedeux.generate_partner()
    assert partner.animation_data.action == correction
    assert_only_the_wrist_is_corrected(partner, take)


@pytest.mark.parametrize("onto", ["NEW", "CURRENT"])
@pytest.mark.parametrize("fewer", [False, True])
def test_what_is_written_goes_to_the_take(dancer: bpy.types.Object, onto: str, fewer: bool) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    source = armatures.create_armature(bpy.context, "source", DEFAULT_SKELETON)
    dancers.animate_dancer(bpy.context, source, swaying_motion(x=2.0), "source", 10)
    bpy.ops.pasdedeux.retarget(source="source", target="dancer", onto=onto, contacts=False, reduce=fewer)
    assert nla.has_correction_layer(dancer)
    bpy.ops.pasdedeux.remove_correction_layer()
    assert max_joint_error(dancer, swaying_motion(x=2.0), first=10) < 2e-3


def test_a_removed_layer_gives_the_take_back_and_stays_in_the_file(dancer: bpy.types.Object) -> None:
    action = dancer.animation_data.action
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    correction = dancer.animation_data.action
    bpy.ops.pasdedeux.remove_correction_layer()
    assert dancer.animation_data.action == action
    assert not dancer.animation_data.nla_tracks
    assert dancer.animation_data.action_blend_type == "REPLACE"
    assert correction.use_fake_user
    assert max_joint_error(dancer, swaying_motion(), first=10) < 1e-4


def test_the_operators_say_what_is_missing(dancer: bpy.types.Object) -> None:
    with pytest.raises(RuntimeError, match="no correction layer"):
        bpy.ops.pasdedeux.remove_correction_layer()
    bpy.ops.pasdedeux.add_correction_layer()
    with pytest.raises(RuntimeError, match="insert keyframes"):
        bpy.ops.pasdedeux.add_correction_layer()
    dancers.select_only(bpy.context, armatures.create_armature(bpy.context, "still", DEFAULT_SKELETON))
    with pytest.raises(RuntimeError, match="no animation to correct"):
        bpy.ops.pasdedeux.add_correction_layer()


def test_a_layer_over_reduced_keys_and_after_reload(dancer: bpy.types.Object, tmp_path: object) -> None:
    keyframes.assign_action(
        dancer, armatures.create_motion_action(dancer, reduce_motion(swaying_motion(), Tolerance()), "fewer", 10)
    )
    take = pose_rotations(dancer)
    bpy.ops.pasdedeux.add_correction_layer()
    correct_wrist(dancer)
    bpy.ops.wm.save_as_mainfile(filepath=f"{tmp_path}/layer.blend")
    bpy.ops.wm.open_mainfile(filepath=f"{tmp_path}/layer.blend")
    reloaded = bpy.data.objects["dancer"]
    assert nla.has_correction_layer(reloaded)
    assert_only_the_wrist_is_corrected(reloaded, take)


def test_undo_puts_the_take_back_and_redo_the_layer(dancer: bpy.types.Object) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.pasdedeux.add_correction_layer()
    bpy.ops.ed.undo_push(message="Add Correction Layer")
    bpy.ops.ed.undo()
    undone = bpy.data.objects["dancer"]
    assert undone.animation_data.action.name == "take one"
    assert not undone.animation_data.nla_tracks
    bpy.ops.ed.redo()
    redone = bpy.data.objects["dancer"]
    assert nla.has_correction_layer(redone)
    assert max_joint_error(redone, swaying_motion(), first=10) < 1e-4
