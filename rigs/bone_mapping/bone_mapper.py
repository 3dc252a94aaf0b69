"""Which bone of a rig is which of the 29 joints: name tables in `presets/*.json`, checked against the hierarchy.

Where the names say nothing, the places of the bones do (`body_plan`).
"""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.bone_mapping import structure_mapper
from rigs.bone_mapping.bone_names import END_SITE, NameKey, index_names, split_full_name, split_name
from rigs.bone_mapping.limb_finder import ancestors, is_descendant
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions, paired_stems
from rigs.skeleton import CHILDREN, INDEX, JOINTS, MIRROR_JOINTS, PARENTS

_PAIRED_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
REQUIRED: tuple[str, ...] = ("pelvis", *(f"{side}_{joint}" for joint in _PAIRED_JOINTS for side in ("left", "right")))
"""The joints without which a rig is no dancer with two arms and two legs."""
_MATCH_ORDER = (*REQUIRED, "spine3", *(name for name in JOINTS if name not in (*REQUIRED, "spine3")))
"""The joints as they are looked up: those first that leave the others less to choose from."""
_SPINE = ("spine1", "spine2", "spine3")
_FINGER_BONES = 3
"""How many bones of a finger lie beyond its knuckle: two more and the tip."""
_TIP_WORDS = frozenset(("end", "nub", "tip", "top"))

_BY_CONVENTION, _BY_COMMON_WORDS, _INFERRED, _BY_POSITION = 1.0, 0.85, 0.9, 0.6
"""How sure a bone is that a dialect names, that common words name, that its neighbours tell, that its place tells."""
_MIN_TOE_COSINE = 0.3
"""The least cosine of the angle by which toes turn away from the foot."""
_ASYMMETRIC_NAME, _IMPLAUSIBLE_POSITION = 0.7, 0.8
"""What is left of that where the other side's bone is named otherwise, and where the bone rests in a strange place."""
_MARKER_SCORE = 0.5
"""What a word that tells a dialect is worth, in joints, and what the lack of all of them costs it."""


class UnmappableRig(ValueError):
    """A rig whose bones cannot be mapped; its text is one clause that names the joint."""


BY_STRUCTURE = NamingConvention("by the bones' places", {})
"""The dialect of a rig whose names say nothing."""


