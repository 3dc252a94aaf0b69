"""Rigs with known joints: bone hierarchies with bone maps that were written by hand, not with the presets.

Those in `hierarchies/` have the names and parents that a tool gives its bones; the others are files of the corpus.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_names import END_SITE

_SIDED = ("hip", "knee", "ankle", "foot", "bigtoe", "collar", "shoulder", "elbow", "wrist", "thumb", "middle")


@dataclass(frozen=True)
class Hierarchy:
    """Names and parents of bones, a parent before its children, and rest positions (N, 3) m or None."""

    names: list[str]
    parents: list[int]
    heads: Array | None = None

    def with_tails(self, tails: Array | None = None) -> "Hierarchy":
        """The same with the leaf bones' tails, at `tails` (N, 3) if it has positions."""
        leaves = [bone for bone in range(len(self.names)) if bone not in self.parents]
        heads = None if self.heads is None or tails is None else np.concatenate([self.heads, tails[leaves]])
        return Hierarchy(
            [*self.names, *(self.names[leaf] + END_SITE for leaf in leaves)], [*self.parents, *leaves], heads
        )

    def with_controls(self) -> "Hierarchy":
        """The same with a dozen more bones at each bone, as in rigs for animators."""
        extra = [(f"MCH-{name}.{n:03}", bone) for bone, name in enumerate(self.names) for n in range(12)]
        assert self.heads is not None
        heads = np.concatenate([self.heads, np.repeat(self.heads, 12, axis=0)])
        return Hierarchy(
            [*self.names, *(name for name, _ in extra)], [*self.parents, *(bone for _, bone in extra)], heads
        )


def tool_hierarchy(name: str, *, tails: bool = True) -> tuple[Hierarchy, dict[str, str], str]:
    """A rig of `hierarchies/`, with its joints' bones and the naming convention's name."""
    data = json.loads((Path(__file__).with_name("hierarchies") / f"{name}.json").read_text())
    names = list(data["parents"])
    rig = Hierarchy(names, [names.index(up) if up else -1 for up in data["parents"].values()])
    return rig.with_tails() if tails else rig, data["joints"], data["dialect"]


def rig_definition(corpus: Path, name: str) -> Hierarchy:
    """A rig definition of the corpus, with tails."""
    data = json.loads((corpus / "rig_definitions" / f"rig.{name}.json").read_text())
    bones = data.get("bones", data)
    names = [bone for bone in bones if not bones[bone]["parent"]]
    for bone in names:
        names += [child for child in bones if bones[child]["parent"] == bone]
    heads, tails = (np.array([bones[bone][end]["default_position"] for bone in names]) for end in ("head", "tail"))
    parents = [names.index(bones[bone]["parent"]) if bones[bone]["parent"] else -1 for bone in names]
    return Hierarchy(names, parents, heads).with_tails(tails)


def _both_sides(sides: Sequence[str], joints: Mapping[str, str]) -> dict[str, str]:
    """Joints to bones, both sides from one row; {s} stands for the side."""
    both = {}
    for joint, bone in joints.items():
        if joint in _SIDED:
            both |= {
                f"{side}_{joint}": bone.replace("{s}", s) for side, s in zip(("left", "right"), sides, strict=True)
            }
        else:
            both[joint] = bone
    return both


def _motionbuilder(prefix: str = "", **others: str) -> dict[str, str]:
    joints = {
        "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck", "jaw": "Head",
        "hip": "{s}UpLeg", "knee": "{s}Leg", "ankle": "{s}Foot", "foot": "{s}ToeBase", "collar": "{s}Shoulder",
        "shoulder": "{s}Arm", "elbow": "{s}ForeArm", "wrist": "{s}Hand",
    } | others  # fmt: skip
    return _both_sides(("Left", "Right"), {joint: prefix + bone for joint, bone in joints.items()})


_TIPS = {"head": "Head end site", "bigtoe": "{s}ToeBase end site"}

