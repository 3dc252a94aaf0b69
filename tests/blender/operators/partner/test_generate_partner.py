"""Generating a partner with a real backend: keyframes against the backend's own result, and errors."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux import background_job, job_operator
from bl_ext.user_default.pas_de_deux.animation import armatures
from bl_ext.user_default.pas_de_deux.animation.keys import fcurves, frame_ranges, keyframes, nla
from bl_ext.user_default.pas_de_deux.operators.partner import generate_partner
from conftest import Server, free_address
from modal_run import ModalRun
from motions import TENTH_OF_A_MILLIMETRE, joint_positions, max_joint_error, swaying_motion

from backend.client import Client
from backend.model_registry import REGISTRY
from backend.wire.direction import Direction
from rigs import Array, files
from rigs.choreography.devices import DEVICES, Choreography, choreograph
from rigs.choreography.formations import FORMATIONS
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS
from tests.rig_builders import CHARACTERS, build

FRAMES = 75
SceneState = Callable[[], dict[str, Any]]


@pytest.fixture
def leader(tmp_path: Path) -> bpy.types.Object:
    """A leader in the scene, 75 frames long."""
    files.write(tmp_path / "leader.bvh", swaying_motion(frames=FRAMES))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.bvh"))
    return bpy.context.object


@pytest.fixture
def connected_leader(
    leader: bpy.types.Object, server: Server, set_backend_address: Callable[[str], None]
) -> bpy.types.Object:
    """A leader, and a backend that can be reachable_server."""
    set_backend_address(server.address)
    return leader


def answer(server: Server, leader: bpy.types.Object, **options: Any) -> list[Motion]:
    """What the backend itself answers."""
    motion = armatures.sample_motion(bpy.context, leader, range(1, FRAMES + 1))
    return Client(server.address).partner(motion, **options)


def test_the_partner_is_keyed_as_the_backend_answers(server: Server, connected_leader: bpy.types.Object) -> None:
    bpy.context.scene.pas_de_deux.seed = 5
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    partner = bpy.context.scene.pas_de_deux.partner
    assert partner.name == "leader partner"
    (motion,) = answer(server, connected_leader, seed=5)
    assert len(motion) == FRAMES
    assert max_joint_error(partner, motion) < TENTH_OF_A_MILLIMETRE


def test_the_leader_is_read_as_the_animator_left_it(server: Server, connected_leader: bpy.types.Object) -> None:
    connected_leader.location = (2.0, 1.0, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.pasdedeux.generate_partner()
    (motion,) = answer(server, connected_leader)
    assert max_joint_error(bpy.context.scene.pas_de_deux.partner, motion) < TENTH_OF_A_MILLIMETRE


def test_each_take_is_an_action_and_the_first_is_shown(server: Server, connected_leader: bpy.types.Object) -> None:
    bpy.context.scene.pas_de_deux.takes = 3
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    takes = [bpy.data.actions[f"leader partner take {take}"] for take in (1, 2, 3)]
    assert partner.animation_data.action == takes[0]
    for take, motion in zip(takes, answer(server, connected_leader, takes=3), strict=True):
        keyframes.assign_action(partner, take)
        assert max_joint_error(partner, motion) < TENTH_OF_A_MILLIMETRE


def test_the_armature_that_is_set_is_moved_again(connected_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.generate_partner()
    partner, count = bpy.context.scene.pas_de_deux.partner, len(bpy.data.armatures)
    bpy.context.scene.pas_de_deux.seed = 1
    bpy.ops.pasdedeux.generate_partner()
    assert bpy.context.scene.pas_de_deux.partner == partner
    assert len(bpy.data.armatures) == count


def set_device(device: str, **options: Any) -> None:
    """Set the scene's model to a device and its options."""
    settings = bpy.context.scene.pas_de_deux
    settings.model = device
    for name, value in options.items():
        setattr(settings, name, value)


