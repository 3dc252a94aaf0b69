"""The operators on takes: show, delete, compare, and make again with a real backend, each with undo and redo."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, dancers
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, keyframes, nla
from bl_ext.user_default.pas_de_deux.animation.takes import ghosts
from bl_ext.user_default.pas_de_deux.animation.takes import take_list as takes
from bl_ext.user_default.pas_de_deux.operators.takes import delete as take_delete
from conftest import Server
from motions import TENTH_OF_A_MILLIMETRE, joint_positions, max_joint_error, swaying_motion

from rigs import files
from rigs.skeleton import DEFAULT_SKELETON

SceneState = Callable[[], dict[str, Any]]
FRAMES = 60


def settings() -> Any:
    return bpy.context.scene.pas_de_deux


def names() -> list[str]:
    return [take.label for take in settings().take_list]


@pytest.fixture
def partner() -> bpy.types.Object:
    """A partner with a body who dances the last of three takes, at 0, 1 and 2 m."""
    partner = dancers.add_dancer(bpy.context, "partner", DEFAULT_SKELETON, partner=True)
    settings().partner = partner
    for n in range(3):
        action = armatures.create_motion_action(partner, swaying_motion(40, x=n), "take", 1)
        record = takes.TakeRecord("partner", "partner-flow", n)
        takes.show_take(bpy.context, takes.keep_take(bpy.context, partner, action, record, "take"))
    return partner


def assert_error(scene_state: SceneState, operator: str, message: str, **options: Any) -> None:
    before = scene_state(), names()
    with pytest.raises(RuntimeError, match=message) as error:
        getattr(bpy.ops.pasdedeux, operator)(**options)
    assert len(str(error.value).strip().splitlines()) == 1
    assert (scene_state(), names()) == before


def test_show_takes_the_chosen_one_or_that_of_the_index(partner: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.take_show(index=1)
    assert partner.animation_data.action == settings().take_list[1].action
    settings().take_index = 0
    bpy.ops.pasdedeux.take_show()
    assert partner.animation_data.action == settings().take_list[0].action


def test_without_takes_or_beyond_the_list_it_says_so(scene_state: SceneState) -> None:
    assert_error(scene_state, "take_show", "There are no takes yet: press Generate Partner")


def test_a_take_beyond_the_list_is_refused(partner: bpy.types.Object, scene_state: SceneState) -> None:
    assert_error(scene_state, "take_show", "A take of 0 to 2 expected, found 3", index=3)


def test_a_strip_in_tweak_mode_is_refused(partner: bpy.types.Object, scene_state: SceneState) -> None:
    track = partner.animation_data.nla_tracks.new()
    track.strips.new("strip", 1, partner.animation_data.action)
    track.select = track.strips[0].select = True
    partner.animation_data.use_tweak_mode = True
    assert_error(scene_state, "take_show", "exit the tweak mode of its NLA strip first", index=0)


def test_show_and_delete_are_one_undo_step_each(partner: bpy.types.Object) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.pasdedeux.take_show("EXEC_DEFAULT", True, index=0)
    bpy.ops.pasdedeux.take_delete("EXEC_DEFAULT", True, index=0)
    assert (names(), shown()) == (["take 2", "take 3"], "take 2")
    bpy.ops.ed.undo()
    assert (names(), shown()) == (["take", "take 2", "take 3"], "take")
    bpy.ops.ed.undo()
    assert (names(), shown()) == (["take", "take 2", "take 3"], "take 3")
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert (names(), shown()) == (["take 2", "take 3"], "take 2")


def shown() -> str:
    action = nla.base_action(bpy.data.objects["partner"])
    return action.name if action else ""


def test_deleting_the_shown_take_shows_the_one_before(partner: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.take_delete(index=2)
    assert (names(), shown(), settings().take_index) == (["take", "take 2"], "take 2", 1)
    assert "take 3" not in bpy.data.actions
    bpy.ops.pasdedeux.take_delete(index=0)
    assert (names(), shown(), settings().take_index) == (["take 2"], "take 2", 0)
    bpy.ops.pasdedeux.take_delete()
    assert (names(), shown(), len(bpy.data.actions)) == ([], "", 0)
    np.testing.assert_allclose(joint_positions(partner, 5), DEFAULT_SKELETON.rest_positions(), atol=1e-5)


def test_an_action_that_is_used_elsewhere_is_not_deleted(partner: bpy.types.Object) -> None:
    used, (first, second, _) = bpy.data.objects.new("other", None), [take.action for take in settings().take_list]
    keyframes.assign_action(used, first)
    track = partner.animation_data.nla_tracks.new()
    track.strips.new("strip", 1, second)
    for _ in range(2):
        bpy.ops.pasdedeux.take_delete(index=0)
    assert names() == ["take 3"]
    assert sorted(action.name for action in bpy.data.actions) == ["take", "take 2", "take 3"]
    assert first.use_fake_user
    assert used.animation_data.action == first


def test_an_action_of_the_animators_own_fake_user_is_not_deleted(partner: bpy.types.Object) -> None:
    mine = armatures.create_motion_action(partner, swaying_motion(40), "mine", 1)
    mine.use_fake_user = True
    keyframes.assign_action(partner, mine)
    bpy.ops.pasdedeux.take_show(index=0)
    bpy.ops.pasdedeux.take_delete(index=names().index("mine"))
    assert "mine" not in names()
    assert bpy.data.actions["mine"].use_fake_user


def test_deleting_asks_for_starred_edited_and_own_takes_alone(partner: bpy.types.Object) -> None:
    first, second, third = settings().take_list
    first.starred = True
    for fcurve in list(fcurves.all_fcurves(second.action))[:1]:
        fcurve.keyframe_points[3].co.y += 0.01
    questions = [take_delete.delete_question(take) for take in (first, second, third)]
    assert questions == ["It is starred", "It was edited by hand", ""]
    keyframes.assign_action(partner, armatures.create_motion_action(partner, swaying_motion(40), "mine", 1))
    bpy.ops.pasdedeux.take_show(index=0)
    assert take_delete.delete_question(settings().take_list["mine"]) == "It was not generated, but animated or imported"


def test_a_ghost_dances_beside_and_leaves_nothing_behind(partner: bpy.types.Object, scene_state: SceneState) -> None:
    before = scene_state()
    bpy.ops.pasdedeux.take_compare(index=0)
    ghost = bpy.data.objects["partner ghost"]
    expected = swaying_motion(40, x=1.5)
    assert max_joint_error(ghost, expected) < TENTH_OF_A_MILLIMETRE
    assert max_joint_error(partner, swaying_motion(40, x=2.0)) < TENTH_OF_A_MILLIMETRE
    copies = [obj for obj in bpy.data.objects if ghosts.is_ghost(obj)]
    assert len(copies) == 2
    assert all(obj.hide_render and obj.hide_select for obj in copies)
    assert all(obj.users_collection[0].hide_render for obj in copies)
    assert settings().partner == partner
    assert bpy.context.view_layer.objects.active != ghost
    bpy.context.scene.frame_set(1)
    bpy.ops.pasdedeux.take_compare(index=0)
    assert scene_state() == before


def body_centre(obj: bpy.types.Object) -> np.ndarray:
    bpy.context.scene.frame_set(1)
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.array([evaluated.matrix_world @ vertex.co for vertex in mesh.vertices])
    evaluated.to_mesh_clear()
    return points.mean(axis=0)


@pytest.mark.parametrize("parented", [True, False])
def test_the_ghosts_body_moves_with_its_bones_and_is_translucent(partner: bpy.types.Object, parented: bool) -> None:
    body = bpy.data.objects["partner body"]
    if not parented:
        body.parent = None
    material = body.material_slots[0].material
    bpy.ops.pasdedeux.take_compare(index=0, beside=False)
    ghost_body = bpy.data.objects["partner body ghost"]
    here, ghosts_place = body_centre(body), body_centre(ghost_body)
    np.testing.assert_allclose(here - ghosts_place, [2.0, 0.0, 0.0], atol=1e-4)
    assert ghost_body.material_slots[0].material.diffuse_color[3] < 0.5
    assert body.material_slots[0].material == material
    bpy.ops.pasdedeux.take_compare(index=0)
    bpy.ops.pasdedeux.take_compare(index=0)
    np.testing.assert_allclose(
        body_centre(bpy.data.objects["partner body ghost"]) - ghosts_place, [1.5, 0.0, 0.0], atol=1e-4
    )


def test_another_take_moves_the_ghost_and_a_deleted_one_takes_it_along(partner: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.take_compare(index=0)
    bpy.ops.pasdedeux.take_compare(index=1)
    assert [obj.name for obj in bpy.data.objects if "ghost" in obj.name] == ["partner body ghost", "partner ghost"]
    assert ghosts.ghost_take(bpy.context.scene) == settings().take_list[1].uid
    bpy.ops.pasdedeux.take_delete(index=2)
    assert ghosts.ghost_take(bpy.context.scene) == settings().take_list[1].uid
    bpy.ops.pasdedeux.take_delete(index=1)
    assert not [obj for obj in bpy.data.objects if ghosts.is_ghost(obj)]


def test_a_ghost_is_neither_leader_nor_partner(partner: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.take_compare(index=0)
    settings().leader = settings().partner = ghost = bpy.data.objects["partner ghost"]
    bpy.context.view_layer.objects.active = ghost
    assert dancers.scene_partner(bpy.context) is None
    with pytest.raises(Exception, match="Choose a leader first"):
        dancers.require_leader(bpy.context)


def test_a_ghost_leaves_with_one_undo_step(partner: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.take_compare("EXEC_DEFAULT", True, index=0)
    bpy.ops.ed.undo()
    assert scene_state() == before


@pytest.fixture
def leader(tmp_path: Path) -> bpy.types.Object:
    files.write(tmp_path / "leader.bvh", swaying_motion(frames=FRAMES))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.bvh"), body=False)
    return bpy.context.object


def positions(partner: bpy.types.Object) -> np.ndarray:
    return np.array([joint_positions(partner, frame) for frame in (1, 20, 40, 60)])


def generate(seed: int, count: int = 1) -> None:
    settings().seed, settings().takes = seed, count
    bpy.ops.pasdedeux.generate_partner("EXEC_DEFAULT", True)


def play(index: int) -> np.ndarray:
    bpy.ops.pasdedeux.take_show("EXEC_DEFAULT", True, index=index)
    return positions(settings().partner)


def test_a_take_is_made_again_exactly_whatever_the_settings_are_now(
    reachable_server: Server, leader: bpy.types.Object
) -> None:
    settings().energy, settings().closeness = 1.4, 0.7
    generate(5)
    expected = play(0)
    settings().energy, settings().closeness, settings().seed, settings().model = 0.6, 1.0, 9, "mirror"
    assert bpy.ops.pasdedeux.take_again(index=0) == {"FINISHED"}
    entry = settings().take_list[1]
    assert (entry.seed, entry.model) == (5, settings().take_list[0].model)
    np.testing.assert_allclose(play(1), expected, atol=TENTH_OF_A_MILLIMETRE)
    assert (round(settings().energy, 3), round(settings().closeness, 3)) == (0.6, 1.0)
    assert settings().model == "mirror"
    bpy.ops.pasdedeux.take_again(index=0, new_seed=True)
    entry = settings().take_list[2]
    assert entry.seed == 6
    assert np.abs(play(2) - expected).max() > 0.02


def test_what_was_not_generated_cannot_be_made_again(partner: bpy.types.Object, scene_state: SceneState) -> None:
    assert_error(scene_state, "take_again", "take was not generated here, so it cannot be made again", index=0)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({"properties": {"of a later version": 1}, "scene": {}}, "take is of another version of Pas de Deux, so it"),
        ({"properties": [1], "scene": {}}, "take was not generated here, so it cannot be made again"),
        ({"properties": {}, "scene": {"leader": 3}}, "3, with which the take was generated, is no longer in the scene"),
    ],
)
def test_settings_that_cannot_be_applied_are_one_sentence(
    partner: bpy.types.Object, scene_state: SceneState, stored: dict[str, Any], message: str
) -> None:
    settings().take_list[0].settings = json.dumps({"operator": "generate_partner", **stored})
    assert_error(scene_state, "take_again", message, index=0)


def raise_pelvis(action: bpy.types.Action) -> None:
    """Edit a take by hand: move the pelvis in all its keyframes."""
    for fcurve in fcurves.all_fcurves(action):
        if fcurve.data_path == 'pose.bones["pelvis"].location':
            for point in fcurve.keyframe_points:
                point.co.y += 0.2
            fcurve.update()


def story_state() -> tuple[list[str], str, bytes]:
    """The list, the shown action, and where it has the joints."""
    partner = settings().partner
    if partner is None:
        return names(), "", b""
    return names(), partner.animation_data.action.name, positions(partner).round(5).tobytes()


def test_the_take_story(reachable_server: Server, leader: bpy.types.Object, tmp_path: Path) -> None:
    """Generate, edit by hand, generate twice, four takes, redo a range: all is listed and plays as it did.

    After each step is undone and redone, and after the file is saved and loaded twice.
    """

    def edit() -> None:
        raise_pelvis(settings().take_list[0].action)
        bpy.ops.ed.undo_push(message="edited")

    def redo_range() -> None:
        settings().takes = 1
        bpy.ops.pasdedeux.redo_range("EXEC_DEFAULT", True, first=20, last=40)

    bpy.ops.ed.undo_push(message="imported")
    states = [story_state()]
    steps = [lambda: generate(1), edit, lambda: generate(2), lambda: generate(3), lambda: generate(4, 4), redo_range]
    for step in steps:
        step()
        states.append(story_state())
    assert [len(listed) for listed, *_ in states] == [0, 1, 1, 2, 3, 7, 8]
    assert len({joints for *_, joints in states}) == len(states)
    for expected in states[-2::-1]:
        bpy.ops.ed.undo()
        assert story_state() == expected
    for expected in states[1:]:
        bpy.ops.ed.redo()
        assert story_state() == expected
    listed = names()
    assert len(set(listed)) == 8
    played = [play(index) for index in range(8)]
    np.testing.assert_array_equal(played[0].round(5).tobytes(), states[2][2])
    for _ in range(2):
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "story.blend"))
        bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "story.blend"))
    assert names() == listed
    for index in (6, 0, 3, 1, 7, 2, 5, 4):
        np.testing.assert_allclose(play(index), played[index], atol=1e-6)
    entries = settings().take_list
    assert [takes.is_edited(take) for take in entries] == [True, *[False] * 7]
    assert [(take.seed, take.number) for take in entries][:7] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (4, 1),
        (4, 2),
        (4, 3),
        (4, 4),
    ]
    bpy.ops.pasdedeux.take_again(index=7)
    np.testing.assert_allclose(play(8), played[7], atol=TENTH_OF_A_MILLIMETRE)
    bpy.ops.pasdedeux.take_again(index=5)
    np.testing.assert_allclose(play(11), played[5], atol=TENTH_OF_A_MILLIMETRE)


def test_the_list_draws_a_row_of_two_hundred_takes_in_no_time(partner: bpy.types.Object) -> None:
    import time

    from bl_ext.user_default.pas_de_deux.panels import takes as panel
    from test_panels import Layout

    while len(settings().take_list) < 200:
        action = bpy.data.actions.new("take")
        takes.add_entry(bpy.context, takes.TakeRecord("partner", "partner-flow", 1), "take").action = action
    layout = Layout([])
    began = time.perf_counter()
    panel.PASDEDEUX_PT_takes.draw(SimpleNamespace(layout=layout), bpy.context)
    for index in range(20):
        entry = settings().take_list[index]
        panel.PASDEDEUX_UL_takes.draw_item(None, bpy.context, layout, None, entry, 0, None, "", index, 0)
    assert time.perf_counter() - began < 0.05


def test_a_take_made_again_for_a_deleted_partner_adds_one_who_stays_the_partner(
    dancing_leader: bpy.types.Object,
) -> None:
    settings().model = "mirror"
    bpy.ops.pasdedeux.generate_partner()
    bpy.data.objects.remove(settings().partner)
    assert settings().partner is None
    bpy.ops.pasdedeux.take_again(index=0)
    partner = settings().partner
    assert partner is not None
    assert partner.animation_data.action == settings().take_list[1].action
    assert settings().leader == dancing_leader
