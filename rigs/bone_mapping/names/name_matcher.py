"""Bone mapping by name: match bone names with naming conventions and languages, checked against the hierarchy."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace

from rigs.bone_mapping.bone_hierarchy import ancestors, is_descendant
from rigs.bone_mapping.bone_map import REQUIRED, nearest_mapped_ancestor, nearest_mapped_descendants
from rigs.bone_mapping.bone_names import NameKey, index_keys, index_names, split_full_name
from rigs.bone_mapping.languages import Language, languages
from rigs.bone_mapping.naming_conventions import NamingConvention, common_words, naming_conventions, paired_stems
from rigs.skeleton import INDEX, JOINTS

_MATCH_ORDER = (*REQUIRED, "spine3", *(name for name in JOINTS if name not in (*REQUIRED, "spine3")))
"""The joints in the order in which they are matched: those first that narrow down the others."""
_MARKER_SCORE = 0.5
"""Score of a marker word, in joints: added if the rig has one, subtracted if it has none."""
_COMMON_WORDS_SCORE = 0.85
"""Score of a joint matched by a common word, in joints matched by a preset."""
_MIN_FOREIGN_JOINTS = 5
"""Number of joints that only a language's own words name, from which a rig counts as named in that language.

A single word proves nothing: "main" is French for hand, "pie" Spanish for foot, "col" a collar or a collision.
"""
_MIN_NAMED_JOINTS = 4
"""Number of required joints with a convention's names from which a rig counts as one of it."""
_NEXT_IN_LIMB = {
    f"{side}_{upper}": f"{side}_{lower}"
    for side in ("left", "right")
    for upper, lower in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist"))
}
_LIMB_ROOTS = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")

_Index = dict[NameKey, list[int]]


@dataclass(frozen=True)
class NameMatch:
    """A convention, the bones (29,) that its names match, -1 where none does, and the rig's bones by their names.

    foreign: the bones by their names as each language reads them, by the language's convention's name; empty if
    English names all required joints.
    """

    convention: NamingConvention
    bones: list[int]
    bones_by_key: dict[NameKey, list[int]]
    foreign: dict[str, dict[NameKey, list[int]]] = field(default_factory=dict)


def match_names(names: Sequence[str], parents: Sequence[int]) -> NameMatch:
    """Match a rig's names with the convention that fits best: a preset, common English words, or a language's words.

    Other languages count only where English leaves required joints open.
    """
    best = _best_preset(names, parents)
    required, *_ = _score(best, frozenset())
    if required == len(REQUIRED):
        return best
    foreign = {language.convention.name: index_keys(names, language.keys) for language in languages()}
    best = replace(best, foreign=foreign)
    matches = [match for language in languages() if (match := _match_language(language, parents, best))]
    return max(matches, key=lambda match: _score(match, frozenset()), default=best)


def match_around(
    match: NameMatch, bones: Sequence[int], names: Sequence[str], parents: Sequence[int]
) -> NameMatch | None:
    """Match the other joints by name once the bones (29,) of some are known, -1 for the others.

    The convention is the one that names most of the known bones; None if none names enough of them.
    """
    index, words = match.bones_by_key, _rig_words(names)
    conventions = [convention for convention in naming_conventions() if not convention.controls]

    def rank(convention: NamingConvention) -> tuple[float, bool, float]:
        named, occurring = _agreement(convention, bones, index, words)
        return named, convention == match.convention, occurring

    best = max(conventions, key=rank)
    foreign_enough = max(_MIN_NAMED_JOINTS, rank(best)[0] + 1.0)
    matches = [replace(match, convention=best)]
    for language in languages() if match.foreign else ():
        merged = _merged_index(match, language)
        if _foreign_joints(language, bones, merged) >= foreign_enough:
            matches.append(replace(match, convention=language.convention, bones_by_key=merged))
    chosen = max(matches, key=lambda each: _agreement(each.convention, bones, each.bones_by_key, words))
    if _agreement(chosen.convention, bones, chosen.bones_by_key, words)[0] < _MIN_NAMED_JOINTS:
        return None
    completed = _match(chosen.convention, chosen.bones_by_key, parents, bones)
    if not chosen.convention.generic:
        completed = _match(common_words(), index, parents, completed, excluded=chosen.convention.joints)
    if chosen.convention.t_pose:  # which no rest pose has for certain whose names are not all as they should be
        chosen = replace(chosen, convention=replace(chosen.convention, t_pose=False))
    return replace(chosen, bones=completed)


def _agreement(
    convention: NamingConvention, bones: Sequence[int], index: _Index, rig_words: frozenset[str]
) -> tuple[float, float]:
    """How many of the known bones (29,) have the convention's names, and how many of all its names occur."""
    named = sum(
        bone >= 0 and any(bone in index.get(key, ()) for key in convention.joints.get(joint, ()))
        for joint, bone in zip(JOINTS, bones, strict=True)
    )
    occurring = sum(any(key in index for key in keys) for keys in convention.joints.values())
    return named * (_COMMON_WORDS_SCORE if convention.generic else 1.0), occurring + _marker_score(
        convention, rig_words
    )


def _merged_index(english: NameMatch, language: Language) -> _Index:
    """The bones by their names as English and as another language reads them."""
    index = {key: list(bones) for key, bones in english.bones_by_key.items()}
    for key, bones in english.foreign[language.convention.name].items():
        known = index.setdefault(key, [])
        known += [bone for bone in bones if bone not in known]
    return index


