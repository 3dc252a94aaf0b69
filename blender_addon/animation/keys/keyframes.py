"""Write motions as keyframes: to a new action, the assigned action or an NLA strip, on every frame or reduced."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Literal

import bpy
import numpy as np

from rigs.retargeting import rotation_modes

from . import fcurves, nla
from .channels import Channel, Tolerance, keyframe_curves, other_rotation_paths, rotation_mode
from .fcurves import FCurveData

KeyframeTarget = Literal["NEW", "CURRENT", "STRIP"]
"""Where keyframes are written: a new action, the assigned action, or an NLA strip."""


class NotKeyable(ValueError):
    """An object or property that cannot be keyed; the text is one sentence."""


def create_action(obj: bpy.types.Object, name: str, channels: Iterable[Channel], first: int) -> bpy.types.Action:
    """Create an action that is not assigned: with channels' reduced keys, else linear ones on every frame."""
    return _new_action(obj, name, keyframe_curves(obj, list(channels), first, 1.0, None))


def assign_action(obj: bpy.types.Object, action: bpy.types.Action, handle: int = 0) -> None:
    """Assign an action, below the correction layer if there is one, and the slot like the assigned one, else its first.

    handle: of the slot to assign instead, where the action has it. Raises NotKeyable.
    """
    animation = _ensure_animation_data(obj)
    _require_no_tweak_mode(obj)
    with nla.beneath_corrections(obj):
        chosen = [slot for slot in getattr(action, "slots", ()) if slot.handle == handle]
        slot = chosen[0] if chosen else fcurves.matching_slot(action, obj)
        animation.action = action
        if hasattr(animation, "action_slot"):
            animation.action_slot = slot


def write_keyframes(
    obj: bpy.types.Object,
    channels: Sequence[Channel],
    *,
    name: str,
    first: float,
    step: float = 1.0,
    onto: KeyframeTarget = "NEW",
    tolerance: Tolerance | None = None,
    stale: Collection[str] = (),
) -> bpy.types.Action:
    """Write channels as keyframes that animate the object, from the frame `first`, `step` scene frames apart.

    onto: "NEW" assigns a new action with a copy of the assigned action's other F-curves, and keeps that action in the
    file; "CURRENT" writes to the assigned action and keeps its other F-curves, and keyframes before and after the
    motion; without an assigned action it is "NEW". "STRIP" adds an NLA strip on a new track above all others.
    tolerance: reduce the keyframes of channels without reduced keys, on the same frames for all channels of a bone;
    without it they are keyed on every frame.
    stale: data paths whose F-curves "NEW" does not copy.
    All three write below a correction layer. Returns the action. Raises NotKeyable before anything changes.
    """
    with nla.beneath_corrections(obj):
        return _write_keyframes(obj, channels, name, first, step, onto, tolerance, stale)


def _write_keyframes(
    obj: bpy.types.Object,
    channels: Sequence[Channel],
    name: str,
    first: float,
    step: float,
    onto: KeyframeTarget,
    tolerance: Tolerance | None,
    stale: Collection[str],
) -> bpy.types.Action:
    _require_keyable(obj, channels, onto)
    onto_current = onto == "CURRENT" and obj.animation_data is not None and obj.animation_data.action is not None
    if onto_current:
        channels = _continue_rotations(obj, channels, first - step)
    curves = keyframe_curves(obj, channels, first, step, tolerance)
    if onto_current:
        return _replace_fcurves(obj, curves, first, first + step * (len(channels[0].values) - 1))
    if onto == "STRIP":
        action = _new_action(obj, name, curves)
        _add_nla_strips(obj, action)
    else:
        action = _new_action_from_assigned(obj, name, curves, stale)
        _swap_action(obj, action)
    return action


def _ensure_animation_data(obj: bpy.types.Object) -> bpy.types.AnimData:
    animation = obj.animation_data or obj.animation_data_create()
    if animation is None:
        raise NotKeyable(f"{obj.name} cannot be animated")
    return animation


def _require_keyable(obj: bpy.types.Object, channels: Sequence[Channel], onto: KeyframeTarget) -> None:
    """Raise NotKeyable unless every channel fits a property of the object and its animation data may be edited."""
    if not channels:
        raise NotKeyable(f"{obj.name}: channels to key expected, found no channels")
    if not obj.is_editable:
        raise NotKeyable(f"{obj.name}: an object of this file expected, it is linked from another")
    frames = len(channels[0].values)
    for channel in channels:
        values = np.asarray(channel.values)
        try:
            width = np.size(obj.path_resolve(channel.path))
        except ValueError:
            raise NotKeyable(f"{obj.name}: there is no {channel.path} to key") from None
        if len(values) != frames or values.size != frames * width or frames == 0 or not np.isfinite(values).all():
            raise NotKeyable(
                f"{obj.name}, {channel.path}: {width} finite numbers a frame expected, found {values.shape}"
            )
    if len({channel.path for channel in channels}) < len(channels):
        raise NotKeyable(f"{obj.name}: each property once expected, found one twice")
    _require_no_tweak_mode(obj)
    animation = obj.animation_data
    action = animation.action if animation is not None and onto == "CURRENT" else None
    if action is not None and not action.is_editable:
        raise NotKeyable(f"{obj.name}: its action {action.name} is linked from another file")


