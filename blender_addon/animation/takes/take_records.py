"""Records of takes: what generated an action, stored on the action itself so that it goes with it into any file."""

import json
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import bpy

from ...properties.take_list import KINDS, PASDEDEUX_PG_take
from ..keys import fcurves

RECORD = "pas_de_deux_take"
"""The custom property of an action that holds the record of its take."""


@dataclass(frozen=True)
class TakeRecord:
    """What generated a take: enough to generate it again.

    kind: "partner", "dance" or "compose".  number: its place among the takes of one request, from 1.
    settings: JSON-able, as `setting_values.take_settings` gives it, for *Make Again*.
    """

    kind: str
    model: str
    seed: int
    number: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)


def free_action_name(name: str, action: bpy.types.Action, listed: Collection[str]) -> str:
    """The name, without the number that Blender gave it, numbered if another action has it or a listed take had it."""
    name = re.sub(r"\.\d{3}$", "", name)
    free, number = name, 1
    while free in listed or ((other := bpy.data.actions.get(free)) is not None and other != action):
        number += 1
        free = f"{name} {number}"
    return free


def fingerprint(action: bpy.types.Action) -> str:
    """A checksum of an action's F-curves and their keyframes, that any edit of them changes."""
    checksum = 0
    for fcurve in fcurves.all_fcurves(action):
        keys = fcurves.read_keyframes(fcurve, ("co", "interpolation"))
        if (keys["interpolation"] == fcurves.BEZIER).any():  # the others do not follow their handles
            keys |= fcurves.read_keyframes(fcurve, ("handle_left", "handle_right"))
        checksum = zlib.crc32(f"{fcurve.data_path}[{fcurve.array_index}] {fcurve.mute}".encode(), checksum)
        checksum = zlib.crc32(f"{len(fcurve.modifiers)}".encode(), checksum)
        for values in keys.values():
            checksum = zlib.crc32(values.tobytes(), checksum)
    return f"{checksum:08x}"


def store_record(action: bpy.types.Action, entry: PASDEDEUX_PG_take) -> None:
    """Store what an entry says of its take on the action, and keep the action in the file."""
    action.use_fake_user = True
    action[RECORD] = {
        "uid": entry.uid,
        "kind": entry.kind,
        "model": entry.model,
        "seed": entry.seed,
        "number": entry.number,
        "settings": entry.settings,
        "fingerprint": fingerprint(action),
    }


def read_record(action: bpy.types.Action) -> TakeRecord | None:
    """The record that an action carries; None without one."""
    stored = action.get(RECORD)
    if stored is None:
        return None
    try:
        kind, model, seed, number = (stored[name] for name in ("kind", "model", "seed", "number"))
        record = TakeRecord(kind, model, seed, number, json.loads(stored["settings"]))
    except (KeyError, TypeError, ValueError):
        return None
    return record if kind in {kind for kind, *_ in KINDS} else None