@dataclass(frozen=True)
class BoneMap:
    """Which bone is which joint, and how sure that is.

    bones: (29,) each joint's index among the rig's bones, or -1 where the rig has none.
    sureness: (29,) from 0, where there is no bone, to 1.
    confidence: 0 to 1, for the whole of it.
    spine: the bones that bend the trunk, from the first above the pelvis's up to and with the chest's.
    neck: the bones from the neck's first up to and with the head's.
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
    """Find the 29 joints among a rig's bones.

    names, parents: one for each bone, -1 for a root. The tail of a leaf bone may be among them as "<bone> end site".
    heads: (N, 3) where they rest, in any unit and axes. With them a rig whose names say nothing can be mapped too.
    The dialect that finds most wins. Raises NoDancer where arms, legs or the pelvis are missing.
    """
    named = index_names(names, paired_stems())
    dialect, bones = _best_convention(names, parents, named)
    lacking = [joint for joint in REQUIRED if bones[INDEX[joint]] < 0]
    placed = (
        structure_mapper.map_by_structure(parents, heads)
        if heads is not None and 2 * len(lacking) > len(REQUIRED)
        else None
    )
    if placed is not None:
        dialect, bones = BY_STRUCTURE, placed
    elif lacking:
        raise UnmappableRig(f"no bone for {lacking[0]}; a dancer with two arms and two legs expected")
    else:
        _infer_spine(dialect, bones, parents)
        _infer_end_joints(dialect, bones, names, parents)
        if heads is not None:
            _drop_implausible_toe_tips(bones, names, heads)
    return build_bone_map(dialect, bones, _joint_confidence(dialect, bones, named, heads), parents)


def _best_convention(
    names: Sequence[str], parents: Sequence[int], named: dict[NameKey, list[int]]
) -> tuple[NamingConvention, list[int]]:
    """The dialect that finds most and its (29,) bones, completed by common words.

    The common words alone serve where they find more, or where no dialect finds half of what a dancer needs.
    """
    *known, common = naming_conventions()
    said = {word for name in names for word in split_full_name(name)}
    found = [(dialect, _match_names(dialect, named, parents)) for dialect in known]
    dialect, bones = max(found, key=lambda each: _convention_score(each[0], each[1], said))
    loosely = _match_names(common, named, parents)
    best, loose = _convention_score(dialect, bones, said), _convention_score(common, loosely, said)
    few = 2 * best[0] < len(REQUIRED)
    if loose > best and (few or best[0] == loose[0]):
        return common, loosely
    return dialect, bones if dialect.controls else _match_names(common, named, parents, bones, barred=dialect.joints)


def build_bone_map(
    dialect: NamingConvention, bones: Sequence[int], sureness: Sequence[float], parents: Sequence[int]
) -> BoneMap:
    """The Mapping of (29,) chosen bones, with the chains of spine and neck."""
    needed = [sureness[INDEX[joint]] for joint in REQUIRED]
    known = None if not dialect.controls else bones
    pelvis = bones[INDEX["pelvis"]]
    spine = _bone_chain([bones[INDEX[joint]] for joint in reversed(_SPINE)], (pelvis,), parents, known)
    neck = _bone_chain([bones[INDEX["jaw"]], bones[INDEX["neck"]]], (pelvis, *spine), parents, known)
    if bones[INDEX["neck"]] in neck:
        neck = neck[neck.index(bones[INDEX["neck"]]) :]
    return BoneMap(
        dialect,
        tuple(bones),
        tuple(sureness),
        confidence=sum(needed) / len(needed) if all(needed) else 0.0,
        spine=spine,
        neck=neck,
    )


def _bone_chain(
    tops: Sequence[int], stops: Sequence[int], parents: Sequence[int], only: Sequence[int] | None
) -> tuple[int, ...]:
    """The bones from above one of `stops` up to the first of `tops` that is a bone.

    only: those that may be in it; where it is None, any, but only `tops` if the way up to it passes no stop.
    """
    top = next((bone for bone in tops if bone >= 0), -1)
    path = [top, *ancestors(top, parents)] if top >= 0 else []
    stop = next((n for n, bone in enumerate(path) if bone in stops), -1)
    serving = only if only is not None else path if stop >= 0 else tops
    return tuple(bone for bone in reversed(path[: stop if stop >= 0 else None]) if bone in serving)


def _match_names(
    dialect: NamingConvention,
    named: dict[NameKey, list[int]],
    parents: Sequence[int],
    bones: Sequence[int] = (-1,) * len(JOINTS),
    barred: Container[str] = (),
) -> list[int]:
    """`bones` (29,) with those that a dialect names for joints without one, in places where these can be.

    barred: the joints that stay without unless a dancer needs them.
    """
    bones = list(bones)
    for joint in _MATCH_ORDER:
        j = INDEX[joint]
        if bones[j] >= 0 or (joint in barred and joint not in REQUIRED):
            continue
        candidates = (bone for key in dialect.joints.get(joint, ()) for bone in named.get(key, ()))
        bones[j] = next((bone for bone in candidates if _hierarchy_allows(j, bone, bones, parents, dialect)), -1)
    return bones


def _hierarchy_allows(
    j: int, bone: int, bones: Sequence[int], parents: Sequence[int], dialect: NamingConvention
) -> bool:
    """Whether a bone hangs where joint `j` can be: below the bones of the joints above it, above those below."""
    if bone in bones or dialect.controls:
        return bone not in bones
    higher = _nearest_mapped_ancestor(j, bones)
    if higher >= 0 and not is_descendant(bone, higher, parents):
        return JOINTS[j].endswith("_hip") and _root_bone(bone, parents) != _root_bone(higher, parents)
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


def _infer_spine(dialect: NamingConvention, bones: list[int], parents: Sequence[int]) -> None:
    """Fill in, where the dialect has no name for them, the ends and the middle of the spine's chain."""
    first, middle, chest = (INDEX[name] for name in _SPINE)
    trunk = [] if dialect.controls else _trunk_bones(bones, parents)
    if len(trunk) > 1 and bones[chest] < 0 and trunk[-1] not in bones:
        bones[chest] = trunk[-1]
    if trunk and bones[first] < 0 and trunk[0] not in bones:
        bones[first] = trunk[0]
    between = [bone for bone in trunk if bone not in bones]
    if bones[middle] < 0 and between and min(bones[first], bones[chest]) >= 0:
        bones[middle] = between[(len(between) - 1) // 2]


def _trunk_bones(bones: Sequence[int], parents: Sequence[int]) -> list[int]:
    """The bones above the pelvis's up to the one that carries both arms, without those of the neck."""
    pelvis, neck, left, right = (bones[INDEX[name]] for name in ("pelvis", "neck", "left_shoulder", "right_shoulder"))
    path = ancestors(left, parents)
    if pelvis not in path:
        return []
    path = [bone for bone in path[: path.index(pelvis)] if is_descendant(right, bone, parents)]
    return [bone for bone in reversed(path) if neck < 0 or not (bone == neck or is_descendant(bone, neck, parents))]


def _infer_end_joints(
    dialect: NamingConvention, bones: list[int], names: Sequence[str], parents: Sequence[int]
) -> None:
    """Fill in the leaves that have no name, such as the crown of the head, with what alone lies beyond the joint."""
    children: dict[int, list[int]] = {}
    for bone, parent in enumerate(parents):
        children.setdefault(parent, []).append(bone)
    for j, joint in enumerate(JOINTS):
        if bones[j] >= 0 or CHILDREN[j] or dialect.joints.get(joint) == ():
            continue
        beyond = _unbranched_path(_nearest_mapped_ancestor(j, bones), children)
        if (
            len(beyond) > 1
            and names[beyond[-1]].endswith(END_SITE)
            and not _TIP_WORDS.isdisjoint(split_name(names[beyond[-2]]))
        ):
            beyond.pop()
        reach = _FINGER_BONES if joint.endswith("_middle") and bones[PARENTS[j]] >= 0 else 1
        if 0 < len(beyond) <= reach and beyond[-1] not in bones:
            bones[j] = beyond[-1]


def _drop_implausible_toe_tips(bones: list[int], names: Sequence[str], heads: Array) -> None:
    """Forget toes that end anywhere but ahead of the ball of the foot: some files let a last bone end as it likes."""
    for side in ("left", "right"):
        tip = INDEX[f"{side}_bigtoe"]
        chain = [bones[INDEX[f"{side}_{joint}"]] for joint in ("ankle", "foot")]
        if min(*chain, bones[tip]) < 0 or not names[bones[tip]].endswith(END_SITE):
            continue
        foot, toes = heads[chain[1]] - heads[chain[0]], heads[bones[tip]] - heads[chain[1]]
        if foot @ toes < _MIN_TOE_COSINE * np.linalg.norm(foot) * np.linalg.norm(toes):
            bones[tip] = -1


def _unbranched_path(bone: int, children: dict[int, list[int]]) -> list[int]:
    """The bones beyond `bone` down to a leaf, if none of them has a sister; else none."""
    path: list[int] = []
    while below := children.get(bone, []):
        if len(below) > 1:
            return []
        bone = below[0]
        path.append(bone)
    return path


def _convention_score(dialect: NamingConvention, bones: Sequence[int], said: set[str]) -> tuple[int, bool, float]:
    """How well a dialect fits, to compare: the joints that a dancer needs, controls before what follows them, all."""
    needed = sum(bones[INDEX[joint]] >= 0 for joint in REQUIRED)
    found = sum(bone >= 0 for bone in bones) * (_BY_COMMON_WORDS if dialect.generic else 1.0)
    seen = (
        0.0 if not dialect.marker_words else -_MARKER_SCORE if said.isdisjoint(dialect.marker_words) else _MARKER_SCORE
    )
    return needed, dialect.controls and needed == len(REQUIRED), found + seen


def _joint_confidence(
    dialect: NamingConvention, bones: Sequence[int], named: dict[NameKey, list[int]], heads: Array | None
) -> list[float]:
    """(29,) how sure each bone is: by what told it, by the other side's name, by where it rests."""
    odd = frozenset() if heads is None else structure_mapper.implausible_joints(bones, heads)
    told = [_matching_name(dialect, j, bone, named) for j, bone in enumerate(bones)]
    base = _BY_POSITION if dialect == BY_STRUCTURE else _BY_COMMON_WORDS if dialect.generic else _BY_CONVENTION
    return [
        0.0
        if bone < 0
        else (base if told[j] >= 0 or dialect == BY_STRUCTURE else _INFERRED * base)
        * (1.0 if told[j] == told[MIRROR_JOINTS[j]] else _ASYMMETRIC_NAME)
        * (_IMPLAUSIBLE_POSITION if j in odd else 1.0)
        for j, bone in enumerate(bones)
    ]


def _matching_name(dialect: NamingConvention, j: int, bone: int, named: dict[NameKey, list[int]]) -> int:
    """Which of the dialect's names for joint `j` the bone has, or -1."""
    keys = dialect.joints.get(JOINTS[j], ())
    return next((n for n, key in enumerate(keys) if bone in named.get(key, ())), -1)


def _root_bone(bone: int, parents: Sequence[int]) -> int:
    return (ancestors(bone, parents) or [bone])[-1]
