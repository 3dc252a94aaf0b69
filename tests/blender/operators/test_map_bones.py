"""Bone maps: detected on known rigs, edited by hand, remembered for a skeleton, exchanged as JSON."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.animation import armatures, map_check, rig_motion

from rigs.skeleton import INDEX, JOINTS
from tests.rig_builders import CHARACTERS, build, wrong_bones
from tests.rigs.bone_mapping.dialect_rigs import DialectRig, dialect_rigs

BONES = {"Hips": None, "Spine": "Hips", "Head": "Spine"} | {
    f"{side}{part}": above.replace("*", side)
    for side in ("Left", "Right")
    for part, above in {
        "Arm": "Spine", "ForeArm": "*Arm", "Hand": "*ForeArm", "Prop": "*Hand", "UpLeg": "Hips", "Leg": "*UpLeg",
        "Foot": "*Leg",
    }.items()
}  # fmt: skip

BONE_OF_REQUIRED = {"pelvis": "Hips"} | {
    f"{side.lower()}_{joint}": f"{side}{bone}"
    for side in ("Left", "Right")
    for joint, bone in {
        "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
    }.items()
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_memory() -> Iterator[None]:
    """Begin and end without remembered maps."""
    folder = Path(bpy.utils.extension_path_user("bl_ext.user_default.pas_de_deux", path="bone_maps", create=True))
    yield
    for file in folder.iterdir():
        file.unlink()


def armature(name: str = "rig", rename: Callable[[str], str] = str) -> bpy.types.Object:
    """An armature whose bones lie in one point's neighbourhood, so that only their names can tell what they are."""
    rig = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    for n, (bone, above) in enumerate(BONES.items()):
        edit_bone = rig.data.edit_bones.new(rename(bone))
        edit_bone.head, edit_bone.tail = (0.0, 0.0, 0.1 * n), (0.0, 0.0, 0.1 * n + 0.1)
        edit_bone.parent = rig.data.edit_bones[rename(above)] if above else None
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def placed_armature(dialect: DialectRig) -> bpy.types.Object:
    """An armature with a dialect's bones, where they are."""
    rig = bpy.data.objects.new(dialect.label, bpy.data.armatures.new(dialect.label))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    for name, parent, head, tail in zip(
        dialect.rig.names, dialect.rig.parents, dialect.rig.heads, dialect.tails, strict=True
    ):
        bone = bones.new(name)
        bone.head, bone.tail = head, tail
        bone.parent = bones[dialect.rig.names[parent]] if parent >= 0 else None
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def mapped_bones(rig: bpy.types.Object) -> dict[str, str | None]:
    mapping, names = rig_motion.rig_bone_map(rig), armatures.read_rig(rig).names
    return {joint: names[bone] if bone >= 0 else None for joint, bone in zip(JOINTS, mapping.bones, strict=True)}


def rows(rig: bpy.types.Object) -> dict[str, str]:
    return {row.name: row.bone for row in rig.data.pas_de_deux.joints}


@pytest.mark.parametrize("name", CHARACTERS)
def test_no_bone_of_a_known_rig_is_wrong(corpus: Path, name: str) -> None:
    rig = build(name, corpus)
    assert wrong_bones(CHARACTERS[name], mapped_bones(rig)) == []
    assert rig_motion.rig_bone_map(rig).confidence > 0.95


@pytest.mark.parametrize("name", ["mmd", "mmd_tools", "sims4", "second_life", "roblox_r15"])
def test_a_rig_with_a_tools_bones_is_mapped_and_its_map_kept(name: str, tmp_path: Path) -> None:
    dialect = dialect_rigs(name)[0]
    rig = placed_armature(dialect)
    assert bpy.ops.pasdedeux.map_bones() == {"FINISHED"}
    assert rig.data.pas_de_deux.dialect == dialect.convention
    assert {joint: mapped_bones(rig)[joint] for joint in dialect.joints} == dialect.joints
    file = tmp_path / "map.json"
    assert bpy.ops.pasdedeux.export_map(filepath=str(file)) == {"FINISHED"}
    kept = {joint: row["bone"] for joint, row in json.loads(file.read_text("utf-8"))["joints"].items()}
    assert {joint: kept[joint] for joint in dialect.joints} == dialect.joints


