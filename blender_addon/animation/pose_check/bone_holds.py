"""What keeps a bone from following its keys: constraints, drivers, NLA tracks, muted curves, transforms without keys.

A `Hold` names one such thing, as plain data that can be stored; `release` undoes it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import bpy
import numpy as np

from rigs.retargeting import rotation_modes

from ...context_access import armature_data
from ..control_bones import LIMBS, has_controls
from ..keys import fcurves, nla
from ..keys.channels import REST_VALUES
from ..rigify import is_rigify

HoldKind = Literal[
    "rest_position",
    "solo_track",
    "nla_off",
    "blending",
    "object",
    "constraint",
    "driver",
    "muted_curves",
    "modifiers",
    "transform",
    "scale",
    "mechanism",
    "ik",
    "unknown",
]
_REST_TOLERANCE = 1e-4
"""Difference of a transform property from its value at rest, below which it is at rest."""
_LASTING = frozenset(("object", "mechanism", "ik", "unknown"))
"""Kinds that `release` leaves alone: the object's own movement, and what a rig needs to work."""


@dataclass(frozen=True)
class Hold:
    """One thing that overrides keys.

    bone: the bone that has it; empty for what concerns the whole armature.  name: of the constraint or NLA track, or
    of the property.
    """

    kind: HoldKind
    bone: str = ""
    name: str = ""

    @property
    def can_release(self) -> bool:
        """Whether `release` can undo it, without breaking the rig."""
        return self.kind not in _LASTING

    @property
    def text(self) -> str:
        """What it is, as part of a sentence."""
        whose = f" of {self.bone}" if self.bone else ""
        return {
            "rest_position": "the armature is in Rest Position",
            "solo_track": f"the NLA track {self.name} is solo",
            "nla_off": "its NLA tracks are switched off",
            "blending": f"its action is blended with NLA strips: {self.name}",
            "object": f"the object moves by itself: {self.name}",
            "constraint": f"constraint {self.name}{whose}",
            "driver": f"driver on {self.name}{whose}",
            "muted_curves": f"muted F-curves{whose}",
            "modifiers": f"F-curve modifiers{whose}",
            "transform": f"{self.name}{whose}, which has no keys",
            "scale": f"scale{whose}",
            "mechanism": "the rig's own constraints and switches",
            "ik": "the rig's IK, which cannot tell where a straight limb's elbow or knee points: choose FK limbs",
            "unknown": "nothing that was found",
        }[self.kind]


def armature_holds(obj: bpy.types.Object, *, in_strip: bool) -> list[Hold]:
    """What overrides the keys of all bones.  in_strip: the keys are in an NLA strip, and not in the assigned action."""
    holds = []
    if armature_data(obj).pose_position == "REST":
        holds.append(Hold("rest_position"))
    animation = obj.animation_data
    if animation is None:
        return holds
    solo = [track for track in animation.nla_tracks if track.is_solo]
    plays = [strip.action for track in solo for strip in track.strips]
    if solo and nla.base_action(obj) not in plays:
        holds.append(Hold("solo_track", name=solo[0].name))
    beneath_layer = nla.has_correction_layer(obj)
    if (in_strip or beneath_layer) and not animation.use_nla:
        holds.append(Hold("nla_off"))
    if in_strip or beneath_layer or not any(track.strips for track in animation.nla_tracks):
        return holds
    blend, influence = animation.action_blend_type, animation.action_influence
    if animation.use_nla and (blend != "REPLACE" or influence < 1.0):
        holds.append(Hold("blending", name=f"{blend.title()}, influence {influence:.2g}"))
    return holds


def object_hold(obj: bpy.types.Object) -> Hold:
    """What moves the object itself, where it is not where it was."""
    animation = obj.animation_data
    if obj.parent is not None:
        return Hold("object", name=f"its parent {obj.parent.name}")
    for constraint in obj.constraints:
        if _is_active(constraint):
            return Hold("object", name=f"its constraint {constraint.name}")
    if animation is not None and any(driver.data_path in REST_VALUES for driver in animation.drivers):
        return Hold("object", name="its drivers")
    return Hold("object", name="its own keys")


def bone_holds(obj: bpy.types.Object, bone: str, above: str, shown: str) -> list[Hold]:
    """What keeps a bone from following its keys.

    above: the nearest bone above whose keys count, or empty.  shown: the bone that shows its pose, often itself.
    """
    assert obj.pose is not None
    pose_bone = obj.pose.bones[bone]
    holds = list(_own_holds(obj, pose_bone))
    for between in pose_bone.parent_recursive:
        if between.name == above:
            break
        holds += _own_holds(obj, between)
        holds += _unkeyed_holds(obj, between, ("location", rotation_modes.rotation_property(between.rotation_mode)))
    holds += [Hold("scale", carrier.name, "scale") for carrier in pose_bone.parent_recursive if _is_scaled(carrier)][:1]
    if shown != bone:
        holds += [Hold("mechanism") for constraint in obj.pose.bones[shown].constraints if _is_active(constraint)]
    return list(dict.fromkeys(holds)) or [Hold("unknown")]


