"""Rigs linked from another file: library overrides are mapped, retargeted and partnered, and stay so when saved."""

from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from motions import joint_positions

from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS

MILLIMETRE = 1e-3
BONES = {joint: f"knochen_{j}" for j, joint in enumerate(JOINTS)}  # names that no preset knows


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A file with the rig "puppet" in the collection "character"; its bones have names that say nothing."""
    rig = dancers.add_dancer(bpy.context, "puppet", DEFAULT_SKELETON, partner=False, body=False)
    for joint, bone in BONES.items():
        rig.data.bones[joint].name = bone
    bpy.context.scene.collection.objects.unlink(rig)
    character = bpy.data.collections.new("character")
    bpy.context.scene.collection.children.link(character)
    character.objects.link(rig)
    path = tmp_path / "library.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.read_homefile(use_empty=True)
    return path


def link(library: Path, *, override: bool = True) -> bpy.types.Object:
    """The rig, linked into the scene, as a library override or not; its armature data stays linked."""
    with bpy.data.libraries.load(str(library), link=True) as (_, linked):
        linked.collections = ["character"]
    (character,) = linked.collections
    scene = bpy.context.scene
    if override:
        character = character.override_hierarchy_create(scene, bpy.context.view_layer, do_fully_editable=True)
    else:
        scene.collection.children.link(character)
    rig = scene.objects["puppet"]
    bpy.context.view_layer.objects.active = rig
    bpy.context.view_layer.update()
    assert rig.data.library is not None
    return rig


def reopen(path: Path) -> bpy.types.Object:
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return next(obj for obj in bpy.context.scene.objects if obj.name == "puppet")


def add_leader() -> bpy.types.Object:
    bpy.context.scene.render.fps = 30
    leader = dancers.add_dancer(bpy.context, "leader", DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, leader, sample_dance()[:60], "dance", 1)
    return leader


def puppet_positions(rig: bpy.types.Object, frame: int) -> "np.ndarray":
    bpy.context.scene.frame_set(frame)
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ evaluated.pose.bones[BONES[joint]].head for joint in JOINTS])


def test_in_a_linked_scene_nothing_is_generated_and_it_is_said_before_the_work(library: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(library))
    bpy.context.scene.name = "stage"
    bpy.context.scene.pas_de_deux.leader = add_leader()
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, linked):
        linked.scenes = ["stage"]
    bpy.context.window.scene = linked.scenes[0]
    before = set(bpy.data.objects)
    bpy.context.scene.pas_de_deux.model = "mirror"
    for run in (
        lambda: bpy.ops.pasdedeux.generate_partner(),
        lambda: bpy.ops.pasdedeux.retarget(source="leader", target="puppet"),
    ):
        with pytest.raises(RuntimeError, match="The scene stage is linked from another file: make it local first"):
            run()
    assert set(bpy.data.objects) == before


def test_the_bone_map_of_an_override_is_stored_edited_and_saved_with_the_file(library: Path, tmp_path: Path) -> None:
    rig = link(library)
    assert bpy.ops.pasdedeux.map_bones() == {"FINISHED"}
    (bone_map,) = rig.pas_de_deux_bone_maps
    bones = {row.name: row.bone for row in bone_map.joints}
    limbs = [joint for joint in JOINTS if joint.endswith(("hip", "knee", "ankle", "shoulder", "elbow", "wrist"))]
    assert {joint: bones[joint] for joint in limbs} == {joint: BONES[joint] for joint in limbs}
    assert len(rig.data.pas_de_deux.joints) == 0
    bone_map.joints["jaw"].bone = ""
    assert bone_map.edited
    for n in range(2):
        rig = reopen(tmp_path / f"scene {n}.blend")
        (bone_map,) = rig.pas_de_deux_bone_maps
        assert bone_map.edited
        assert {row.name: row.bone for row in bone_map.joints} == bones | {"jaw": ""}
    assert bpy.ops.pasdedeux.map_bones(target="puppet", forget=True) == {"FINISHED"}


def test_a_map_in_the_linked_file_counts_until_the_override_has_its_own(library: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(library))
    assert bpy.ops.pasdedeux.map_bones(target="puppet") == {"FINISHED"}
    bpy.data.objects["puppet"].data.pas_de_deux.joints["head"].bone = ""
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    rig = link(library)
    from bl_ext.user_default.pas_de_deux.properties import bone_map

    assert bone_map.stored_bone_map(rig).joints["head"].bone == ""
    assert bpy.ops.pasdedeux.map_bones(target="puppet", forget=True) == {"FINISHED"}
    assert bone_map.stored_bone_map(rig).joints["head"].bone == BONES["head"]


def test_a_linked_rig_without_an_override_is_one_sentence(library: Path) -> None:
    rig = link(library, override=False)
    add_leader()
    message = "is linked from another file: make it local, or a library override"
    for run in (
        lambda: bpy.ops.pasdedeux.map_bones(target="puppet"),
        lambda: bpy.ops.pasdedeux.retarget(source="leader", target="puppet"),
    ):
        with pytest.raises(RuntimeError, match=f"puppet {message}"):
            run()
    bpy.context.scene.pas_de_deux.partner = rig
    bpy.context.scene.pas_de_deux.leader = bpy.data.objects["leader"]
    with pytest.raises(RuntimeError, match=f"puppet {message}"):
        bpy.ops.pasdedeux.generate_partner()


def test_a_linked_rig_that_dances_is_a_leader_and_a_source(library: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(library))
    add_leader()
    assert bpy.ops.pasdedeux.retarget(source="leader", target="puppet") == {"FINISHED"}
    bpy.data.objects.remove(bpy.data.objects["leader"])
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.context.scene.render.fps = 30
    rig = link(library, override=False)
    dancers.add_dancer(bpy.context, "target", DEFAULT_SKELETON, partner=False, body=False)
    assert bpy.ops.pasdedeux.retarget(source="puppet", target="target", contacts=False) == {"FINISHED"}
    difference = joint_positions(bpy.data.objects["target"], 30) - puppet_positions(rig, 30)
    assert np.ptp(difference, axis=0).max() < 10 * MILLIMETRE
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.leader = "mirror", rig
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.partner.library is None


def test_an_override_is_retargeted_to_and_keeps_its_dance_when_saved(library: Path, tmp_path: Path) -> None:
    rig = link(library)
    add_leader()
    assert bpy.ops.pasdedeux.retarget(source="leader", target="puppet", contacts=False) == {"FINISHED"}
    local = dancers.add_dancer(bpy.context, "local", DEFAULT_SKELETON, partner=False, body=False)
    assert bpy.ops.pasdedeux.retarget(source="leader", target="local", contacts=False) == {"FINISHED"}
    shown = np.array([puppet_positions(rig, frame) for frame in (1, 20, 45)])
    expected = np.array([joint_positions(local, frame) for frame in (1, 20, 45)])
    assert np.linalg.norm(shown - expected, axis=-1).max() < 10 * MILLIMETRE
    rig = reopen(tmp_path / "scene.blend")
    assert np.abs([puppet_positions(rig, frame) for frame in (1, 20, 45)] - shown).max() < MILLIMETRE


def test_an_override_is_a_partner_that_faces_the_leader(library: Path, tmp_path: Path) -> None:
    rig = link(library)
    leader = add_leader()
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.formation, settings.leader = "mirror", "facing", leader
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    expected = joint_positions(settings.partner, 40)
    settings.partner = rig
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert np.linalg.norm(puppet_positions(rig, 40) - expected, axis=-1).max() < 30 * MILLIMETRE
    rig = reopen(tmp_path / "scene.blend")
    assert np.linalg.norm(puppet_positions(rig, 40) - expected, axis=-1).max() < 30 * MILLIMETRE
