"""Which bone of a rig is which of the 29 joints: name tables in `maps/*.json`, checked against the hierarchy."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rigs import Array
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS

_SIDED = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
REQUIRED: tuple[str, ...] = ("pelvis", *(f"{side}_{joint}" for joint in _SIDED for side in ("left", "right")))
"""The joints without which a rig is no dancer with two arms and two legs."""


class NoDancer(ValueError):
    """A rig whose bones cannot be mapped; its text is one clause that names the joint."""


@dataclass(frozen=True)
class Dialect:
    """One way to name bones.

    joints: for each joint the normalised names it may have, the best first.
    units: metres in the unit that files of this dialect are known to use, or None.
    t_pose: its bones rest in our T-pose, facing -Y in Blender's axes, without a turn of their own.
    """

    name: str
    joints: dict[str, tuple[str, ...]]
    units: float | None
    t_pose: bool


@dataclass(frozen=True)
class Mapping:
    """Which bone is which joint, and how sure that is.

    bones: (29,) each joint's index among the rig's bones, or -1 where the rig has none.
    sureness: (29,) from 0, where there is no bone, to 1.
    confidence: 0 to 1, for the whole of it.
    spine: the bones that bend the trunk, from the first above the pelvis's up to and with the chest's.
    neck: the bones from the neck's first up to and with the head's.
    """

    dialect: Dialect
    bones: tuple[int, ...]
    sureness: tuple[float, ...] = ()
    confidence: float = 1.0
    spine: tuple[int, ...] = ()
    neck: tuple[int, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """The joints that the rig does not have."""
        return tuple(name for name, bone in zip(JOINTS, self.bones, strict=True) if bone < 0)


@cache
def dialects() -> tuple[Dialect, ...]:
    """Every table in `maps/`, by file name."""
    tables = [json.loads(file.read_text("utf-8")) for file in sorted(Path(__file__).with_name("maps").glob("*.json"))]
    return tuple(
        Dialect(
            table["dialect"],
            {joint: tuple(map(normalize, names)) for joint, names in table["joints"].items()},
            table.get("metres_per_unit"),
            table.get("t_pose", False),
        )
        for table in tables
    )


def normalize(name: str) -> str:
    """A bone's name without namespace, case and separators: "mixamorig:LeftUpLeg" becomes "leftupleg"."""
    return re.sub(r"[^a-z0-9]", "", re.split(r"[:|]", name)[-1].lower())


def map_bones(names: Sequence[str], parents: Sequence[int], heads: Array | None = None) -> Mapping:
    """Find the 29 joints among a rig's bones; the table that finds most wins.

    names, parents: one for each bone, a parent before its children and -1 for a root. Of the leaves that have no
    name, such as the crown of the head, a lone childless bone below the joint serves.
    heads: (N, 3) where they rest, in any unit.
    Raises NoDancer where arms, legs or the pelvis are missing.
    """
    plain = _without_prefix([normalize(name) for name in names])
    found = [Mapping(dialect, _look_up(dialect, plain, parents)) for dialect in dialects()]
    best = max(found, key=lambda mapping: sum(bone >= 0 for bone in mapping.bones))
    for joint in REQUIRED:
        if joint in best.missing:
            raise NoDancer(f"no bone for {joint}; a dancer with two arms and two legs expected")
    return Mapping(
        best.dialect,
        best.bones,
        sureness=tuple(float(bone >= 0) for bone in best.bones),
        spine=_between(best.bones, ("spine3", "spine2", "spine1"), "pelvis", parents),
        neck=_between(best.bones, ("jaw", "neck"), "spine3", parents),
    )


def _between(bones: tuple[int, ...], ends: tuple[str, ...], start: str, parents: Sequence[int]) -> tuple[int, ...]:
    """The bones from above `start`'s up to and with that of the first of `ends` which has one."""
    bone = next((bones[INDEX[end]] for end in ends if bones[INDEX[end]] >= 0), -1)
    path: list[int] = []
    while bone >= 0 and bone not in (bones[INDEX[start]], bones[INDEX["pelvis"]]):
        path.insert(0, bone)
        bone = parents[bone]
    return tuple(path)


def _without_prefix(names: list[str]) -> list[str]:
    """Names without what they all begin with, such as "bip01" or "character1"."""
    if len(names) < 2:
        return names
    first, last = min(names), max(names)
    shared = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return [name[shared:] for name in names] if shared >= 3 else names


def _look_up(dialect: Dialect, plain: list[str], parents: Sequence[int]) -> tuple[int, ...]:
    bones = [-1] * len(JOINTS)
    for j, joint in enumerate(JOINTS):
        above = PARENTS[j]
        while above >= 0 and bones[above] < 0:
            above = PARENTS[above]
        candidates = [plain.index(name) for name in dialect.joints.get(joint, ()) if name in plain]
        if not candidates and not CHILDREN[j]:
            candidates = _leaves_below(bones[above], parents)
        bones[j] = next((bone for bone in candidates if above < 0 or _is_below(bone, bones[above], parents)), -1)
    return tuple(bones)


def _leaves_below(bone: int, parents: Sequence[int]) -> list[int]:
    """The only child of `bone`, if it has no children itself."""
    children = [child for child, parent in enumerate(parents) if parent == bone >= 0]
    return children if len(children) == 1 and children[0] not in parents else []


def _is_below(bone: int, above: int, parents: Sequence[int]) -> bool:
    bone = parents[bone]
    while bone >= 0 and bone != above:
        bone = parents[bone]
    return bone == above
