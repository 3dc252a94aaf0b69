"""The leader's and the partner's fields: which dancer fills them, and what becomes of deleted ones."""

from pathlib import Path

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers, deleted_dancers
from motions import random_motion

from rigs import files


@pytest.fixture
def leader(tmp_path: Path) -> Path:
    path = tmp_path / "leader.bvh"
    files.write(path, random_motion(frames=50, fps=60.0))
    return path


def test_a_new_leader_does_not_take_the_partner_that_was_generated_for_another(leader: Path) -> None:
    settings = bpy.context.scene.pas_de_deux
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    settings.model = "mirror"
    bpy.ops.pasdedeux.generate_partner()
    first = settings.partner
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    assert settings.partner is None
    bpy.ops.pasdedeux.generate_partner()
    assert settings.partner not in (None, first)


def test_a_characters_rig_stays_the_partner_of_whoever_leads(leader: Path) -> None:
    settings = bpy.context.scene.pas_de_deux
    bpy.ops.object.armature_add()
    settings.partner = bpy.context.object
    for _ in range(2):
        bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    assert settings.partner.name == "Armature"


def test_deleted_dancers_leave_their_fields_and_come_back_by_undo(leader: Path) -> None:
    settings = bpy.context.scene.pas_de_deux
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    settings.partner = settings.leader
    settings.retargeting.source = settings.leader
    bpy.ops.ed.undo_push(message="imported")
    bpy.ops.object.delete()
    bpy.context.view_layer.update()
    settings = bpy.context.scene.pas_de_deux
    assert (settings.leader, settings.partner, settings.retargeting.source) == (None, None, None)
    bpy.ops.ed.undo_push(message="deleted")
    bpy.ops.ed.undo()
    settings = bpy.context.scene.pas_de_deux
    assert settings.leader.name == settings.partner.name == settings.retargeting.source.name == "leader"
    bpy.ops.ed.redo()
    settings = bpy.context.scene.pas_de_deux
    assert (settings.leader, settings.partner, settings.retargeting.source) == (None, None, None)


def test_a_dancer_in_another_scene_is_no_leader_here_and_keeps_its_field(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    here, dancer = bpy.context.scene, bpy.context.object
    here.collection.objects.unlink(dancer)
    bpy.data.scenes.new("second").collection.objects.link(dancer)
    bpy.context.view_layer.update()
    assert here.pas_de_deux.leader == dancer
    with pytest.raises(RuntimeError, match="Choose a leader first"):
        bpy.ops.pasdedeux.generate_partner()


def test_a_linked_dancer_leads_beside_one_of_the_same_name(leader: Path, tmp_path: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader), body=False)
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {bpy.context.object})
    with bpy.data.libraries.load(str(library), link=True) as (_, linked):
        linked.objects = ["leader"]
    (dancer,) = linked.objects
    scene = bpy.context.scene
    scene.collection.objects.link(dancer)
    for obj in (bpy.data.objects["leader", None], dancer):
        scene.pas_de_deux.leader = obj
        deleted_dancers.clear_deleted_dancers()
        assert scene.pas_de_deux.leader == obj
        assert dancers.require_leader(bpy.context) == obj


def test_a_dancer_added_by_hand_becomes_the_leader() -> None:
    bpy.ops.pasdedeux.add_dancer()
    assert bpy.context.scene.pas_de_deux.leader == bpy.context.object


def test_a_deleted_dancer_takes_its_mannequin_along_and_undo_brings_both_back(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    bpy.ops.ed.undo_push(message="imported")
    bpy.ops.object.delete()
    bpy.context.view_layer.update()
    assert bpy.app.timers.is_registered(deleted_dancers.remove_left_mannequins)
    deleted_dancers.remove_left_mannequins()
    assert sorted(obj.name for obj in bpy.context.scene.objects) == ["leader", "leader body"]
    assert [mesh.name for mesh in bpy.data.meshes] == ["leader body"]
    bpy.ops.ed.undo_push(message="deleted")
    bpy.ops.ed.undo()
    names = ["leader", "leader body", "leader.001", "leader.001 body"]
    assert sorted(obj.name for obj in bpy.context.scene.objects) == names
    body = bpy.data.objects["leader.001 body"]
    assert body.parent == body.modifiers["Armature"].object == bpy.data.objects["leader.001"]


def test_a_mannequin_that_the_user_took_over_stays(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    body = bpy.data.objects["leader body"]
    body.parent = None
    body.modifiers.clear()
    bpy.ops.object.delete()
    deleted_dancers.remove_left_mannequins()
    assert list(bpy.context.scene.objects) == [body]


def test_disabling_the_extension_leaves_no_timer_for_deleted_dancers(leader: Path) -> None:
    bpy.ops.pasdedeux.import_mocap(filepath=str(leader))
    bpy.ops.object.delete()
    bpy.context.view_layer.update()
    assert bpy.app.timers.is_registered(deleted_dancers.remove_left_mannequins)
    deleted_dancers.unregister_handlers()
    try:
        assert not bpy.app.timers.is_registered(deleted_dancers.remove_left_mannequins)
    finally:
        deleted_dancers.register_handlers()