def test_rigifys_controls_are_mapped_and_the_bones_of_its_spine_that_leave_the_pelvis_alone(corpus: Path) -> None:
    rig = build("Rigify", corpus)
    mapping, names = rig_motion.rig_bone_map(rig), armatures.read_rig(rig).names
    assert mapping.convention.name == "Rigify"
    assert [names[bone] for bone in mapping.spine] == ["spine_fk.002", "spine_fk.003"]
    assert [names[bone] for bone in mapping.neck] == ["neck", "head"]


def test_mapping_fills_a_row_for_every_joint() -> None:
    rig = armature()
    assert bpy.ops.pasdedeux.map_bones(target="rig") == {"FINISHED"}
    assert list(rows(rig)) == list(JOINTS)
    assert rows(rig)["left_knee"] == "LeftLeg"
    assert rows(rig)["neck"] == ""
    settings = rig.data.pas_de_deux
    assert settings.joints["left_knee"].sureness == rig_motion.rig_bone_map(rig).joint_confidence[INDEX["left_knee"]]
    assert settings.confidence == pytest.approx(rig_motion.rig_bone_map(rig).confidence)
    assert not settings.edited


def test_without_a_target_the_active_armature_is_mapped() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    assert rows(rig)["pelvis"] == "Hips"


def test_what_the_animator_chooses_holds() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    rig.data.pas_de_deux.joints["left_wrist"].bone = "LeftProp"
    rig.data.pas_de_deux.joints["jaw"].bone = ""
    assert mapped_bones(rig)["left_wrist"] == "LeftProp"
    assert mapped_bones(rig)["jaw"] is None
    assert rig.data.pas_de_deux.joints["left_wrist"].sureness == 1.0
    bpy.ops.pasdedeux.map_bones()
    assert rows(rig)["left_wrist"] == "LeftProp"


def test_a_choice_is_remembered_for_every_armature_with_that_skeleton() -> None:
    armature()
    bpy.ops.pasdedeux.map_bones()
    bpy.context.object.data.pas_de_deux.joints["left_wrist"].bone = "LeftProp"
    bpy.ops.wm.read_homefile(use_empty=True)
    again, other = armature("again"), armature("other", str.lower)
    assert mapped_bones(again)["left_wrist"] == "LeftProp"
    assert mapped_bones(other)["left_wrist"] == "lefthand"
    bpy.ops.pasdedeux.map_bones(target="again")
    assert rows(again)["left_wrist"] == "LeftProp"


def test_choices_can_be_forgotten() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    rig.data.pas_de_deux.joints["left_wrist"].bone = "LeftProp"
    bpy.ops.pasdedeux.map_bones(forget=True)
    assert rows(rig)["left_wrist"] == "LeftHand"
    assert mapped_bones(armature("again"))["left_wrist"] == "LeftHand"


def test_a_renamed_bone_makes_a_choice_void() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    rig.data.pas_de_deux.joints["left_wrist"].bone = "LeftProp"
    rig.data.bones["Head"].name = "Skull"
    assert mapped_bones(rig)["left_wrist"] == "LeftHand"


def test_a_map_goes_to_another_armature_as_a_file(tmp_path: Path) -> None:
    first = armature("first")
    bpy.ops.pasdedeux.map_bones()
    first.data.pas_de_deux.joints["left_wrist"].bone = "LeftProp"
    bpy.ops.pasdedeux.export_map(target="first", filepath=str(tmp_path / "map.json"))
    bpy.ops.pasdedeux.map_bones(target="first", forget=True)
    second = armature("second")
    assert bpy.ops.pasdedeux.import_map(target="second", filepath=str(tmp_path / "map.json")) == {"FINISHED"}
    assert mapped_bones(second)["left_wrist"] == "LeftProp"
    assert rows(second)["left_wrist"] == "LeftProp"
    assert json.loads((tmp_path / "map.json").read_text())["joints"]["pelvis"]["bone"] == "Hips"


