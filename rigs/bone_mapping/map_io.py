"""Bone maps as JSON, by the names of bones, and the hash that knows a skeleton again."""

import hashlib
import json
from collections.abc import Sequence

from rigs.bone_mapping.bone_mapper import BY_STRUCTURE, BoneMap, build_bone_map
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions
from rigs.skeleton import INDEX, JOINTS

_KIND = "Pas de Deux bone map"
_HAND_MADE = NamingConvention("made by hand", {})


class BadMap(ValueError):
    """A map that cannot be read or that is none of this rig; its text is one clause: what was expected and found."""


def skeleton_hash(names: Sequence[str], parents: Sequence[int]) -> str:
    """16 hexadecimal digits that are the same for the same bones under the same parents, in whatever order."""
    rows = sorted(
        f"{name}\t{names[parent] if parent >= 0 else ''}" for name, parent in zip(names, parents, strict=True)
    )
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def to_json(mapping: BoneMap, names: Sequence[str]) -> str:
    """A map as text: for each joint that has a bone, that bone's name and how sure it is."""
    rows = zip(JOINTS, mapping.bones, mapping.joint_confidence, strict=True)
    return bone_map_json(
        mapping.convention.name, {joint: (names[bone], sure) for joint, bone, sure in rows if bone >= 0}
    )


def bone_map_json(convention: str, joints: dict[str, tuple[str, float]]) -> str:
    """The same from names. joints: for each joint its bone and how sure that is."""
    rows = {joint: {"bone": bone, "sureness": round(sure, 3)} for joint, (bone, sure) in joints.items()}
    return json.dumps({"kind": _KIND, "dialect": convention, "joints": rows}, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, names: Sequence[str], parents: Sequence[int]) -> BoneMap:
    """The map in a text, for the rig with those bones. Raises BadMap."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadMap(f"a bone map in JSON expected, {error}") from None
    if not isinstance(data, dict) or data.get("kind") != _KIND or not isinstance(data.get("joints"), dict):
        raise BadMap(f'an object with "kind": "{_KIND}" and "joints" expected')
    bones, confidences = [-1] * len(JOINTS), [0.0] * len(JOINTS)
    for joint, row in data["joints"].items():
        if joint not in INDEX:
            raise BadMap(f"{joint}: one of the 29 joints expected")
        if not isinstance(row, dict) or not isinstance(row.get("bone"), str):
            raise BadMap(f'{joint}: an object with the name of a "bone" expected, {json.dumps(row)} found')
        if row["bone"] not in names:
            raise BadMap(f"{joint}: a bone of this rig expected, {row['bone']} found")
        confidence = row.get("sureness", 1.0)
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0.0 <= confidence <= 1.0:
            raise BadMap(f"{joint}: a sureness from 0 to 1 expected, {json.dumps(confidence)} found")
        bones[INDEX[joint]], confidences[INDEX[joint]] = names.index(row["bone"]), float(confidence)
    taken = [bone for bone in bones if bone >= 0]
    for j, bone in enumerate(bones):
        if bone >= 0 and taken.count(bone) > 1:
            raise BadMap(f"{JOINTS[j]}: a bone of its own expected, {names[bone]} is another joint's too")
    return build_bone_map(convention_named(str(data.get("dialect"))), bones, confidences, parents)


def convention_named(name: str) -> NamingConvention:
    """The known dialect of that name, or the one of maps made by hand."""
    return next((dialect for dialect in (*naming_conventions(), BY_STRUCTURE) if dialect.name == name), _HAND_MADE)
