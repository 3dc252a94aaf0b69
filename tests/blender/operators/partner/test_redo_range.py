"""Redoing a range of the partner's frames with a real backend: what stays, what changes, how they join, and errors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, frame_ranges, nla
from bl_ext.user_default.pas_de_deux.operators.partner import redo_range
from conftest import Server
from modal_run import ModalRun

from rigs import Array, files
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from tests.rig_builders import build

FRAMES = 120
FIRST, LAST = 50, 79
SceneState = Callable[[], dict[str, Any]]


@pytest.fixture
def partner(tmp_path: Path, reachable_server: Server) -> bpy.types.Object:
    """A generated partner of 120 frames."""
    files.write(tmp_path / "leader.npz", sample_dance()[:FRAMES])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.npz"), body=False)
    bpy.ops.pasdedeux.generate_partner()
    bpy.context.scene.pas_de_deux.seed = 7
    found: bpy.types.Object = bpy.context.scene.pas_de_deux.partner
    return found


@pytest.fixture
def rig(partner: bpy.types.Object, tmp_path: Path, corpus: Path) -> bpy.types.Object:
    """A Mixamo rig that plays what the partner was generated to."""
    rig = build("Mixamo", corpus)
    bpy.ops.pasdedeux.retarget(source=partner.name, target=rig.name)
    bpy.context.scene.pas_de_deux.partner = rig
    return rig


def poses(obj: bpy.types.Object, first: int = 1, last: int = FRAMES) -> Array:
    """The pose bones' evaluated matrices (F, B, 4, 4) in the world."""
    matrices = []
    for frame in range(first, last + 1):
        bpy.context.scene.frame_set(frame)
        evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices.append([evaluated.matrix_world @ bone.matrix for bone in evaluated.pose.bones])
    return np.array(matrices)


def keys_outside(obj: bpy.types.Object) -> dict[tuple[str, int], list[tuple[Any, ...]]]:
    """All that an animator sees of the keyframes before and after the range; straight segments need no handles."""
    return {
        (curve.data_path, curve.array_index): [
            (*key.co, key.interpolation, key.handle_left_type, key.handle_right_type, key.type, key.easing)
            for key in curve.keyframe_points
            if not FIRST <= key.co.x <= LAST
        ]
        for curve in fcurves.action_fcurves(obj)
    }


def test_a_range_beside_a_hidden_leader_with_a_stray_key_is_redone_as_beside_one_that_shows(
    partner: bpy.types.Object,
) -> None:
    leader = bpy.context.scene.pas_de_deux.leader
    draft = partner.animation_data.action.name
    assert bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST, draft=draft) == {"FINISHED"}
    expected = poses(partner)
    leader.keyframe_insert("location", frame=900_000)
    for collection in leader.users_collection:
        collection.objects.unlink(leader)
    stage = bpy.data.collections.new("stage")
    bpy.context.scene.collection.children.link(stage)
    stage.objects.link(leader)
    bpy.context.scene.pas_de_deux.leader = leader
    leader.parent = bpy.data.objects.new("platform", None)  # so that Blender has to evaluate it
    stage.objects.link(leader.parent)
    bpy.context.view_layer.layer_collection.children["stage"].exclude = True
    assert bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST, draft=draft) == {"FINISHED"}
    assert np.abs(poses(partner) - expected).max() < 1e-3
    assert tuple(partner.animation_data.action.frame_range) == (1.0, FRAMES)
    (notice,) = bpy.context.scene.pas_de_deux.notices
    assert notice.text.startswith("leader: a key at frame 900000 (location) is far from all others")


def set_preview_range(first: int = FIRST, last: int = LAST) -> None:
    scene = bpy.context.scene
    scene.use_preview_range = True
    scene.frame_preview_start, scene.frame_preview_end = first, last


def edit_pose(obj: bpy.types.Object, bone: str, frame: int) -> None:
    """Turn a bone by hand at a frame, by changing its key."""
    curve = fcurves.fcurves_by_path(obj)[f'pose.bones["{bone}"].rotation_quaternion', 1]
    key = next(key for key in curve.keyframe_points if round(key.co.x) == frame)
    key.co.y += 0.2
    curve.update()