def leader_motion(leader: bpy.types.Object) -> Motion:
    return armatures.sample_motion(bpy.context, leader, range(1, FRAMES + 1))


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_needs_no_backend(
    leader: bpy.types.Object, set_backend_address: Callable[[str], None], device: str
) -> None:
    set_backend_address(free_address())
    set_device(device, delay=10.0, delay_in="frames", formation="side-by-side", distance=1.25)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    options = Choreography(device, delay=10.0, unit="frames", formation="side-by-side", distance=1.25)
    expected = choreograph(leader_motion(leader), options)
    partner = bpy.context.scene.pas_de_deux.partner
    assert partner.name == "leader partner"
    assert max_joint_error(partner, expected) < TENTH_OF_A_MILLIMETRE
    assert frame_ranges.frame_range(partner) == range(1, FRAMES + 1)


def test_every_device_and_formation_can_be_chosen(leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux.bl_rna.properties
    assert {item.identifier for item in settings["model"].enum_items} == {*DEVICES, *REGISTRY.names("partner")}
    assert tuple(item.identifier for item in settings["formation"].enum_items) == FORMATIONS


def test_a_delay_longer_than_the_dance_is_refused(leader: bpy.types.Object, scene_state: SceneState) -> None:
    set_device("canon", delay=80.0, delay_in="frames")
    assert_error(scene_state, "delay: 1 to 74 frames expected, 80 found")


def test_any_rigs_are_leader_and_partner(tmp_path: Path, corpus: Path) -> None:
    files.write(tmp_path / "dance.npz", sample_dance()[:FRAMES])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.npz"), body=False)
    source, leader, follower = bpy.context.object, build("Mixamo", corpus), build("UE-style", corpus)
    bpy.ops.pasdedeux.retarget(source=source.name, target=leader.name)
    settings = bpy.context.scene.pas_de_deux
    settings.leader, settings.partner = leader, follower
    set_device("mirror", distance=2.0)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    assert settings.partner == follower
    theirs, ours = (character_joints(rig, name) for rig, name in ((leader, "Mixamo"), (follower, "UE-style")))
    # A mirror between the two sends the left limbs' directions to the right ones', reversed along the line that joins
    # them at the start.
    between = (ours["pelvis"][0] - theirs["pelvis"][0]) * np.array([1.0, 1.0, 0.0])
    assert np.linalg.norm(between) == pytest.approx(2.0, abs=0.1)
    normal = between / np.linalg.norm(between)
    for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee")):
        leader_limb, partner_limb = (
            place[f"{side}_{lower}"] - place[f"{side}_{upper}"] for side, place in (("left", theirs), ("right", ours))
        )
        reflected = leader_limb - 2.0 * (leader_limb @ normal)[:, None] * normal
        one, other = (v / np.linalg.norm(v, axis=-1, keepdims=True) for v in (reflected, partner_limb))
        assert np.degrees(np.arccos(np.clip(np.sum(one * other, axis=-1), -1.0, 1.0))).max() < 6.0
    assert min(ours[f"{side}_foot"][:, 2].min() for side in ("left", "right")) > -0.01


def test_a_dancer_with_other_bones_keeps_its_feet_on_the_floor(tmp_path: Path) -> None:
    files.write(tmp_path / "leader.npz", sample_dance()[:FRAMES])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "leader.npz"), body=False)
    settings = bpy.context.scene.pas_de_deux
    settings.leader = bpy.context.object
    settings.partner = armatures.create_armature(bpy.context, "tall", DEFAULT_SKELETON.scale(1.2))
    set_device("unison", distance=2.0)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    balls = [JOINTS.index("left_foot"), JOINTS.index("right_foot")]
    heights = np.array([joint_positions(settings.partner, frame)[balls, 2].min() for frame in range(1, FRAMES, 5)])
    np.testing.assert_allclose(heights, 1.2 * DEFAULT_SKELETON.rest_positions()[balls[0], 2], atol=0.005)


