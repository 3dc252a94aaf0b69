"""Warnings on dancers whose movement is read: what of it is left out, and who stands still although keys move them."""

from collections.abc import Iterator, Sequence

import bpy
import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import JOINTS

from . import armatures, rig_motion
from .keys import fcurves, frame_ranges, nla

_STILL = 1e-5  # m that no joint of a dancer that stands still moves
_POSED = ("pose.bones[", "location", "rotation_", "scale", "constraints[")
"""What the data paths of the properties begin with that pose an armature."""
_VARIES = 1e-4  # difference between the values of keys that move something


def range_warnings(dancers: Sequence[bpy.types.Object]) -> tuple[str, ...]:
    """What the dancers' frames leave out or go on with: stray keys, and keys that repeat."""
    return tuple(warning for dancer in dancers for warning in _range_warnings(dancer))


def _range_warnings(obj: bpy.types.Object) -> list[str]:
    animated = frame_ranges.animated_frames(obj)
    if animated is None:
        return []
    warnings = []
    if animated.stray:
        frames, keyed = ", ".join(map(str, animated.stray)), animated.frames
        one = len(animated.stray) == 1
        keys, are, were = ("a key at frame", "is", "was") if one else ("keys at frames", "are", "were")
        warnings.append(
            f"{obj.name}: {keys} {frames} ({animated.stray_path}) {are} far from all others and {were} left out, "
            f"frames {keyed[0]} to {keyed[-1]} are read: to include it, give the action a Manual Frame Range"
        )
    if animated.repeats:
        warnings.append(
            f"{obj.name}: its keys repeat (F-curve modifiers), so that the frames of the timeline are read, too: to "
            "read others, give its action a Manual Frame Range"
        )
    return warnings


def size_warning(obj: bpy.types.Object) -> str:
    """That a dancer grows or shrinks, by keys on its scale or a parent's, while a motion has one size; else empty."""
    scaled: bpy.types.Object | None = obj
    while scaled is not None:
        if any(curve.data_path == "scale" and _varies(curve) for curve in fcurves.action_fcurves(scaled)):
            owner = "its scale" if scaled == obj else f"the scale of its parent {scaled.name}"
            return f"{obj.name}: {owner} is animated, and the size in the current frame was taken for all"
        scaled = scaled.parent
    return ""


def still_warning(obj: bpy.types.Object, motion: Motion, frames: range) -> str:
    """That a dancer has the same pose in all frames although something should move it; empty if that is not so."""
    if len(motion) < 2 or np.ptp(motion.positions, axis=0).max() > _STILL:
        return ""
    span = f"stands still in frames {frames[0]} to {frames[-1]}"
    if not frame_ranges.is_animated(obj) and not may_move(obj):
        return f"{obj.name} has no animation and {span}"
    reason = _reason(obj)
    return f"{obj.name} {span}, although {reason}" if reason else ""


def driver_warning(obj: bpy.types.Object) -> str:
    """That a driver of an armature's bones or transform does not work, so that its pose is not as meant; else empty."""
    animation = obj.animation_data
    for curve in animation.drivers if animation is not None else ():
        driver = curve.driver
        if driver is None or curve.mute or not curve.data_path.startswith(_POSED):
            continue
        is_script = driver.type == "SCRIPTED" and not driver.is_simple_expression
        if is_script and bpy.app.autoexec_fail:
            return f"{obj.name}: the driver of {curve.data_path} is a script, and scripts are not allowed to run here"
        if not driver.is_valid:
            return f"{obj.name}: the driver of {curve.data_path} does not work, so that its pose may not be as meant"
    return ""


