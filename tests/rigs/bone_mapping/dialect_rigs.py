"""Rigs of many tools' bone names, built from the tables in `dialects/*.toml`: names, parents, rest positions, joints.

A table has the convention's name, the bones as a tree, and the bone of each joint:

    name = "OptiTrack Motive"                  as the preset says it
    pose = "T"                                 rest pose: "T" or "A"
    size = {legs = 1.1, arms = 0.9}            proportions, in those of the default dancer: legs, trunk, arms, head
    sides = {s = "L/R"}                        forms of the side; a line with one of them stands for both sides
    fingers = "Thumb Index Middle Ring Pinky"  names that {f} stands for, from the thumb; a line with {f} is a finger
    spellings = ["{}", "Skeleton 001:{}"]      how all names may be spelled; "{}" if left out
    tree = '''
    Hip > Ab > Chest > Neck > Head             each bone's child is behind it; the first may stand in a line before
    Head > Jaw, {s}Eye | face                  siblings, and where they are: face, twist, hang, palm (first of {f})
    Root @floor > Palm @finger2.0 > ...        or where this bone is: @floor, @ and a joint, or finger and phalanx
    '''
    [joints]
    pelvis = "Hip"
    hip = "{s}Thigh"                           of both sides
    [tail_joints]                              joints that are a leaf's tail, on a rig with tails
    foot = "{s}Foot end site"

Bones that are joints are where the default dancer, in that pose and size, has them; those between two placed bones are
spread evenly; others are at or close to their parent.
"""

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rigs import Array
from rigs.rotations import from_axis_angle, rotate
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, SIDES, rest_positions
from tests.rigs.bone_mapping.known_rigs import Hierarchy

TABLES = Path(__file__).with_name("dialects")
_A_POSE = 45.0
"""Degrees by which the arms hang in an A-pose."""
_TAIL = 0.06
"""Length of a leaf bone in metres."""
_STEP = {"face": (0.0, -0.09, 0.04), "hang": (0.0, 0.03, -0.09)}
"""Offsets in metres from a bone's parent, of the face's and of cloth's and hair's bones."""
_SPREAD = 0.025
"""Distance between siblings, and between fingers, in metres."""
_Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
"""From Z up, facing -Y, to Y up, facing Z."""


@dataclass(frozen=True)
class DialectRig:
    """A rig with the bones (N) of a dialect, Z up in metres, and what is true of it.

    convention: the naming convention's name.  joints: each joint's bone; leaves are there only if they have their own.
    tails: (N, 3) m.  tail_joints: the joints that only tails are.
    """

    label: str
    convention: str
    rig: Hierarchy
    tails: Array
    joints: dict[str, str]
    tail_joints: dict[str, str]

    def with_tails(self) -> "DialectRig":
        """The rig with the tails of the leaves, as "<bone> end site"."""
        return replace(self, rig=self.rig.with_tails(self.tails), joints=self.joints | self.tail_joints)


def dialect_names() -> list[str]:
    """The dialects with a table."""
    return sorted(file.stem for file in TABLES.glob("*.toml"))


def dialect_rigs(name: str) -> list[DialectRig]:
    """A dialect's rig in each of the spellings of its names."""
    table = _read_table(name)
    return [_build(table, spelling, f"{name} {spelling}") for spelling in table.get("spellings", ("{}",))]


def convert_positions(heads: Array, *, y_up: bool, unit: float) -> Array:
    """Positions (N, 3) m, Z up, in another unit in metres, and turned to Y up."""
    return (heads @ _Y_UP.T if y_up else heads) / unit


@cache
def _read_table(name: str) -> dict[str, Any]:
    return tomllib.loads((TABLES / f"{name}.toml").read_text("utf-8"))


@dataclass
class _Bone:
    """A bone while the rig is built: its parent's name, and where it is said to be."""

    parent: str
    place: str = ""
    kind: str = ""
    finger: tuple[int, int] | None = None
    side: str = ""


