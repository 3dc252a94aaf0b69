"""Confidence in the bones of a bone map, and the joints of which one should rather ask."""

from collections.abc import Sequence

from rigs import Array
from rigs.bone_mapping import structure_mapper
from rigs.bone_mapping.bone_map import BY_STRUCTURE, BoneMap
from rigs.bone_mapping.bone_names import NameKey
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.skeleton import CHILDREN, JOINTS, MIRROR_JOINTS

_BY_CONVENTION, _BY_COMMON_WORDS, _INFERRED, _BY_POSITION = 1.0, 0.85, 0.9, 0.6
"""Confidence in a bone matched by a preset, by generic words, inferred from its neighbours, and found by position."""
_ASYMMETRIC_NAME, _IMPLAUSIBLE_POSITION = 0.7, 0.8
"""Confidence factors for a bone whose other side is named differently, and for one at an implausible rest position."""
_DOUBTFUL = 0.75
"""Confidence below which a bone is doubtful: found by position, named unlike the other side, or at a strange place."""


def doubtful_joints(bone_map: BoneMap) -> tuple[str, ...]:
    """The joints whose bone is doubtful. Tips of fingers, toes and head do not count: they move nothing."""
    return tuple(
        joint
        for j, joint in enumerate(JOINTS)
        if CHILDREN[j] and bone_map.bones[j] >= 0 and bone_map.joint_confidence[j] < _DOUBTFUL
    )


def joint_confidence(
    convention: NamingConvention, bones: Sequence[int], bones_by_key: dict[NameKey, list[int]], heads: Array | None
) -> list[float]:
    """(29,) confidence in each bone: how it was found, symmetry of names, plausibility of the rest position."""
    implausible = frozenset() if heads is None else structure_mapper.implausible_joints(bones, heads)
    name_ranks = [_name_rank(convention, j, bone, bones_by_key) for j, bone in enumerate(bones)]
    base = _BY_POSITION if convention == BY_STRUCTURE else _BY_COMMON_WORDS if convention.generic else _BY_CONVENTION
    return [
        0.0
        if bone < 0
        else (base if name_ranks[j] >= 0 or convention == BY_STRUCTURE else _INFERRED * base)
        * (1.0 if name_ranks[j] == name_ranks[MIRROR_JOINTS[j]] else _ASYMMETRIC_NAME)
        * (_IMPLAUSIBLE_POSITION if j in implausible else 1.0)
        for j, bone in enumerate(bones)
    ]


def _name_rank(convention: NamingConvention, j: int, bone: int, bones_by_key: dict[NameKey, list[int]]) -> int:
    """The rank among the convention's names for joint `j` of the name that the bone has, or -1."""
    keys = convention.joints.get(JOINTS[j], ())
    return next((n for n, key in enumerate(keys) if bone in bones_by_key.get(key, ())), -1)