def _require_no_tweak_mode(obj: bpy.types.Object) -> None:
    if obj.animation_data is not None and obj.animation_data.use_tweak_mode:
        raise NotKeyable(f"{obj.name}: exit the tweak mode of its NLA strip first")


def _continue_rotations(obj: bpy.types.Object, channels: Sequence[Channel], frame: float) -> list[Channel]:
    """Shift rotation channels by whole turns so that they continue the object's F-curves at `frame` the short way."""
    old = fcurves.fcurves_by_path(obj)
    continued = []
    for channel in channels:
        mode = rotation_mode(obj, channel.path)
        curves = [old.get((channel.path, index)) for index in range(len(channel.columns))]
        started = [curve for curve in curves if curve is not None and curve.range()[0] <= frame]
        if mode is not None and len(started) == len(curves):
            before = np.array([curve.evaluate(frame) for curve in started])
            values, reduced = rotation_modes.continue_from(channel.values, before, mode), channel.reduced
            if reduced is not None:
                # An equivalent rotation is an affine map of the values, so it takes slopes along.
                ends = np.concatenate([reduced.values, reduced.values + reduced.slopes])
                starts, ends = np.split(rotation_modes.continue_from(ends, before, mode), 2)
                reduced = replace(reduced, values=starts, slopes=ends - starts)
            channel = replace(channel, values=values, reduced=reduced)
        continued.append(channel)
    return continued


def _new_action(obj: bpy.types.Object, name: str, curves: Sequence[FCurveData]) -> bpy.types.Action:
    """A new action with these F-curves; it is removed again if that fails."""
    action = bpy.data.actions.new(name)
    try:
        fcurves.write_fcurves(fcurves.create_channelbag(action, obj), curves)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _new_action_from_assigned(
    obj: bpy.types.Object, name: str, curves: Sequence[FCurveData], stale: Collection[str]
) -> bpy.types.Action:
    """A new action with these F-curves and those of the assigned action for other properties that are not stale."""
    assigned = _ensure_animation_data(obj).action
    if assigned is None:
        return _new_action(obj, name, curves)
    action = assigned.copy()
    try:
        action.name, action.use_fake_user = name, False
        channelbag = fcurves.copied_channelbag(action, obj)
        replaced = {path for curve in curves for path in (curve.path, *other_rotation_paths(curve.path))}
        for curve in [curve for curve in channelbag.fcurves if curve.data_path in replaced or curve.data_path in stale]:
            channelbag.fcurves.remove(curve)
        fcurves.write_fcurves(channelbag, curves)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _replace_fcurves(
    obj: bpy.types.Object, curves: Sequence[FCurveData], first: float, last: float
) -> bpy.types.Action:
    """Replace frames `first` to `last` of the assigned action's F-curves; remove those of other rotation modes."""
    old = fcurves.fcurves_by_path(obj)
    merged = [
        replace(curve, keyframes=fcurves.replace_frame_range(old[key], first, last, curve.keyframes))
        if (key := (curve.path, curve.index)) in old
        else curve
        for curve in curves
    ]
    other_modes = {path for curve in curves for path in other_rotation_paths(curve.path)}
    replaced = {(curve.path, curve.index) for curve in curves}
    channelbag = fcurves.assigned_channelbag(obj)
    for key, old_curve in old.items():
        if key in replaced or old_curve.data_path in other_modes:
            channelbag.fcurves.remove(old_curve)
    fcurves.write_fcurves(channelbag, merged)
    assert obj.animation_data is not None
    assert obj.animation_data.action is not None
    return obj.animation_data.action


def _swap_action(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Assign an action; the previous one gets a fake user so that Blender saves it."""
    previous = _ensure_animation_data(obj).action
    assign_action(obj, action)
    if previous is not None and previous.users == 0:
        previous.use_fake_user = True


def _add_nla_strips(obj: bpy.types.Object, action: bpy.types.Action) -> None:
    """Push the assigned action, which would override all strips, down to a track, and add the action on one above."""
    animation = _ensure_animation_data(obj)
    if animation.action is not None:
        nla.push_down(animation)
    strip = nla.add_strip(animation, action, action.slots[0] if hasattr(action, "slots") else None)
    strip.extrapolation = "HOLD_FORWARD"  # HOLD would also override the tracks below before the strip starts
