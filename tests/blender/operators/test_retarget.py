"""Retargeting: evaluated poses of the targets against the source's, files in batches, and errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from rigs import Array, files
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import JOINTS
from tests.rig_builders import CHARACTERS, build, reset_pose

JointPositions = dict[str, Array]
FRAMES = range(1, 60, 6)
LIMBS = [
    (f"{side}_{upper}", f"{side}_{lower}")
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
]


@pytest.fixture
def source(tmp_path: Path) -> bpy.types.Object:
    """Two seconds of the sample dance on a dancer of our own."""
    files.write(tmp_path / "dance.npz", sample_dance()[:60])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.npz"), body=False)
    return bpy.context.object


def bone_positions(rig: bpy.types.Object, places: dict[str, tuple[str, str]], frames: range = FRAMES) -> JointPositions:
    """Where bones' heads or tails are in the scene, (F, 3) m each."""
    positions: dict[str, list[Array]] = {joint: [] for joint in places}
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, (bone, end) in places.items():
            positions[joint].append(np.array(evaluated.matrix_world @ getattr(evaluated.pose.bones[bone], end)))
    return {joint: np.array(path) for joint, path in positions.items()}


def dancer_joints(dancer: bpy.types.Object, frames: range = FRAMES) -> JointPositions:
    return bone_positions(dancer, {joint: (joint, "head") for joint in JOINTS}, frames)


def character_joints(rig: bpy.types.Object, name: str, frames: range = FRAMES) -> JointPositions:
    return bone_positions(rig, dict(CHARACTERS[name].places), frames)


def greatest_angle(ours: JointPositions, theirs: JointPositions) -> float:
    """Between the limbs of two dancers, in degrees."""
    angles = []
    for upper, lower in LIMBS:
        bones = [place[lower] - place[upper] for place in (ours, theirs)]
        one, other = (bone / np.linalg.norm(bone, axis=-1, keepdims=True) for bone in bones)
        angles.append(np.degrees(np.arccos(np.clip(np.sum(one * other, axis=-1), -1.0, 1.0))).max())
    return float(max(angles))


def curves(obj: bpy.types.Object) -> dict[str, int]:
    """How many keys each animated property of an object has."""
    action = obj.animation_data.action
    bag = action.layers[0].strips[0].channelbag(obj.animation_data.action_slot) if hasattr(action, "layers") else action
    return {f"{curve.data_path}[{curve.array_index}]": len(curve.keyframe_points) for curve in bag.fcurves}


@pytest.mark.parametrize("name", ["Rigify", "Mixamo", "UE-style", "MakeHuman", "OpenPose", "Kenney"])
def test_limbs_point_where_the_source_s_do(source: bpy.types.Object, corpus: Path, name: str) -> None:
    target = build(name, corpus)
    assert bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, contacts=False) == {"FINISHED"}
    assert greatest_angle(character_joints(target, name), dancer_joints(source)) < 0.3


def test_a_rotated_scaled_and_moved_object_dances_in_the_source_s_place(source: bpy.types.Object, corpus: Path) -> None:
    target = build("UE-style", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name)
    straight = character_joints(target, "UE-style")
    target.animation_data_clear()
    target.rotation_euler, target.location = (0.0, 0.0, 2.0), (4.0, -3.0, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name)
    turned = character_joints(target, "UE-style")
    assert max(np.abs(turned[joint] - straight[joint]).max() for joint in straight) < 1e-3


@pytest.mark.parametrize("mode", ["XYZ", "ZXY", "AXIS_ANGLE"])
def test_bones_are_keyed_as_they_are_set(source: bpy.types.Object, corpus: Path, mode: str) -> None:
    target = build("CMU", corpus)
    for bone in target.pose.bones:
        bone.rotation_mode = mode
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, contacts=False)
    assert greatest_angle(character_joints(target, "CMU"), dancer_joints(source)) < 0.05
    property_name = "rotation_axis_angle" if mode == "AXIS_ANGLE" else "rotation_euler"
    assert all(property_name in path or "location" in path for path in curves(target))


@pytest.mark.parametrize("onto", ["NEW", "CURRENT"])
def test_the_animation_of_other_bones_stays(source: bpy.types.Object, corpus: Path, onto: str) -> None:
    target = build("Mixamo", corpus)
    finger = target.pose.bones["mixamorig:LeftHandIndex1"]
    for frame, turn in ((1, 0.0), (30, 0.7)):
        finger.rotation_quaternion = (np.cos(turn / 2), 0.0, 0.0, np.sin(turn / 2))
        finger.keyframe_insert("rotation_quaternion", frame=frame)
    before = target.animation_data.action
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, onto=onto)
    assert (target.animation_data.action == before) == (onto == "CURRENT")
    keys = curves(target)
    assert keys['pose.bones["mixamorig:LeftHandIndex1"].rotation_quaternion[3]'] == 2
    assert keys['pose.bones["mixamorig:LeftArm"].rotation_quaternion[3]'] == 60
    bpy.context.scene.frame_set(30)
    assert finger.rotation_quaternion[3] == pytest.approx(np.sin(0.35))


