"""Written keys that something overrides: what is named, what is solved, and Release Bones, in real scenes."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
import pytest
from bl_ext.user_default.pas_de_deux.panels import retarget as retarget_panel

from rigs import Array, files, rotations
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, PARENTS
from tests.rig_builders import build

FRAMES = range(1, 60, 4)
RETARGET = "pasdedeux.retarget"
FOREARM, HAND, THIGH = "forearm.L", "hand.L", "thigh.R"
NAMES = {
    "pelvis": "hips", "spine1": "spine", "spine2": "spine.001", "spine3": "chest", "neck": "neck", "jaw": "head",
    **{
        f"{side}_{joint}": f"{name}.{letter}"
        for side, letter in (("left", "L"), ("right", "R"))
        for joint, name in (
            ("hip", "thigh"), ("knee", "shin"), ("ankle", "foot"), ("foot", "toe"), ("collar", "clavicle"),
            ("shoulder", "upper_arm"), ("elbow", "forearm"), ("wrist", "hand"),
        )
    },
}  # fmt: skip


@pytest.fixture
def source(tmp_path: Path) -> bpy.types.Object:
    """Two seconds of the sample dance on a dancer of our own."""
    files.write(tmp_path / "dance.npz", sample_dance()[:60])
    bpy.ops.pasdedeux.import_mocap(filepath=str(tmp_path / "dance.npz"), body=False)
    return bpy.context.object


def make_target(*, connected: bool = False, tilt: Array | None = None) -> bpy.types.Object:
    """An upright rig in our T-pose with a root bone, common names, and the hips connected to the root if asked for.

    tilt: (4,) a rotation of all its bones about the origin.
    """
    heads = DEFAULT_SKELETON.rest_positions()
    turn = rotations.identity() if tilt is None else tilt
    rig = bpy.data.objects.new("Target", bpy.data.armatures.new("Target"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    root = bones.new("root")
    low, pelvis = np.array([0.0, 0.0, 0.2]), heads[0]
    root.head, root.tail = rotations.rotate(turn, low).tolist(), rotations.rotate(turn, pelvis).tolist()
    for j, joint in enumerate(JOINTS):
        if joint not in NAMES:
            continue
        bone = bones.new(NAMES[joint])
        child = next((c for c, parent in enumerate(PARENTS) if parent == j and JOINTS[c] in NAMES), -1)
        tip = heads[child] if child >= 0 and joint not in ("pelvis", "spine3") else heads[j] + np.array([0.0, 0.0, 0.1])
        tip = heads[JOINTS.index("spine1")] if joint == "pelvis" else tip
        bone.head, bone.tail = rotations.rotate(turn, heads[j]).tolist(), rotations.rotate(turn, tip).tolist()
        parent = PARENTS[j]
        bone.parent = bones[NAMES[JOINTS[parent]]] if parent >= 0 else root
    bones["hips"].use_connect = connected
    bpy.ops.object.mode_set(mode="OBJECT")
    bpy.context.view_layer.update()
    return rig


def bone_poses(rig: bpy.types.Object, bones: list[str]) -> tuple[Array, Array]:
    """Evaluated world rotations (F, N, 4) and heads (F, N, 3) of bones."""
    turns, heads = [], []
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        evaluated = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices = [np.array(evaluated.matrix_world @ evaluated.pose.bones[bone].matrix) for bone in bones]
        turns.append([rotations.from_matrix(m[:3, :3] / np.linalg.norm(m[:3, :3], axis=0)) for m in matrices])
        heads.append([m[:3, 3] for m in matrices])
    return np.array(turns), np.array(heads)


def errors(rig: bpy.types.Object, free: tuple[Array, Array]) -> tuple[float, float]:
    """By how many degrees and cm the bones are off at most from the poses of a rig that nothing holds."""
    turns, heads = bone_poses(rig, list(NAMES.values()))
    angle = np.degrees(rotations.angle_between(turns, free[0]).max())
    return float(angle), float(100.0 * np.linalg.norm(heads - free[1], axis=-1).max())


def retarget(source: bpy.types.Object, target: bpy.types.Object, **options: object) -> None:
    assert bpy.ops.pasdedeux.retarget(source=source.name, target=target.name, **options) == {"FINISHED"}


def warnings(operator: str = RETARGET) -> list[str]:
    """The warnings that the panel shows of an operator's last run."""
    return [notice.text for notice in bpy.context.scene.pas_de_deux.notices if notice.operator == operator]