def character_joints(rig: bpy.types.Object, name: str) -> dict[str, Array]:
    """Where a character's joints are in the scene, (n, 3) m each, every fifth frame."""
    positions: dict[str, list[Array]] = {}
    for frame in range(1, FRAMES, 5):
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        for joint, (bone, end) in CHARACTERS[name].places.items():
            place = np.array(evaluated.matrix_world @ getattr(evaluated.pose.bones[bone], end))
            positions.setdefault(joint, []).append(place)
    return {joint: np.array(path) for joint, path in positions.items()}


def test_one_undo_step_takes_the_partner_back(connected_leader: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.ops.ed.undo_push(message="before")
    before = scene_state()
    bpy.ops.pasdedeux.generate_partner("EXEC_DEFAULT", True)
    assert scene_state() != before
    bpy.ops.ed.undo()
    assert scene_state() == before


def assert_error(scene_state: SceneState, message: str) -> None:
    """Generating fails with one sentence and leaves all as it was."""
    before = scene_state()
    with pytest.raises(RuntimeError, match=message) as error:
        bpy.ops.pasdedeux.generate_partner()
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before


def test_an_armature_without_bones_is_no_dancer(leader: bpy.types.Object, scene_state: SceneState) -> None:
    empty = bpy.data.objects.new("empty", bpy.data.armatures.new("empty"))
    bpy.context.scene.collection.objects.link(empty)
    bpy.context.scene.pas_de_deux.partner = empty
    assert_error(scene_state, "empty: an armature with a dancer's bones expected, one without bones found")
    bpy.context.scene.pas_de_deux.leader = empty
    with pytest.raises(RuntimeError, match=r"^Error: empty: an armature with a dancer's bones expected"):
        bpy.ops.pasdedeux.frame_pair()


def test_keyframes_over_hours_are_refused_before_anything_is_sampled(
    leader: bpy.types.Object, scene_state: SceneState
) -> None:
    for frame in range(50_000, 200_001, 50_000):
        leader.keyframe_insert("location", frame=frame)
    began = time.monotonic()
    assert_error(scene_state, r"leader: keyframes over at most 54000 frames expected, over 200000 found")
    assert time.monotonic() - began < 2.0


def test_a_backend_that_is_away_is_one_sentence_and_an_untouched_scene(
    leader: bpy.types.Object, set_backend_address: Callable[[str], None], scene_state: SceneState
) -> None:
    address = free_address()
    set_backend_address(address)
    assert_error(scene_state, address)


def test_a_backend_that_dies_midway_is_one_sentence_and_an_untouched_scene(
    tmp_path: Path, set_backend_address: Callable[[str], None], scene_state: SceneState, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write(tmp_path / "long.bvh", swaying_motion(frames=6000))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "long.bvh"), body=False)
    dying = Server()
    set_backend_address(dying.address)
    monkeypatch.setattr(job_operator, "progress_listeners", [lambda fraction, what: dying.kill()])
    assert_error(scene_state, "was lost during the work: click Test Connection")
    assert not dying.is_alive()


def test_a_backend_elsewhere_is_not_asked_while_blender_is_offline(
    leader: bpy.types.Object, set_backend_address: Callable[[str], None], scene_state: SceneState
) -> None:
    assert not bpy.app.online_access
    set_backend_address("tcp://192.0.2.1:7429")
    assert_error(scene_state, "Allow Online Access")


def test_a_refusal_by_the_backend_is_passed_on(connected_leader: bpy.types.Object, scene_state: SceneState) -> None:
    connected_leader.location.x = 1e6
    assert_error(scene_state, "numbers within 10000 m expected")


def test_without_a_leader_it_says_so(scene_state: SceneState) -> None:
    assert_error(scene_state, "Choose a leader first")


def test_an_armature_without_a_dancer_as_leader_is_refused(scene_state: SceneState) -> None:
    bpy.ops.object.armature_add()
    assert_error(scene_state, "pelvis")