def test_a_strip_lies_above_what_moved_the_rig(source: bpy.types.Object, corpus: Path) -> None:
    target = build("Mixamo", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, onto="STRIP", offset=5, contacts=False)
    (track,) = target.animation_data.nla_tracks
    (strip,) = track.strips
    assert (strip.frame_start, strip.frame_end) == (6.0, 65.0)
    theirs = dancer_joints(source)
    assert greatest_angle(character_joints(target, "Mixamo", range(6, 65, 6)), theirs) < 0.05


def test_fewer_keys_stay_near_the_movement(source: bpy.types.Object, corpus: Path) -> None:
    target = build("Mixamo", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, contacts=False, reduce=True)
    assert sum(curves(target).values()) < 0.6 * 60 * len(curves(target))
    assert greatest_angle(character_joints(target, "Mixamo"), dancer_joints(source)) < 3.0


@pytest.mark.parametrize("root", ["bone", "object"])
def test_a_root_carries_the_way(source: bpy.types.Object, corpus: Path, root: str) -> None:
    target = build("UE-style", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name)
    by_hips = character_joints(target, "UE-style")
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, root=root)
    carried = character_joints(target, "UE-style")
    assert max(np.abs(carried[joint] - by_hips[joint]).max() for joint in by_hips) < 1e-4
    moving = 'pose.bones["Root"].location[0]' if root == "bone" else "location[0]"
    assert moving in curves(target)


def test_rigify_takes_ik_with_hands_and_feet_in_the_same_places(source: bpy.types.Object, corpus: Path) -> None:
    target = build("Rigify", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, limbs="FK")
    by_fk = character_joints(target, "Rigify")
    assert 'pose.bones["upper_arm_parent.L"]["IK_FK"][0]' in curves(target)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, limbs="IK")
    by_ik = character_joints(target, "Rigify")
    for joint in ("left_wrist", "right_wrist", "left_ankle", "right_ankle"):
        assert np.abs(by_ik[joint] - by_fk[joint]).max() < 2e-3, joint
    for joint in ("left_elbow", "right_elbow", "left_knee", "right_knee"):
        # Rigify's own solver shortens the bones a little where they bend
        assert np.abs(by_ik[joint] - by_fk[joint]).max() < 0.04, joint
    assert target.pose.bones["thigh_parent.R"]["IK_FK"] == 0.0


def keyed_bones(target: bpy.types.Object) -> set[str]:
    return {path.split('"')[1] for path in curves(target) if path.startswith("pose.bones") and '"]["' not in path}


def animate_all_controls(target: bpy.types.Object) -> None:
    """An older animation of both modes' controls, tweaks, the root and a finger."""
    bones = ("hand_ik.L", "upper_arm_ik_target.L", "hand_fk.L", "forearm_tweak.L", "foot_ik.R", "foot_heel_ik.R")
    for bone in (*bones, "thigh_fk.R", "root", "chest", "tweak_spine.001", "f_index.01.L"):
        for frame, amount in ((1, 0.0), (40, 0.4)):
            target.pose.bones[bone].location = (amount, amount, 0.0)
            target.pose.bones[bone].keyframe_insert("location", frame=frame)


@pytest.mark.parametrize("onto", ["NEW", "CURRENT"])
@pytest.mark.parametrize("limbs", ["FK", "IK"])
def test_old_keys_of_rigifys_other_controls_do_not_fight_the_dance(
    source: bpy.types.Object, corpus: Path, limbs: str, onto: str
) -> None:
    target = build("Rigify", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, limbs=limbs)
    expected, used = character_joints(target, "Rigify"), keyed_bones(target)
    reset_pose(target)
    animate_all_controls(target)
    bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, limbs=limbs, onto=onto)
    found = character_joints(target, "Rigify")
    fingers = ("left_middle", "right_middle")
    assert max(np.abs(found[joint] - expected[joint]).max() for joint in expected if joint not in fingers) < 1e-4
    assert "f_index.01.L" in keyed_bones(target)
    if onto == "NEW":
        assert keyed_bones(target) == used | {"f_index.01.L"}


def test_any_rig_is_a_source(source: bpy.types.Object, corpus: Path) -> None:
    first = build("Mixamo", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=first.name, contacts=False)
    bpy.ops.pasdedeux.add_dancer()
    second = bpy.context.object
    bpy.ops.pasdedeux.retarget(source=first.name, target=second.name, contacts=False)
    assert greatest_angle(dancer_joints(second), dancer_joints(source)) < 0.5


def test_from_the_other_selected_armature_to_the_active_one(source: bpy.types.Object, corpus: Path) -> None:
    target = build("Mixamo", corpus)
    source.select_set(True)
    assert bpy.ops.pasdedeux.retarget() == {"FINISHED"}
    assert target.animation_data.action is not None