def _build(table: dict[str, Any], spelling: str, label: str) -> DialectRig:
    """Build the rig of a table with all names spelled in some way."""
    forms = {key: both.split("/") for key, both in table.get("sides", {}).items()}
    bones: dict[str, _Bone] = {}
    for line in filter(None, map(str.strip, table["tree"].splitlines())):
        for text, side, finger in _expand(line, forms, table.get("fingers", "").split()):
            _add_line(bones, text, side, finger)
    joints, tail_joints = (_both_sides(table.get(key, {}), forms) for key in ("joints", "tail_joints"))
    assert set(joints.values()) <= set(bones), set(joints.values()) - set(bones)
    places = _places(bones, joints, _body(table.get("pose", "T"), table.get("size", {})))
    names = list(bones)
    parents = [names.index(bone.parent) if bone.parent else -1 for bone in bones.values()]
    heads = np.array([places[name] for name in names])
    tails = np.array([_tail(name, bones, places) for name in names])
    rig = Hierarchy([spelling.format(name) for name in names], parents, heads)
    spelled = [{joint: spelling.format(bone) for joint, bone in some.items()} for some in (joints, tail_joints)]
    return DialectRig(label, table["name"], rig, tails, *spelled)


def _both_sides(joints: dict[str, str], forms: dict[str, list[str]]) -> dict[str, str]:
    """The bones of the joints of both sides, from one row each."""
    both = {}
    for joint, bone in joints.items():
        if joint in JOINTS:
            both[joint] = bone
        else:
            both |= {f"{side}_{joint}": _fill_in_side(bone, forms, n) for n, side in enumerate(SIDES)}
    return both


def _expand(line: str, forms: dict[str, list[str]], fingers: Sequence[str]) -> Iterator[tuple[str, str, int | None]]:
    """The lines that one line stands for: for both sides and for all fingers, with side and finger."""
    sided = any(f"{{{key}}}" in line for key in forms)
    for n, side in enumerate(SIDES if sided else ("",)):
        text = _fill_in_side(line, forms, n)
        if "{f}" not in text:
            yield text, side, None
            continue
        for number, finger in enumerate(fingers):
            yield text.replace("{f}", finger), side, number


def _fill_in_side(text: str, forms: dict[str, list[str]], n: int) -> str:
    for key, both in forms.items():
        text = text.replace(f"{{{key}}}", both[n])
    return text


def _add_line(bones: dict[str, _Bone], line: str, side: str, finger: int | None) -> None:
    """Add the bones of one line; a bone that is there already is a parent only."""
    tree, _, kind = line.partition(" | ")
    above = ""
    for level, siblings in enumerate(re.split(r"\s+>\s+", tree.strip())):
        for each in re.split(r"\s*,\s+", siblings):
            name, _, place = each.partition(" @")
            if name not in bones:
                at = None if finger is None or level == 0 else (finger, level - (kind.strip() == "palm"))
                bones[name] = _Bone(above, place.strip(), kind.strip(), at, side)
        above = name


def _body(pose: str, size: dict[str, float]) -> dict[str, Array]:
    """Joint positions in metres of the default dancer in another pose and other proportions."""
    offsets = DEFAULT_SKELETON.offsets.copy()
    part = {"legs": ("knee", "ankle"), "trunk": ("spine", "neck"), "arms": ("shoulder", "elbow", "wrist")}
    part["head"] = ("jaw", "head")
    for key, factor in size.items():
        rows = [j for j, joint in enumerate(JOINTS) if any(word in joint for word in part[key])]
        offsets[rows] *= factor
        if key == "legs":
            offsets[0] *= factor
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        turn = from_axis_angle(np.array([0.0, sign, 0.0]), np.radians(np.array(_A_POSE if pose == "A" else 0.0)))
        arm = [INDEX[f"{side}_{joint}"] for joint in ("elbow", "wrist", "thumb", "middle")]
        offsets[arm] = rotate(turn, offsets[arm])
    return dict(zip(JOINTS, rest_positions(offsets, PARENTS), strict=True)) | {"floor": np.zeros(3)}