def test_a_leader_that_is_no_armature_is_refused(scene_state: SceneState) -> None:
    bpy.ops.mesh.primitive_cube_add()
    assert_error(scene_state, "Cube: an armature expected, found a mesh")


def test_an_armature_without_a_dancer_as_partner_is_refused(leader: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.ops.object.armature_add()
    bpy.context.scene.pas_de_deux.partner = bpy.context.object
    bpy.context.scene.pas_de_deux.leader = leader
    bpy.context.scene.pas_de_deux.model = "mirror"
    assert_error(scene_state, "pelvis")


def test_the_leader_cannot_be_the_partner(connected_leader: bpy.types.Object, scene_state: SceneState) -> None:
    bpy.context.scene.pas_de_deux.partner = connected_leader
    assert_error(scene_state, "both leader and partner")


def test_cancelling_ends_the_work_beside_blender(
    tmp_path: Path, server: Server, set_backend_address: Callable[[str], None], scene_state: SceneState
) -> None:
    set_backend_address(server.address)
    files.write(tmp_path / "long.bvh", swaying_motion(frames=6000))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "long.bvh"), body=False)
    before = scene_state()
    run = ModalRun(generate_partner.PASDEDEUX_OT_generate_partner)
    run.run(until=lambda: len(run.ticks) > 9)
    bpy.ops.pasdedeux.cancel()
    assert run.run(seconds=10.0) == {"CANCELLED"}
    assert run.reports == [({"INFO"}, "Cancelled")]
    assert scene_state() == before