def test_only_the_preview_range_is_generated_again(partner: bpy.types.Object) -> None:
    before, old = poses(partner), partner.animation_data.action
    keys = keys_outside(partner)
    set_preview_range()
    assert bpy.ops.pasdedeux.redo_range() == {"FINISHED"}
    after = poses(partner)
    changed = np.abs(after - before).max(axis=(1, 2, 3)) > 1e-6
    assert not changed[: FIRST - 1].any()
    assert not changed[LAST:].any()
    assert changed[FIRST - 1 : LAST].mean() > 0.9
    assert np.abs(after - before)[..., :3, 3].max() > 0.05
    assert keys_outside(partner) == keys
    assert partner.animation_data.action != old
    assert old.use_fake_user


def joint_jerk(positions: Array) -> Array:
    """The largest third difference (F - 3,) m of any joint."""
    return np.linalg.norm(np.diff(positions, 3, axis=0), axis=-1).max(axis=1)


@pytest.mark.parametrize("dancer", ["partner", "rig"])
def test_the_range_joins_its_neighbours_as_smoothly_as_the_dance_goes(
    dancer: str, request: pytest.FixtureRequest
) -> None:
    obj = request.getfixturevalue(dancer)
    set_preview_range()
    before = joint_jerk(poses(obj)[..., :3, 3])
    bpy.ops.pasdedeux.redo_range()
    after = joint_jerk(poses(obj)[..., :3, 3])
    for join in (FIRST, LAST):
        assert after[join - 4 : join + 1].max() < 1.5 * before.max()


def test_a_rig_keeps_the_animators_keys_outside_and_its_other_curves(rig: bpy.types.Object) -> None:
    spine = next(bone.name for bone in rig.pose.bones if "Spine" in bone.name)
    edit_pose(rig, spine, 20)
    rig.pose.bones[spine]["mood"] = 1.0
    rig.keyframe_insert(f'pose.bones["{spine}"]["mood"]', frame=60)
    keys, before = keys_outside(rig), poses(rig)
    modes = [bone.rotation_mode for bone in rig.pose.bones]
    assert bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST) == {"FINISHED"}
    after = poses(rig)
    np.testing.assert_allclose(after[: FIRST - 1], before[: FIRST - 1], atol=1e-6)
    np.testing.assert_allclose(after[LAST:], before[LAST:], atol=1e-6)
    assert np.abs(after - before)[..., :3, 3].max() > 0.05
    assert keys_outside(rig) == keys
    assert [bone.rotation_mode for bone in rig.pose.bones] == modes
    curve = fcurves.fcurves_by_path(rig)[f'pose.bones["{spine}"]["mood"]', 0]
    assert [tuple(key.co) for key in curve.keyframe_points] == [(60.0, 1.0)]


def test_keyed_poses_within_the_range_are_met_exactly(partner: bpy.types.Object) -> None:
    edit_pose(partner, "left_shoulder", 64)
    pose = poses(partner, 64, 64)
    bpy.context.scene.pas_de_deux.keep_keyed = True
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    np.testing.assert_allclose(poses(partner, 64, 64), pose, atol=1e-6)


def test_selected_keyframes_are_the_range(partner: bpy.types.Object) -> None:
    before = poses(partner)
    for key in fcurves.action_fcurves(partner)[8].keyframe_points:
        key.select_control_point = FIRST <= key.co.x <= LAST
    bpy.ops.pasdedeux.redo_range()
    changed = np.abs(poses(partner) - before).max(axis=(1, 2, 3)) > 1e-6
    assert np.flatnonzero(changed).min() >= FIRST - 1
    assert np.flatnonzero(changed).max() <= LAST - 1


def test_a_range_of_the_settings_can_be_open(partner: bpy.types.Object) -> None:
    before = poses(partner)
    bpy.context.scene.pas_de_deux.range_from = 90
    bpy.ops.pasdedeux.redo_range()
    changed = np.abs(poses(partner) - before).max(axis=(1, 2, 3)) > 1e-6
    assert not changed[:89].any()
    assert changed[89:].all()


def test_frames_below_zero_are_redone_and_made_again(partner: bpy.types.Object) -> None:
    scene = bpy.context.scene
    for obj in (scene.pas_de_deux.leader, partner):
        for curve in fcurves.action_fcurves(obj):
            for point in curve.keyframe_points:
                point.co.x -= 100
            curve.update()
    before = poses(partner, -99, 20)
    bpy.ops.pasdedeux.redo_range(first=-60, last=-41)
    once = poses(partner, -99, 20)
    changed = np.flatnonzero(np.abs(once - before).max(axis=(1, 2, 3)) > 1e-4) - 99
    assert (changed[0], changed[-1]) == (-60, -41)
    bpy.ops.pasdedeux.take_again()
    assert scene.pas_de_deux.take_list[-1].action == partner.animation_data.action
    np.testing.assert_allclose(poses(partner, -99, 20), once, atol=1e-4)


