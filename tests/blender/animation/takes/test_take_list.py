"""Takes: what is kept, listed and shown, through edits, undo, saving, loading and appending."""

from pathlib import Path
from typing import Any

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyframes, nla
from bl_ext.user_default.pas_de_deux.animation.takes import take_list as takes
from bl_ext.user_default.pas_de_deux.animation.takes.take_list import TakeRecord
from motions import TENTH_OF_A_MILLIMETRE, max_joint_error, swaying_motion

from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON


def take_list() -> Any:
    return bpy.context.scene.pas_de_deux.take_list


def names() -> list[str]:
    return [entry.label for entry in take_list()]


def motion(x: float) -> Motion:
    return swaying_motion(40, x=x)


@pytest.fixture
def partner() -> bpy.types.Object:
    """A partner without animation."""
    partner = dancers.add_dancer(bpy.context, "partner", DEFAULT_SKELETON, partner=True, body=False)
    bpy.context.scene.pas_de_deux.partner = partner
    return partner


def add_take(partner: bpy.types.Object, x: float, name: str = "take", **options: Any) -> bpy.types.Action:
    """Keep and show a take that stands at `x` m."""
    action = armatures.create_motion_action(partner, motion(x), name, 1)
    record = TakeRecord("partner", "partner-flow", options.pop("seed", 1), settings=options)
    takes.show_take(bpy.context, takes.keep_take(bpy.context, partner, action, record, name))
    return action


def reload(file: Path) -> bpy.types.Object:
    """Save and load the file twice, which drops what nothing uses; the partner."""
    for _ in range(2):
        bpy.ops.wm.save_as_mainfile(filepath=str(file))
        bpy.ops.wm.open_mainfile(filepath=str(file))
    return bpy.data.objects["partner"]


def edit_by_hand(action: bpy.types.Action, by: float = 0.25) -> None:
    """Move the pelvis in the whole action."""
    for fcurve in fcurves.all_fcurves(action):
        if fcurve.data_path == 'pose.bones["pelvis"].location' and fcurve.array_index == 0:
            for point in fcurve.keyframe_points:
                point.co.y += by
            fcurve.update()


def test_every_take_outlives_saving_and_plays_as_it_was(partner: bpy.types.Object, tmp_path: Path) -> None:
    for n in range(3):
        add_take(partner, float(n), seed=n, closeness=0.5 + n)
    partner = reload(tmp_path / "scene.blend")
    assert names() == ["take", "take 2", "take 3"]
    for n in (0, 2, 1):
        takes.show_take(bpy.context, take_list()[n])
        assert takes.is_shown(take_list()[n])
        assert max_joint_error(partner, motion(float(n))) < TENTH_OF_A_MILLIMETRE
        entry = take_list()[n]
        assert (entry.kind, entry.model, entry.seed, entry.dancer) == ("partner", "partner-flow", n, partner)
        assert entry.settings == f'{{"closeness": {0.5 + n}}}'
        assert not takes.is_edited(entry)


def test_an_edited_take_is_kept_as_edited_when_another_follows(partner: bpy.types.Object, tmp_path: Path) -> None:
    action = add_take(partner, 0.0)
    edit_by_hand(action)
    before = [fcurve.evaluate(10.0) for fcurve in fcurves.all_fcurves(action)]
    add_take(partner, 1.0)
    partner = reload(tmp_path / "scene.blend")
    assert [takes.is_edited(entry) for entry in take_list()] == [True, False]
    takes.show_take(bpy.context, take_list()[0])
    assert [fcurve.evaluate(10.0) for fcurve in fcurves.action_fcurves(partner)] == before


def test_animation_that_was_there_before_is_kept_too(partner: bpy.types.Object, tmp_path: Path) -> None:
    own = armatures.create_motion_action(partner, motion(5.0), "mine", 1)
    keyframes.assign_action(partner, own)
    add_take(partner, 1.0)
    assert own.use_fake_user
    partner = reload(tmp_path / "scene.blend")
    assert [(entry.name, entry.kind) for entry in take_list()] == [("mine", "own"), ("take", "partner")]
    takes.show_take(bpy.context, take_list()["mine"])
    assert max_joint_error(partner, motion(5.0)) < TENTH_OF_A_MILLIMETRE


def test_showing_a_take_keeps_an_action_that_is_not_listed(partner: bpy.types.Object) -> None:
    add_take(partner, 0.0)
    keyframes.assign_action(partner, armatures.create_motion_action(partner, motion(5.0), "mine", 1))
    takes.show_take(bpy.context, take_list()[0])
    assert names() == ["take", "mine"]
    assert bpy.data.actions["mine"].use_fake_user
    assert bpy.context.scene.pas_de_deux.take_index == 0
    assert max_joint_error(partner, motion(0.0)) < TENTH_OF_A_MILLIMETRE


