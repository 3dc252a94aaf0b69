"""The rigs to retarget to, built in the open Blender, each with a truth that was written by hand.

    from tests.rig_builders import CHARACTERS, build
    rig = build("UE-style", corpus)

They come from Blender's own Rigify, from the corpus's FBX files and from its rig definitions. Only bpy is needed, so
that tests of the installed extension can build them too.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import bpy

FLOOR = 0.818  # m: how far the definitions that are centred on the body lie below their floor
SIDED = ("hip", "knee", "ankle", "foot", "bigtoe", "collar", "shoulder", "elbow", "wrist", "thumb", "middle")
LEAVES = ("head", "bigtoe", "thumb", "middle")
END = " end site"

Bones = tuple[str, ...]
Place = tuple[str, str]


@dataclass(frozen=True)
class Character:
    """A rig and what is known of it. The 29 joints' names are the keys.

    make: builds it from the corpus and returns its armature.
    bones: the bones that a map may choose for a joint; a joint that is not in it has no bone of its own.
    places: where a joint is on what the skin follows: a deforming bone and its "head" or "tail".
    """

    make: Callable[[Path], bpy.types.Object]
    bones: Mapping[str, Bones]
    places: Mapping[str, Place]


def build(name: str, corpus: Path, *, body: bool = False) -> bpy.types.Object:
    """Add the character to the scene at its rest pose on the floor, without animation, active and alone selected.

    body: keep the meshes that come with it. The scene's frame rate stays as it is.
    """
    render = bpy.context.scene.render
    rate = render.fps, render.fps_base
    before = set(bpy.data.objects)
    with contextlib.redirect_stdout(io.StringIO()):
        rig = CHARACTERS[name].make(corpus)
    render.fps, render.fps_base = rate
    for thing in set(bpy.data.objects) - before - {rig}:
        if thing.type == "EMPTY" or (thing.type == "MESH" and thing.parent == rig and not body):
            bpy.data.objects.remove(thing)
    rig.name = name
    rest(rig)
    bpy.ops.object.select_all(action="DESELECT")
    rig.select_set(True)
    bpy.context.view_layer.objects.active = rig
    bpy.context.view_layer.update()
    return rig


def rest(rig: bpy.types.Object) -> None:
    """Take the rig's action and its pose away; drivers stay, without which Rigify's rig does not work."""
    if rig.animation_data:
        rig.animation_data.action = None
    for bone in rig.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()


def wrong_bones(character: Character, chosen: Mapping[str, str | None]) -> list[str]:
    """What a map got wrong, one clause a joint: another bone than the truth has, or none where there is one.

    chosen: for each joint the bone of the map, or None. A leaf joint may be missing, or be an end site of its chain.
    """
    wrong = []
    for joint in chosen:
        right, found = character.bones.get(joint, ()), chosen[joint]
        leaf = joint.removeprefix("left_").removeprefix("right_") in LEAVES
        if found is None and (leaf or not right):
            continue
        if found is not None and found.endswith(END) and _is_end(character, joint, found.removesuffix(END)):
            continue
        if found not in right:
            wrong.append(f"{joint}: {' or '.join(right) or 'no bone'} expected, {found} found")
    return wrong


def _is_end(character: Character, joint: str, bone: str) -> bool:
    """Whether the bone's end is where the joint is, or is the end of the chain on which a leaf joint lies."""
    place = character.places.get(joint)
    if place is None:
        return False
    side = joint[: joint.index("_") + 1] if "_" in joint else ""
    above = {"head": "jaw", "bigtoe": "foot", "thumb": "wrist", "middle": "thumb"}.get(joint.removeprefix(side), "")
    chain = (*character.bones.get(joint, ()), *character.bones.get(side + above, ()))
    return place == (bone, "tail") or bone in chain


def generated_rigify(corpus: Path) -> bpy.types.Object:
    """Rigify's human, generated from its metarig."""
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.active_object
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.active_object
    data = metarig.data
    bpy.data.objects.remove(metarig)
    bpy.data.armatures.remove(data)
    return rig


def metarig(corpus: Path) -> bpy.types.Object:
    """Rigify's human before it is generated."""
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    return bpy.context.active_object


def imported(file: str) -> Callable[[Path], bpy.types.Object]:
    """The armature of an FBX file of the corpus."""

    def make(corpus: Path) -> bpy.types.Object:
        before = set(bpy.data.objects)
        bpy.ops.import_scene.fbx(filepath=str(corpus / "fbx_zoo" / file), use_anim=False)
        return next(thing for thing in set(bpy.data.objects) - before if thing.type == "ARMATURE")

    return make


def defined(file: str, lift: float = 0.0) -> Callable[[Path], bpy.types.Object]:
    """The armature of a rig definition of the corpus, raised by `lift` m."""

    def make(corpus: Path) -> bpy.types.Object:
        bones = json.loads((corpus / "rig_definitions" / file).read_text())
        bones = bones.get("bones", bones)
        rig = bpy.data.objects.new(file, bpy.data.armatures.new(file))
        bpy.context.scene.collection.objects.link(rig)
        bpy.ops.object.select_all(action="DESELECT")
        bpy.context.view_layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        for name in _parents_first(bones):
            _add_bone(rig.data.edit_bones, name, bones[name], lift)
        bpy.ops.object.mode_set(mode="OBJECT")
        return rig

    return make


