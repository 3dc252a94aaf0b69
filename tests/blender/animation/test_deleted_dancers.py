"""A leader or partner that is deleted, or in another scene: said before the work, and the selected armature counts."""

from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import dancers
from motions import joint_positions

from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON


def add_dancer(name: str, x: float = 0.0) -> bpy.types.Object:
    dancer = dancers.add_dancer(bpy.context, name, DEFAULT_SKELETON, partner=False, body=False)
    dancers.animate_dancer(bpy.context, dancer, sample_dance()[:40], "dance", 1)
    dancer.location.x = x
    return dancer


@pytest.fixture
def leader() -> bpy.types.Object:
    """A leader, and another dancer that is selected."""
    bpy.context.scene.render.fps = 30
    leader = add_dancer("leader")
    dancers.select_only(bpy.context, add_dancer("other", 5.0))
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.leader = "mirror", leader
    return leader


def delete_by_operator(obj: bpy.types.Object) -> None:
    active = bpy.context.view_layer.objects.active
    with bpy.context.temp_override(selected_objects=[obj], object=obj, active_object=obj):
        bpy.ops.object.delete()
    assert bpy.context.view_layer.objects.active == active


def unlink(obj: bpy.types.Object) -> None:
    for collection in obj.users_collection:
        collection.objects.unlink(obj)


def unlink_collection(obj: bpy.types.Object) -> None:
    stage = bpy.data.collections.new("stage")
    bpy.context.scene.collection.children.link(stage)
    stage.objects.link(obj)
    bpy.context.scene.collection.objects.unlink(obj)
    bpy.context.view_layer.update()
    bpy.context.scene.collection.children.unlink(stage)


def remove(obj: bpy.types.Object) -> None:
    bpy.data.objects.remove(obj)


@pytest.mark.parametrize("delete", [delete_by_operator, unlink, unlink_collection, remove], ids=lambda f: f.__name__)
def test_with_a_deleted_leader_the_selected_dancer_leads(
    leader: bpy.types.Object, delete: Callable[[bpy.types.Object], None]
) -> None:
    other = bpy.data.objects["other"]
    delete(leader)
    settings = bpy.context.scene.pas_de_deux
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.leader is None
    assert settings.partner.name == "other partner"
    assert np.abs(joint_positions(settings.partner, 20)[0] - joint_positions(other, 20)[0]).max() < 2.0


@pytest.mark.parametrize("delete", [delete_by_operator, unlink, unlink_collection, remove], ids=lambda f: f.__name__)
def test_with_a_deleted_leader_and_nothing_selected_it_is_said_before_the_work(
    leader: bpy.types.Object, delete: Callable[[bpy.types.Object], None], blend_folder: Path
) -> None:
    bpy.context.view_layer.objects.active = None
    bpy.data.objects.remove(bpy.data.objects["other"])
    delete(leader)
    for operator in ("generate_partner", "redo_range", "compose_music", "render_preview", "add_follow_camera"):
        if operator == "redo_range":
            bpy.context.scene.pas_de_deux.model = "partner-flow"
        with pytest.raises(RuntimeError, match="Choose a leader first: import a mocap file or select a dancer"):
            getattr(bpy.ops.pasdedeux, operator)()
    assert list(blend_folder.iterdir()) == [blend_folder / "scene.blend"]


def test_a_leader_in_another_scene_is_named_in_a_warning_and_the_selected_dancer_leads(
    leader: bpy.types.Object,
) -> None:
    other_scene = bpy.data.scenes.new("other scene")
    other_scene.collection.objects.link(leader)
    bpy.context.scene.collection.objects.unlink(leader)
    settings = bpy.context.scene.pas_de_deux
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.partner.name == "other partner"
    assert [notice.text for notice in settings.notices] == [
        "leader, which is set as Leader, is not in this scene and was not used"
    ]


def test_a_partner_in_another_scene_is_named_and_a_dancer_is_added(leader: bpy.types.Object) -> None:
    away = add_dancer("away")
    other_scene = bpy.data.scenes.new("other scene")
    other_scene.collection.objects.link(away)
    bpy.context.scene.collection.objects.unlink(away)
    settings = bpy.context.scene.pas_de_deux
    settings.partner = away
    action = away.animation_data.action
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.partner.name == "leader partner"
    assert away.animation_data.action == action
    assert [notice.text for notice in settings.notices] == [
        "away, which is set as Partner, is not in this scene and was not used"
    ]


def test_a_leader_deleted_without_an_update_of_the_scene_is_not_used(leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    unlink(leader)
    settings.leader = leader  # as before Blender had updated anything
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.partner.name == "other partner"


def test_a_deleted_source_is_named_before_the_work(leader: bpy.types.Object) -> None:
    delete_by_operator(leader)
    with pytest.raises(RuntimeError, match="leader: no such object in the scene"):
        bpy.ops.pasdedeux.retarget(source="leader", target="other")
