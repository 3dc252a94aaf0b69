"""Bone mapping: find the 29 joints among a rig's bones by names, hierarchy and rest positions, weighed together.

Names are matched with presets, common words and languages (`name_matcher`) and weighed (`name_evidence`); the likeliest
body by names and places has the joints of arms and legs (`body_finder`), and the others follow (`joint_assignment`).
"""

from collections.abc import Sequence

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED, BoneMap, UnmappableRig, build_bone_map
from rigs.bone_mapping.end_joints import drop_implausible_toe_tips, infer_end_joints, infer_spine, raise_spine_ends
from rigs.bone_mapping.joint_assignment import assign_named_joints, fill_by_place, is_certain
from rigs.bone_mapping.map_confidence import joint_confidence
from rigs.bone_mapping.map_faults import find_faults
from rigs.bone_mapping.names.name_evidence import name_evidence
from rigs.bone_mapping.names.name_matcher import match_names
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.bone_mapping.structure.body_finder import find_body
from rigs.bone_mapping.structure.bone_tree import BoneTree
from rigs.bone_mapping.structure.structure_mapper import assign_joints
from rigs.skeleton import INDEX


def map_bones(names: Sequence[str], parents: Sequence[int], heads: Array | None = None) -> BoneMap:
    """Map the bones of a rig to the 29 joints.

    names, parents: one for each bone, -1 for a root. The tail of a leaf bone may be among them as "<bone> end site".
    heads: (N, 3) rest positions, in any unit and axes. Without them names and hierarchy alone decide.
    Raises UnmappableRig where arms, legs or the pelvis are missing.
    """
    if heads is not None and not np.isfinite(heads).all():
        heads = None  # places that are no numbers tell nothing
    match = match_names(names, parents)
    convention, bones = match.convention, match.bones
    evidence, placed = None, None
    if heads is not None and not convention.controls:
        tree = BoneTree.from_parents(parents, np.asarray(heads, dtype=float))
        evidence = name_evidence(names, match.bones_by_key, match.foreign)
        body = None if is_certain(match, evidence, tree) else find_body(tree, evidence, match.bones)
        if body is not None:
            placed = assign_joints(tree, body)
            match = assign_named_joints(match, body, placed, evidence, names, tree)
            convention, bones = match.convention, match.bones
    if missing := [joint for joint in REQUIRED if bones[INDEX[joint]] < 0]:
        raise UnmappableRig(f"no bone for {missing[0]}; a humanoid with two arms and two legs expected")
    if convention != BY_STRUCTURE:
        if evidence is not None:
            raise_spine_ends(match, bones, evidence.nameless, parents)
        infer_spine(convention, bones, parents)
        if evidence is not None and placed is not None:
            fill_by_place(convention, bones, placed, evidence, parents)
        infer_end_joints(convention, bones, names, parents)
        if heads is not None:
            drop_implausible_toe_tips(bones, names, heads)
    _drop_faulty_bones(convention, bones, names, parents, heads)
    confidence = joint_confidence(convention, bones, match.bones_by_key, heads, parents, evidence)
    return build_bone_map(convention, bones, confidence, parents)


def _drop_faulty_bones(
    convention: NamingConvention,
    bones: list[int],
    names: Sequence[str],
    parents: Sequence[int],
    heads: Array | None,
) -> None:
    """Leave joints open whose bones cannot be right together. Raises UnmappableRig if one of them is required."""
    while faults := find_faults(bones, names, parents, heads, convention=convention):
        optional = [joint for joint in faults[0].joints if joint not in REQUIRED]
        if not optional:
            raise UnmappableRig(faults[0].sentence)
        for joint in optional:
            bones[INDEX[joint]] = -1
