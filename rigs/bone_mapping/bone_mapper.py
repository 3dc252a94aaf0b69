"""Bone mapping: find the 29 joints among a rig's bones by naming-convention presets, checked against the hierarchy.

Where the names match no preset and no language, the rest positions of the bones are used (`structure_mapper`).
"""

from collections.abc import Sequence

from rigs import Array
from rigs.bone_mapping import structure_mapper
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED, BoneMap, UnmappableRig, build_bone_map
from rigs.bone_mapping.end_joints import drop_implausible_toe_tips, infer_end_joints, infer_spine
from rigs.bone_mapping.map_confidence import joint_confidence
from rigs.bone_mapping.map_faults import find_faults
from rigs.bone_mapping.name_matcher import match_names
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.skeleton import INDEX


def map_bones(names: Sequence[str], parents: Sequence[int], heads: Array | None = None) -> BoneMap:
    """Map the bones of a rig to the 29 joints.

    names, parents: one for each bone, -1 for a root. The tail of a leaf bone may be among them as "<bone> end site".
    heads: (N, 3) rest positions, in any unit and axes. With them a rig of unknown names can be mapped too.
    The best-matching naming convention is used. Raises UnmappableRig where arms, legs or the pelvis are missing.
    """
    match = match_names(names, parents)
    convention, bones = match.convention, match.bones
    missing = [joint for joint in REQUIRED if bones[INDEX[joint]] < 0]
    by_structure = None
    if heads is not None and 2 * len(missing) > len(REQUIRED):
        by_structure = structure_mapper.map_by_structure(parents, heads)
    if by_structure is not None:
        convention, bones = BY_STRUCTURE, by_structure
    elif missing:
        raise UnmappableRig(f"no bone for {missing[0]}; a humanoid with two arms and two legs expected")
    else:
        infer_spine(convention, bones, parents)
        infer_end_joints(convention, bones, names, parents)
        if heads is not None:
            drop_implausible_toe_tips(bones, names, heads)
    _drop_faulty_bones(convention, bones, names, parents)
    return build_bone_map(convention, bones, joint_confidence(convention, bones, match.bones_by_key, heads), parents)


def _drop_faulty_bones(
    convention: NamingConvention, bones: list[int], names: Sequence[str], parents: Sequence[int]
) -> None:
    """Leave joints open whose bones cannot be right together. Raises UnmappableRig if one of them is required."""
    while faults := find_faults(bones, names, parents, convention=convention):
        optional = [joint for joint in faults[0].joints if joint not in REQUIRED]
        if not optional:
            raise UnmappableRig(faults[0].sentence)
        for joint in optional:
            bones[INDEX[joint]] = -1