def release(obj: bpy.types.Object, hold: Hold) -> None:
    """Undo a hold: mute the constraint, driver, track or modifiers, unmute the curves, put the transform to rest."""
    assert obj.pose is not None
    bone = obj.pose.bones.get(hold.bone)
    if bone is not None:
        _release_bone(obj, bone, hold)
        return
    animation: Any = obj.animation_data
    if hold.kind == "rest_position":
        armature_data(obj).pose_position = "POSE"
    elif hold.kind == "nla_off":
        animation.use_nla = True
    elif hold.kind == "blending":
        animation.action_blend_type, animation.action_influence = "REPLACE", 1.0
    elif hold.kind == "solo_track":
        for track in animation.nla_tracks:
            track.is_solo = False


def _release_bone(obj: bpy.types.Object, bone: bpy.types.PoseBone, hold: Hold) -> None:
    if hold.kind == "constraint" and hold.name in bone.constraints:
        bone.constraints[hold.name].mute = True
    elif hold.kind == "driver":
        for driver in _drivers(obj, bone):
            driver.mute = True
    elif hold.kind in ("muted_curves", "modifiers"):
        for curve in _curves(obj, bone):
            _play_alone(curve)
    elif hold.kind in ("transform", "scale"):
        setattr(bone, hold.name, REST_VALUES[hold.name])


def _own_holds(obj: bpy.types.Object, bone: bpy.types.PoseBone) -> Iterator[Hold]:
    """What a bone itself has that overrides its keys, and the IK constraints below it whose chains hold it."""
    ours = _our_constraints(obj)
    rig_s_own = is_rigify(obj)
    for owner in (bone, *bone.children_recursive):
        for constraint in owner.constraints:
            if not _is_active(constraint) or (owner.name, constraint.name) in ours:
                continue
            if owner == bone or _is_in_chain(bone, owner, constraint):
                yield Hold("mechanism") if rig_s_own else Hold("constraint", owner.name, constraint.name)
    drivers = _drivers(obj, bone)
    if drivers:
        yield Hold("driver", bone.name, drivers[0].data_path.rpartition(".")[2])
    curves = _curves(obj, bone)
    if any(curve.mute or (curve.group is not None and curve.group.mute) for curve in curves):
        yield Hold("muted_curves", bone.name)
    if any(not modifier.mute for curve in curves for modifier in curve.modifiers):
        yield Hold("modifiers", bone.name)
    yield from _unkeyed_holds(obj, bone, ("location",))
    if _is_scaled(bone):
        yield Hold("scale", bone.name, "scale")


def _is_scaled(bone: bpy.types.PoseBone) -> bool:
    return bool(np.abs(np.array(bone.scale) - 1.0).max() > _REST_TOLERANCE)


def _unkeyed_holds(obj: bpy.types.Object, bone: bpy.types.PoseBone, properties: tuple[str, ...]) -> Iterator[Hold]:
    """Transform properties of a bone that are not at rest and that the action does not key."""
    keyed = {curve.data_path for curve in _curves(obj, bone)}
    for name in properties:
        away = np.abs(np.array(getattr(bone, name)) - np.array(REST_VALUES[name])).max()
        if away > _REST_TOLERANCE and f"{bone.path_from_id()}.{name}" not in keyed:
            yield Hold("transform", bone.name, name)


def _curves(obj: bpy.types.Object, bone: bpy.types.PoseBone) -> list[bpy.types.FCurve]:
    """The F-curves of a bone's transform in the action that moves the object."""
    action = nla.base_action(obj)
    prefix = bone.path_from_id() + "."
    curves = fcurves.all_fcurves(action) if action is not None else iter(())
    return [curve for curve in curves if curve.data_path.removeprefix(prefix) in REST_VALUES]


def _drivers(obj: bpy.types.Object, bone: bpy.types.PoseBone) -> list[bpy.types.FCurve]:
    """The drivers of a bone's location, rotation and scale."""
    animation, prefix = obj.animation_data, bone.path_from_id() + "."
    drivers = animation.drivers if animation is not None else ()
    return [driver for driver in drivers if driver.data_path.removeprefix(prefix) in REST_VALUES and not driver.mute]


def _is_active(constraint: bpy.types.Constraint) -> bool:
    return not constraint.mute and constraint.influence > 0.0 and constraint.is_valid


def _is_in_chain(bone: bpy.types.PoseBone, owner: bpy.types.PoseBone, constraint: bpy.types.Constraint) -> bool:
    """Whether the inverse kinematics of a constraint further down move a bone."""
    if not isinstance(constraint, bpy.types.KinematicConstraint | bpy.types.SplineIKConstraint):
        return False
    chain = [owner, *owner.parent_recursive]
    if isinstance(constraint, bpy.types.KinematicConstraint) and not constraint.use_tail:
        chain = chain[1:]
    length = constraint.chain_count or len(chain)
    return bone in chain[:length]


def _our_constraints(obj: bpy.types.Object) -> set[tuple[str, str]]:
    """The constraints of our dancers' controls, whose keys agree with the joints'."""
    if not has_controls(obj):
        return set()
    return {(joint, limb.constraint) for limb in LIMBS for joint in limb.joints[1:]}


def _play_alone(curve: bpy.types.FCurve) -> None:
    """Unmute an F-curve, whose muted group's other curves stay muted, and mute its modifiers."""
    if curve.group is not None:
        fcurves.unmute_group(curve.group)
    curve.mute = False
    for modifier in curve.modifiers:
        modifier.mute = True
