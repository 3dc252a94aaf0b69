"""Generating a partner with a real backend: keyframes against the backend's own result, and errors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux import background_job
from bl_ext.user_default.pas_de_deux.animation import armatures, keyframes
from bl_ext.user_default.pas_de_deux.operators import generate_partner
from conftest import Server, free_address
from modal_run import ModalRun
from motions import TENTH_OF_A_MILLIMETRE, joint_positions, max_joint_error, swaying_motion

from backend.client import Client
from backend.model_registry import REGISTRY
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
    assert keyframes.frame_range(partner) == range(1, FRAMES + 1)


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
    monkeypatch.setattr(background_job, "progress_listeners", [lambda fraction, what: dying.kill()])
    assert_error(scene_state, "No backend answers")
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
