"""Confidence in the bones of a bone map, and the joints of which one should rather ask."""

from collections.abc import Sequence

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import is_descendant
from rigs.bone_mapping.bone_map import BY_STRUCTURE, BoneMap
from rigs.bone_mapping.bone_names import NameKey
from rigs.bone_mapping.names.name_evidence import NameEvidence, joint_kind
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.bone_mapping.structure import structure_mapper
from rigs.skeleton import CHILDREN, INDEX, JOINTS, MIRROR_JOINTS, PARENTS

_BY_CONVENTION, _BY_COMMON_WORDS, _INFERRED, _BY_POSITION = 1.0, 0.85, 0.9, 0.6
"""Confidence in a bone matched by a preset, by generic words, inferred from its neighbours, and found by position."""
_BETWEEN_NAMED, _OTHER_NAME = 0.8, 0.4
"""Confidence in a nameless bone between named ones of its limb, and in one whose name says another joint or side."""
_ASYMMETRIC_NAME, _IMPLAUSIBLE_POSITION = 0.7, 0.8
"""Confidence factors for a bone whose other side is named differently, and for one at an implausible rest position."""
_APART = 0.4
"""The most confidence in a pelvis that does not bear the arms: what bears them would not follow it."""
_DOUBTFUL = 0.75
"""Confidence below which a bone is doubtful: found by position, named unlike its joint, or at a strange place."""


def doubtful_joints(bone_map: BoneMap) -> tuple[str, ...]:
    """The joints whose bone is doubtful. Tips of fingers, toes and head do not count: they move nothing."""
    return tuple(
        joint
        for j, joint in enumerate(JOINTS)
        if CHILDREN[j] and bone_map.bones[j] >= 0 and bone_map.joint_confidence[j] < _DOUBTFUL
    )


def joint_confidence(
    convention: NamingConvention,
    bones: Sequence[int],
    bones_by_key: dict[NameKey, list[int]],
    heads: Array | None,
    parents: Sequence[int],
    evidence: NameEvidence | None = None,
) -> list[float]:
    """(29,) confidence in each bone: how it was found, symmetry of names, plausibility of the rest position.

    evidence: of the bones' names, where names and places were weighed together.
    """
    implausible = frozenset() if heads is None else structure_mapper.implausible_joints(bones, heads)
    name_ranks = [_name_rank(convention, j, bone, bones_by_key) for j, bone in enumerate(bones)]
    base = _BY_POSITION if convention == BY_STRUCTURE else _BY_COMMON_WORDS if convention.generic else _BY_CONVENTION
    other_side = _on_other_side(evidence, bones)
    confidence = []
    for j, bone in enumerate(bones):
        nameless = evidence is not None and bone >= 0 and bool(evidence.nameless[bone])
        other = MIRROR_JOINTS[j]
        mirror_nameless = evidence is not None and bones[other] >= 0 and bool(evidence.nameless[bones[other]])
        if bone < 0 or convention == BY_STRUCTURE or name_ranks[j] >= 0:
            value = base if bone >= 0 else 0.0
        elif evidence is not None and CHILDREN[j] and evidence.says_other(joint_kind(JOINTS[j]), bone):
            value = _OTHER_NAME
        elif evidence is not None and (nameless or evidence.helpers[bone]) and CHILDREN[j]:
            value = _BETWEEN_NAMED * base if _is_between_named(j, name_ranks) else _BY_POSITION
        else:
            value = _INFERRED * base
        if name_ranks[j] != name_ranks[other] and not nameless and not mirror_nameless:
            value *= _ASYMMETRIC_NAME
        if j in other_side:
            value = min(value, _OTHER_NAME)
        confidence.append(value * (_IMPLAUSIBLE_POSITION if j in implausible else 1.0))
    if not convention.controls and not _bears_arms(bones, parents):
        confidence[INDEX["pelvis"]] = min(confidence[INDEX["pelvis"]], _APART)
    return confidence


def _bears_arms(bones: Sequence[int], parents: Sequence[int]) -> bool:
    shoulders = [bones[INDEX[f"{side}_shoulder"]] for side in ("left", "right")]
    return all(is_descendant(shoulder, bones[INDEX["pelvis"]], parents) for shoulder in shoulders)


def _on_other_side(evidence: NameEvidence | None, bones: Sequence[int]) -> frozenset[int]:
    """The joints whose bones' names say the other side, if other bones' names do not."""
    if evidence is None:
        return frozenset()
    said = [evidence.sides[bone] if bone >= 0 else 0.0 for bone in bones]
    agreement = [
        s * (name.startswith("left_") - name.startswith("right_")) for s, name in zip(said, JOINTS, strict=True)
    ]
    return frozenset(j for j, agrees in enumerate(agreement) if agrees < 0.0) if max(agreement) > 0.0 else frozenset()


def _is_between_named(j: int, name_ranks: Sequence[int]) -> bool:
    """Whether the joints above and below `j` have bones with names of theirs."""
    return PARENTS[j] >= 0 and name_ranks[PARENTS[j]] >= 0 and any(name_ranks[child] >= 0 for child in CHILDREN[j])


def _name_rank(convention: NamingConvention, j: int, bone: int, bones_by_key: dict[NameKey, list[int]]) -> int:
    """The rank among the convention's names for joint `j` of the name that the bone has, or -1."""
    keys = convention.joints.get(JOINTS[j], ())
    return next((n for n, key in enumerate(keys) if bone in bones_by_key.get(key, ())), -1)
