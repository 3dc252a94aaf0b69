"""Name evidence: how much the name of each bone speaks for and against each joint, as log-likelihood ratios.

A name is what a naming convention calls a joint, or a common word or one of a language, or another joint's name, or one
that says nothing, such as "Bone.017". Which convention a rig follows is not taken for certain: each counts by how many
of the rig's names it has (a mixture model with one posterior weight for each convention).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.bone_names import END_SITE, SIDE_WORDS, NameKey, sides_in_names, split_full_name, split_name
from rigs.bone_mapping.languages import Language, languages
from rigs.bone_mapping.naming_conventions import NamingConvention, common_words, naming_conventions
from rigs.skeleton import JOINTS, SIDES

_PRESET, _COMMON_WORD, _FOREIGN_WORD = (400.0, 0.02), (60.0, 0.08), (30.0, 0.1)
"""Likelihood ratios of a name that a preset, the common words or a language has for the joint, and for other joints."""
_OTHER_WORD, _HELPER_WORD = 0.3, 0.05
"""Likelihood ratios of a name with words for bones, but none for this joint, and of one with words for helper bones."""
_NO_PRESET, _NO_LANGUAGE = 2.0, 4.0
"""Joints named in a convention at which it is as likely as none at all: some words mean a bone by accident."""
_MARKER_JOINTS = 1.0
"""Joints that a convention's marker word is worth."""
_MIN_UNLISTED = 0.05
"""Share of joints whose bones have names that the rig's convention lacks, at least."""
_RANK_SCALE = 4.0
"""Rank of a convention's name for a joint at which it counts half as much as the best one."""
_SECOND_NAME = 0.05
"""Weight of a convention's name for a joint where the rig has a better one of it."""
_MIN_WORD = 4
"""Number of Latin letters from which a word is recognised within another: "lhandthumb" has a thumb."""
_HELPER_WORDS = frozenset(
    (
        "ik",
        "fk",
        "ctrl",
        "control",
        "ctl",
        "con",
        "pole",
        "target",
        "tgt",
        "twist",
        "roll",
        "rot",
        "pivot",
        "prop",
        "weapon",
        "attach",
        "socket",
        "helper",
        "offset",
        "driver",
        "mch",
        "org",
        "cloth",
        "skirt",
        "cape",
        "coat",
        "dress",
        "ribbon",
        "hair",
        "tail",
        "wing",
        "feather",
        "sleeve",
        "tassel",
        "strap",
        "belt",
        "bag",
        "hat",
        "jiggle",
        "physics",
        "phys",
        "corrective",
        "fix",
        "aim",
        "lookat",
        "effector",
        "goal",
        "handle",
        "holder",
        "gun",
        "sword",
        "shield",
        "end",
        "nub",
        "null",
        "dummy",
    )
)
_OTHER_WORDS = frozenset(
    (
        "eye",
        "brow",
        "lid",
        "cheek",
        "lip",
        "mouth",
        "jaw",
        "teeth",
        "tooth",
        "tongue",
        "nose",
        "ear",
        "face",
        "breast",
        "bust",
        "butt",
        "glute",
        "muscle",
        "index",
        "ring",
        "pinky",
        "pinkie",
        "little",
        "thumb",
        "metacarpal",
        "phalanx",
        "finger",
        "toe",
        "heel",
        "sole",
        "palm",
        "root",
        "reference",
        "armature",
        "skeleton",
        "scene",
    )
)


_SIGNS = {"left": 1.0, "right": -1.0, "": 0.0}
_EMPTY_WORDS = frozenset(("bone", "bn", "joint", "jnt", "def", "bip", "rig"))
"""Words that say nothing about a bone."""


def joint_kind(joint: str) -> str:
    """A joint without its side: "left_hip" becomes "hip"."""
    side, _, kind = joint.partition("_")
    return kind if side in SIDES else joint


