"""The ways to name bones that are known, from the tables in `presets/*.json`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rigs.bone_mapping.bone_names import NameKey, normalize_left_name, normalize_name
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS


@dataclass(frozen=True)
class NamingConvention:
    """One way to name bones.

    joints: for each joint the names it may have, the best first; none says that the rig has no such joint.
    units: metres in the unit that files of this dialect are known to use, or None.
    t_pose: its bones rest in our T-pose, facing -Y in Blender's axes, without a turn of their own.
    controls: its bones are controls that an animator keys; constraints, not parents, make the rest of the rig follow.
    loose: words that many rigs share, for rigs of no known dialect.
    seen: words of which some name of this dialect has one, to tell it from others with the same names.
    """

    name: str
    joints: dict[str, tuple[NameKey, ...]]
    metres_per_unit: float | None = None
    t_pose: bool = False
    controls: bool = False
    generic: bool = False
    marker_words: tuple[str, ...] = ()


@cache
def naming_conventions() -> tuple[NamingConvention, ...]:
    """Every table in `presets/`, by file name, the common words last."""
    files = sorted(Path(__file__).with_name("presets").glob("*.json"))
    presets = {file.stem: json.loads(file.read_text("utf-8")) for file in files}
    conventions = [_from_preset(table, presets.get(table.get("like"), {})) for table in presets.values()]
    return tuple(sorted(conventions, key=lambda dialect: dialect.generic))


def _from_preset(preset: dict[str, Any], base: dict[str, Any]) -> NamingConvention:
    """A table as a Dialect. It lists the middle and the left; the right mirrors the left."""
    joints: dict[str, tuple[NameKey, ...]] = {}
    for joint, names in {**base.get("joints", {}), **preset["joints"]}.items():
        if joint.startswith("left_"):
            joints[joint] = tuple(map(normalize_left_name, names))
            joints[JOINTS[MIRROR_JOINTS[INDEX[joint]]]] = tuple(("right", stem) for _, stem in joints[joint])
        else:
            joints[joint] = tuple(map(normalize_name, names))
    return NamingConvention(
        preset["dialect"],
        joints,
        preset.get("metres_per_unit"),
        preset.get("t_pose", False),
        preset.get("controls", False),
        preset.get("loose", False),
        tuple(preset.get("seen", ())),
    )


@cache
def paired_stems() -> frozenset[str]:
    """What the tables call bones that come in pairs."""
    keys = (key for dialect in naming_conventions() for keys in dialect.joints.values() for key in keys)
    return frozenset(stem for side, stem in keys if side and len(stem) > 1)
