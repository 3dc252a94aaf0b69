"""Transforms that would add to a retargeted motion: what they are, and putting them to rest."""

from collections.abc import Collection, Iterable, Mapping, Sequence

import bpy
import numpy as np

from rigs.retargeting import rotation_modes
from rigs.retargeting.bone_transforms import RigMotion

from ..context_access import armature_data
from . import armatures, rigify
from .keys import fcurves
from .keys.channels import OBJECT_GROUP, REST_VALUES

_REST_TOLERANCE = 1e-5
"""Difference of a transform property from its value at rest, below which it is at rest."""


def interfering_transforms(
    target: bpy.types.Object, motion: RigMotion, keyed: Collection[str]
) -> dict[str, tuple[str, tuple[float, ...]]]:
    """The transforms that would add to a motion's own: for each data path the bone and the value at rest.

    Locations of the motion's bones, locations and rotations of the bones above them, and animated ones of a Rigify
    rig's other controls and of the object, which are not among the `keyed` data paths and are animated or not at rest.
    The object rests where it is.
    """
    assert target.pose is not None
    stale = rigify.stale_controls(target, keyed) if rigify.is_rigify(target) else {}
    animated = animated_paths(target, in_strips=True)
    above = _bones_above(target, motion.rotations)
    properties = dict.fromkeys(above, tuple(REST_VALUES)[:-1]) | dict.fromkeys(motion.rotations, ("location",))
    for name, names in properties.items():
        bone = target.pose.bones[name]
        current = ("location", rotation_modes.rotation_property(bone.rotation_mode))
        for prop in names:
            path, rest = f"{bone.path_from_id()}.{prop}", REST_VALUES[prop]
            moved = prop in current and is_away(target, path, rest)
            if path not in keyed and (moved or path in animated):
                stale[path] = name, rest
    for prop in tuple(REST_VALUES)[:-1]:
        if prop in animated and prop not in keyed:
            stale[prop] = OBJECT_GROUP, tuple(getattr(target, prop))
    return stale


def _bones_above(target: bpy.types.Object, names: Iterable[str]) -> list[str]:
    """The bones that move some bones: their parents, and those to which constraints bind them, and so on."""
    bones = list(armature_data(target).bones)
    index = {bone.name: n for n, bone in enumerate(bones)}
    above: dict[str, None] = {}
    waiting = [bones[index[name]] for name in names]
    while waiting:
        bone = waiting.pop()
        bound = armatures.effective_parent(target, bone, index)
        for parent in (bone.parent, bones[bound] if bound >= 0 else None):
            if parent is not None and parent.name not in above:
                above[parent.name] = None
                waiting.append(parent)
    return list(above)


def rest_transforms(target: bpy.types.Object, stale: Mapping[str, tuple[str, tuple[float, ...]]]) -> None:
    """Bring bones' transforms to rest; without keys they would stay as they are."""
    for path, (_, rest) in stale.items():
        owner, _, prop = path.rpartition(".")
        setattr(target.path_resolve(owner) if owner else target, prop, rest)


def is_away(target: bpy.types.Object, path: str, rest: Sequence[float]) -> bool:
    """Whether a transform property is not at rest now."""
    return not np.allclose(target.path_resolve(path), rest, atol=_REST_TOLERANCE)


def animated_paths(target: bpy.types.Object, *, in_strips: bool) -> set[str]:
    """The data paths that the assigned action animates, or also the object's unmuted NLA strips."""
    paths = {curve.data_path for curve in fcurves.action_fcurves(target)}
    animation = target.animation_data
    for track in animation.nla_tracks if animation is not None and in_strips else ():
        for strip in track.strips:
            if strip.action is not None and not (track.mute or strip.mute):
                paths |= {curve.data_path for curve in fcurves.all_fcurves(strip.action)}
    return paths
