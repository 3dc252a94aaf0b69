"""Bone mapping: find the 29 joints among a rig's bones by naming-convention presets, checked against the hierarchy.

Where the names match no preset, the rest positions of the bones are used (`structure_mapper`).
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.bone_mapping import structure_mapper
from rigs.bone_mapping.bone_hierarchy import ancestors, children_of, is_descendant
from rigs.bone_mapping.bone_names import END_SITE, NameKey, index_names, split_full_name, split_name
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions, paired_stems
from rigs.skeleton import CHILDREN, INDEX, JOINTS, MIRROR_JOINTS, PARENTS

_PAIRED_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
REQUIRED: tuple[str, ...] = ("pelvis", *(f"{side}_{joint}" for joint in _PAIRED_JOINTS for side in ("left", "right")))
"""The joints without which a rig is no humanoid with two arms and two legs."""
_MATCH_ORDER = (*REQUIRED, "spine3", *(name for name in JOINTS if name not in (*REQUIRED, "spine3")))
"""The joints in the order in which they are matched: those first that narrow down the others."""
_SPINE = ("spine1", "spine2", "spine3")
_FINGER_BONES = 3
"""Number of bones of a finger beyond its knuckle: two more and the tip."""
_TIP_WORDS = frozenset(("end", "nub", "tip", "top"))

_BY_CONVENTION, _BY_COMMON_WORDS, _INFERRED, _BY_POSITION = 1.0, 0.85, 0.9, 0.6
"""Confidence in a bone matched by a preset, by generic words, inferred from its neighbours, and found by position."""
_MIN_TOE_COSINE = 0.3
"""Minimum cosine of the angle between foot and toes."""
_ASYMMETRIC_NAME, _IMPLAUSIBLE_POSITION = 0.7, 0.8
"""Confidence factors for a bone whose other side is named differently, and for one at an implausible rest position."""
_MARKER_SCORE = 0.5
"""Score of a marker word, in joints: added if the rig has one, subtracted if it has none."""


class UnmappableRig(ValueError):
    """Error for a rig that is no humanoid; its text is one clause that names the missing joint."""


BY_STRUCTURE = NamingConvention("bone positions", {})
"""The convention of rigs that are mapped by the positions of their bones."""


@dataclass(frozen=True)
class BoneMap:
    """Which bone is which joint, and with what confidence.

    convention: the naming convention that matched.
    bones: (29,) each joint's index among the rig's bones, or -1 where the rig has none.
    joint_confidence: (29,) from 0, where there is no bone, to 1.
    confidence: 0 to 1, the mean over the required joints.
    spine: the bones that bend the trunk, from the first above the pelvis's up to and including the chest's.
    neck: the bones from the neck's first up to and including the head's.
    """

    convention: NamingConvention
    bones: tuple[int, ...]
    joint_confidence: tuple[float, ...] = ()
    confidence: float = 1.0
    spine: tuple[int, ...] = ()
    neck: tuple[int, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that the rig does not have."""
        return tuple(name for name, bone in zip(JOINTS, self.bones, strict=True) if bone < 0)


def map_bones(names: Sequence[str], parents: Sequence[int], heads: Array | None = None) -> BoneMap:
    """Map the bones of a rig to the 29 joints.

    names, parents: one for each bone, -1 for a root. The tail of a leaf bone may be among them as "<bone> end site".
    heads: (N, 3) rest positions, in any unit and axes. With them a rig of unknown names can be mapped too.
    The best-matching naming convention is used. Raises UnmappableRig where arms, legs or the pelvis are missing.
    """
    bones_by_key = index_names(names, paired_stems())
    convention, bones = _best_convention(names, parents, bones_by_key)
    missing = [joint for joint in REQUIRED if bones[INDEX[joint]] < 0]
    by_structure = None
    if heads is not None and 2 * len(missing) > len(REQUIRED):
        by_structure = structure_mapper.map_by_structure(parents, heads)
    if by_structure is not None:
        convention, bones = BY_STRUCTURE, by_structure
    elif missing:
        raise UnmappableRig(f"no bone for {missing[0]}; a humanoid with two arms and two legs expected")
    else:
        _infer_spine(convention, bones, parents)
        _infer_end_joints(convention, bones, names, parents)
        if heads is not None:
            _drop_implausible_toe_tips(bones, names, heads)
    return build_bone_map(convention, bones, _joint_confidence(convention, bones, bones_by_key, heads), parents)


