"""Bone maps as JSON, by bone names, and the hash by which a skeleton is recognised."""

import hashlib
import json
from collections.abc import Sequence

from rigs import Array
from rigs.bone_mapping.bone_map import BY_STRUCTURE, BoneMap, build_bone_map
from rigs.bone_mapping.languages import languages
from rigs.bone_mapping.map_faults import find_faults
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions
from rigs.one_line import one_line
from rigs.skeleton import INDEX, JOINTS

_KIND = "Pas de Deux bone map"
_EDITED_BY_HAND = NamingConvention("edited by hand", {})


class BadMap(ValueError):
    """Error for a bone map that cannot be read or does not match the rig; its text says what was expected and found."""

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence))


def skeleton_hash(names: Sequence[str], parents: Sequence[int]) -> str:
    """Hash of a bone hierarchy: 16 hexadecimal digits, independent of the order of the bones."""
    parent_names = [names[parent] if parent >= 0 else "" for parent in parents]
    rows = sorted(f"{name}\t{parent}" for name, parent in zip(names, parent_names, strict=True))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def to_json(mapping: BoneMap, names: Sequence[str]) -> str:
    """Serialise a bone map: for each mapped joint its bone's name and confidence."""
    rows = zip(JOINTS, mapping.bones, mapping.joint_confidence, strict=True)
    joints = {joint: (names[bone], confidence) for joint, bone, confidence in rows if bone >= 0}
    return bone_map_json(mapping.convention.name, joints)


def bone_map_json(convention: str, joints: dict[str, tuple[str, float]]) -> str:
    """Serialise a bone map given by names. joints: for each joint its bone and confidence."""
    rows = {joint: {"bone": bone, "sureness": round(confidence, 3)} for joint, (bone, confidence) in joints.items()}
    return json.dumps({"kind": _KIND, "dialect": convention, "joints": rows}, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, names: Sequence[str], parents: Sequence[int], heads: Array | None = None) -> BoneMap:
    """Parse a bone map for the rig with those bones. Raises BadMap, also for a map that no body can have.

    heads: (N, 3) rest positions of the bones, for the check.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadMap(f"a bone map in JSON expected, {error}") from None
    except RecursionError:
        raise BadMap("a bone map in JSON expected, values inside a thousand others found") from None
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
    convention = convention_named(str(data.get("dialect")))
    if faults := find_faults(bones, names, parents, heads, convention=convention):
        raise BadMap(faults[0].sentence)
    return build_bone_map(convention, bones, confidences, parents)


def convention_named(name: str) -> NamingConvention:
    """The naming convention of that name, or the one of maps edited by hand."""
    conventions = (*naming_conventions(), *(language.convention for language in languages()), BY_STRUCTURE)
    return next((known for known in conventions if known.name == name), _EDITED_BY_HAND)