DEFINITION_JOINTS: dict[str, dict[str, str]] = {
    "mixamo": _motionbuilder(
        "mixamorig:", **_TIPS, thumb="{s}HandMiddle1", middle="{s}HandMiddle3 end site",
    ),
    "cmu_mb": _motionbuilder(
        **_TIPS, spine1="LowerBack", spine2="Spine", spine3="Spine1", thumb="{s}FingerBase",
        middle="{s}HandFinger1 end site",
    ),
    "game_engine": _both_sides("lr", {
        "pelvis": "pelvis", "spine1": "spine_01", "spine2": "spine_02", "spine3": "spine_03", "neck": "neck_01",
        "jaw": "head", "head": "head end site", "hip": "thigh_{s}", "knee": "calf_{s}", "ankle": "foot_{s}",
        "foot": "ball_{s}", "bigtoe": "ball_{s} end site", "collar": "clavicle_{s}", "shoulder": "upperarm_{s}",
        "elbow": "lowerarm_{s}", "wrist": "hand_{s}", "thumb": "middle_01_{s}", "middle": "middle_03_{s} end site",
    }),
    "default": _both_sides("LR", {
        "pelvis": "root", "spine1": "spine04", "spine2": "spine02", "spine3": "spine01", "neck": "neck01",
        "jaw": "head", "hip": "upperleg01.{s}", "knee": "lowerleg01.{s}", "ankle": "foot.{s}", "foot": "toe2-1.{s}",
        "bigtoe": "toe2-3.{s} end site", "collar": "clavicle.{s}", "shoulder": "upperarm01.{s}",
        "elbow": "lowerarm01.{s}", "wrist": "wrist.{s}", "thumb": "finger3-1.{s}", "middle": "finger3-3.{s} end site",
    }),
    "openpose": _both_sides("LR", {
        "pelvis": "MidHip", "neck": "Neck", "hip": "{s}Knee", "knee": "{s}Ankle", "ankle": "{s}BigToe",
        "foot": "{s}SmallToe", "collar": "{s}Shoulder", "shoulder": "{s}Elbow", "elbow": "{s}Wrist",
        "wrist": "{s}Wrist end site",
    }),
}  # fmt: skip
"""Bones of each joint, for each rig definition."""

_CMU = _both_sides("lr", {
    "pelvis": "root", "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck",
    "jaw": "head", "head": "head end site", "hip": "{s}femur", "knee": "{s}tibia", "ankle": "{s}foot",
    "foot": "{s}toes", "bigtoe": "{s}toes end site", "collar": "{s}clavicle", "shoulder": "{s}humerus",
    "elbow": "{s}radius", "wrist": "{s}hand", "thumb": "{s}fingers", "middle": "{s}fingers end site",
})  # fmt: skip
_JOINT_NAMES = {
    "pelvis": "Hips", "spine1": "Chest", "spine2": "Chest2", "spine3": "Chest4", "neck": "Neck", "jaw": "Head",
    "head": "Head end site", "hip": "{s}Hip", "knee": "{s}Knee", "ankle": "{s}Ankle", "foot": "{s}Toe",
    "bigtoe": "{s}Toe end site", "collar": "{s}Collar", "shoulder": "{s}Shoulder", "elbow": "{s}Elbow",
    "wrist": "{s}Wrist", "middle": "{s}Wrist end site",
}  # fmt: skip
_LONG_SPINE = _motionbuilder(**_TIPS, spine3="Spine3", middle="{s}Hand end site")

RECORDING_JOINTS: dict[str, dict[str, str]] = {
    "salsa/salsa_07_leader": _CMU,
    "salsa/salsa_02_follower": _CMU,
    "bvh_zoo/AD_rokoko_jesse_dance": _motionbuilder(
        **_TIPS, thumb="{s}HandMiddle1", middle="{s}HandMiddle3 end site"
    ),
    "bvh_zoo/AD_fair1_dab": _motionbuilder(
        **_TIPS, spine3="Spine3", thumb="{s}HandEnd", middle="{s}HandEnd end site"
    ),
    "bvh_zoo/pybvh_bvh_test1": _LONG_SPINE,
    "bvh_zoo/pybvh_standard_skeleton": _LONG_SPINE,
    "bvh_zoo/pybvh_bvh_test2": _both_sides(("Left", "Right"), _JOINT_NAMES),
    "bvh_zoo/AD_cmu1_jumping_jacks": _both_sides(("Left", "Right"), _JOINT_NAMES | {
        "spine1": "lowerback", "spine2": "Chest", "spine3": "Chest2", "neck": "lowerneck",
    }) | _both_sides("LR", {"thumb": "{s}Fingers", "middle": "{s}Fingers end site"}),
    "bvh_zoo/dataset-1_dance-short_normal_001": _both_sides("LR", {
        "pelvis": "Hips", "spine1": "Spine", "spine3": "Chest", "neck": "Neck", "jaw": "Head", "hip": "UpperLeg_{s}",
        "knee": "LowerLeg_{s}", "ankle": "Foot_{s}", "foot": "Toes_{s}", "collar": "Shoulder_{s}",
        "shoulder": "UpperArm_{s}", "elbow": "LowerArm_{s}", "wrist": "Hand_{s}",
    }),
    "bvh_zoo/cmu_daz_60_01": _both_sides("lr", {
        "pelvis": "hip", "spine1": "abdomen", "spine3": "chest", "neck": "neck", "jaw": "head", "hip": "{s}Thigh",
        "knee": "{s}Shin", "ankle": "{s}Foot", "foot": "{s}Foot end site", "collar": "{s}Collar",
        "shoulder": "{s}Shldr", "elbow": "{s}ForeArm", "wrist": "{s}Hand", "thumb": "{s}Mid1",
        "middle": "{s}Mid2 end site",
    }),
}  # fmt: skip
"""Nodes of each joint, for each recording."""