def _best_convention(
    names: Sequence[str], parents: Sequence[int], bones_by_key: dict[NameKey, list[int]]
) -> tuple[NamingConvention, list[int]]:
    """The best-matching naming convention and its (29,) bones, completed by the generic one.

    The generic convention alone is used if it matches more, or if no other matches half of the required joints.
    """
    *specific, generic = naming_conventions()
    rig_words = {word for name in names for word in split_full_name(name)}
    candidates = [(convention, _match_names(convention, bones_by_key, parents)) for convention in specific]
    convention, bones = max(candidates, key=lambda each: _convention_score(each[0], each[1], rig_words))
    generic_bones = _match_names(generic, bones_by_key, parents)
    best_score = _convention_score(convention, bones, rig_words)
    generic_score = _convention_score(generic, generic_bones, rig_words)
    too_few = 2 * best_score[0] < len(REQUIRED)
    if generic_score > best_score and (too_few or best_score[0] == generic_score[0]):
        return generic, generic_bones
    if convention.controls:
        return convention, bones
    return convention, _match_names(generic, bones_by_key, parents, bones, excluded=convention.joints)


def build_bone_map(
    convention: NamingConvention, bones: Sequence[int], joint_confidence: Sequence[float], parents: Sequence[int]
) -> BoneMap:
    """Build the BoneMap of (29,) bones, with the chains of spine and neck."""
    required = [joint_confidence[INDEX[joint]] for joint in REQUIRED]
    allowed = None if not convention.controls else bones
    pelvis = bones[INDEX["pelvis"]]
    spine = _bone_chain([bones[INDEX[joint]] for joint in reversed(_SPINE)], (pelvis,), parents, allowed)
    neck = _bone_chain([bones[INDEX["jaw"]], bones[INDEX["neck"]]], (pelvis, *spine), parents, allowed)
    if bones[INDEX["neck"]] in neck:
        neck = neck[neck.index(bones[INDEX["neck"]]) :]
    return BoneMap(
        convention,
        tuple(bones),
        tuple(joint_confidence),
        confidence=sum(required) / len(required) if all(required) else 0.0,
        spine=spine,
        neck=neck,
    )


def _bone_chain(
    tops: Sequence[int], stops: Sequence[int], parents: Sequence[int], allowed: Sequence[int] | None
) -> tuple[int, ...]:
    """The bones from above one of `stops` up to the first of `tops` that is a bone.

    allowed: the bones that may be in it; if None, any, but only `tops` if the path up to it passes no stop.
    """
    top = next((bone for bone in tops if bone >= 0), -1)
    path = [top, *ancestors(top, parents)] if top >= 0 else []
    stop = next((n for n, bone in enumerate(path) if bone in stops), -1)
    members = allowed if allowed is not None else path if stop >= 0 else tops
    return tuple(bone for bone in reversed(path[: stop if stop >= 0 else None]) if bone in members)


def _match_names(
    convention: NamingConvention,
    bones_by_key: dict[NameKey, list[int]],
    parents: Sequence[int],
    bones: Sequence[int] = (-1,) * len(JOINTS),
    excluded: Container[str] = (),
) -> list[int]:
    """Match a convention's names: `bones` (29,) with the joints that had none filled in where the hierarchy allows it.

    excluded: joints that stay unmapped unless they are required.
    """
    bones = list(bones)
    for joint in _MATCH_ORDER:
        j = INDEX[joint]
        if bones[j] >= 0 or (joint in excluded and joint not in REQUIRED):
            continue
        candidates = (bone for key in convention.joints.get(joint, ()) for bone in bones_by_key.get(key, ()))
        bones[j] = next((bone for bone in candidates if _hierarchy_allows(j, bone, bones, parents, convention)), -1)
    return bones


def _hierarchy_allows(
    j: int, bone: int, bones: Sequence[int], parents: Sequence[int], convention: NamingConvention
) -> bool:
    """Whether a bone may be joint `j`: a descendant of the bones of the joints above it, an ancestor of those below."""
    if bone in bones or convention.controls:
        return bone not in bones
    ancestor = _nearest_mapped_ancestor(j, bones)
    if ancestor >= 0 and not is_descendant(bone, ancestor, parents):
        return JOINTS[j].endswith("_hip") and _root_bone(bone, parents) != _root_bone(ancestor, parents)
    return all(is_descendant(bones[lower], bone, parents) for lower in _nearest_mapped_descendants(j, bones) if j > 0)