def test_a_rig_in_which_no_dancer_is_found_can_be_mapped_by_hand() -> None:
    rig = armature(rename=lambda bone: f"bone {list(BONES).index(bone)}")
    with pytest.raises(RuntimeError, match="rig: no bone for pelvis; a humanoid with two arms and two legs expected"):
        bpy.ops.pasdedeux.map_bones()
    assert not rig.data.pas_de_deux.joints
    bpy.ops.pasdedeux.map_bones(by_hand=True)
    with pytest.raises(armatures.NotADancer, match="rig: no bone for pelvis; choose it in the Bone Map panel"):
        rig_motion.rig_bone_map(rig)
    for joint, bone in BONE_OF_REQUIRED.items():
        rig.data.pas_de_deux.joints[joint].bone = f"bone {list(BONES).index(bone)}"
    assert mapped_bones(rig)["pelvis"] == "bone 0"


def test_an_empty_map_by_hand_is_no_choice_to_keep() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones(by_hand=True)
    assert not any(rows(rig).values())
    bpy.ops.pasdedeux.map_bones()
    assert rows(rig)["left_wrist"] == "LeftHand"
    assert not rig.data.pas_de_deux.edited


@pytest.mark.parametrize(
    ("changes", "at_fault", "sentence"),
    [
        ({"pelvis": "RightUpLeg"}, {"pelvis", "right_hip"}, "RightUpLeg is the Pelvis and the Right Hip at once"),
        ({"left_wrist": "RightHand"}, {"left_wrist", "right_wrist"}, "RightHand is the Left Wrist and the Right Wrist"),
        (
            {"left_hip": "LeftLeg", "left_knee": "LeftUpLeg"},
            {"left_hip", "left_knee"},
            r"Left Knee \(LeftUpLeg\) is above the Left Hip \(LeftLeg\)",
        ),
        (
            {"left_wrist": "LeftFoot", "left_ankle": ""},
            {"left_wrist"},
            r"Left Wrist \(LeftFoot\) hangs on the Left Knee \(LeftLeg\), as in no body",
        ),
    ],
)
def test_an_impossible_body_is_shown_and_refused_and_nothing_that_was_chosen_is_lost(
    changes: dict[str, str], at_fault: set[str], sentence: str
) -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    assert map_check.map_faults(rig) == {}
    before = rows(rig)
    for joint, bone in changes.items():
        rig.data.pas_de_deux.joints[joint].bone = bone
    assert rows(rig) == before | changes
    faults = map_check.map_faults(rig)
    assert set(faults) == at_fault
    assert all(re.search(sentence, fault) for fault in faults.values())
    with pytest.raises(armatures.NotADancer, match=f"rig: {sentence}"):
        rig_motion.rig_bone_map(rig)
    with pytest.raises(RuntimeError, match=f"rig: {sentence}.*Detect Again"):
        bpy.ops.pasdedeux.map_bones(target="rig")
    with pytest.raises(RuntimeError, match=sentence):
        bpy.ops.pasdedeux.retarget(source=keyed("other").name, target="rig")
    assert rig.animation_data is None
    bpy.ops.pasdedeux.map_bones(target="rig", forget=True)
    assert map_check.map_faults(rig) == {}
    assert rows(rig) == before


def test_an_impossible_map_in_a_file_is_refused(tmp_path: Path) -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    before = rows(rig)
    bpy.ops.pasdedeux.export_map(filepath=str(tmp_path / "map.json"))
    text = (tmp_path / "map.json").read_text()
    (tmp_path / "map.json").write_text(text.replace('"Hips"', '"LeftArm"'))
    with pytest.raises(RuntimeError, match=r"map\.json: LeftArm is the Pelvis and the Left Shoulder at once"):
        bpy.ops.pasdedeux.import_map(filepath=str(tmp_path / "map.json"))
    assert rows(rig) == before


def test_a_row_whose_bone_was_renamed_is_told() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    rig.data.bones["Head"].name = "Skull"
    assert map_check.map_faults(rig)["jaw"] == "Head: rig has no bone Head, choose another one"


def test_bones_that_constraints_bind_in_a_circle_are_checked_all_the_same() -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    for bone, target in (("LeftLeg", "LeftFoot"), ("LeftFoot", "LeftLeg")):
        constraint = rig.pose.bones[bone].constraints.new("COPY_TRANSFORMS")
        constraint.target, constraint.subtarget = rig, target
    assert set(map_check.map_faults(rig)) <= {"left_knee", "left_ankle", "left_hip"}