def test_sparse_bezier_keys_keep_their_curve_outside(partner: bpy.types.Object) -> None:
    """An animator's few keys, whose segments reach into the range from both sides."""
    for curve in fcurves.action_fcurves(partner):
        values = [curve.evaluate(frame) for frame in (1, 30, 64, 95, 120)]
        curve.keyframe_points.clear()
        curve.keyframe_points.add(5)
        for key, frame, value in zip(curve.keyframe_points, (1, 30, 64, 95, 120), values, strict=True):
            key.co, key.interpolation = (frame, value), "BEZIER"
        curve.update()
    before = poses(partner)
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    after = poses(partner)
    np.testing.assert_allclose(after[: FIRST - 1], before[: FIRST - 1], atol=2e-5)
    np.testing.assert_allclose(after[LAST:], before[LAST:], atol=2e-5)


def test_corrections_above_the_take_stay_on_top(partner: bpy.types.Object) -> None:
    nla.add_correction_layer(partner)
    correction = partner.animation_data.action
    bone = partner.pose.bones["left_shoulder"]
    bone.rotation_quaternion = (0.98, 0.199, 0.0, 0.0)
    bone.keyframe_insert("rotation_quaternion", frame=20)
    before = poses(partner)
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    assert partner.animation_data.action == correction
    after = poses(partner)
    np.testing.assert_allclose(after[: FIRST - 1], before[: FIRST - 1], atol=1e-5)
    np.testing.assert_allclose(after[LAST:], before[LAST:], atol=1e-5)
    assert np.abs(after - before)[FIRST - 1 : LAST, ..., :3, 3].max() > 0.05


def test_the_draft_may_be_any_take(partner: bpy.types.Object) -> None:
    """As Make Again asks for, whichever take is shown."""
    first_take, before = partner.animation_data.action, poses(partner)
    bpy.ops.pasdedeux.generate_partner()
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST, draft=first_take.name)
    after = poses(partner)
    np.testing.assert_allclose(after[: FIRST - 1], before[: FIRST - 1], atol=1e-6)


def test_a_rigify_rig_keyed_by_ik_controls_is_refused(
    partner: bpy.types.Object, corpus: Path, scene_state: SceneState
) -> None:
    rig = build("Rigify", corpus)
    bpy.ops.pasdedeux.retarget(source=partner.name, target=rig.name, limbs="IK")
    bpy.context.scene.pas_de_deux.partner = rig
    assert_error(scene_state, "retarget it with FK limbs", first=FIRST, last=LAST)


def test_a_rigify_rig_is_redone_by_its_fk_controls(partner: bpy.types.Object, corpus: Path) -> None:
    rig = build("Rigify", corpus)
    bpy.ops.pasdedeux.retarget(source=partner.name, target=rig.name, limbs="FK")
    bpy.context.scene.pas_de_deux.partner = rig
    before = poses(rig, FIRST - 8, LAST + 8)
    assert bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST) == {"FINISHED"}
    after = poses(rig, FIRST - 8, LAST + 8)
    np.testing.assert_allclose(after[:8], before[:8], atol=1e-4)
    np.testing.assert_allclose(after[-8:], before[-8:], atol=1e-4)
    hands = [rig.pose.bones.find(f"DEF-hand.{side}") for side in "LR"]
    assert np.abs(after - before)[:, hands][..., :3, 3].max() > 0.05
    assert joint_jerk(after[:, hands][..., :3, 3]).max() < 1.5 * joint_jerk(before[:, hands][..., :3, 3]).max()


def test_other_frame_rates_are_redone_to_the_frame(tmp_path: Path, reachable_server: Server) -> None:
    files.write(tmp_path / "leader.npz", resample(sample_dance()[:FRAMES], 24.0))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.npz"), body=False)
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    assert bpy.context.scene.render.fps == 24
    before = poses(partner, 1, 96)
    bpy.context.scene.pas_de_deux.seed = 7
    bpy.ops.pasdedeux.redo_range(first=40, last=63)
    changed = np.abs(poses(partner, 1, 96) - before).max(axis=(1, 2, 3)) > 1e-6
    assert np.flatnonzero(changed).tolist() == list(range(39, 63))