def _parents_first(bones: Mapping[str, dict]) -> Iterator[str]:
    waiting = [name for name in bones if not bones[name]["parent"]]
    for name in waiting:
        yield name
        waiting += [child for child in bones if bones[child]["parent"] == name]


def _add_bone(bones: bpy.types.ArmatureEditBones, name: str, told: dict, lift: float) -> None:
    bone = bones.new(name)
    (x, y, low), (u, v, high) = (told[end]["default_position"] for end in ("head", "tail"))
    bone.head, bone.tail, bone.roll = (x, y, low + lift), (u, v, high + lift), told["roll"]
    bone.parent = bones.get(told["parent"])
    bone.use_connect = told["use_connect"] and bone.parent is not None
    bone.use_inherit_rotation = told["use_inherit_rotation"]


def _character(
    make: Callable[[Path], bpy.types.Object],
    sides: tuple[str, str],
    bones: Mapping[str, str],
    places: Mapping[str, str] | None = None,
) -> Character:
    """A character of tables with one row for both sides.

    sides: what stands for {s} on the left and on the right.  bones: a joint's bones, those that serve as well after
    spaces.  places: a deforming bone and its end after a ":"; the heads of `bones` without it.
    """
    where = {joint: f"{found.split()[0]}:head" for joint, found in bones.items()} | dict(places or {})
    return Character(
        make,
        {joint: tuple(found.split()) for joint, found in _both_sides(bones.items(), sides)},
        {joint: _place(told) for joint, told in _both_sides(where.items(), sides) if told},
    )


def _place(told: str) -> Place:
    bone, end = told.rsplit(":", 1)
    return bone, end


def _both_sides(rows: Iterable[tuple[str, str]], sides: tuple[str, str]) -> Iterator[tuple[str, str]]:
    for joint, told in rows:
        if joint not in SIDED:
            yield joint, told
            continue
        for side, word in zip(("left", "right"), sides, strict=True):
            yield f"{side}_{joint}", told.replace("{s}", word)


def _named_as_motionbuilder(prefix: str, **others: str) -> dict[str, str]:
    """Joints to bones where Mixamo, HumanIK and their kin agree; `others` adds to it."""
    names = {
        "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "jaw": "Head",
        "hip": "{s}UpLeg", "knee": "{s}Leg", "ankle": "{s}Foot", "foot": "{s}ToeBase", "collar": "{s}Shoulder",
        "shoulder": "{s}Arm", "elbow": "{s}ForeArm", "wrist": "{s}Hand", "thumb": "{s}HandMiddle1",
        "middle": "{s}HandMiddle4 {s}HandMiddle3",
    }  # fmt: skip
    joined = names | others
    return {joint: " ".join(prefix + name for name in found.split()) for joint, found in joined.items() if found}


_LEFT_RIGHT = ("Left", "Right")
_SPINES = "spine_fk spine_fk.001 spine_fk.002 spine_fk.003 chest"
_MAKEHUMAN_SPINES = "spine05 spine04 spine03 spine02 spine01"

