"""The bones that show a joint's movement, where the mapped bone is one of several controls between which a rig blends.

In Rigify's rigs `ORG-forearm.L` copies the transforms of `forearm_fk.L`, and above that those of the IK chain with an
influence that `IK_FK` drives: the FK control has the keys, but the bone that copies both is where the arm is.
"""

from collections.abc import Sequence

import bpy
import numpy as np

from rigs.bone_mapping.bone_names import END_SITE
from rigs.characters.rig import Rig

from ...context_access import armature_data
from ..keys import fcurves

_COPYING = bpy.types.CopyTransformsConstraint, bpy.types.CopyRotationConstraint, bpy.types.KinematicConstraint
_REST_TOLERANCE = 1e-4
"""Difference between rest matrices, relative to the bone's length in their locations, below which they are one."""


def shown_bones(obj: bpy.types.Object, rig: Rig, bones: Sequence[int]) -> tuple[int, ...]:
    """The nodes of `rig` whose evaluated pose shows that of the mapped ones; -1 stays.

    bones: (29,) nodes.  A bone is replaced by one with its rest pose that copies it as well as another source.
    """
    followers = _followers(obj)
    index = {name: node for node, name in enumerate(rig.names)}
    shown = []
    for node in bones:
        if node < 0:
            shown.append(node)
            continue
        bone, is_tip = rig.names[node].removesuffix(END_SITE), rig.names[node].endswith(END_SITE)
        name = _shown_bone(obj, bone, followers)
        shown.append(index.get(name + END_SITE if is_tip else name, node))
    return tuple(shown)


def shown_bone_names(obj: bpy.types.Object, bones: Sequence[str]) -> list[str]:
    """For each bone the one whose evaluated pose shows its own, by name."""
    followers = _followers(obj)
    return [_shown_bone(obj, bone, followers) for bone in bones]


def _shown_bone(obj: bpy.types.Object, bone: str, followers: dict[str, list[str]]) -> str:
    """The last bone along those that copy `bone`, and one another, that has another source too; else `bone`."""
    assert obj.pose is not None
    shown, seen = bone, {bone}
    waiting = [bone]
    while waiting:
        for follower in followers.get(waiting.pop(0), ()):
            if follower in seen or not _may_show(obj, bone, follower):
                continue
            seen.add(follower)
            waiting.append(follower)
            if len(_sources(obj, obj.pose.bones[follower])) > 1:
                shown = follower
    return shown


def _followers(obj: bpy.types.Object) -> dict[str, list[str]]:
    """The bones that copy each bone."""
    assert obj.pose is not None
    followers: dict[str, list[str]] = {}
    for bone in obj.pose.bones:
        for source in _sources(obj, bone):
            followers.setdefault(source, []).append(bone.name)
    return followers


def _sources(obj: bpy.types.Object, bone: bpy.types.PoseBone) -> list[str]:
    """The bones of the armature that constraints let `bone` take its rotation from, wholly or by a changing share.

    An IK constraint of its own counts as one, by its target, or "" for one in another object.
    """
    sources: list[str] = []
    for constraint in bone.constraints:
        if constraint.mute or (constraint.influence < 1.0 and not _is_animated(obj, constraint)):
            continue
        if isinstance(constraint, _COPYING):
            sources.append(constraint.subtarget if constraint.target == obj else "")
        elif isinstance(constraint, bpy.types.ArmatureConstraint):
            sources += [target.subtarget if target.target == obj else "" for target in constraint.targets]
    return list(dict.fromkeys(sources))


def _is_animated(obj: bpy.types.Object, constraint: bpy.types.Constraint) -> bool:
    """Whether a driver or the assigned action changes a constraint's influence."""
    animation, path = obj.animation_data, f"{constraint.path_from_id()}.influence"
    if animation is None:
        return False
    return animation.drivers.find(path) is not None or any(c.data_path == path for c in fcurves.action_fcurves(obj))


def _may_show(obj: bpy.types.Object, bone: str, other: str) -> bool:
    """Whether two bones have the same rest matrix, and `bone` does not deform the body by itself, without `other`."""
    bones = armature_data(obj).bones
    if bones[bone].use_deform and not bones[other].use_deform:
        return False
    difference = np.abs(np.array(bones[bone].matrix_local) - np.array(bones[other].matrix_local))
    difference[:3, 3] /= max(bones[bone].length, _REST_TOLERANCE)
    return bool(difference.max() < _REST_TOLERANCE)
