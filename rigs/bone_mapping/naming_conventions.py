"""The ways to name bones that are known, from the tables in `presets/*.json`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rigs.bone_mapping.bone_names import Key, normalize, of_left
from rigs.skeleton import INDEX, JOINTS, MIRRORED


@dataclass(frozen=True)
class Dialect:
    """One way to name bones.

    joints: for each joint the names it may have, the best first; none says that the rig has no such joint.
    units: metres in the unit that files of this dialect are known to use, or None.
    t_pose: its bones rest in our T-pose, facing -Y in Blender's axes, without a turn of their own.
    controls: its bones are controls that an animator keys; constraints, not parents, make the rest of the rig follow.
    loose: words that many rigs share, for rigs of no known dialect.
    seen: words of which some name of this dialect has one, to tell it from others with the same names.
    """

    name: str
    joints: dict[str, tuple[Key, ...]]
    units: float | None = None
    t_pose: bool = False
    controls: bool = False
    loose: bool = False
    seen: tuple[str, ...] = ()


@cache
def dialects() -> tuple[Dialect, ...]:
    """Every table in `presets/`, by file name, the common words last."""
    files = sorted(Path(__file__).with_name("presets").glob("*.json"))
    tables = {file.stem: json.loads(file.read_text("utf-8")) for file in files}
    found = [_dialect(table, tables.get(table.get("like"), {})) for table in tables.values()]
    return tuple(sorted(found, key=lambda dialect: dialect.loose))


def _dialect(table: dict[str, Any], like: dict[str, Any]) -> Dialect:
    """A table as a Dialect. It lists the middle and the left; the right mirrors the left."""
    joints: dict[str, tuple[Key, ...]] = {}
    for joint, names in {**like.get("joints", {}), **table["joints"]}.items():
        if joint.startswith("left_"):
            joints[joint] = tuple(map(of_left, names))
            joints[JOINTS[MIRRORED[INDEX[joint]]]] = tuple(("right", stem) for _, stem in joints[joint])
        else:
            joints[joint] = tuple(map(normalize, names))
    return Dialect(
        table["dialect"],
        joints,
        table.get("metres_per_unit"),
        table.get("t_pose", False),
        table.get("controls", False),
        table.get("loose", False),
        tuple(table.get("seen", ())),
    )


@cache
def sided() -> frozenset[str]:
    """What the tables call bones that come in pairs."""
    keys = (key for dialect in dialects() for keys in dialect.joints.values() for key in keys)
    return frozenset(stem for side, stem in keys if side and len(stem) > 1)