CHARACTERS: dict[str, Character] = {
    "Rigify": _character(
        generated_rigify,
        (".L", ".R"),
        {
            "pelvis": "torso", "spine1": _SPINES, "spine2": _SPINES, "spine3": _SPINES, "neck": "neck", "jaw": "head",
            "hip": "thigh_fk{s}", "knee": "shin_fk{s}", "ankle": "foot_fk{s}", "foot": "toe_fk{s}",
            "collar": "shoulder{s}", "shoulder": "upper_arm_fk{s}", "elbow": "forearm_fk{s}", "wrist": "hand_fk{s}",
            "thumb": "f_middle.01{s}", "middle": "f_middle.03{s} f_middle.02{s} f_middle.01{s}.001",
        },
        {
            "pelvis": "DEF-spine:head", "spine1": "DEF-spine.001:head", "spine2": "DEF-spine.002:head",
            "spine3": "DEF-spine.003:head", "neck": "DEF-spine.004:head", "jaw": "DEF-spine.006:head",
            "head": "DEF-spine.006:tail", "hip": "DEF-thigh{s}:head", "knee": "DEF-shin{s}:head",
            "ankle": "DEF-foot{s}:head", "foot": "DEF-toe{s}:head", "bigtoe": "DEF-toe{s}:tail",
            "collar": "DEF-shoulder{s}:head", "shoulder": "DEF-upper_arm{s}:head", "elbow": "DEF-forearm{s}:head",
            "wrist": "DEF-hand{s}:head", "thumb": "DEF-f_middle.01{s}:head", "middle": "DEF-f_middle.03{s}:tail",
        },
    ),
    "Rigify metarig": _character(
        metarig,
        (".L", ".R"),
        {
            "pelvis": "spine", "spine1": "spine.001", "spine2": "spine.002", "spine3": "spine.003", "neck": "spine.004",
            "jaw": "spine.006", "hip": "thigh{s}", "knee": "shin{s}", "ankle": "foot{s}", "foot": "toe{s}",
            "collar": "shoulder{s}", "shoulder": "upper_arm{s}", "elbow": "forearm{s}", "wrist": "hand{s}",
            "thumb": "f_middle.01{s}", "middle": "f_middle.03{s}",
        },
        {"head": "spine.006:tail", "bigtoe": "toe{s}:tail", "middle": "f_middle.03{s}:tail"},
    ),
    "Mixamo": _character(
        imported("Samba_Dancing.fbx"),
        _LEFT_RIGHT,
        _named_as_motionbuilder("mixamorig:", head="HeadTop_End", bigtoe="{s}Toe_End"),
    ),
    "Mixamo of MPFB": _character(
        defined("rig.mixamo.json"),
        _LEFT_RIGHT,
        _named_as_motionbuilder("mixamorig:", middle="{s}HandMiddle3"),
        {
            "head": "mixamorig:Head:tail", "bigtoe": "mixamorig:{s}ToeBase:tail",
            "middle": "mixamorig:{s}HandMiddle3:tail",
        },
    ),
    "UE-style": _character(
        defined("rig.game_engine.json", FLOOR),
        ("_l", "_r"),
        {
            "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03", "neck": "neck_01",
            "jaw": "head", "hip": "thigh{s}", "knee": "calf{s}", "ankle": "foot{s}", "foot": "ball{s}",
            "collar": "clavicle{s}", "shoulder": "upperarm{s}", "elbow": "lowerarm{s}", "wrist": "hand{s}",
            "thumb": "middle_01{s}", "middle": "middle_03{s}",
        },
        {"head": "head:tail", "bigtoe": "ball{s}:tail", "middle": "middle_03{s}:tail"},
    ),
    "CMU": _character(
        defined("rig.cmu_mb.json", FLOOR),
        _LEFT_RIGHT,
        _named_as_motionbuilder(
            "", spine1="LowerBack Spine", spine2="Spine LowerBack", spine3="Spine1",
            thumb="{s}FingerBase {s}HandFinger1", middle="{s}HandFinger1",
        ),
        {"head": "Head:tail", "bigtoe": "{s}ToeBase:tail", "middle": "{s}HandFinger1:tail"},
    ),
    "MakeHuman": _character(
        defined("rig.default.json", FLOOR),
        (".L", ".R"),
        {
            "pelvis": "root", "spine1": _MAKEHUMAN_SPINES, "spine2": _MAKEHUMAN_SPINES, "spine3": _MAKEHUMAN_SPINES,
            "neck": "neck01", "jaw": "head", "hip": "upperleg01{s}", "knee": "lowerleg01{s}", "ankle": "foot{s}",
            "foot": "toe2-1{s} toe1-1{s} toe3-1{s}", "bigtoe": "toe1-2{s} toe1-1{s} toe2-3{s} toe2-2{s} toe3-3{s}",
            "collar": "clavicle{s} shoulder01{s}", "shoulder": "upperarm01{s}", "elbow": "lowerarm01{s}",
            "wrist": "wrist{s}", "thumb": "finger3-1{s} metacarpal2{s}", "middle": "finger3-3{s} finger3-2{s}",
        },
        {
            "pelvis": "spine05:head", "spine1": "spine04:head", "spine2": "spine02:head", "spine3": "spine01:head",
            "head": "head:tail", "bigtoe": "toe1-2{s}:tail", "middle": "finger3-3{s}:tail",
        },
    ),
    "OpenPose": _character(
        defined("rig.openpose.json"),
        ("L", "R"),
        {
            "pelvis": "MidHip", "neck": "Neck", "hip": "{s}Knee", "knee": "{s}Ankle", "ankle": "{s}BigToe",
            "foot": "{s}SmallToe", "collar": "{s}Shoulder", "shoulder": "{s}Elbow", "elbow": "{s}Wrist",
        },
        {"wrist": "{s}Wrist:tail", "jaw": "Neck:tail", "foot": "{s}BigToe:tail", "bigtoe": "{s}SmallToe:tail"},
    ),
    "HumanIK": _character(
        imported("maya_human_ik_7400_binary.fbx"),
        _LEFT_RIGHT,
        _named_as_motionbuilder("Character1_"),
        {"head": "Character1_Head:tail"},
    ),
    "Kenney": _character(
        imported("maya_kenney_character_7700_binary.fbx"),
        _LEFT_RIGHT,
        _named_as_motionbuilder(
            "", head="Head_end", spine2="Chest", spine3="UpperChest", foot="{s}Toes", bigtoe="{s}Toes_end",
            thumb="{s}HandIndex1", middle="{s}HandIndex3_end {s}HandIndex3",
        ),
    ),
}  # fmt: skip
"""By the names under which the table lists them."""
