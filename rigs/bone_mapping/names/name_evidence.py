"""Name evidence: how much the name of each bone speaks for and against each joint, as log-likelihood ratios.

A name is what a naming convention calls a joint, or a common word or one of a language, or another joint's name, or one
that says nothing, such as "Bone.017". Which convention a rig follows is not taken for certain: each counts by how many
of the rig's names it has (a mixture model with one posterior weight for each convention).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.bone_names import NameKey, sides_in_names, split_full_name
from rigs.bone_mapping.languages import languages
from rigs.bone_mapping.names.bone_words import is_helper, says_anything
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
_SIGNS = {"left": 1.0, "right": -1.0, "": 0.0}


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
    rig_words = frozenset(word for name in names for word in split_full_name(name))
    presets = [convention for convention in naming_conventions() if not convention.generic]
    nameless = np.array([not says_anything(name) for name in names])
    helpers = np.array([is_helper(name) for name in names])
    unlisted = np.where(helpers, _HELPER_WORD, np.where(nameless, 1.0, _OTHER_WORD))
    likelihood = unlisted[None].repeat(len(KINDS), axis=0)
    if foreign:
        tables = [
            table
            for language in languages()
            for table in _tables([language.convention], foreign[language.convention.name])
        ]
        likelihood = _mix(likelihood, tables, _FOREIGN_WORD, _NO_LANGUAGE, [0.0] * len(tables))
    likelihood = _mix(likelihood, _tables([common_words()], bones_by_key), _COMMON_WORD, -np.inf, [0.0])
    tables = _tables(presets, bones_by_key)
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


def _tables(conventions: Sequence[NamingConvention], bones_by_key: dict[NameKey, list[int]]) -> list[_Table]:
    """The table of each convention for bones with these names."""
    known = _joints_by_key(tuple(convention.name for convention in conventions))
    found: list[list[tuple[str, int, NameKey]]] = [[] for _ in conventions]
    for key in known.keys() & bones_by_key.keys():
        for n, joint, rank in known[key]:
            found[n].append((joint, rank, key))
    return [_table(rows, bones_by_key) for rows in found]


def _table(found: Sequence[tuple[str, int, NameKey]], bones_by_key: dict[NameKey, list[int]]) -> _Table:
    """The table of joints, the ranks of names for them, and these names."""
    best_rank: dict[str, int] = {}
    for joint, rank, _ in found:
        best_rank[joint] = min(rank, best_rank.get(joint, rank))
    weights: dict[tuple[int, int], float] = {}
    for joint, rank, key in found:
        kind = _KIND_INDEX[joint_kind(joint)]
        weight = 1.0 / (1.0 + rank / _RANK_SCALE) if rank == best_rank[joint] else _SECOND_NAME
        for bone in bones_by_key[key]:
            weights[kind, bone] = max(weight, weights.get((kind, bone), 0.0))
    rows = [(kind, bone, weight) for (kind, bone), weight in weights.items()]
    return _Table(rows, len(best_rank), len(best_rank.keys() & set(REQUIRED)))


@cache
def _joints_by_key(conventions: tuple[str, ...]) -> dict[NameKey, list[tuple[int, str, int]]]:
    """For each name the conventions that have it, by their places, with the joint and the name's rank."""
    known = (*naming_conventions(), *(language.convention for language in languages()))
    by_name = {convention.name: convention for convention in known}
    joints: dict[NameKey, list[tuple[int, str, int]]] = {}
    for n, name in enumerate(conventions):
        for joint, spellings in by_name[name].joints.items():
            for rank, key in enumerate(spellings):
                joints.setdefault(key, []).append((n, joint, rank))
    return joints


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