@pytest.fixture
def free(source: bpy.types.Object) -> tuple[Array, Array]:
    """The poses of the target that nothing holds; it is removed."""
    target = make_target()
    retarget(source, target)
    poses = bone_poses(target, list(NAMES.values()))
    assert warnings() == []
    bpy.data.objects.remove(target)
    return poses


def copy_rotation(rig: bpy.types.Object) -> None:
    constraint = rig.pose.bones[FOREARM].constraints.new("COPY_ROTATION")
    constraint.target, constraint.subtarget = rig, "foot.L"


def ik(rig: bpy.types.Object) -> None:
    goal = bpy.data.objects.new("Goal", None)
    bpy.context.scene.collection.objects.link(goal)
    goal.location = (0.5, -0.4, 1.0)
    constraint = rig.pose.bones[FOREARM].constraints.new("IK")
    constraint.target, constraint.chain_count = goal, 2


def driver(rig: bpy.types.Object) -> None:
    rig.pose.bones[THIGH].rotation_mode = "QUATERNION"
    curve = rig.driver_add(f'pose.bones["{THIGH}"].rotation_quaternion', 1)
    curve.driver.expression = "0.5"
    curve.driver.type = "SUM"
    variable = curve.driver.variables.new()
    variable.targets[0].id, variable.targets[0].data_path = rig, 'pose.bones["hand.L"].scale[0]'


def solo_track(rig: bpy.types.Object) -> None:
    other_track(rig).is_solo = True


def other_track(rig: bpy.types.Object) -> bpy.types.NlaTrack:
    """A track with an action of the rig's left arm and root, that the assigned action lies above."""
    rig.animation_data_create()
    action = bpy.data.actions.new("other")
    rig.animation_data.action = action
    bone = rig.pose.bones["upper_arm.L"]
    for frame, turn in ((1, 0.2), (60, 0.9)):
        bone.rotation_quaternion = (np.cos(turn), np.sin(turn), 0.0, 0.0)
        bone.keyframe_insert("rotation_quaternion", frame=frame)
        bone.location = (0.0, 0.05, 0.0)
        bone.keyframe_insert("location", frame=frame)
    slot = getattr(rig.animation_data, "action_slot", None)
    rig.animation_data.action = None
    track = rig.animation_data.nla_tracks.new()
    track.name = "Old take"
    strip = track.strips.new("other", 1, action)
    if slot is not None:
        strip.action_slot = slot
    bone.location = (0.0, 0.0, 0.0)
    bone.rotation_quaternion = (1.0, 0.0, 0.0, 0.0)
    return track


def blended(rig: bpy.types.Object) -> None:
    other_track(rig)
    rig.animation_data.action_influence = 0.3


def rest_position(rig: bpy.types.Object) -> None:
    rig.data.pose_position = "REST"


def scaled(rig: bpy.types.Object) -> None:
    rig.pose.bones["upper_arm.L"].scale = (1.0, 1.4, 1.0)


HELD: dict[str, tuple[Callable[[bpy.types.Object], None], str, float]] = {
    "Copy Rotation": (
        copy_rotation,
        "forearm.L off by {} degrees, held by constraint Copy Rotation of forearm.L",
        20.0,
    ),
    "IK": (ik, "held by constraint IK of forearm.L", 20.0),
    "driver": (driver, "thigh.R off by {} degrees, held by driver on rotation_quaternion of thigh.R", 10.0),
    "solo track": (solo_track, "the NLA track Old take is solo", 20.0),
    "influence": (blended, "its action is blended with NLA strips: Replace, influence 0.3", 20.0),
    "Rest Position": (rest_position, "the armature is in Rest Position", 20.0),
}


@pytest.mark.parametrize("name", HELD)
def test_bones_that_something_holds_are_named_and_released(
    source: bpy.types.Object, free: tuple[Array, Array], name: str
) -> None:
    hold, sentence, least = HELD[name]
    target = make_target()
    hold(target)
    retarget(source, target)
    angle, _ = errors(target, free)
    assert angle > least
    (warning,) = warnings()
    assert warning.startswith("Target does not follow its keys: ")
    before, _, after = sentence.partition("{}")
    assert before in warning
    assert after in warning
    assert "Release Bones" in warning
    assert bpy.ops.pasdedeux.release_bones() == {"FINISHED"}
    assert warnings() == []
    assert warnings("pasdedeux.release_bones") == []
    angle, distance = errors(target, free)
    assert max(angle, distance) < 0.1