def test_every_known_rigs_map_may_be_edited_without_a_fault(corpus: Path) -> None:
    for name in CHARACTERS:
        rig = build(name, corpus)
        bpy.ops.pasdedeux.map_bones()
        assert map_check.map_faults(rig) == {}, name
        for row in rig.data.pas_de_deux.joints:
            row.bone = row.bone
        assert rig.data.pas_de_deux.edited
        rig_motion.rig_bone_map(rig)
        rig.data.pas_de_deux.dialect = ""  # as in a map made by hand
        assert map_check.map_faults(rig) == {}, name


def nameless_body(name: str) -> bpy.types.Object:
    """A body of the dancer's proportions whose bones' names say nothing, with an action."""
    bpy.ops.pasdedeux.add_dancer()
    rig = bpy.context.active_object
    rig.name = name
    for n, bone in enumerate(rig.data.bones):
        bone.name = f"bone {n:03}"
    rig.pose.bones["bone 000"].keyframe_insert("location", frame=1)
    rig.pose.bones["bone 000"].keyframe_insert("location", frame=4)
    bpy.context.view_layer.update()
    return rig


def test_doubtful_bones_are_asked_about_by_name_until_they_are_confirmed() -> None:
    rig = nameless_body("odd")
    assert map_check.doubt_question([build_dancer()]) == ""
    question = map_check.doubt_question([rig, build_dancer()])
    assert question.startswith("Bones of odd that may be wrong:\n    Pelvis: bone 000\n")
    assert "and 16 more" in question
    map_check.confirm_bones([rig])
    assert map_check.doubt_question([rig]) == ""
    bpy.ops.pasdedeux.map_bones(target="odd")
    assert map_check.doubt_question([rig]) == question
    for row in rig.data.pas_de_deux.joints:
        row.bone = row.bone
    assert map_check.doubt_question([rig]) == ""


def test_a_script_is_warned_of_doubtful_bones_and_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    source, target = nameless_body("odd"), nameless_body("even")
    assert bpy.ops.pasdedeux.retarget(source="odd", target="even") == {"FINISHED"}
    out = capfd.readouterr().out
    for name in ("odd", "even"):
        assert f"Warning: {name}: 24 bones may be wrong, such as bone 000 for the Pelvis" in out
    assert target.animation_data.action.name == "even dance"
    assert source.data.pas_de_deux.confirmed == ""


def build_dancer() -> bpy.types.Object:
    """A dancer with the joints' own names."""
    bpy.ops.pasdedeux.add_dancer()
    return bpy.context.active_object


def keyed(name: str) -> bpy.types.Object:
    """Another armature, with an action."""
    rig = armature(name, str.upper)
    rig.pose.bones[0].keyframe_insert("location", frame=1)
    return rig


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (None, "map.json: no such file"),
        ("{", "map.json: a bone map in JSON expected"),
        (
            '{"kind": "Pas de Deux bone map", "joints": {"pelvis": {"bone": "Tail"}}}',
            "map.json: pelvis: a bone of this rig",
        ),
        ("\udcff", "map.json: "),
    ],
)
def test_a_bad_map_file_changes_nothing(tmp_path: Path, text: str | None, complaint: str) -> None:
    rig = armature()
    bpy.ops.pasdedeux.map_bones()
    before = rows(rig)
    if text is not None:
        (tmp_path / "map.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RuntimeError, match=complaint):
        bpy.ops.pasdedeux.import_map(filepath=str(tmp_path / "map.json"))
    assert rows(rig) == before
    assert not rig.data.pas_de_deux.edited


def test_what_is_no_armature_is_said_so() -> None:
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("cube", None))
    for operator in (bpy.ops.pasdedeux.map_bones, bpy.ops.pasdedeux.import_map, bpy.ops.pasdedeux.export_map):
        for name in ("cube", "nobody"):
            with pytest.raises(RuntimeError, match=f"{name}: an armature in the scene expected"):
                operator(target=name)
