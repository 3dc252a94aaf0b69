"""Importing mocap: what Blender shows against what the file's reader says."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import pytest
from movements import TENTH_OF_A_MILLIMETRE, apart, swaying, wandering

from rigs import files
from rigs.motion import resample


@pytest.fixture
def leader(tmp_path: Path) -> Path:
    path = tmp_path / "leader.bvh"
    files.write(path, wandering(frames=50, fps=60.0))
    return path


def test_a_recording_comes_in_where_its_reader_says(corpus: Path) -> None:
    path = corpus / "salsa" / "salsa_10_leader.bvh"
    bpy.ops.pasdedeux.import_mocap(filepath=str(path))
    motion = files.read(path).motions[0]
    assert apart(bpy.context.object, motion, every=120) < TENTH_OF_A_MILLIMETRE


def test_the_new_armature_is_active_and_the_leader(leader: Path) -> None:
    assert bpy.ops.pasdedeux.import_mocap(filepath=str(leader)) == {"FINISHED"}
    assert bpy.context.object.type == "ARMATURE"
    assert bpy.context.object.name == "leader"
    assert bpy.context.scene.pas_de_deux.leader == bpy.context.object


def test_the_first_dancer_sets_the_frame_rate_and_lengthens_the_scene(tmp_path: Path) -> None:
    files.write(tmp_path / "long.bvh", swaying(frames=400, fps=60.0))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "long.bvh"))
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(60.0)
    assert (scene.frame_start, scene.frame_end) == (1, 400)


def test_a_later_dancer_is_brought_to_the_scenes_frame_rate(leader: Path, tmp_path: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    files.write(tmp_path / "slow.bvh", wandering(frames=50, fps=25.0, seed=1))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "slow.bvh"))
    assert bpy.context.scene.render.fps == 60
    motion = resample(files.read(tmp_path / "slow.bvh").motions[0], 60.0)
    assert apart(bpy.context.object, motion) < TENTH_OF_A_MILLIMETRE
    assert bpy.context.scene.pas_de_deux.leader.name == "leader"


def test_a_file_of_two_dancers_gives_two_armatures_in_one_world(tmp_path: Path) -> None:
    pair = (swaying(), swaying(place=0.8))
    files.write(tmp_path / "duet.npz", pair)
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "duet.npz"))
    for name, motion in zip(("duet 1", "duet 2"), pair, strict=True):
        assert apart(bpy.data.objects[name], motion) < TENTH_OF_A_MILLIMETRE
    assert bpy.context.object.name == "duet 1"


def test_each_dancer_has_a_body_that_follows_the_bones(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    (body,) = bpy.context.object.children
    tops = []
    for frame in (1, 50):
        bpy.context.scene.frame_set(frame)
        shown = body.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        tops.append(max((vertex.co.z, vertex.co.x) for vertex in shown.vertices))
    assert tops[0] != pytest.approx(tops[1], abs=0.01)


def test_without_a_body_only_the_armature_comes_in(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    assert not bpy.data.meshes


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.bvh", None, "missing.bvh: no such file"),
        ("empty.bvh", "", "empty.bvh: empty file"),
        ("words.bvh", "not a skeleton", "words.bvh"),
        ("leader.txt", "", "leader.txt"),
    ],
)
def test_a_bad_file_is_one_sentence_and_an_untouched_scene(
    tmp_path: Path, dump: Callable[[], dict[str, Any]], name: str, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    before = dump()
    with pytest.raises(RuntimeError, match=said) as error:
        bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / name))
    assert len(str(error.value).strip().splitlines()) == 1
    assert dump() == before


def test_one_undo_step_takes_the_import_back(leader: Path, dump: Callable[[], dict[str, Any]]) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = dump()
    bpy.ops.pasdedeux.import_mocap("EXEC_DEFAULT", True, filepath=str(leader))
    assert dump() != before
    bpy.ops.ed.undo()
    assert dump() == before


def test_importing_while_a_mesh_is_edited_leaves_edit_mode_and_works(leader: Path) -> None:
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.object.mode_set(mode="EDIT")
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    assert bpy.context.object.name == "leader"


def test_a_dancer_added_by_hand_becomes_the_leader() -> None:
    bpy.ops.pasdedeux.add_dancer()
    assert bpy.context.scene.pas_de_deux.leader == bpy.context.object
