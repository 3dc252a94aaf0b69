"""Controls of hands and feet, against Blender's evaluation: FK and IK show one pose, and IK follows what one moves."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, controls, dancers
from bl_ext.user_default.pas_de_deux.animation.control_bones import CONTROL_BONES, LIMBS, has_controls
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, nla
from bl_ext.user_default.pas_de_deux.animation.sampling.pose_sampling import sample_pose
from bl_ext.user_default.pas_de_deux.animation.takes import take_list as takes
from motions import random_motion

from rigs import Array, rotations
from rigs.retargeting.key_reduction import Tolerance
from rigs.retargeting.pose_reduction import reduce_motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS

FRAMES = range(1, 91)
DANCE = sample_dance()[40:130]


@pytest.fixture
def dancer() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    dancer = armatures.create_armature(bpy.context, "dancer", DEFAULT_SKELETON)
    dancers.animate_dancer(bpy.context, dancer, DANCE, "dance", 1)
    dancers.select_only(bpy.context, dancer)
    return dancer


def evaluated(dancer: bpy.types.Object, frames: range = FRAMES) -> tuple[Array, Array]:
    """The joints' world rotations (F, 29, 4) and positions (F, 29, 3) m, from Blender's depsgraph."""
    turns, heads = [], []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        posed = dancer.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices = [posed.matrix_world @ posed.pose.bones[joint].matrix for joint in JOINTS]
        turns.append([matrix.to_quaternion() for matrix in matrices])
        heads.append([matrix.translation for matrix in matrices])
    return np.array(turns), np.array(heads)


def set_ik(dancer: bpy.types.Object, value: float) -> None:
    for limb in LIMBS:
        dancer.pose.bones[limb.control]["IK"] = value
    dancer.update_tag()
    bpy.context.view_layer.update()


def largest_errors(ours: tuple[Array, Array], expected: tuple[Array, Array]) -> tuple[float, float]:
    """Degrees and millimetres."""
    angle = np.degrees(rotations.angle_between(ours[0], expected[0]).max())
    return float(angle), float(1e3 * np.linalg.norm(ours[1] - expected[1], axis=-1).max())


@pytest.mark.parametrize("ik", [0.0, 1.0])
@pytest.mark.parametrize("moved", [False, True])
def test_adding_controls_changes_no_pose_in_either_mode(dancer: bpy.types.Object, ik: float, moved: bool) -> None:
    if moved:
        dancer.location, dancer.rotation_euler, dancer.scale = (1.0, -2.0, 0.5), (0.3, 0.2, 2.0), (0.1, 0.1, 0.1)
    before = evaluated(dancer)
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, ik)
    degrees, millimetres = largest_errors(evaluated(dancer), before)
    assert degrees < 0.1
    assert millimetres < 0.1


@pytest.mark.parametrize("fewer", [False, True])
def test_a_take_generated_later_shows_one_pose_in_both_modes(dancer: bpy.types.Object, fewer: bool) -> None:
    bpy.ops.pasdedeux.add_controls()
    motion = sample_dance()[200:290]
    keyed = reduce_motion(motion, Tolerance()) if fewer else motion
    dancers.animate_dancer(bpy.context, dancer, keyed, "another", 1)
    poses = []
    for ik in (0.0, 1.0):
        set_ik(dancer, ik)
        poses.append(evaluated(dancer))
    assert np.linalg.norm(poses[0][1] - motion.positions, axis=-1).max() < (1.01e-3 if fewer else 1e-4)
    assert largest_errors(*poses)[1] < 1.0


def test_extreme_poses_stay_within_a_millimetre(dancer: bpy.types.Object) -> None:
    dancers.animate_dancer(bpy.context, dancer, random_motion(frames=90), "random", 1)
    before = evaluated(dancer)
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    assert largest_errors(evaluated(dancer), before)[1] < 1.0


def test_in_ik_the_hand_follows_its_control_and_the_elbow_its_pole(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    dancer.animation_data.action = None
    bones = dancer.pose.bones
    target = np.array([0.35, -0.35, 1.2])
    bones["left_hand_ik"].matrix = bones["left_hand_ik"].matrix.Translation(target)
    elbows = []
    for place in ((0.4, 0.5, 0.7), (0.4, 0.0, 1.9)):
        bones["left_elbow_pole"].matrix = bones["left_elbow_pole"].matrix.Translation(place)
        bpy.context.view_layer.update()
        positions = evaluated(dancer, range(1, 2))[1][0]
        assert positions[JOINTS.index("left_wrist")] == pytest.approx(target, abs=1e-3)
        elbows.append(positions[JOINTS.index("left_elbow")])
    assert elbows[1][2] > elbows[0][2] + 0.1


def test_in_fk_a_moved_control_moves_nothing(dancer: bpy.types.Object) -> None:
    before = evaluated(dancer)
    bpy.ops.pasdedeux.add_controls()
    for curve in fcurves.action_fcurves(dancer):
        curve.mute = any(bone in curve.data_path for bone in CONTROL_BONES)
    dancer.pose.bones["left_hand_ik"].location = (1.0, 2.0, 3.0)
    dancer.pose.bones["right_knee_pole"].location = (1.0, 2.0, 3.0)
    assert largest_errors(evaluated(dancer), before)[1] < 0.01


def test_mode_and_selection_stay_and_the_bones_are_sorted(dancer: bpy.types.Object) -> None:
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.pasdedeux.add_controls()
    assert (bpy.context.object, dancer.mode) == (dancer, "POSE")
    collections = {collection.name: {bone.name for bone in collection.bones} for collection in dancer.data.collections}
    assert list(collections) == ["Body", "Legs", "Arms", "Controls"]
    assert collections["Controls"] == CONTROL_BONES
    assert collections["Body"] | collections["Arms"] | collections["Legs"] == set(JOINTS)
    assert dancer.data.bones["left_knee"].color.palette != dancer.data.bones["right_knee"].color.palette
    assert not any(dancer.data.bones[bone].use_deform for bone in CONTROL_BONES)


def test_a_dancer_with_controls_stays_a_dancer_of_29_joints(dancer: bpy.types.Object) -> None:
    before = armatures.read_rig(dancer)
    bpy.ops.pasdedeux.add_controls()
    assert armatures.is_dancer(dancer)
    assert armatures.read_rig(dancer).names == before.names


@pytest.mark.parametrize("ik", [0.0, 1.0])
def test_sampling_reads_what_blender_evaluates(dancer: bpy.types.Object, ik: float) -> None:
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, ik)
    for curve in fcurves.action_fcurves(dancer):
        curve.mute = curve.data_path == 'pose.bones["left_hand_ik"].location'
    dancer.pose.bones["left_hand_ik"].location = (0.1, -0.2, 0.1)
    turns, heads = evaluated(dancer)
    pose = sample_pose(bpy.context, dancer, FRAMES).select(JOINTS)
    assert np.abs(pose.positions.swapaxes(0, 1) - heads).max() < 1e-4
    assert rotations.angle_between(pose.world.swapaxes(0, 1), turns).max() < 2e-3
    assert (np.abs(heads - DANCE.positions).max() > 0.05) == bool(ik)


def test_a_keyed_switch_is_sampled_in_both_modes(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_controls()
    control = dancer.pose.bones["left_hand_ik"]
    for frame, ik in ((10, 0.0), (11, 1.0)):
        control["IK"] = ik
        control.keyframe_insert('["IK"]', frame=frame)
    control["IK"] = 0.0
    for curve in fcurves.action_fcurves(dancer):
        curve.mute = curve.data_path == 'pose.bones["left_hand_ik"].location'
    control.location = (0.1, -0.2, 0.1)
    heads = evaluated(dancer)[1]
    pose = sample_pose(bpy.context, dancer, FRAMES).select(JOINTS)
    assert np.abs(pose.positions.swapaxes(0, 1) - heads).max() < 1e-4
    assert np.abs(heads[:9] - DANCE.positions[:9]).max() < 1e-4 < 0.05 < np.abs(heads[15:] - DANCE.positions[15:]).max()


@pytest.mark.parametrize("fewer", [False, True])
def test_a_retargeted_dance_is_keyed_on_the_controls_too(dancer: bpy.types.Object, fewer: bool) -> None:
    target = armatures.create_armature(bpy.context, "target", DEFAULT_SKELETON.scale(0.8))
    dancers.select_only(bpy.context, target)
    bpy.ops.pasdedeux.add_controls()
    bpy.ops.pasdedeux.retarget(source="dancer", target="target", reduce=fewer)
    poses = []
    for ik in (0.0, 1.0):
        set_ik(target, ik)
        poses.append(evaluated(target))
    assert largest_errors(*poses)[1] < 1.0
    assert np.ptp(poses[0][1], axis=0).max() > 0.2


def test_a_partner_with_controls_is_generated_in_both_modes(dancer: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.model = dancer, "mirror"
    bpy.ops.pasdedeux.generate_partner()
    dancers.select_only(bpy.context, settings.partner)
    bpy.ops.pasdedeux.add_controls()
    set_ik(settings.partner, 1.0)
    settings.formation = "behind"
    bpy.ops.pasdedeux.generate_partner()
    in_ik = evaluated(settings.partner)
    set_ik(settings.partner, 0.0)
    assert largest_errors(in_ik, evaluated(settings.partner))[1] < 0.1


def test_a_take_without_control_keys_gets_them(dancer: bpy.types.Object) -> None:
    take = armatures.create_motion_action(dancer, sample_dance()[200:290], "earlier take", 1)
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    entry = takes.keep_take(bpy.context, dancer, take, takes.TakeRecord("partner", "mirror", 1), "earlier take")
    takes.show_take(bpy.context, entry)
    assert take["pas_de_deux_take"]["fingerprint"] == takes.fingerprint(take)
    assert dancer.pose.bones["left_hand_ik"]["IK"] == 1.0
    assert np.linalg.norm(evaluated(dancer)[1] - sample_dance()[200:290].positions, axis=-1).max() < 1e-4
    count = len(fcurves.action_fcurves(dancer))
    controls.key_controls(bpy.context, dancer)
    assert len(fcurves.action_fcurves(dancer)) == count


def test_corrections_of_a_hand_in_ik_lie_on_the_layer(dancer: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.add_correction_layer()
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    before = evaluated(dancer)
    assert nla.has_correction_layer(dancer)
    assert np.linalg.norm(before[1] - DANCE.positions, axis=-1).max() < 1e-4
    bpy.context.scene.frame_set(30)
    control = dancer.pose.bones["right_hand_ik"]
    control.location = np.array(control.location) + np.array([0.0, 0.0, 0.05])
    control.keyframe_insert("location", frame=30)
    moved = np.linalg.norm(evaluated(dancer)[1] - before[1], axis=-1)
    assert moved[29, JOINTS.index("right_wrist")] == pytest.approx(0.05, abs=2e-3)
    assert moved[:, JOINTS.index("left_wrist")].max() < 1e-4


def test_controls_work_after_reload_on_a_dancer_of_an_old_file(dancer: bpy.types.Object, tmp_path: object) -> None:
    for collection in list(dancer.data.collections):
        dancer.data.collections.remove(collection)  # 0.1.0 had none
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    bpy.ops.wm.save_as_mainfile(filepath=f"{tmp_path}/controls.blend")
    bpy.ops.wm.open_mainfile(filepath=f"{tmp_path}/controls.blend")
    reloaded = bpy.data.objects["dancer"]
    assert has_controls(reloaded)
    assert len(reloaded.data.collections) == 4
    assert np.linalg.norm(evaluated(reloaded)[1] - DANCE.positions, axis=-1).max() < 1e-4


def test_a_dancer_without_a_take_gets_controls(dancer: bpy.types.Object) -> None:
    dancer.animation_data_clear()
    for bone in dancer.pose.bones:
        bone.location, bone.rotation_quaternion = (0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)
    heads_before = evaluated(dancer, range(1, 2))[1][0]
    bpy.ops.pasdedeux.add_controls()
    set_ik(dancer, 1.0)
    heads = evaluated(dancer, range(1, 2))[1][0]
    assert has_controls(dancer)
    assert nla.base_action(dancer) is None
    assert np.abs(heads - heads_before).max() < 1e-4


def test_another_rig_an_uneven_scale_and_edit_mode_are_refused(dancer: bpy.types.Object) -> None:
    dancer.scale = (1.0, 1.0, 2.0)
    bpy.context.view_layer.update()
    with pytest.raises(RuntimeError, match="dancer: it is scaled"):
        bpy.ops.pasdedeux.add_controls()
    dancer.scale = (1.0, 1.0, 1.0)
    bpy.ops.object.mode_set(mode="EDIT")
    with pytest.raises(RuntimeError, match="Leave Edit Mode"):
        bpy.ops.pasdedeux.add_controls()
    bpy.ops.object.mode_set(mode="OBJECT")
    assert len(dancer.data.bones) == len(JOINTS)
    bpy.ops.object.armature_add()
    with pytest.raises(RuntimeError, match="Select a dancer"):
        bpy.ops.pasdedeux.add_controls()


@pytest.mark.parametrize("fewer", [False, True])
def test_bones_whose_rotation_mode_an_animator_changed_dance_too(dancer: bpy.types.Object, fewer: bool) -> None:
    bpy.ops.pasdedeux.add_controls()
    for bone in ("left_wrist", "pelvis", "right_hand_ik"):
        dancer.pose.bones[bone].rotation_mode = "XYZ"
    motion = sample_dance()[200:290]
    dancers.animate_dancer(bpy.context, dancer, reduce_motion(motion, Tolerance()) if fewer else motion, "another", 1)
    poses = []
    for ik in (0.0, 1.0):
        set_ik(dancer, ik)
        poses.append(evaluated(dancer))
    assert np.linalg.norm(poses[0][1] - motion.positions, axis=-1).max() < 1e-4
    assert largest_errors(*poses)[1] < 1.0


def test_undo_takes_the_controls_back_and_redo_adds_them_again(dancer: bpy.types.Object) -> None:
    keys = len(fcurves.action_fcurves(dancer))
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.pasdedeux.add_controls()
    bpy.ops.ed.undo_push(message="Add Controls")
    bpy.ops.ed.undo()
    undone = bpy.data.objects["dancer"]
    assert {bone.name for bone in undone.data.bones} == set(JOINTS)
    assert not any(bone.constraints for bone in undone.pose.bones)
    assert len(fcurves.action_fcurves(undone)) == keys
    bpy.ops.ed.redo()
    redone = bpy.data.objects["dancer"]
    set_ik(redone, 1.0)
    assert has_controls(redone)
    assert np.linalg.norm(evaluated(redone)[1] - DANCE.positions, axis=-1).max() < 1e-4
