"""Importing a duet: leader and partner in one world and on one clock, from two files or one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from motions import TENTH_OF_A_MILLIMETRE, joint_positions, max_joint_error, swaying_motion

from rigs import files
from rigs.motion import resample
from tests.rigs.files.markers.c3d_files import markers_on, write_markers


def pair() -> tuple[bpy.types.Object, bpy.types.Object]:
    settings = bpy.context.scene.pas_de_deux
    return settings.leader, settings.partner


def test_two_chosen_files_are_leader_and_partner_in_one_world(corpus: Path) -> None:
    names = [f"salsa_10_{role}.bvh" for role in ("follower", "leader")]
    bpy.ops.pasdedeux.choose_duet(directory=str(corpus / "salsa"), files=[{"name": name} for name in names], body=False)
    assert [dancer.name for dancer in pair()] == ["salsa_10_leader", "salsa_10_follower"]
    for dancer, name in zip(pair(), reversed(names), strict=True):
        motion = files.read(corpus / "salsa" / name).motions[0]
        assert max_joint_error(dancer, motion, every=200) < TENTH_OF_A_MILLIMETRE
    assert bpy.context.object == pair()[0]


@pytest.mark.parametrize("name", ["alphapose_test-results.json", "test_dataset_ilya_hannah.npy"])
def test_one_file_holds_both_dancers(corpus: Path, name: str) -> None:
    path = corpus / "hybrik" / name
    bpy.ops.pasdedeux.import_duet(filepath=str(path), body=False)
    for dancer, motion in zip(pair(), files.read(path).motions, strict=True):
        assert max_joint_error(dancer, motion, every=150) < TENTH_OF_A_MILLIMETRE


def test_two_subjects_of_a_c3d_recording_are_a_duet(tmp_path: Path) -> None:
    markers = [markers_on(swaying_motion(frames=40, x=x)) for x in (0.8, 0.0)]
    path = write_markers(tmp_path / "duet.c3d", *markers, names=("Follower", "Leader"), fps=30.0)
    bpy.ops.pasdedeux.import_duet(filepath=str(path), body=False)
    for dancer, motion in zip(pair(), files.read(path).motions, strict=True):
        assert max_joint_error(dancer, motion) < TENTH_OF_A_MILLIMETRE
    assert joint_positions(pair()[1], 1)[0, 0] > joint_positions(pair()[0], 1)[0, 0] + 0.5


def test_files_of_different_rates_are_on_one_clock(tmp_path: Path) -> None:
    leader, partner = swaying_motion(frames=61, fps=30.0), swaying_motion(frames=121, fps=60.0, x=0.9)
    files.write(tmp_path / "a.bvh", leader)
    files.write(tmp_path / "b.bvh", partner)
    bpy.ops.object.empty_add()
    bpy.context.object.keyframe_insert("location", frame=1)
    bpy.ops.pasdedeux.import_duet(
        filepath=str(tmp_path / "a.bvh"), partner_filepath=str(tmp_path / "b.bvh"), body=False
    )
    assert bpy.context.scene.render.fps == 24
    for dancer, motion in zip(pair(), (leader, partner), strict=True):
        assert max_joint_error(dancer, resample(motion, 24.0)) < 1e-3


def test_an_fbx_with_two_skeletons_is_a_duet(tmp_path: Path) -> None:
    files.write(tmp_path / "duet.npz", (swaying_motion(frames=40), swaying_motion(frames=40, x=0.8)))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "duet.npz"), body=False)
    expected = [joint_positions(bpy.data.objects[f"duet {number}"], 20) for number in (1, 2)]
    one_take = {"bake_anim_use_all_actions": False, "bake_anim_use_nla_strips": False}
    bpy.ops.export_scene.fbx(filepath=str(tmp_path / "pair.fbx"), **one_take)
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "pair.fbx"), body=False)
    leader, partner = pair()
    for dancer, positions in zip((leader, partner), expected, strict=True):
        np.testing.assert_allclose(joint_positions(dancer, 20), positions, atol=1e-3)


def test_roles_can_be_swapped(tmp_path: Path) -> None:
    files.write(tmp_path / "duet.npz", (swaying_motion(), swaying_motion(x=0.8)))
    bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "duet.npz"), body=False, swap=True)
    assert [dancer.name for dancer in pair()] == ["duet 2", "duet 1"]
    assert joint_positions(pair()[0], 1)[0, 0] > joint_positions(pair()[1], 1)[0, 0] + 0.5


def test_one_undo_step_takes_the_duet_back(tmp_path: Path, scene_state: Callable[[], dict[str, Any]]) -> None:
    files.write(tmp_path / "duet.npz", (swaying_motion(), swaying_motion(x=0.8)))
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.import_duet("EXEC_DEFAULT", True, filepath=str(tmp_path / "duet.npz"))
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


def test_a_file_without_a_second_dancer_is_one_sentence_and_an_untouched_scene(
    tmp_path: Path, scene_state: Callable[[], dict[str, Any]]
) -> None:
    files.write(tmp_path / "solo.bvh", swaying_motion())
    before = scene_state()
    with pytest.raises(RuntimeError, match=r"solo\.bvh: one dancer found, choose the file of the other dancer as well"):
        bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "solo.bvh"))
    assert scene_state() == before


def test_three_chosen_files_are_no_duet(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Select the file of a duet, or the two files of its dancers, 3 selected"):
        bpy.ops.pasdedeux.choose_duet(directory=str(tmp_path), files=[{"name": f"{n}.bvh"} for n in range(3)])


def test_leader_and_partner_can_be_swapped_later(tmp_path: Path) -> None:
    assert not bpy.ops.pasdedeux.swap_dancers.poll()
    files.write(tmp_path / "duet.npz", (swaying_motion(), swaying_motion(x=0.8)))
    bpy.ops.pasdedeux.import_duet(filepath=str(tmp_path / "duet.npz"), body=False)
    bpy.ops.pasdedeux.swap_dancers()
    assert [dancer.name for dancer in pair()] == ["duet 2", "duet 1"]