KINDS: tuple[str, ...] = tuple(dict.fromkeys(map(joint_kind, JOINTS)))
_KIND_INDEX = {kind: k for k, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class NameEvidence:
    """What the names of a rig's bones (N) tell.

    scores: (K, N) log-likelihood ratio of each of `KINDS` against a name that says nothing.
    sides: (N,) 1 for a name of the left, -1 of the right, 0 without side.
    nameless: (N,) whether the name says nothing at all about what the bone is.
    helpers: (N,) whether it says that the bone is no part of the body, but its control, cloth or prop.
    """

    scores: Array
    sides: Array
    nameless: Array
    helpers: Array

    def says_other(self, kind: str, bone: int) -> bool:
        """Whether a bone's name speaks against a kind of joint and for another one."""
        return bool(self.score(kind)[bone] < 0.0 < 1.0 < self.scores[:, bone].max())

    def score(self, kind: str) -> Array:
        """(N,) log-likelihood ratio that the bones are joints of that kind."""
        row: Array = self.scores[_KIND_INDEX[kind]]
        return row


def no_evidence(count: int) -> NameEvidence:
    """The evidence of `count` bones whose names say nothing."""
    nameless = np.ones(count, dtype=bool)
    return NameEvidence(np.zeros((len(KINDS), count)), np.zeros(count), nameless, ~nameless)


def name_evidence(
    names: Sequence[str],
    bones_by_key: dict[NameKey, list[int]],
    foreign: dict[str, dict[NameKey, list[int]]],
) -> NameEvidence:
    """Weigh the names of a rig's bones.

    bones_by_key: the bones by their normalised names.  foreign: the same by each language's rules, by the language's
    convention's name.
    """
    count = len(names)
    rig_words = frozenset(word for name in names for word in split_full_name(name))
    presets = [convention for convention in naming_conventions() if not convention.generic]
    nameless = np.array([not _says_anything(name) for name in names])
    helpers = np.array([_is_helper(name) for name in names])
    unlisted = np.where(helpers, _HELPER_WORD, np.where(nameless, 1.0, _OTHER_WORD))
    likelihood = unlisted[None].repeat(len(KINDS), axis=0)
    if foreign:
        tables = [_Table.of(language.convention, foreign[language.convention.name], count) for language in languages()]
        likelihood = _mix(likelihood, tables, _FOREIGN_WORD, _NO_LANGUAGE, [0.0] * len(tables))
    common = _Table.of(common_words(), bones_by_key, count)
    likelihood = _mix(likelihood, [common], _COMMON_WORD, -np.inf, [0.0])
    tables = [_Table.of(convention, bones_by_key, count) for convention in presets]
    markers = [_marker_joints(convention, rig_words) for convention in presets]
    share = np.clip(1.0 - max(table.required for table in tables) / len(REQUIRED), _MIN_UNLISTED, 1.0)
    likelihood = _mix(share * likelihood, tables, _PRESET, _NO_PRESET, markers)
    return NameEvidence(np.log(likelihood), _sides(names, [bones_by_key, *foreign.values()]), nameless, helpers)


@dataclass(frozen=True)
class _Table:
    """Which kinds of joint a convention calls by the bones' names: rows (kind, bone, weight).

    joints, required: how many joints, and how many required ones, it has names for that the rig has.
    """

    rows: list[tuple[int, int, float]]
    joints: int
    required: int

    @classmethod
    def of(cls, convention: NamingConvention, bones_by_key: dict[NameKey, list[int]], count: int) -> "_Table":
        """The table of a convention for bones with these names."""
        best: dict[tuple[int, int], float] = {}
        joints = set()
        keys = _convention_keys(convention)
        rows = [(joint, rank, key) for key in keys.keys() & bones_by_key.keys() for joint, rank in keys[key]]
        ranks: dict[str, int] = {}
        for joint, rank, _ in rows:
            ranks[joint] = min(rank, ranks.get(joint, rank))
        for joint, rank, key in rows:
            joints.add(joint)
            kind = _KIND_INDEX[joint_kind(joint)]
            weight = 1.0 / (1.0 + rank / _RANK_SCALE) if rank == ranks[joint] else _SECOND_NAME
            for bone in bones_by_key[key]:
                best[kind, bone] = max(weight, best.get((kind, bone), 0.0))
        return cls(
            [(kind, bone, weight) for (kind, bone), weight in best.items()],
            len(joints),
            len(joints.intersection(REQUIRED)),
        )


@cache
def _keys_by_name(name: str) -> dict[NameKey, list[tuple[str, int]]]:
    conventions = (*naming_conventions(), *(language.convention for language in languages()))
    convention = next(each for each in conventions if each.name == name)
    keys: dict[NameKey, list[tuple[str, int]]] = {}
    for joint, spellings in convention.joints.items():
        for rank, key in enumerate(spellings):
            keys.setdefault(key, []).append((joint, rank))
    return keys


def _convention_keys(convention: NamingConvention) -> dict[NameKey, list[tuple[str, int]]]:
    """The joints that a convention calls by each name, with the name's rank."""
    return _keys_by_name(convention.name)


def _mix(
    otherwise: Array, tables: Sequence[_Table], ratios: tuple[float, float], none: float, bonus: Sequence[float]
) -> Array:
    """Likelihood ratios (K, N) under a mixture of conventions, of which each explains some names.

    otherwise: the ratios of names that no convention has.  ratios: of names for the joint, and for other joints.
    none: the number of joints that stands for no convention.  bonus: joints to add to those of each convention.
    """
    counts = np.array([none, *(table.joints + extra for table, extra in zip(tables, bonus, strict=True))])
    weights = np.exp(counts - counts.max())
    weights /= weights.sum()
    says, names_any = np.zeros(otherwise.shape), np.zeros(otherwise.shape[1])
    for table, weight in zip(tables, weights[1:], strict=True):
        if table.rows and weight > 1e-3:
            kinds, bones, ranks = (np.array(column) for column in zip(*table.rows, strict=True))
            says[kinds, bones] += weight * ranks
            names_any[np.unique(bones)] += weight
    for_joint, for_others = ratios
    mixed: Array = (
        for_joint * says
        + for_others * np.maximum(names_any - says, 0.0)
        + (1.0 - np.minimum(names_any, 1.0)) * otherwise
    )
    return mixed


def _marker_joints(convention: NamingConvention, rig_words: frozenset[str]) -> float:
    if not convention.marker_words:
        return 0.0
    return -_MARKER_JOINTS if rig_words.isdisjoint(convention.marker_words) else _MARKER_JOINTS


def _sides(names: Sequence[str], indices: Sequence[dict[NameKey, list[int]]]) -> Array:
    """(N,) the side that each name says, of several readings the first."""
    sides = np.array([_SIGNS[side] for side in sides_in_names(names)])
    for index in indices:
        said = np.zeros(len(names))
        for (side, _), bones in index.items():
            if side:
                said[bones] = _SIGNS[side]
        sides = np.where(sides == 0.0, said, sides)
    return sides


def _is_helper(name: str) -> bool:
    """Whether a name says that the bone is no part of the body, or is the end of one."""
    return name.endswith(END_SITE) or not _HELPER_WORDS.isdisjoint(split_name(name))


def _says_anything(name: str) -> bool:
    """Whether a name has a word for a bone: "Bone.017" and "qxzk" have none."""
    words = split_name(name)
    if name.endswith(END_SITE) or not _vocabulary().isdisjoint(words):
        return True
    return any(_word_pattern().search(word) is not None for word in words)


@cache
def _vocabulary() -> frozenset[str]:
    """The words for bones in all conventions and languages, and for helper bones."""
    stems = {stem for convention in naming_conventions() for keys in convention.joints.values() for _, stem in keys}
    words = {part for stem in stems for part in re.findall(r"[^\W\d_]+", stem)}
    words |= {stem for language in languages() for stem in _own_stems(language)}
    return (
        frozenset({word for word in words if len(word) > 1} | _HELPER_WORDS | _OTHER_WORDS)
        - SIDE_WORDS.keys()
        - _EMPTY_WORDS
    )


def _own_stems(language: Language) -> set[str]:
    return {part for stem in language.stems for part in re.findall(r"[^\W\d_]+", stem)}


@cache
def _word_pattern() -> re.Pattern[str]:
    """The longer words of the vocabulary, and those of other scripts, anywhere in a name."""
    words = (word for word in _vocabulary() if len(word) >= _MIN_WORD or not word.isascii())
    return re.compile("|".join(map(re.escape, sorted(words))))