def test_hands_that_hold_go_on_holding_on_other_sizes(corpus: Path) -> None:
    for who in ("leader", "follower"):
        bpy.ops.pasdedeux.import_mocap(filepath=str(corpus / f"salsa/salsa_07_{who}.bvh"), body=False)
    names = ("salsa_07_leader", "salsa_07_follower")
    targets = []
    for size in (0.8, 1.2):
        target = build("UE-style", corpus)
        target.scale = (size,) * 3
        targets.append(target)
    bpy.context.view_layer.update()
    bpy.ops.pasdedeux.retarget(
        source=names[0], target=targets[0].name, partner_source=names[1], partner_target=targets[1].name
    )
    frames = range(1, 2000, 9)
    theirs = [dancer_joints(bpy.data.objects[name], frames) for name in names]
    ours = [character_joints(target, "UE-style", frames) for target in targets]

    def distance(pair: list[JointPositions]) -> Array:
        return np.linalg.norm(pair[0]["left_wrist"] - pair[1]["right_wrist"], axis=-1)

    held = distance(theirs) < 0.15
    assert held.sum() > 20
    assert np.abs(distance(ours) - distance(theirs))[held].max() < 0.02


def test_one_undo_takes_everything_back(
    source: bpy.types.Object, corpus: Path, scene_state: Callable[[], dict[str, Any]]
) -> None:
    target = build("Mixamo", corpus)
    names = source.name, target.name
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.retarget("EXEC_DEFAULT", True, source=names[0], target=names[1])
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ({"source": "nobody"}, "nobody: no such object in the scene"),
        ({"target": "Cube"}, "Cube: an armature expected, found a mesh"),
        ({"source": "target"}, "used twice"),
        ({"source": "still"}, "still has no keyframes: an animated source expected"),
        ({"target": "table"}, "no bone for"),
        ({"root": "bone"}, "a bone above the hips expected"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_changes_nothing(
    source: bpy.types.Object,
    corpus: Path,
    scene_state: Callable[[], dict[str, Any]],
    what: dict[str, str],
    message: str,
) -> None:
    build("Mixamo", corpus).name = "target"
    build("CMU", corpus).name = "still"
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.armature_add()
    bpy.context.object.name = "table"
    before = scene_state()
    with pytest.raises(RuntimeError, match=message):
        bpy.ops.pasdedeux.retarget(**{"source": source.name, "target": "target", **what})
    assert scene_state() == before


def test_each_file_of_a_batch_is_a_take_of_its_own(source: bpy.types.Object, corpus: Path, tmp_path: Path) -> None:
    target = build("Mixamo", corpus)
    dance = sample_dance()
    files.write(tmp_path / "one.npz", dance[:40])
    files.write(tmp_path / "two.bvh", dance[100:160])
    names = [{"name": "one.npz"}, {"name": "two.bvh"}]
    bpy.ops.pasdedeux.retarget_batch(directory=str(tmp_path), files=names, target=target.name)
    takes = {action.name: tuple(action.frame_range) for action in bpy.data.actions if action.name in ("one", "two")}
    assert takes == {"one": (1.0, 40.0), "two": (1.0, 60.0)}
    assert target.animation_data.action.name == "two"
    assert bpy.data.actions["one"].use_fake_user


def test_chosen_files_become_takes_with_the_chosen_settings(
    source: bpy.types.Object, corpus: Path, tmp_path: Path
) -> None:
    target = build("Mixamo", corpus)
    files.write(tmp_path / "one.npz", sample_dance()[:40])
    chosen = {"directory": str(tmp_path), "files": [{"name": "one.npz"}], "target": target.name}
    assert bpy.ops.pasdedeux.choose_takes(**chosen, offset=7, onto="STRIP") == {"FINISHED"}
    (track,) = target.animation_data.nla_tracks
    assert (track.strips[0].frame_start, track.strips[0].frame_end) == (8.0, 47.0)


def test_chosen_files_that_cannot_be_taken_are_one_sentence(source: bpy.types.Object, corpus: Path) -> None:
    target = build("Mixamo", corpus)
    zoo = str(corpus / "fbx_zoo")
    with pytest.raises(RuntimeError, match=r"^Error: maya_human_ik_6100_binary\.fbx: [^\n]*\n$"):
        bpy.ops.pasdedeux.choose_takes(
            directory=zoo, files=[{"name": "maya_human_ik_6100_binary.fbx"}], target=target.name
        )
    with pytest.raises(RuntimeError, match=r"^Error: Select the mocap files"):
        bpy.ops.pasdedeux.choose_takes(directory=zoo, files=[{"name": ""}], target=target.name)


def test_a_broken_file_of_a_batch_leaves_the_rig_alone(
    source: bpy.types.Object, corpus: Path, tmp_path: Path, scene_state: Callable[[], dict[str, Any]]
) -> None:
    target = build("Mixamo", corpus)
    files.write(tmp_path / "one.npz", sample_dance()[:40])
    (tmp_path / "broken.bvh").write_text("HIERARCHY\nROOT Hips\n{\n")
    before = scene_state()
    names = [{"name": "one.npz"}, {"name": "broken.bvh"}]
    with pytest.raises(RuntimeError, match=r"broken\.bvh"):
        bpy.ops.pasdedeux.retarget_batch(directory=str(tmp_path), files=names, target=target.name)
    assert scene_state() == before
