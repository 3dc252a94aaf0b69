"""Ground truth of the rigs in retargeting tests, written by hand; `tests.rig_builders` builds them in Blender."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

SIDED = ("hip", "knee", "ankle", "foot", "bigtoe", "collar", "shoulder", "elbow", "wrist", "thumb", "middle")
LEAVES = ("head", "bigtoe", "thumb", "middle")
END = " end site"

Bones = tuple[str, ...]
BoneEnd = tuple[str, str]


@dataclass(frozen=True)
class Character:
    """Ground truth of a rig. The 29 joints' names are the keys.

    bones: the bones that a bone map may choose for a joint; a joint that is not in it has no bone of its own.
    places: the position of a joint on what deforms the skin: a deforming bone and its "head" or "tail".
    """

    bones: Mapping[str, Bones]
    places: Mapping[str, BoneEnd]


def wrong_bones(character: Character, chosen: Mapping[str, str | None]) -> list[str]:
    """The errors of a bone map, one clause a joint: another bone than the truth has, or one where there is none.

    chosen: for each joint the bone of the map, or None. A leaf joint may be missing, or be an end site of its chain.
    """
    wrong = []
    for joint in chosen:
        correct, mapped_bone = character.bones.get(joint, ()), chosen[joint]
        leaf = joint.removeprefix("left_").removeprefix("right_") in LEAVES
        if mapped_bone is None and (leaf or not correct):
            continue
        if (
            mapped_bone is not None
            and mapped_bone.endswith(END)
            and _is_end(character, joint, mapped_bone.removesuffix(END))
        ):
            continue
        if mapped_bone not in correct:
            wrong.append(f"{joint}: {' or '.join(correct) or 'no bone'} expected, {mapped_bone} found")
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


def _character(
    sides: tuple[str, str],
    bones: Mapping[str, str],
    places: Mapping[str, str] | None = None,
) -> Character:
    """A character from tables with one row for both sides.

    sides: what {s} stands for on the left and on the right.  bones: a joint's bones, alternatives after spaces.
    places: a deforming bone and its end after a ":"; the heads of `bones` without it.
    """
    where = {joint: f"{found.split()[0]}:head" for joint, found in bones.items()} | dict(places or {})
    return Character(
        {joint: tuple(found.split()) for joint, found in _both_sides(bones.items(), sides)},
        {joint: _bone_end(told) for joint, told in _both_sides(where.items(), sides) if told},
    )


def _bone_end(text: str) -> BoneEnd:
    bone, end = text.rsplit(":", 1)
    return bone, end


def _both_sides(rows: Iterable[tuple[str, str]], sides: tuple[str, str]) -> Iterator[tuple[str, str]]:
    for joint, text in rows:
        if joint not in SIDED:
            yield joint, text
            continue
        for side, word in zip(("left", "right"), sides, strict=True):
            yield f"{side}_{joint}", text.replace("{s}", word)


def _motionbuilder_names(prefix: str, **others: str) -> dict[str, str]:
    """The names that Mixamo, HumanIK and similar conventions share; `others` adds to them."""
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
        _LEFT_RIGHT,
        _motionbuilder_names("mixamorig:", head="HeadTop_End", bigtoe="{s}Toe_End"),
    ),
    "Mixamo of MPFB": _character(
        _LEFT_RIGHT,
        _motionbuilder_names("mixamorig:", middle="{s}HandMiddle3"),
        {
            "head": "mixamorig:Head:tail", "bigtoe": "mixamorig:{s}ToeBase:tail",
            "middle": "mixamorig:{s}HandMiddle3:tail",
        },
    ),
    "UE-style": _character(
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
        _LEFT_RIGHT,
        _motionbuilder_names(
            "", spine1="LowerBack Spine", spine2="Spine LowerBack", spine3="Spine1",
            thumb="{s}FingerBase {s}HandFinger1", middle="{s}HandFinger1",
        ),
        {"head": "Head:tail", "bigtoe": "{s}ToeBase:tail", "middle": "{s}HandFinger1:tail"},
    ),
    "MakeHuman": _character(
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
        ("L", "R"),
        {
            "pelvis": "MidHip", "neck": "Neck", "hip": "{s}Knee", "knee": "{s}Ankle", "ankle": "{s}BigToe",
            "foot": "{s}SmallToe", "collar": "{s}Shoulder", "shoulder": "{s}Elbow", "elbow": "{s}Wrist",
        },
        {"wrist": "{s}Wrist:tail", "jaw": "Neck:tail", "foot": "{s}BigToe:tail", "bigtoe": "{s}SmallToe:tail"},
    ),
    "HumanIK": _character(
        _LEFT_RIGHT,
        _motionbuilder_names("Character1_"),
        {"head": "Character1_Head:tail"},
    ),
    "Kenney": _character(
        _LEFT_RIGHT,
        _motionbuilder_names(
            "", head="Head_end", spine2="Chest", spine3="UpperChest", foot="{s}Toes", bigtoe="{s}Toes_end",
            thumb="{s}HandIndex1", middle="{s}HandIndex3_end {s}HandIndex3",
        ),
    ),
}  # fmt: skip
"""Ground truth by the rig's name."""
