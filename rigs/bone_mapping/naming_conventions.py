"""Naming conventions of known rigs (Mixamo, Rigify, Unreal, VRM...), loaded from the presets in `presets/*.json`.

To add a preset, add one JSON file; there is nothing to register. It lists the middle and the left side, the right side
is mirrored:

    {
      "name": "Mixamo",                        shown to the user
      "joints": {"pelvis": ["Hips"], "left_hip": ["LeftUpLeg"], ...},
                                               names of each joint, the best first; [] where the rig has no such joint
      "extends": "other",                      take the joints of other.json that are not listed here
      "marker_words": ["mixamorig"],           words by which to tell rigs of otherwise equal names apart
      "metres_per_unit": 0.01,                 unit of files with these names
      "controls": true,                        the bones are animation controls, see `NamingConvention`
      "t_pose": true, "generic": true          see `NamingConvention`
    }

All but the first two are optional. Case, separators, namespaces and prefixes that all bones share do not matter
(`bone_names`).
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rigs.bone_mapping.bone_names import NameKey, normalize_left_name, normalize_name
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS


@dataclass(frozen=True)
class NamingConvention:
    """One convention of bone names, as a preset has it.

    joints: for each joint its possible names, the best first; an empty tuple if the rig has no such joint.
    metres_per_unit: the unit that files of this convention use, or None.
    t_pose: the rest pose is our T-pose, facing -Y in Blender's axes, with unrotated bones.
    controls: the bones are animation controls; constraints, not parents, make the rest of the rig follow.
    generic: words that many rigs share, for rigs of no known convention.
    marker_words: words of which at least one occurs in rigs of this convention.
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
    """Load every preset in `presets/`, in the order of file names, generic ones last."""
    # A missing folder, as while an extension is disabled, raises an error: no presets at all must not be cached.
    files = sorted(file for file in Path(__file__).with_name("presets").iterdir() if file.suffix == ".json")
    presets = {file.stem: json.loads(file.read_text("utf-8")) for file in files}
    conventions = [_from_preset(preset, presets.get(preset.pop("extends", ""), {})) for preset in presets.values()]
    return tuple(sorted(conventions, key=lambda convention: convention.generic))


def common_words() -> NamingConvention:
    """The generic convention: the common English words for bones."""
    return next(convention for convention in naming_conventions() if convention.generic)


def _from_preset(preset: dict[str, Any], base: dict[str, Any]) -> NamingConvention:
    """Build a convention from a preset, with the joints of the one that it extends; the right side mirrors the left."""
    joints: dict[str, tuple[NameKey, ...]] = {}
    for joint, names in {**base.get("joints", {}), **preset["joints"]}.items():
        if joint.startswith("left_"):
            joints[joint] = tuple(map(normalize_left_name, names))
            joints[JOINTS[MIRROR_JOINTS[INDEX[joint]]]] = tuple(("right", stem) for _, stem in joints[joint])
        else:
            joints[joint] = tuple(map(normalize_name, names))
    return NamingConvention(**preset | {"joints": joints, "marker_words": tuple(preset.get("marker_words", ()))})


@cache
def paired_stems() -> frozenset[str]:
    """The side-less names of paired bones in all presets, which tell a side letter from the rest of a name."""
    keys = (key for convention in naming_conventions() for keys in convention.joints.values() for key in keys)
    return frozenset(stem for side, stem in keys if side and len(stem) > 1)
