"""Checks of rigs' bone maps: faults in what the Bone Map panel shows, and doubtful bones to ask about."""

from collections.abc import Sequence

import bpy
import numpy as np

from rigs.bone_mapping.bone_names import END_SITE
from rigs.bone_mapping.joint_labels import joint_label
from rigs.bone_mapping.map_confidence import doubtful_joints
from rigs.bone_mapping.map_faults import find_faults
from rigs.bone_mapping.map_io import convention_named
from rigs.skeleton import INDEX, JOINTS

from ..context_access import armature_data
from ..properties.bone_map import confirm_bone_map, skeleton_hash, stored_bone_map
from . import armatures, rig_motion

_MAX_LISTED = 8
"""Number of doubtful bones that a question lists."""


def map_faults(obj: bpy.types.Object) -> dict[str, str]:
    """What is impossible in the bone map that is stored in an armature: for each joint at fault a sentence."""
    armature = armature_data(obj)
    bone_map = stored_bone_map(obj)
    index = {bone.name: b for b, bone in enumerate(armature.bones)}
    faults: dict[str, str] = {}
    # The tail of a bone, which a tip may be mapped to, is where it belongs.
    bones = [-1] * len(JOINTS)
    for row in bone_map.joints:
        if row.bone in index:
            bones[INDEX[row.name]] = index[row.bone]
        elif row.bone and row.bone.removesuffix(END_SITE) not in index:
            faults[row.name] = f"{joint_label(row.name)}: {obj.name} has no bone {row.bone}, choose another one"
    heads = np.zeros((len(index), 3))
    for bone in bones:
        if bone >= 0:
            heads[bone] = armature.bones[bone].head_local
    found = find_faults(
        bones, list(index), _parents(obj, index, bones), heads, convention=convention_named(bone_map.dialect)
    )
    return faults | {joint: fault.sentence for fault in found for joint in fault.joints}


def doubtful_bones(obj: bpy.types.Object) -> dict[str, str]:
    """The doubtful bones of a rig's bone map, by joint; none after the map was confirmed. Raises NotADancer."""
    armature = armature_data(obj)
    if armatures.is_dancer(obj) or stored_bone_map(obj).confirmed == skeleton_hash(armature):
        return {}
    rig = armatures.read_rig(obj)
    mapping = rig_motion.rig_bone_map(obj, rig)
    return {joint: rig.names[mapping.bones[INDEX[joint]]] for joint in doubtful_joints(mapping)}


def doubt_question(rigs: Sequence[bpy.types.Object]) -> str:
    """The question whether to go on with the rigs' doubtful bones; empty without any. Raises NotADancer."""
    doubts = [(obj, bones) for obj in rigs if (bones := doubtful_bones(obj))]
    if not doubts:
        return ""
    lines = []
    for obj, bones in doubts:
        lines.append(f"Bones of {obj.name} that may be wrong:")
        lines += [f"    {joint_label(joint)}: {bone}" for joint, bone in list(bones.items())[:_MAX_LISTED]]
        if len(bones) > _MAX_LISTED:
            lines.append(f"    and {len(bones) - _MAX_LISTED} more")
    return "\n".join([*lines, "They can be corrected in the Bone Map panel. Go on with these bones?"])


def doubt_warnings(rigs: Sequence[bpy.types.Object]) -> list[str]:
    """The warning for each rig with doubtful bones, where nobody can be asked. Raises NotADancer."""
    return [
        f"{obj.name}: {len(bones)} bones may be wrong, such as {bone} for the {joint_label(joint)}; "
        "check them in the Bone Map panel"
        for obj in rigs
        if (bones := doubtful_bones(obj))
        for joint, bone in [next(iter(bones.items()))]
    ]


def confirm_bones(rigs: Sequence[bpy.types.Object]) -> None:
    """Remember in the rigs' armatures that their doubtful bones were confirmed, unless they are linked."""
    for obj in rigs:
        confirm_bone_map(obj)


def _parents(obj: bpy.types.Object, index: dict[str, int], bones: Sequence[int]) -> list[int]:
    """Each bone's parent, or the bone to which a constraint binds it; -1 for a root and for what no joint hangs on."""
    armature = armature_data(obj)
    parents = [-1] * len(index)
    known: set[int] = set()
    for bone in bones:
        path: set[int] = set()
        while bone >= 0 and bone not in known:
            known.add(bone)
            path.add(bone)
            above = armatures.effective_parent(obj, armature.bones[bone], index)
            parents[bone] = -1 if above in path else above  # constraints may bind bones in a circle
            bone = parents[bone]
    return parents
