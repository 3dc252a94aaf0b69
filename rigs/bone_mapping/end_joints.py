"""Bone mapping by neighbours: the spine and the leaf joints that names leave open."""

from collections.abc import Sequence

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors, children_of, is_descendant
from rigs.bone_mapping.bone_map import SPINE_JOINTS, nearest_mapped_ancestor
from rigs.bone_mapping.bone_names import END_SITE, split_name
from rigs.bone_mapping.names.name_matcher import NameMatch
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS

_FINGER_BONES = 3
"""Number of bones of a finger beyond its knuckle: two more and the tip."""
_TIP_WORDS = frozenset(("end", "nub", "tip", "top"))
_MIN_TOE_COSINE = 0.3
"""Minimum cosine of the angle between foot and toes."""


def infer_spine(convention: NamingConvention, bones: list[int], parents: Sequence[int]) -> None:
    """Fill in the ends and the middle of the spine where the convention has no names for them."""
    first, middle, chest = (INDEX[name] for name in SPINE_JOINTS)
    trunk = [] if convention.controls else _trunk_bones(bones, parents)
    if len(trunk) > 1 and bones[chest] < 0 and trunk[-1] not in bones:
        bones[chest] = trunk[-1]
    elif len(trunk) > 1 and bones[chest] < 0 and bones[first] == trunk[-1] and not convention.generic:
        bones[chest], bones[first] = trunk[-1], trunk[0]
    if trunk and trunk[0] not in bones:
        if convention.generic and bones[first] in trunk and bones[middle] < 0:  # words that do not tell which of two
            bones[middle] = bones[first]
            bones[first] = trunk[0]
        elif bones[first] < 0:
            bones[first] = trunk[0]
    ends = {bones[first], bones[chest]}
    if bones[middle] < 0 and ends <= set(trunk) and convention.joints.get(SPINE_JOINTS[1]) != ():
        between = [
            bone for bone in trunk[trunk.index(bones[first]) + 1 : trunk.index(bones[chest])] if bone not in bones
        ]
        if between:
            bones[middle] = between[(len(between) - 1) // 2]


def raise_spine_ends(match: NameMatch, bones: list[int], nameless: Array, parents: Sequence[int]) -> None:
    """Move the ends of a spine, found by second-best names, to bones beyond them whose names say nothing."""
    trunk = [] if match.convention.controls else _trunk_bones(bones, parents)
    for joint, end in ((SPINE_JOINTS[0], 0), (SPINE_JOINTS[2], -1)):
        j = INDEX[joint]
        names = match.convention.joints.get(joint, ())
        best = names[0] if names and not match.convention.generic else None
        if (
            bones[j] in trunk
            and trunk[end] not in bones
            and nameless[trunk[end]]
            and (best is None or bones[j] not in match.bones_by_key.get(best, ()))
        ):
            bones[j] = trunk[end]


def _trunk_bones(bones: Sequence[int], parents: Sequence[int]) -> list[int]:
    """The bones from above the pelvis to the one that carries both arms, without those of the neck."""
    pelvis, neck, left, right = (bones[INDEX[name]] for name in ("pelvis", "neck", "left_shoulder", "right_shoulder"))
    path = ancestors(left, parents)
    if pelvis not in path:
        return []
    path = [bone for bone in path[: path.index(pelvis)] if is_descendant(right, bone, parents)]
    return [bone for bone in reversed(path) if neck < 0 or not (bone == neck or is_descendant(bone, neck, parents))]


def infer_end_joints(
    convention: NamingConvention, bones: list[int], names: Sequence[str], parents: Sequence[int]
) -> None:
    """Fill in unnamed leaf joints, such as the crown of the head, with the only bone beyond the joint."""
    children = children_of(parents)
    for j, joint in enumerate(JOINTS):
        if bones[j] >= 0 or CHILDREN[j] or convention.joints.get(joint) == ():
            continue
        beyond = _unbranched_path(nearest_mapped_ancestor(j, bones), children)
        ends_in_tip = len(beyond) > 1 and not _TIP_WORDS.isdisjoint(split_name(names[beyond[-2]]))
        if ends_in_tip and names[beyond[-1]].endswith(END_SITE):
            beyond.pop()
        max_bones = _FINGER_BONES if joint.endswith("_middle") and bones[PARENTS[j]] >= 0 else 1
        if 0 < len(beyond) <= max_bones and beyond[-1] not in bones:
            bones[j] = beyond[-1]


def drop_implausible_toe_tips(bones: list[int], names: Sequence[str], heads: Array) -> None:
    """Remove toe tips that are not ahead of the ball of the foot: some exporters write arbitrary end sites."""
    for side in ("left", "right"):
        tip = INDEX[f"{side}_bigtoe"]
        chain = [bones[INDEX[f"{side}_{joint}"]] for joint in ("ankle", "foot")]
        if min(*chain, bones[tip]) < 0 or not names[bones[tip]].endswith(END_SITE):
            continue
        foot, toes = heads[chain[1]] - heads[chain[0]], heads[bones[tip]] - heads[chain[1]]
        if foot @ toes < _MIN_TOE_COSINE * np.linalg.norm(foot) * np.linalg.norm(toes):
            bones[tip] = -1


def _unbranched_path(bone: int, children: dict[int, list[int]]) -> list[int]:
    """The bones beyond `bone` down to a leaf if none has a sibling; else none."""
    path: list[int] = []
    while below := children.get(bone, []):
        if len(below) > 1:
            return []
        bone = below[0]
        path.append(bone)
    return path