def test_fewer_keys_are_kept_few(partner: bpy.types.Object) -> None:
    bpy.context.scene.pas_de_deux.fewer_keys = True
    bpy.ops.pasdedeux.generate_partner()
    before = poses(partner)
    count = sum(len(curve.keyframe_points) for curve in fcurves.action_fcurves(partner))
    bpy.context.scene.pas_de_deux.seed = 9
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    after = poses(partner)
    np.testing.assert_allclose(after[: FIRST - 1], before[: FIRST - 1], atol=1e-5)
    np.testing.assert_allclose(after[LAST:], before[LAST:], atol=1e-5)
    assert sum(len(curve.keyframe_points) for curve in fcurves.action_fcurves(partner)) < 1.5 * count


def test_the_result_is_a_take_beside_the_draft(partner: bpy.types.Object) -> None:
    settings, draft = bpy.context.scene.pas_de_deux, partner.animation_data.action
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    take = settings.take_list[-1]
    assert [entry.action for entry in settings.take_list] == [draft, partner.animation_data.action]
    assert (take.kind, take.model, take.seed, take.name) == ("partner", "partner-flow", 7, "leader partner 50-79")
    again = json.loads(take.settings)
    assert again["operator"] == "redo_range"
    assert again["properties"] == {"draft": draft.name, "keep": "", "first": FIRST, "last": LAST}
    # These give the same take.
    expected = poses(partner)
    settings.seed = again["scene"]["seed"]
    bpy.ops.pasdedeux.redo_range(**again["properties"])
    assert len(settings.take_list) == 3
    np.testing.assert_allclose(poses(partner), expected, atol=1e-5)


def test_one_undo_step_takes_the_range_back(partner: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.redo_range("EXEC_DEFAULT", True, first=FIRST, last=LAST)
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


def test_cancelling_leaves_all_as_it_was(partner: bpy.types.Object, scene_state: SceneState) -> None:
    before = scene_state()
    run = ModalRun(redo_range.PASDEDEUX_OT_redo_range, first=FIRST, last=LAST)
    run.start()
    bpy.ops.pasdedeux.cancel()
    assert run.run() == {"CANCELLED"}
    assert scene_state() == before


def assert_error(scene_state: SceneState, message: str, **properties: Any) -> None:
    """Redoing fails with one sentence and leaves all as it was."""
    before = scene_state()
    with pytest.raises(RuntimeError, match=message) as error:
        bpy.ops.pasdedeux.redo_range(**properties)
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before


def test_without_a_range_it_says_how_to_choose_one(partner: bpy.types.Object, scene_state: SceneState) -> None:
    assert_error(scene_state, "set a preview range in the timeline")


def test_a_range_where_nobody_dances_is_refused(partner: bpy.types.Object, scene_state: SceneState) -> None:
    assert_error(scene_state, "frames of 1 to 120, where the leader dances, expected", first=200, last=300)


def test_without_a_partner_it_names_the_button(dancing_leader: Any, scene_state: SceneState) -> None:
    assert_error(scene_state, "press Generate Partner", first=30, last=40)


def test_a_model_that_takes_no_direction_is_refused(partner: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.context.scene.pas_de_deux.model = "duet-vae"
    assert_error(scene_state, "Only Partner Flow can be directed: choose it as Model", first=FIRST, last=LAST)


def test_strips_that_play_beside_the_action_are_refused(partner: bpy.types.Object, scene_state: SceneState) -> None:
    track = partner.animation_data.nla_tracks.new()
    track.strips.new("other", 1, partner.animation_data.action)
    assert_error(scene_state, "mute their tracks", first=FIRST, last=LAST)


def test_the_dance_of_the_rest_is_what_the_backend_got(partner: bpy.types.Object) -> None:
    """The joins come from the model: the result is the backend's own answer to the draft."""
    from backend.client import Client
    from backend.wire.direction import Direction

    frames = range(1, FRAMES + 1)
    leader = bpy.context.scene.pas_de_deux.leader
    motions: list[Motion] = [armatures.sample_motion(bpy.context, obj, frames) for obj in (leader, partner)]
    address = bpy.context.preferences.addons["bl_ext.user_default.pas_de_deux"].preferences.address
    direction = Direction(redo=(FIRST - 1, LAST - 1))
    (expected,) = Client(address).partner(motions[0], draft=motions[1], direction=direction, seed=7)
    bpy.ops.pasdedeux.redo_range(first=FIRST, last=LAST)
    result = armatures.sample_motion(bpy.context, partner, frames)
    np.testing.assert_allclose(result.positions, expected.positions, atol=1e-4)
    assert frame_ranges.frame_range(partner) == frames