def _places(bones: dict[str, _Bone], joints: dict[str, str], body: dict[str, Array]) -> dict[str, Array]:
    """Positions of all bones: of joints, of what the table places, of what lies between, and of the rest."""
    joint_of = {bone: joint for joint, bone in joints.items()}
    placed: dict[str, Array] = {}
    for name, bone in bones.items():
        if bone.finger is not None:
            placed[name] = _finger_position(body, bone.side, *bone.finger)
        elif number := re.fullmatch(r"finger(\d)\.(\d)", bone.place):
            placed[name] = _finger_position(body, bone.side, int(number[1]), int(number[2]))
        elif bone.place:
            sided = f"{bone.side}_{bone.place}"
            placed[name] = body[sided if sided in body else bone.place]
        elif name in joint_of:
            placed[name] = body[joint_of[name]]
    children: dict[str, list[str]] = {}
    for name, bone in bones.items():
        children.setdefault(bone.parent, []).append(name)
    places: dict[str, Array] = {}
    for name, bone in bones.items():
        if name in placed:
            places[name] = placed[name]
        elif bone.parent == "":
            places[name] = np.zeros(3)
        else:
            places[name] = places[bone.parent] + _offset(name, bones, children, placed, places)
    return places


def _offset(
    name: str,
    bones: dict[str, _Bone],
    children: dict[str, list[str]],
    placed: dict[str, Array],
    places: dict[str, Array],
) -> Array:
    """The offset from its parent of a bone that no table places."""
    bone = bones[name]
    siblings = [each for each in children[bone.parent] if each not in placed and bones[each].kind == bone.kind]
    rank = siblings.index(name)
    if bone.kind == "twist":
        goal = _next_placed(bone.parent, children, placed)
        return (goal - places[bone.parent]) * (rank + 1) / (len(siblings) + 1) if goal is not None else np.zeros(3)
    if bone.kind in _STEP:
        sign = {"left": 1.0, "right": -1.0}.get(bone.side, 0.0)
        return np.array(_STEP[bone.kind]) + np.array([sign * _SPREAD * (1 + rank // 2), 0.0, 0.004 * rank])
    steps, below = 1, name
    while below not in placed:
        free = children.get(below, [])
        if not free:
            return np.zeros(3)
        below, steps = next((each for each in free if each in placed), free[0]), steps + 1
    return (placed[below] - places[bone.parent]) / steps


def _next_placed(name: str, children: dict[str, list[str]], placed: dict[str, Array]) -> Array | None:
    """The position of the nearest placed bone below a bone."""
    below = list(children.get(name, []))
    for each in below:
        if each in placed:
            return placed[each]
        below += children.get(each, [])
    return None


def _finger_position(body: dict[str, Array], side: str, finger: int, phalanx: int) -> Array:
    """Where a finger's bone is: on a fan from the wrist, the thumb in front; the phalanx 0 is in the palm."""
    wrist, elbow = body[f"{side}_wrist"], body[f"{side}_elbow"]
    along = (wrist - elbow) / np.linalg.norm(wrist - elbow)
    front = np.array([0.0, -1.0, 0.0])
    if finger == 0:
        return wrist + along * 0.03 + front * 0.03 + (along + front) * 0.7 * 0.035 * (phalanx - 1)
    spread = _SPREAD * (2 - finger)
    if phalanx == 0:
        return wrist + along * 0.025 + front * spread / 2.0
    return wrist + along * (0.055 + 0.03 * phalanx) + front * spread


def _tail(name: str, bones: dict[str, _Bone], places: dict[str, Array]) -> Array:
    """The end of a bone, if it is a leaf: onwards in the direction from its parent, or up."""
    parent = bones[name].parent
    along = places[name] - places[parent] if parent else np.zeros(3)
    length = np.linalg.norm(along)
    return places[name] + (along * (_TAIL / length) if length > 0.0 else np.array([0.0, 0.0, _TAIL]))