def test_a_scaled_bone_is_named_and_released(source: bpy.types.Object, free: tuple[Array, Array]) -> None:
    target = make_target()
    scaled(target)
    retarget(source, target)
    (warning,) = warnings()
    assert "scale of upper_arm.L" in warning
    bpy.ops.pasdedeux.release_bones()
    angle, distance = errors(target, free)
    assert max(angle, distance) < 0.1


def test_a_strip_of_an_nla_that_is_switched_off_is_named_and_released(
    source: bpy.types.Object, free: tuple[Array, Array]
) -> None:
    target = make_target()
    other_track(target)
    target.animation_data.use_nla = False
    retarget(source, target, onto="STRIP")
    assert errors(target, free)[0] > 20.0
    (warning,) = warnings()
    assert "its NLA tracks are switched off" in warning
    bpy.ops.pasdedeux.release_bones()
    angle, distance = errors(target, free)
    assert max(angle, distance) < 0.1


def leftover_locations(rig: bpy.types.Object) -> None:
    for bone in ("upper_arm.L", "thigh.R", "chest"):
        rig.pose.bones[bone].location = (0.05, 0.0, 0.0)


def moved_root(rig: bpy.types.Object) -> None:
    root = rig.pose.bones["root"]
    root.rotation_mode = "XYZ"
    root.location, root.rotation_euler = (1.0, 0.0, 0.5), (0.0, 0.4, 0.3)


def old_keys(rig: bpy.types.Object) -> None:
    """An action that moves the object, the root and the location of an arm."""
    moved_root(rig)
    rig.pose.bones["upper_arm.L"].location = (0.0, 0.05, 0.0)
    for frame in (1, 60):
        rig.pose.bones["root"].keyframe_insert("location", frame=frame)
        rig.pose.bones["root"].keyframe_insert("rotation_euler", frame=frame)
        rig.pose.bones["upper_arm.L"].keyframe_insert("location", frame=frame)
        rig.location[0] = frame / 10.0
        rig.keyframe_insert("location", frame=frame)
    bpy.context.scene.frame_set(1)
    rig.location[0] = 0.1


def muted_group(rig: bpy.types.Object) -> None:
    """An assigned action whose muted group has keys of a mapped bone, and of its scale, which stay."""
    bone = rig.pose.bones[FOREARM]
    bone.keyframe_insert("rotation_quaternion", frame=1, group=FOREARM)
    bone.keyframe_insert("scale", frame=1, group=FOREARM)
    action = rig.animation_data.action
    bag = action.layers[0].strips[0].channelbags[0] if hasattr(action, "layers") else action
    bag.groups[FOREARM].mute = True


def locks(rig: bpy.types.Object) -> None:
    """Locked channels, which stop the mouse but no keys."""
    bone = rig.pose.bones[FOREARM]
    bone.lock_rotation, bone.lock_rotation_w, bone.lock_location = (True, True, True), True, (True, True, True)


SOLVED = {
    "locks": locks,
    "locations of 5 cm": leftover_locations,
    "moved root": moved_root,
    "old keys": old_keys,
    "strips below": other_track,
    "muted group": muted_group,
}


@pytest.mark.parametrize("onto", ["NEW", "CURRENT", "STRIP"])
@pytest.mark.parametrize("name", SOLVED)
def test_what_would_add_to_the_motion_is_put_to_rest(
    source: bpy.types.Object, free: tuple[Array, Array], name: str, onto: str
) -> None:
    target = make_target()
    SOLVED[name](target)
    bpy.context.view_layer.update()
    retarget(source, target, onto=onto)
    angle, distance = errors(target, free)
    assert max(angle, distance) < 0.1
    assert warnings() == []


@pytest.mark.parametrize("root", ["hips", "bone", "object"])
def test_connected_hips_travel_by_the_root(source: bpy.types.Object, free: tuple[Array, Array], root: str) -> None:
    target = make_target(connected=True)
    retarget(source, target, root=root)
    assert warnings() == []
    angle, distance = errors(target, free)
    assert max(angle, distance) < 0.1


def test_a_parent_that_moves_the_object_is_named(source: bpy.types.Object) -> None:
    target = make_target()
    parent = bpy.data.objects.new("Cart", None)
    bpy.context.scene.collection.objects.link(parent)
    target.parent = parent
    for frame in (1, 60):
        parent.location[0] = frame / 60.0
        parent.keyframe_insert("location", frame=frame)
    retarget(source, target)
    (warning,) = warnings()
    assert "the object moves by itself: its parent Cart" in warning
    assert "Release Bones" not in warning
    assert not bpy.context.scene.pas_de_deux.held_bones


