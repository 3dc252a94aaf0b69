"""The retargeting benchmark: its metrics on known cases, and its bounds on a few rows."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from motions import swaying_motion

from rigs import Array, files
from rigs.skeleton import JOINTS
from tests.benchmarks import evaluated_bones, retarget_accuracy, retarget_metrics
from tests.rig_builders import CHARACTERS, build, wrong_bones


def evaluated_joints(dancer: bpy.types.Object, frames: range = range(1, 2)) -> dict[str, Array]:
    names, marks = evaluated_bones.joint_points(dancer, None)
    [places] = evaluated_bones.evaluate([marks], frames)
    return {name: places[:, n] for n, name in enumerate(names)}


@pytest.fixture
def dancer() -> bpy.types.Object:
    """One of our own in a T-pose: arms along x, legs along z."""
    bpy.ops.pasdedeux.add_dancer()
    return bpy.context.object


@pytest.mark.parametrize("name", CHARACTERS)
def test_every_bone_of_a_truth_is_on_its_rig(corpus: Path, name: str) -> None:
    rig = build(name, corpus)
    bones = {bone for bones in CHARACTERS[name].bones.values() for bone in bones}
    bones |= {bone for bone, _ in CHARACTERS[name].places.values()}
    assert sorted(bones - {bone.name for bone in rig.data.bones}) == []
    assert CHARACTERS[name].places.keys() <= set(JOINTS)


@pytest.mark.parametrize("name", CHARACTERS)
def test_a_built_rig_stands_on_the_floor_and_faces_the_front(corpus: Path, name: str) -> None:
    rig = build(name, corpus)
    names, marks = evaluated_bones.joint_points(rig, CHARACTERS[name])
    [[places]] = evaluated_bones.evaluate([marks], [1])
    at = dict(zip(names, places, strict=True))
    assert 0.0 < at["left_foot"][2] < at["left_ankle"][2] < 0.08 * at["neck"][2]
    assert at["left_hip"][0] > 0.0 > at["right_hip"][0]
    assert at["left_foot"][1] < at["left_ankle"][1]
    [[soles]] = evaluated_bones.evaluate([evaluated_bones.sole_points(rig, CHARACTERS[name])], [1])
    np.testing.assert_allclose(soles[:, 2], 0.0, atol=1e-5)


def test_a_wrong_bone_and_a_missing_one_are_noticed() -> None:
    character = CHARACTERS["UE-style"]
    right = {joint: bones[0] for joint, bones in character.bones.items()}
    assert wrong_bones(character, right) == []
    assert wrong_bones(character, right | {"left_knee": "calf_r"}) == ["left_knee: calf_l expected, calf_r found"]
    assert wrong_bones(character, right | {"pelvis": None}) == ["pelvis: pelvis expected, None found"]
    assert wrong_bones(character, right | {"left_middle": None, "left_bigtoe": "ball_l end site"}) == []


def test_a_dancer_turned_by_ten_degrees_has_limbs_turned_by_ten(dancer: bpy.types.Object) -> None:
    source = evaluated_joints(dancer)
    dancer.rotation_euler.z = np.radians(10.0)
    upper_arms, forearms, thighs, shins = np.split(
        retarget_metrics.direction_errors(source, evaluated_joints(dancer))[:, 0], 4
    )
    np.testing.assert_allclose([*upper_arms, *forearms], 10.0, atol=1e-3)
    np.testing.assert_allclose([*thighs, *shins], 0.0, atol=1e-3)
    dancer.rotation_euler = (0.0, np.radians(3.0), 0.0)
    np.testing.assert_allclose(retarget_metrics.direction_errors(source, evaluated_joints(dancer)), 3.0, atol=1e-3)


def test_a_sunk_rig_is_as_deep_as_it_was_lowered(corpus: Path) -> None:
    rig = build("Mixamo", corpus)
    soles = evaluated_bones.sole_points(rig, CHARACTERS["Mixamo"])
    rig.location.z -= 0.03
    assert retarget_metrics.sole_penetration(evaluated_bones.evaluate([soles], [1])[0]) == pytest.approx(3.0, abs=1e-3)


def test_feet_that_creep_ten_centimetres_a_second_slide_so_far_while_they_are_planted() -> None:
    fps = 50.0
    path = np.zeros((101, 3))
    path[:, 0] = 0.1 * np.arange(101) / fps
    path[60:, 0] += 0.5  # a step in the air
    planted = np.ones((101, 4), bool)
    planted[55:65] = False
    assert retarget_metrics.foot_skating(dict.fromkeys(retarget_metrics.PLANTED, path), planted, fps) == pytest.approx(
        10.0
    )
    assert (
        retarget_metrics.foot_skating(dict.fromkeys(retarget_metrics.PLANTED, path), np.zeros((101, 4), bool), fps)
        == 0.0
    )


def test_hands_hold_where_they_are_near_for_long_and_miss_by_what_is_between_them() -> None:
    still = np.zeros((60, 3))
    other = np.full((60, 3), [0.5, 0.0, 0.0])
    other[10:30, 0] = 0.1
    other[40:43, 0] = 0.1  # too short
    assert np.flatnonzero(retarget_metrics.hold_frames(still, other, 30.0)).tolist() == list(range(10, 30))
    away = dict.fromkeys(("left_wrist", "right_wrist"), np.full((60, 3), 9.0))
    source = ({**away, "left_wrist": still}, {**away, "left_wrist": other, "right_wrist": other + 5.0})
    wider = {**source[1], "left_wrist": other + np.array([0.03, 0.0, 0.0])}
    np.testing.assert_allclose(retarget_metrics.hold_errors(source, (source[0], wider), 30.0), 3.0)


def test_our_own_dancer_carried_over_to_their_own_body_stays_as_they_were(tmp_path: Path) -> None:
    files.write(tmp_path / "dance.npz", swaying_motion())
    source = retarget_accuracy.import_dancer(tmp_path / "dance.npz")
    bpy.ops.pasdedeux.add_dancer()
    target = bpy.context.object
    retarget_accuracy.retarget(source=source.name, target=target.name, contacts=False)
    frames = retarget_accuracy.frames_of(source)
    ours, theirs = evaluated_joints(source, frames), evaluated_joints(target, frames)
    assert max(np.abs(ours[joint] - theirs[joint]).max() for joint in JOINTS) < 1e-3
    assert retarget_metrics.direction_errors(ours, theirs).max() < 0.1


@pytest.mark.parametrize("name", ["Rigify", "UE-style"])
def test_a_dance_is_carried_over_within_the_tables_bounds(corpus: Path, name: str) -> None:
    rig = build(name, corpus)
    take = "salsa 07 leader"
    assert (
        retarget_accuracy.measure_retargeting(
            rig, name, take, corpus / retarget_accuracy.TAKES[take], every=9
        ).missed_bounds()
        == []
    )


def test_hands_go_on_holding_on_bodies_of_other_sizes(corpus: Path) -> None:
    held = retarget_accuracy.measure_hand_holds("Mixamo", corpus)
    assert held.frames > 300
    assert held.missed_bounds() == []