def _match_language(language: Language, parents: Sequence[int], english: NameMatch) -> NameMatch | None:
    """Match a language's and the common English words; None unless they name more required joints than English alone.

    Enough joints must be named by words that are not English.
    """
    index = _merged_index(english, language)
    match = replace(
        english, convention=language.convention, bones=_match(language.convention, index, parents), bones_by_key=index
    )
    if _score(match, frozenset())[0] <= _score(english, frozenset())[0]:
        return None
    return match if _foreign_joints(language, match.bones, index) >= _MIN_FOREIGN_JOINTS else None


def _foreign_joints(language: Language, bones: Sequence[int], index: _Index) -> int:
    """How many joints' bones (29,) have names of the language that are not English."""
    english = common_words().joints
    return sum(
        any(
            bone in index.get(key, ()) for key in language.convention.joints[joint] if key not in english.get(joint, ())
        )
        for joint, bone in zip(JOINTS, bones, strict=True)
    )


def _best_preset(names: Sequence[str], parents: Sequence[int]) -> NameMatch:
    """Match the best-fitting preset, completed by the generic one.

    The generic one alone is used if it matches more joints in all, or if no other matches half of the required ones.
    """
    index = index_names(names, paired_stems())
    rig_words = _rig_words(names)
    presets = [
        NameMatch(convention, _match(convention, index, parents), index)
        for convention in naming_conventions()
        if not convention.generic
    ]
    best = max(presets, key=lambda match: _score(match, rig_words))
    generic = NameMatch(common_words(), _match(common_words(), index, parents), index)
    best_score, generic_score = _score(best, rig_words), _score(generic, rig_words)
    too_few = 2 * best_score[0] < len(REQUIRED)
    more_in_all = best_score[0] == generic_score[0] or best_score[-1] < generic_score[-1]
    if generic_score > best_score and (too_few or more_in_all):
        return generic
    if best.convention.controls:
        return best
    completed = _match(generic.convention, index, parents, best.bones, excluded=best.convention.joints)
    return NameMatch(best.convention, completed, index)


def _match(
    convention: NamingConvention,
    index: _Index,
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
        allowed = [
            bone
            for bone in _candidates(convention, joint, index)
            if hierarchy_allows(j, bone, bones, parents, convention)
        ]
        if len(allowed) > 1 and not convention.controls:
            # Of equal joints below, the best name counts: max returns the first.
            allowed = [max(allowed, key=lambda bone: _joints_below(joint, bone, convention, index, parents))]
        bones[j] = allowed[0] if allowed else -1
    return bones


def _candidates(convention: NamingConvention, joint: str, index: _Index) -> Iterator[int]:
    """The bones with one of the convention's names of a joint, the best name first."""
    return (bone for key in convention.joints.get(joint, ()) for bone in index.get(key, ()))


def _joints_below(joint: str, bone: int, convention: NamingConvention, index: _Index, parents: Sequence[int]) -> int:
    """How many of the required joints below `joint` can be found below `bone`: a hand is no arm, whatever its name."""
    lower = _LIMB_ROOTS if joint == "pelvis" else (_NEXT_IN_LIMB[joint],) if joint in _NEXT_IN_LIMB else ()
    count = 0
    for each in lower:
        below = [other for other in _candidates(convention, each, index) if is_descendant(other, bone, parents)]
        if joint == "pelvis":
            count += bool(below)
        else:
            count += max((1 + _joints_below(each, other, convention, index, parents) for other in below), default=0)
    return count


def hierarchy_allows(
    j: int, bone: int, bones: Sequence[int], parents: Sequence[int], convention: NamingConvention
) -> bool:
    """Whether a bone may be joint `j`: a descendant of the bones of the joints above it, an ancestor of those below."""
    if bone in bones or convention.controls:
        return bone not in bones
    ancestor = nearest_mapped_ancestor(j, bones)
    if ancestor >= 0 and not is_descendant(bone, ancestor, parents):
        return JOINTS[j].endswith("_hip") and _root_bone(bone, parents) != _root_bone(ancestor, parents)
    return all(is_descendant(bones[lower], bone, parents) for lower in nearest_mapped_descendants(j, bones) if j > 0)


def _root_bone(bone: int, parents: Sequence[int]) -> int:
    """The root above a bone."""
    return (ancestors(bone, parents) or [bone])[-1]


def _score(match: NameMatch, rig_words: frozenset[str]) -> tuple[int, bool, float]:
    """Score of a match, to compare: required joints, control rigs first, then all joints and marker words."""
    convention, bones = match.convention, match.bones
    required = sum(bones[INDEX[joint]] >= 0 for joint in REQUIRED)
    matched = sum(bone >= 0 for bone in bones) * (_COMMON_WORDS_SCORE if convention.generic else 1.0)
    marker_score = _marker_score(convention, rig_words)
    return required, convention.controls and required == len(REQUIRED), matched + marker_score


def _marker_score(convention: NamingConvention, rig_words: frozenset[str]) -> float:
    """Score of a convention's marker words: of none if it has none."""
    if not convention.marker_words:
        return 0.0
    return -_MARKER_SCORE if rig_words.isdisjoint(convention.marker_words) else _MARKER_SCORE


def _rig_words(names: Sequence[str]) -> frozenset[str]:
    """All words in a rig's names."""
    return frozenset(word for name in names for word in split_full_name(name))
