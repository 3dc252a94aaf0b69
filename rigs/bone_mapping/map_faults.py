"""Faults of a bone map that no body has: one bone for two joints, a limb on another, swapped sides; a sentence each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors, is_descendant
from rigs.bone_mapping.bone_map import BY_STRUCTURE
from rigs.bone_mapping.bone_names import normalize_name, sides_in_names
from rigs.bone_mapping.joint_labels import BODY_PART, joint_label
from rigs.bone_mapping.languages import side_in_name
from rigs.bone_mapping.naming_conventions import NamingConvention, naming_conventions
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS, PARENTS

_TRUNK = "Trunk"
_HEAD = frozenset(("jaw", "head"))
_OPPOSITE_COSINE = -0.5
"""Cosine between the lines from right to left through hips and shoulders, from which one of them is swapped."""


@dataclass(frozen=True)
class MapFault:
    """What is impossible about the bones of some joints, as one sentence for people."""

    joints: tuple[str, ...]
    sentence: str


def find_faults(
    bones: Sequence[int],
    names: Sequence[str],
    parents: Sequence[int],
    heads: Array | None = None,
    *,
    convention: NamingConvention | None = None,
) -> tuple[MapFault, ...]:
    """Find what is impossible in a bone map: at most one fault for each joint, the gravest first.

    bones: (29,) each joint's index among the rig's bones, or -1.  names, parents: of the rig's bones.
    heads: (N, 3) rest positions.
    convention: of the bones' names, if known. Control bones need not hang below each other.
    """
    rig_map = _RigMap(bones, names, parents)
    faults = list(_shared_bones(rig_map))
    if not (convention.controls if convention else False) and not _names_controls(rig_map):
        faults += _further_faults(_inverted_joints(rig_map), faults)
        faults += _further_faults(_misplaced_joints(rig_map), faults)
    if convention != BY_STRUCTURE:  # names that tell nothing of the joint may not tell the side either
        faults += _further_faults(_swapped_names(rig_map, heads), faults)
    if heads is not None:
        faults += _further_faults(_swapped_places(rig_map, heads), faults)
    return tuple(faults)


class _RigMap:
    """A bone map with its rig: the mapped joints, by index, and how they hang on each other."""

    def __init__(self, bones: Sequence[int], names: Sequence[str], parents: Sequence[int]) -> None:
        self.bones, self.names, self.parents = bones, names, parents
        self.named_sides = sides_in_names(names)
        self.mapped = [j for j, bone in enumerate(bones) if bone >= 0]
        joint_of_bone = {bones[j]: j for j in reversed(self.mapped)}
        self.carriers = {
            j: next((joint_of_bone[bone] for bone in ancestors(bones[j], parents) if bone in joint_of_bone), -1)
            for j in self.mapped
        }
        """For each mapped joint the joint of the nearest mapped bone above its own, or -1."""

    def text(self, j: int) -> str:
        """A joint and its bone, for people: "Left Knee (shin.L)"."""
        return f"{joint_label(JOINTS[j])} ({self.names[self.bones[j]]})"

    def joint_above(self, j: int) -> int:
        """The nearest mapped joint above `j` in the same limb, or -1."""
        above = PARENTS[j]
        while above >= 0 and BODY_PART[JOINTS[above]] == BODY_PART[JOINTS[j]]:
            if self.bones[above] >= 0:
                return above
            above = PARENTS[above]
        return -1


def _shared_bones(rig_map: _RigMap) -> Iterator[MapFault]:
    """One bone for several joints."""
    for bone, count in Counter(rig_map.bones[j] for j in rig_map.mapped).items():
        if count > 1:
            joints = [JOINTS[j] for j in rig_map.mapped if rig_map.bones[j] == bone]
            labels = " and the ".join(map(joint_label, joints))
            yield MapFault(
                tuple(joints), f"{rig_map.names[bone]} is the {labels} at once: choose another bone for one of them"
            )


def _inverted_joints(rig_map: _RigMap) -> Iterator[MapFault]:
    """A joint above another one of its limb or the trunk, below which it belongs: the knee above the hip."""
    for j in rig_map.mapped:
        for above in ancestors(j, PARENTS):
            same_part = BODY_PART[JOINTS[above]] == BODY_PART[JOINTS[j]]
            if same_part and above in rig_map.mapped and _is_below(rig_map, above, j):
                yield MapFault(
                    (JOINTS[above], JOINTS[j]),
                    f"{rig_map.text(j)} is above the {rig_map.text(above)} in the rig: "
                    "swap the two bones, or choose others",
                )


def _misplaced_joints(rig_map: _RigMap) -> Iterator[MapFault]:
    """A joint that hangs on another limb or the head, or not on its own limb."""
    for j in rig_map.mapped:
        carrier, above = rig_map.carriers[j], rig_map.joint_above(j)
        part = BODY_PART[JOINTS[j]]
        carrier_part = BODY_PART[JOINTS[carrier]] if carrier >= 0 else _TRUNK
        on_head = carrier >= 0 and JOINTS[carrier] in _HEAD and part != _TRUNK
        if carrier_part not in (_TRUNK, part) or on_head:
            yield MapFault(
                (JOINTS[j],),
                f"{rig_map.text(j)} hangs on the {rig_map.text(carrier)}, as in no body: choose another bone",
            )
        elif above >= 0 and part != _TRUNK and not _is_collar(above) and not _is_below(rig_map, j, above):
            yield MapFault(
                (JOINTS[j],),
                f"{rig_map.text(j)} does not hang on the {rig_map.text(above)}: choose a bone of the same limb",
            )


def _swapped_names(rig_map: _RigMap, heads: Array | None) -> Iterator[MapFault]:
    """A bone whose name says the other side than its joint and place, while other bones' names agree with theirs."""
    agree: dict[bool, list[int]] = {True: [], False: []}
    for j in rig_map.mapped:
        name, side = rig_map.names[rig_map.bones[j]], JOINTS[j].partition("_")[0]
        named_side = rig_map.named_sides[rig_map.bones[j]] or side_in_name(name)
        if named_side and BODY_PART[JOINTS[j]] != _TRUNK:
            agree[named_side == side].append(j)
    if agree[True] and agree[False]:
        odd = min(agree[False], agree[True], key=len)
        other = agree[odd is agree[False]][0]
        if heads is not None and _are_in_place(rig_map, odd, heads):
            return
        yield MapFault(
            tuple(JOINTS[j] for j in odd),
            f"{rig_map.text(odd[0])} is of the other side than the {rig_map.text(other)}: "
            "left and right are swapped for one of them",
        )