def test_the_direction_is_what_the_backend_gets(server: Server, connected_leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.closeness, settings.energy, settings.role = 0.5, 1.5, "lead"
    settings.place, settings.ahead, settings.left, settings.turned = True, 1.0, 0.5, np.radians(30.0)
    settings.post_processing = {"seams", "floor"}
    bpy.ops.pasdedeux.generate_partner()
    place = tuple(float(np.float32(value)) for value in (1.0, 0.5, np.degrees(settings.turned)))
    direction = Direction(place=place, closeness=0.5, energy=1.5, without=("bodies", "hands", "feet"))
    (motion,) = answer(server, connected_leader, direction=direction, role="lead")
    assert max_joint_error(settings.partner, motion) < TENTH_OF_A_MILLIMETRE


def test_a_place_inside_the_leader_is_refused(connected_leader: bpy.types.Object, scene_state: SceneState) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.place, settings.ahead = True, 0.1
    assert_error(scene_state, "place: 0.3 to 100 m from the leader expected, 0.1 found")


def test_a_model_that_takes_no_direction_gets_none(server: Server, connected_leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.model, settings.energy, settings.keep_keyed = "duet-vae", 1.5, True
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    (motion,) = answer(server, connected_leader, model="duet-vae")
    assert max_joint_error(settings.partner, motion) < TENTH_OF_A_MILLIMETRE


def pose_keys(obj: bpy.types.Object, bone: str) -> list[bpy.types.Keyframe]:
    """The keyframes of the first of a bone's quaternion curves."""
    curve = fcurves.fcurves_by_path(obj)[f'pose.bones["{bone}"].rotation_quaternion', 1]
    return list(curve.keyframe_points)


def set_seed(seed: int) -> None:
    bpy.context.scene.pas_de_deux.seed = seed


def test_poses_edited_by_hand_are_kept_exactly(connected_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    for frame in (20, 51):
        pose_keys(partner, "left_shoulder")[frame - 1].co.y += 0.3
    kept, free = ([joint_positions(partner, frame) for frame in frames] for frames in ((20, 51), (10, 35, 65)))
    bpy.context.scene.pas_de_deux.keep_keyed = True
    set_seed(3)
    bpy.ops.pasdedeux.generate_partner()
    for frame, positions in zip((20, 51), kept, strict=True):
        np.testing.assert_allclose(joint_positions(partner, frame), positions, atol=1e-6)
    for frame, positions in zip((10, 35, 65), free, strict=True):
        assert np.abs(joint_positions(partner, frame) - positions).max() > 0.02
    # They stay the animator's: the next partner keeps them, too.
    set_seed(4)
    bpy.ops.pasdedeux.generate_partner()
    np.testing.assert_allclose(joint_positions(partner, 20), kept[0], atol=1e-6)


def test_selected_keyframes_are_kept_instead(connected_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    pose_keys(partner, "left_shoulder")[19].co.y += 0.3
    pose_keys(partner, "right_knee")[39].select_control_point = True
    edited, selected = joint_positions(partner, 20), joint_positions(partner, 40)
    bpy.context.scene.pas_de_deux.keep_keyed = True
    set_seed(3)
    bpy.ops.pasdedeux.generate_partner()
    np.testing.assert_allclose(joint_positions(partner, 40), selected, atol=1e-6)
    assert np.abs(joint_positions(partner, 20) - edited).max() > 0.02


def test_a_rig_posed_by_hand_is_kept_at_its_keyframes(
    connected_leader: bpy.types.Object, tmp_path: Path, corpus: Path
) -> None:
    settings = bpy.context.scene.pas_de_deux
    bpy.ops.pasdedeux.generate_partner()
    rig = build("Mixamo", corpus)
    bpy.ops.pasdedeux.retarget(source=settings.partner.name, target=rig.name)
    for curve in fcurves.action_fcurves(rig):  # three blocked poses
        values = [curve.evaluate(frame) for frame in (10, 40, 70)]
        curve.keyframe_points.clear()
        for frame, value in zip((10, 40, 70), values, strict=True):
            curve.keyframe_points.insert(frame, value)
    settings.partner, settings.keep_keyed = rig, True
    before = {frame: bone_matrices(rig, frame) for frame in (10, 40, 70, 25)}
    set_seed(3)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    for frame in (10, 40, 70):
        np.testing.assert_allclose(bone_matrices(rig, frame), before[frame], atol=1e-5)
    assert np.abs(bone_matrices(rig, 25) - before[25]).max() > 0.02


def bone_matrices(rig: bpy.types.Object, frame: int) -> Array:
    """The pose bones' evaluated matrices (B, 4, 4) in a frame."""
    bpy.context.scene.frame_set(frame)
    evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
    return np.array([evaluated.matrix_world @ bone.matrix for bone in evaluated.pose.bones])


def test_without_keyed_poses_it_says_how_to_choose_some(
    connected_leader: bpy.types.Object, scene_state: SceneState
) -> None:
    bpy.ops.pasdedeux.generate_partner()
    bpy.context.scene.pas_de_deux.keep_keyed = True
    assert_error(scene_state, "no keyed poses to keep: select their keyframes, or turn off Keep Keyed Poses")


def test_without_a_partner_there_is_nothing_to_keep(
    connected_leader: bpy.types.Object, scene_state: SceneState
) -> None:
    bpy.context.scene.pas_de_deux.keep_keyed = True
    assert_error(scene_state, "no partner yet to keep anything of: turn off Keep Keyed Poses")


@pytest.fixture
def long_leader(tmp_path: Path, reachable_server: Server) -> bpy.types.Object:
    """A leader of 1,500 frames."""
    files.write(tmp_path / "long.bvh", swaying_motion(frames=1500))
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "long.bvh"), body=False)
    return bpy.context.object


def preview_dancers() -> list[bpy.types.Object]:
    return [obj for obj in bpy.data.objects if "pas_de_deux_preview" in obj]


def start_until_preview() -> ModalRun:
    """A run that shows its first frames."""
    run = ModalRun(generate_partner.PASDEDEUX_OT_generate_partner)
    assert run.run(until=lambda: bool(preview_dancers())) == {"PASS_THROUGH"}
    return run


def test_the_partner_is_seen_while_it_is_generated(long_leader: bpy.types.Object, scene_state: SceneState) -> None:
    before = scene_state()
    run = ModalRun(generate_partner.PASDEDEUX_OT_generate_partner)
    lengths: list[int] = []

    def has_grown() -> bool:
        lengths.extend(len(fcurves.action_fcurves(obj)[0].keyframe_points) for obj in preview_dancers())
        return len(set(lengths)) > 2

    assert run.run(until=has_grown) == {"PASS_THROUGH"}
    (preview,) = preview_dancers()
    frames = frame_ranges.frame_range(preview)
    assert frames[0] == 1
    # What the user has is as it was, all the while.
    seen = scene_state()
    for name in ("selected", "active", "scene", "markers"):
        assert seen[name] == before[name]
    assert seen["actions assigned"].items() >= before["actions assigned"].items()
    assert np.ptp([joint_positions(preview, frame) for frame in frames[::4]], axis=0).max() > 0.05
    assert run.run() == {"FINISHED"}
    assert not preview_dancers()
    added = {name: set(scene_state()[name]) - set(before[name]) for name in ("objects", "armatures", "actions")}
    assert added == {
        "objects": {"long partner", "long partner body"},
        "armatures": {"long partner"},
        "actions": {"long partner"},
    }


@pytest.mark.parametrize("how", ["cancel", "end"])
def test_a_preview_leaves_no_trace_when_the_job_is_ended(
    long_leader: bpy.types.Object, scene_state: SceneState, how: str
) -> None:
    before = scene_state()
    run = start_until_preview()
    if how == "cancel":
        bpy.ops.pasdedeux.cancel()
        assert run.run() == {"CANCELLED"}
    else:  # as disabling the add-on and opening another file do
        background_job.main_slot.end()
    assert scene_state() == before


def test_a_cancelled_job_shows_no_more_previews(long_leader: bpy.types.Object) -> None:
    run = start_until_preview()
    shown = []
    run.apply_previews = lambda context, previews: shown.append(previews)
    run._job.cancel()
    for _ in range(3):
        run._job.preview("a late one")
        if run.tick() != {"PASS_THROUGH"}:
            break
    assert not shown


def test_dancers_and_a_scene_that_are_renamed_meanwhile_are_found(long_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    run = start_until_preview()
    long_leader.name, partner.name, bpy.context.scene.name = "Anna", "Ben", "Ballroom"
    assert run.run() == {"FINISHED"}
    assert run.reports == []
    take = bpy.context.scene.pas_de_deux.take_list[1]
    assert (take.dancer, partner.animation_data.action) == (partner, take.action)
    scene = json.loads(take.settings)["scene"]
    assert (scene["leader"], scene["partner"]) == ("Anna", "Ben")


def test_a_leader_deleted_meanwhile_is_one_sentence(long_leader: bpy.types.Object) -> None:
    run = start_until_preview()
    bpy.data.objects.remove(long_leader)
    assert run.run() == {"CANCELLED"}
    assert run.reports == [({"ERROR"}, "The leader was deleted meanwhile")]
    assert not bpy.data.objects


def test_undo_steps_made_meanwhile_bring_no_preview_back(
    long_leader: bpy.types.Object, scene_state: SceneState
) -> None:
    bpy.ops.ed.undo_push(message="before")
    run = start_until_preview()
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    bpy.ops.mesh.primitive_cone_add()
    bpy.ops.ed.undo_push(message="cone")
    assert run.run() == {"FINISHED"}
    bpy.ops.ed.undo_push(message="generated")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert sorted(obj.name for obj in bpy.data.objects) == ["Cube", "long"]
    assert not [action for action in bpy.data.actions if "pas_de_deux_preview" in action]
    bpy.ops.ed.redo()
    bpy.ops.ed.redo()
    assert {"long partner", "Cone", "Cube"} <= {obj.name for obj in bpy.data.objects}
    assert not preview_dancers()


def test_an_undo_while_it_is_generated_is_survived(long_leader: bpy.types.Object) -> None:
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.mesh.primitive_cube_add()
    bpy.ops.ed.undo_push(message="cube")
    run = start_until_preview()
    bpy.ops.ed.undo()
    assert run.run() == {"FINISHED"}
    assert sorted(obj.name for obj in bpy.data.objects) == ["long", "long partner", "long partner body"]


def test_a_preview_that_is_deleted_does_not_end_the_job(long_leader: bpy.types.Object) -> None:
    run = start_until_preview()
    for obj in preview_dancers():
        bpy.data.objects.remove(obj)
    assert run.run() == {"FINISHED"}
    assert not preview_dancers()


def test_no_preview_is_saved(long_leader: bpy.types.Object, tmp_path: Path) -> None:
    run = start_until_preview()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "saved.blend"), copy=True)
    with bpy.data.libraries.load(str(tmp_path / "saved.blend")) as (saved, _):
        assert list(saved.objects) == ["long"]
    bpy.ops.pasdedeux.cancel()
    run.run()


def test_each_click_takes_the_next_seed(connected_leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    set_seed(5)
    for expected in (5, 6, 7):
        bpy.ops.pasdedeux.generate_partner(new_seed=True)
        assert settings.seed == expected
    assert [take.seed for take in settings.take_list] == [5, 6, 7]
    set_seed(6)
    bpy.ops.pasdedeux.generate_partner()  # as a script or with the seed locked
    assert settings.take_list[-1].seed == 6
    one, other = (settings.take_list[n].action for n in (1, 3))
    partner, positions = settings.partner, []
    for action in (one, other):
        keyframes.assign_action(partner, action)
        positions.append(joint_positions(partner, 40))
    np.testing.assert_allclose(*positions, atol=1e-5)


def test_a_take_says_how_to_make_it_again(connected_leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    settings.energy, settings.takes = 1.5, 2
    bpy.ops.pasdedeux.generate_partner()
    one, other = settings.take_list
    assert (one.number, other.number, one.action) == (1, 2, settings.partner.animation_data.action)
    again = json.loads(other.settings)
    assert again["operator"] == "generate_partner"
    scene = again["scene"]
    assert {name: scene[name] for name in ("model", "energy", "takes", "seed", "leader", "partner")} == {
        "model": "partner-flow", "energy": 1.5, "takes": 2, "seed": 0, "leader": "leader", "partner": "leader partner",
    }  # fmt: skip


def test_a_partner_that_was_keyed_by_hand_stays_in_the_list(connected_leader: bpy.types.Object) -> None:
    settings = bpy.context.scene.pas_de_deux
    partner = armatures.create_armature(bpy.context, "own", DEFAULT_SKELETON)
    partner.pose.bones["head"].keyframe_insert("rotation_quaternion", frame=1)
    own = partner.animation_data.action
    settings.partner = partner
    bpy.ops.pasdedeux.generate_partner()
    assert [take.action for take in settings.take_list] == [own, partner.animation_data.action]
    assert own.use_fake_user


def test_poses_keyed_on_a_correction_layer_are_kept(connected_leader: bpy.types.Object) -> None:
    bpy.ops.pasdedeux.generate_partner()
    partner = bpy.context.scene.pas_de_deux.partner
    nla.add_correction_layer(partner)
    bone = partner.pose.bones["left_shoulder"]
    for frame, turn in ((1, 0.0), (20, 0.3), (40, 0.0)):
        bone.rotation_quaternion = (np.cos(turn / 2.0), np.sin(turn / 2.0), 0.0, 0.0)
        bone.keyframe_insert("rotation_quaternion", frame=frame)
    kept, free = joint_positions(partner, 20), joint_positions(partner, 60)
    bpy.context.scene.pas_de_deux.keep_keyed = True
    set_seed(3)
    assert bpy.ops.pasdedeux.generate_partner() == {"FINISHED"}
    np.testing.assert_allclose(joint_positions(partner, 20), kept, atol=1e-5)
    assert np.abs(joint_positions(partner, 60) - free).max() > 0.02