@pytest.mark.parametrize("link", [False, True])
def test_an_action_keeps_its_record_in_another_file(partner: bpy.types.Object, tmp_path: Path, link: bool) -> None:
    add_take(partner, 2.0, seed=7, energy=1.5)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.read_homefile(use_empty=True)
    partner = dancers.add_dancer(bpy.context, "other", DEFAULT_SKELETON, partner=True, body=False)
    with bpy.data.libraries.load(str(tmp_path / "scene.blend"), link=link) as (_, wanted):
        wanted.actions = ["take"]
    keyframes.assign_action(partner, wanted.actions[0])
    add_take(partner, 0.0, "another")
    entry = take_list()["take"]
    assert (entry.kind, entry.model, entry.seed, entry.settings) == ("partner", "partner-flow", 7, '{"energy": 1.5}')
    assert not takes.is_edited(entry)


def test_names_follow_the_action_and_never_meet(partner: bpy.types.Object) -> None:
    first, second = add_take(partner, 0.0), add_take(partner, 1.0)
    take_list()[1].name = "close"
    assert second.name == "close"
    first.name = "renamed in the Action Editor"
    assert names() == ["renamed in the Action Editor", "close"]
    take_list()[0].label = "close"
    assert names() == ["close.001", "close"]
    take_list()[0].name = "  "
    assert names() == ["close.001", "close"]
    assert list(take_list().keys()) == names()


def test_a_deleted_action_leaves_an_entry_that_says_so(partner: bpy.types.Object) -> None:
    add_take(partner, 0.0)
    bpy.ops.ed.undo_push(message="before")
    add_take(partner, 1.0)
    bpy.ops.ed.undo_push(message="added")
    bpy.data.actions.remove(bpy.data.actions["take 2"])
    bpy.ops.ed.undo_push(message="deleted")
    assert names() == ["take", "take 2"]
    add_take(partner, 2.0)
    assert names() == ["take", "take 2", "take 3"]
    with pytest.raises(Exception, match="take 2: its action was deleted"):
        takes.show_take(bpy.context, take_list()[1])
    bpy.ops.ed.undo()
    takes.show_take(bpy.context, take_list()[1])
    assert max_joint_error(bpy.data.objects["partner"], motion(1.0)) < TENTH_OF_A_MILLIMETRE


def test_showing_changes_nothing_else(partner: bpy.types.Object) -> None:
    add_take(partner, 0.0)
    add_take(partner, 1.0)
    track = partner.animation_data.nla_tracks.new()
    track.name = "mine"
    dancers.select_only(bpy.context, partner)
    bpy.ops.object.mode_set(mode="POSE")
    bpy.context.scene.frame_set(17)
    takes.show_take(bpy.context, take_list()[0])
    assert (bpy.context.mode, bpy.context.scene.frame_current, bpy.context.object) == ("POSE", 17, partner)
    assert [track.name for track in partner.animation_data.nla_tracks] == ["mine"]


def test_a_bone_that_only_the_last_take_moved_is_put_back_to_rest(partner: bpy.types.Object) -> None:
    add_take(partner, 0.0)
    moved = add_take(partner, 1.0)
    bone = partner.pose.bones["head"]
    bone.scale = (2.0, 2.0, 2.0)
    bone.keyframe_insert("scale", frame=1)
    assert partner.animation_data.action == moved
    takes.show_take(bpy.context, take_list()[0])
    bpy.context.scene.frame_set(2)
    assert tuple(partner.pose.bones["head"].scale) == (1.0, 1.0, 1.0)


def test_a_correction_layer_stays_above_whichever_take_is_shown(partner: bpy.types.Object) -> None:
    first, second = add_take(partner, 0.0), add_take(partner, 1.0)
    correction = nla.add_correction_layer(partner)
    takes.show_take(bpy.context, take_list()[0])
    assert partner.animation_data.action == correction
    assert nla.base_action(partner) == first
    assert [takes.is_shown(entry) for entry in take_list()] == [True, False]
    assert names() == ["take", "take 2"]
    assert second.use_fake_user


def test_takes_of_a_deleted_dancer_are_danced_by_the_next_partner(partner: bpy.types.Object) -> None:
    add_take(partner, 3.0)
    bpy.data.objects.remove(partner)
    with pytest.raises(Exception, match="no longer in the scene"):
        takes.show_take(bpy.context, take_list()[0])
    heir = dancers.add_dancer(bpy.context, "heir", DEFAULT_SKELETON, partner=True, body=False)
    bpy.context.scene.pas_de_deux.partner = heir
    takes.show_take(bpy.context, take_list()[0])
    assert max_joint_error(heir, motion(3.0)) < TENTH_OF_A_MILLIMETRE


@pytest.mark.skipif(bpy.app.version < (4, 4, 0), reason="actions have no slots before Blender 4.4")
def test_an_action_of_several_slots_is_shown_with_the_slot_that_it_had(partner: bpy.types.Object) -> None:
    both = armatures.create_motion_action(partner, motion(0.0), "both", 1)
    slot = both.slots.new("OBJECT", "second")
    partner.animation_data_create()
    partner.animation_data.action, partner.animation_data.action_slot = both, slot
    partner.keyframe_insert("location", frame=1)
    add_take(partner, 1.0)
    takes.show_take(bpy.context, take_list()["both"])
    assert partner.animation_data.action_slot == slot