def _are_in_place(rig_map: _RigMap, joints: Sequence[int], heads: Array) -> bool:
    """Whether joints lie on their side of the body, as the other joints tell it."""
    bones, doubtful = rig_map.bones, {*joints, *(MIRROR_JOINTS[j] for j in joints)}
    pairs = [j for j in rig_map.mapped if j < MIRROR_JOINTS[j] and bones[MIRROR_JOINTS[j]] >= 0]
    apart = {j: np.asarray(heads[bones[j]], dtype=float) - heads[bones[MIRROR_JOINTS[j]]] for j in pairs}
    lateral = sum((apart[j] for j in pairs if j not in doubtful), np.zeros(3))
    checked = [j for j in pairs if j in doubtful]
    return bool(checked) and all(apart[j] @ lateral > 0.0 for j in checked)


def _swapped_places(rig_map: _RigMap, heads: Array) -> Iterator[MapFault]:
    """Arms whose left is the legs' right, by rest positions, where the names do not tell the sides."""
    joints = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    bones = [rig_map.bones[INDEX[joint]] for joint in joints]
    if min(bones) < 0 or any(rig_map.named_sides[bone] for bone in bones):
        return
    left_hip, right_hip, left_shoulder, right_shoulder = (np.asarray(heads[bone], dtype=float) for bone in bones)
    hips, shoulders = left_hip - right_hip, left_shoulder - right_shoulder
    if hips @ shoulders < _OPPOSITE_COSINE * np.linalg.norm(hips) * np.linalg.norm(shoulders):
        text = rig_map.text
        yield MapFault(
            ("left_shoulder", "right_shoulder"),
            f"{text(INDEX['left_shoulder'])} lies on the side of the {text(INDEX['right_hip'])}: "
            "left and right are swapped for arms or legs",
        )


def _further_faults(faults: Iterator[MapFault], known: Sequence[MapFault]) -> list[MapFault]:
    """The faults of joints that have none yet, and do not hang on one that has."""
    at_fault = {joint for fault in known for joint in fault.joints}
    kept = []
    for fault in faults:
        limbs = {JOINTS[j] for joint in fault.joints for j in (INDEX[joint], *ancestors(INDEX[joint], PARENTS))}
        limbs = {joint for joint in limbs if BODY_PART[joint] == BODY_PART[fault.joints[-1]]}
        if not at_fault & limbs:
            kept.append(fault)
            at_fault |= set(fault.joints)
    return kept


def _is_below(rig_map: _RigMap, j: int, other: int) -> bool:
    return is_descendant(rig_map.bones[j], rig_map.bones[other], rig_map.parents)


def _is_collar(j: int) -> bool:
    return JOINTS[j].endswith("_collar")


def _names_controls(rig_map: _RigMap) -> bool:
    """Whether most mapped bones are known animation controls, as of Rigify."""
    keys = {normalize_name(rig_map.names[rig_map.bones[j]]): JOINTS[j] for j in rig_map.mapped}
    return any(
        2 * sum(key in convention.joints.get(joint, ()) for key, joint in keys.items()) > len(rig_map.mapped)
        for convention in naming_conventions()
        if convention.controls
    )