def movers(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The objects that may move an armature: its parents, and what its constraints and drivers use, and theirs."""
    found: list[bpy.types.Object] = []
    waiting = [obj]
    while waiting:
        for other in _direct_movers(waiting.pop()):
            if other != obj and other not in found:
                found.append(other)
                waiting.append(other)
    return found


def may_move(obj: bpy.types.Object) -> bool:
    """Whether anything but an action or NLA strips of its own may move an armature: a mover, or a driver."""
    return bool(movers(obj)) or any(_is_moving(driver, obj) for driver in _drivers(obj))


def _is_moving(driver: bpy.types.Driver, obj: bpy.types.Object) -> bool:
    """Whether a driver depends on the frame, or on more than the armature's own properties."""
    targets = [target.id for variable in driver.variables for target in variable.targets if target.id is not None]
    return "frame" in driver.expression or any(target not in (obj, obj.data) for target in targets)


def _drivers(obj: bpy.types.Object) -> Iterator[bpy.types.Driver]:
    """The drivers of an object and of its data."""
    for block in (obj, obj.data):
        animation = block.animation_data if block is not None else None
        yield from (curve.driver for curve in (animation.drivers if animation is not None else ()) if curve.driver)


def _direct_movers(obj: bpy.types.Object) -> Iterator[bpy.types.Object]:
    if obj.parent is not None:
        yield obj.parent
    owners = [obj, *(obj.pose.bones if obj.pose else ())]
    for constraint in (constraint for owner in owners for constraint in owner.constraints if not constraint.mute):
        targets = [*getattr(constraint, "targets", ()), constraint]
        yield from (target.target for target in targets if getattr(target, "target", None) is not None)
    for variable in (variable for driver in _drivers(obj) for variable in driver.variables):
        yield from (target.id for target in variable.targets if isinstance(target.id, bpy.types.Object))


def _reason(obj: bpy.types.Object) -> str:
    """What should move a dancer, and what may hold it; empty if nothing should."""
    animation, bones = obj.animation_data, _body_bones(obj)
    curves = [curve for curve in fcurves.action_fcurves(obj) if _moves(curve, bones) and _varies(curve)]
    if curves and animation is not None and animation.action is not None:
        name = animation.action.name
        if not any(map(fcurves.is_evaluated, curves)):
            return f"its action {name} has moving keys: its F-curves are muted"
        if nla.has_solo_track(animation):
            return f"its action {name} has moving keys: a solo NLA track plays alone"
        return f"its action {name} has moving keys: see which constraints, drivers or NLA strips hold it"
    if any(_strip_varies(strip, bones) for strip in nla.played_strips(obj)):
        return "its NLA strips have moving keys: see which tracks, constraints or drivers hold it"
    moving = next((other for other in movers(obj) if frame_ranges.is_animated(other)), None)
    return f"{moving.name}, which it depends on, is animated: see what holds it" if moving else ""


def _body_bones(obj: bpy.types.Object) -> frozenset[str]:
    """The bones that move the body: the mapped ones and those that they hang on; in rigs with constraints any may."""
    assert obj.pose is not None
    if any(bone.constraints for bone in obj.pose.bones):
        return frozenset(obj.pose.bones.keys())
    rig = armatures.read_rig(obj)
    bones = (
        JOINTS
        if armatures.is_dancer(obj)
        else [rig.names[b] for b in rig_motion.rig_bone_map(obj, rig).bones if b >= 0]
    )
    body = [obj.pose.bones[name] for name in bones if name in obj.pose.bones]
    return frozenset(bone.name for each in body for bone in (each, *each.parent_recursive))


def _moves(curve: bpy.types.FCurve, bones: frozenset[str]) -> bool:
    """Whether an F-curve animates the object's or one of the bones' transform or properties."""
    path = curve.data_path
    return not path.startswith('pose.bones["') or path.split('"')[1] in bones


def _strip_varies(strip: bpy.types.NlaStrip, bones: frozenset[str]) -> bool:
    curves = fcurves.slot_fcurves(strip.action, getattr(strip, "action_slot_handle", 0)) if strip.action else []
    return any(_moves(curve, bones) and _varies(curve) for curve in curves)


def _varies(curve: bpy.types.FCurve) -> bool:
    """Whether the keys of an F-curve have different values."""
    values: Array = fcurves.read_keyframes(curve, ["co"])["co"][:, 1]
    return bool(len(values) > 1 and np.ptp(values) > _VARIES)