def _nearest_mapped_ancestor(j: int, bones: Sequence[int]) -> int:
    """The bone of the nearest joint above `j` that has one, or -1."""
    j = PARENTS[j]
    while j >= 0 and bones[j] < 0:
        j = PARENTS[j]
    return bones[j] if j >= 0 else -1


def _nearest_mapped_descendants(j: int, bones: Sequence[int]) -> Iterator[int]:
    """The nearest joints below `j` that have bones."""
    for child in CHILDREN[j]:
        if bones[child] >= 0:
            yield child
        else:
            yield from _nearest_mapped_descendants(child, bones)


def _infer_spine(convention: NamingConvention, bones: list[int], parents: Sequence[int]) -> None:
    """Fill in the ends and the middle of the spine where the convention has no names for them."""
    first, middle, chest = (INDEX[name] for name in _SPINE)
    trunk = [] if convention.controls else _trunk_bones(bones, parents)
    if len(trunk) > 1 and bones[chest] < 0 and trunk[-1] not in bones:
        bones[chest] = trunk[-1]
    if trunk and bones[first] < 0 and trunk[0] not in bones:
        bones[first] = trunk[0]
    between = [bone for bone in trunk if bone not in bones]
    if bones[middle] < 0 and between and min(bones[first], bones[chest]) >= 0:
        bones[middle] = between[(len(between) - 1) // 2]


def _trunk_bones(bones: Sequence[int], parents: Sequence[int]) -> list[int]:
    """The bones from above the pelvis to the one that carries both arms, without those of the neck."""
    pelvis, neck, left, right = (bones[INDEX[name]] for name in ("pelvis", "neck", "left_shoulder", "right_shoulder"))
    path = ancestors(left, parents)
    if pelvis not in path:
        return []
    path = [bone for bone in path[: path.index(pelvis)] if is_descendant(right, bone, parents)]
    return [bone for bone in reversed(path) if neck < 0 or not (bone == neck or is_descendant(bone, neck, parents))]


def _infer_end_joints(
    convention: NamingConvention, bones: list[int], names: Sequence[str], parents: Sequence[int]
) -> None:
    """Fill in unnamed leaf joints, such as the crown of the head, with the only bone beyond the joint."""
    children = children_of(parents)
    for j, joint in enumerate(JOINTS):
        if bones[j] >= 0 or CHILDREN[j] or convention.joints.get(joint) == ():
            continue
        beyond = _unbranched_path(_nearest_mapped_ancestor(j, bones), children)
        ends_in_tip = len(beyond) > 1 and not _TIP_WORDS.isdisjoint(split_name(names[beyond[-2]]))
        if ends_in_tip and names[beyond[-1]].endswith(END_SITE):
            beyond.pop()
        max_bones = _FINGER_BONES if joint.endswith("_middle") and bones[PARENTS[j]] >= 0 else 1
        if 0 < len(beyond) <= max_bones and beyond[-1] not in bones:
            bones[j] = beyond[-1]


def _drop_implausible_toe_tips(bones: list[int], names: Sequence[str], heads: Array) -> None:
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


def _convention_score(convention: NamingConvention, bones: Sequence[int], words: set[str]) -> tuple[int, bool, float]:
    """Score of a convention, to compare: required joints, control rigs first, then all joints and marker words."""
    required = sum(bones[INDEX[joint]] >= 0 for joint in REQUIRED)
    matched = sum(bone >= 0 for bone in bones) * (_BY_COMMON_WORDS if convention.generic else 1.0)
    marker_score = _MARKER_SCORE if convention.marker_words else 0.0
    if words.isdisjoint(convention.marker_words):
        marker_score = -marker_score
    return required, convention.controls and required == len(REQUIRED), matched + marker_score


def _joint_confidence(
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


def _root_bone(bone: int, parents: Sequence[int]) -> int:
    """The root above a bone."""
    return (ancestors(bone, parents) or [bone])[-1]