def test_the_next_run_clears_the_warning(source: bpy.types.Object) -> None:
    target = make_target()
    copy_rotation(target)
    retarget(source, target)
    assert len(warnings()) == len(bpy.context.scene.pas_de_deux.held_bones) == 1
    target.pose.bones[FOREARM].constraints[0].mute = True
    retarget(source, target)
    assert len(warnings()) == len(bpy.context.scene.pas_de_deux.held_bones) == 0


def test_fewer_keys_within_a_wide_tolerance_are_no_fault(source: bpy.types.Object) -> None:
    target = make_target()
    retarget(source, target, reduce=True, angle=np.radians(3.0), distance=0.03)
    assert warnings() == []


@pytest.mark.parametrize("name", ["Rigify", "Mixamo", "UE-style", "CMU", "MakeHuman", "OpenPose", "HumanIK", "Kenney"])
@pytest.mark.parametrize("options", [{}, {"limbs": "IK"}, {"root": "object"}, {"reduce": True}], ids=str)
def test_rigs_that_nothing_holds_are_not_warned_of(
    source: bpy.types.Object, corpus: Path, name: str, options: dict[str, Any]
) -> None:
    target = build(name, corpus)
    retarget(source, target, **options)
    assert warnings() == []


@pytest.mark.parametrize("tilts", ["object", "rest pose"])
@pytest.mark.parametrize("root", ["hips", "object"])
@pytest.mark.parametrize("degrees", [10.0, 45.0, 90.0, 180.0])
@pytest.mark.parametrize("axis", ["X", "Y"])
def test_a_target_that_leans_or_lies_dances_upright(
    source: bpy.types.Object, free: tuple[Array, Array], axis: str, degrees: float, root: str, tilts: str
) -> None:
    turn = rotations.from_axis_angle(np.eye(3)["XY".index(axis)], np.radians(degrees))
    target = make_target(tilt=turn if tilts == "rest pose" else None)
    if tilts == "object":
        target.rotation_mode = "QUATERNION"
        target.rotation_quaternion = turn
    bpy.context.view_layer.update()
    retarget(source, target, root=root)
    assert warnings() == []
    _, heads = bone_poses(target, list(NAMES.values()))
    exact = tilts == "object" or degrees > 45.0
    cosines = np.sum(_directions(free[1]) * _directions(heads), axis=-1)
    off = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0))).max()
    assert off < (0.1 if exact else 2.5)
    assert 100.0 * np.linalg.norm(heads - free[1], axis=-1).max() < (0.1 if exact else 6.0)


def _directions(heads: Array) -> Array:
    """The directions (F, N, 3) of trunk and limbs."""
    names = list(NAMES.values())
    chains = [("hips", "spine"), ("spine", "chest"), ("chest", "neck"), ("neck", "head"), ("hips", "neck")]
    chains += [(f"{a}.{s}", f"{b}.{s}") for s in "LR" for a, b in (("thigh", "shin"), ("upper_arm", "forearm"))]
    vectors = np.stack([heads[:, names.index(b)] - heads[:, names.index(a)] for a, b in chains], axis=1)
    return rotations.normalize(vectors)


def test_the_retarget_panel_shows_the_warning_and_release_bones(source: bpy.types.Object) -> None:
    drawn: list[tuple[str, str]] = []

    class Layout:
        """Records the labels and the buttons that are drawn, with the operators for which they release bones."""

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: Layout()

        def label(self, *, text: str, **_: Any) -> None:
            drawn.append(("label", text))

        def operator(self, idname: str, **_: Any) -> Any:
            drawn.append(("operator", idname))
            return SimpleNamespace()

    def draw() -> list[tuple[str, str]]:
        drawn.clear()
        retarget_panel.PASDEDEUX_PT_retarget.draw(SimpleNamespace(layout=Layout()), bpy.context)
        return drawn

    target = make_target()
    copy_rotation(target)
    assert ("operator", "pasdedeux.release_bones") not in draw()
    retarget(source, target)
    texts = " ".join(text for kind, text in draw() if kind == "label")
    assert "Target does not follow its keys: forearm.L off by" in texts
    assert ("operator", "pasdedeux.release_bones") in drawn
    bpy.ops.pasdedeux.release_bones()
    assert ("operator", "pasdedeux.release_bones") not in draw()


def test_a_hidden_target_is_compared_too(source: bpy.types.Object) -> None:
    target = make_target()
    copy_rotation(target)
    target.hide_viewport = True
    retarget(source, target)
    (warning,) = warnings()
    assert "held by constraint Copy Rotation of forearm.L" in warning
    assert target.hide_viewport
