"""Whole movements written as keys: onto a fresh action, the one an object has, or a strip, on all frames or on few."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import bpy
import numpy as np

from rigs.retargeting import rotation_modes

from . import fcurves
from .channels import (
    Channel,
    Curve,
    Tolerance,
    channels_for,
    on_every_frame,
    on_few_frames,
    other_rotations,
    rotation_mode,
)

__all__ = ["Channel", "Onto", "Tolerance", "Unkeyable", "assign", "channels_for", "create", "frame_range", "write"]

Onto = Literal["NEW", "CURRENT", "STRIP"]


class Unkeyable(ValueError):
    """An object that cannot be keyed as asked; its text is one sentence."""


def create(owner: bpy.types.Object, name: str, channels: Iterable[Channel], first: int) -> bpy.types.Action:
    """Make an action for `owner` with a linear key on every frame from `first` on; `owner` itself is not changed."""
    return _action(owner, name, on_every_frame(list(channels), first, 1.0))


def assign(owner: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let `action` move `owner`, through the slot that did so before it was copied, or else its first one."""
    animation = _animation_of(owner)
    slot = fcurves.slot_like(action, owner)
    animation.action = action
    if hasattr(animation, "action_slot"):
        animation.action_slot = slot


def write(
    owner: bpy.types.Object,
    channels: Sequence[Channel],
    *,
    name: str,
    first: float,
    step: float = 1.0,
    onto: Onto = "NEW",
    tolerance: Tolerance | None = None,
) -> bpy.types.Action:
    """Key the channels from the frame `first` on, `step` frames of the scene apart, and let them move `owner`.

    onto: a "NEW" action takes the place of the owner's, which is kept in the file, and takes over its other curves; the
    "CURRENT" one keeps its other curves, and the keys of these before and after the movement; a "STRIP" on a track of
    its own comes above all that moves the owner now. Without an action to write onto, "CURRENT" is "NEW".
    tolerance: keep only the keys that are needed for it, on the same frames for all channels of a bone.
    Returns the action. Raises Unkeyable; nothing has changed then.
    """
    _require_keyable(owner, channels, onto)
    onto_current = onto == "CURRENT" and owner.animation_data is not None and owner.animation_data.action is not None
    if onto_current:
        channels = _continued(owner, channels, first - step)
    if tolerance is None:
        curves = on_every_frame(channels, first, step)
    else:
        curves = on_few_frames(owner, channels, first, step, tolerance)
    if onto_current:
        return _replace_curves(owner, curves, first, first + step * (len(channels[0].values) - 1))
    if onto == "STRIP":
        action = _action(owner, name, curves)
        _add_strips(owner, action)
    else:
        action = _successor(owner, name, curves)
        _assign_instead(owner, action)
    return action


def frame_range(owner: bpy.types.Object) -> range | None:
    """The whole frames that the owner's action and the strips that are heard cover; None without any."""
    animation = owner.animation_data
    if animation is None:
        return None
    covered = [(animation.action.frame_range[0], animation.action.frame_range[1])] if animation.action else []
    for track in animation.nla_tracks:
        covered += [(strip.frame_start, strip.frame_end) for strip in track.strips if not (track.mute or strip.mute)]
    if not covered:
        return None
    return range(int(np.floor(min(start for start, _ in covered))), int(np.ceil(max(end for _, end in covered))) + 1)


def _animation_of(owner: bpy.types.Object) -> bpy.types.AnimData:
    animation = owner.animation_data or owner.animation_data_create()
    if animation is None:
        raise Unkeyable(f"{owner.name} takes no animation")
    return animation


def _require_keyable(owner: bpy.types.Object, channels: Sequence[Channel], onto: Onto) -> None:
    """Raise Unkeyable unless every channel fits a property of the owner and its animation may be edited."""
    if not channels:
        raise Unkeyable(f"{owner.name}: something to key expected, found no channels")
    if not owner.is_editable:
        raise Unkeyable(f"{owner.name}: an object of this file expected, it is linked from another")
    frames = len(channels[0].values)
    for channel in channels:
        values = np.asarray(channel.values)
        try:
            width = np.size(owner.path_resolve(channel.path))
        except ValueError:
            raise Unkeyable(f"{owner.name}: there is no {channel.path} to key") from None
        if len(values) != frames or values.size != frames * width or frames == 0 or not np.isfinite(values).all():
            raise Unkeyable(
                f"{owner.name}, {channel.path}: {width} finite numbers a frame expected, found {values.shape}"
            )
    if len({channel.path for channel in channels}) < len(channels):
        raise Unkeyable(f"{owner.name}: each property once expected, found one twice")
    animation = owner.animation_data
    if animation is not None and animation.use_tweak_mode:
        raise Unkeyable(f"{owner.name}: leave the tweak mode of its strip first")
    action = animation.action if animation is not None and onto == "CURRENT" else None
    if action is not None and not action.is_editable:
        raise Unkeyable(f"{owner.name}: its action {action.name} is linked from another file")


def _continued(owner: bpy.types.Object, channels: Sequence[Channel], time: float) -> list[Channel]:
    """The channels, their rotations in the whole turn that the owner's keys are in at a time before them."""
    old = fcurves.curves_by_place(owner)
    continued = []
    for channel in channels:
        mode = rotation_mode(owner, channel.path)
        curves = [old.get((channel.path, index)) for index in range(len(channel.columns))]
        begun = [curve for curve in curves if curve is not None and curve.range()[0] <= time]
        if mode is not None and len(begun) == len(curves):
            before = np.array([curve.evaluate(time) for curve in begun])
            channel = replace(channel, values=rotation_modes.beside(channel.values, before, mode))
        continued.append(channel)
    return continued


def _put(bag: fcurves.Bag, curves: Iterable[Curve]) -> None:
    groups: dict[str, bpy.types.ActionGroup] = {}
    for curve in curves:
        if curve.group not in groups:
            groups[curve.group] = bag.groups.get(curve.group) or bag.groups.new(curve.group)
        fcurves.put(bag, curve.path, curve.index, groups[curve.group], curve.keys)


def _action(owner: bpy.types.Object, name: str, curves: Sequence[Curve]) -> bpy.types.Action:
    """A fresh action of these curves; none stays behind where that fails."""
    action = bpy.data.actions.new(name)
    try:
        _put(fcurves.bag_of_new(action, owner), curves)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _successor(owner: bpy.types.Object, name: str, curves: Sequence[Curve]) -> bpy.types.Action:
    """An action of these curves and of those of the owner's action that move something else."""
    before = _animation_of(owner).action
    if before is None:
        return _action(owner, name, curves)
    action = before.copy()
    try:
        action.name, action.use_fake_user = name, False
        bag = fcurves.bag_of_copy(action, owner)
        replaced = {path for curve in curves for path in (curve.path, *other_rotations(curve.path))}
        for curve in [curve for curve in bag.fcurves if curve.data_path in replaced]:
            bag.fcurves.remove(curve)
        _put(bag, curves)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def _replace_curves(owner: bpy.types.Object, curves: Sequence[Curve], first: float, last: float) -> bpy.types.Action:
    """Put the curves into the owner's action in place of its own for the same properties and other rotation modes."""
    old = fcurves.curves_by_place(owner)
    merged = [
        replace(curve, keys=fcurves.around(old[place], first, last, curve.keys))
        if (place := (curve.path, curve.index)) in old
        else curve
        for curve in curves
    ]
    unheard = {path for curve in curves for path in other_rotations(curve.path)}
    places = {(curve.path, curve.index) for curve in curves}
    bag = fcurves.bag_of_current(owner)
    for place, curve in old.items():
        if place in places or curve.data_path in unheard:
            bag.fcurves.remove(curve)
    _put(bag, merged)
    assert owner.animation_data is not None
    assert owner.animation_data.action is not None
    return owner.animation_data.action


def _assign_instead(owner: bpy.types.Object, action: bpy.types.Action) -> None:
    """Assign the action, and keep the one before it in the file although it may move nothing now."""
    before = _animation_of(owner).action
    assign(owner, action)
    if before is not None and before.users == 0:
        before.use_fake_user = True


def _add_strips(owner: bpy.types.Object, action: bpy.types.Action) -> None:
    """Put the action on a track above all others, and the owner's own, which would hide it, on one below."""
    animation = _animation_of(owner)
    if (own := animation.action) is not None:
        pushed = _add_strip(animation, own, getattr(animation, "action_slot", None))
        pushed.blend_type, pushed.extrapolation = animation.action_blend_type, animation.action_extrapolation
        animation.action = None
    strip = _add_strip(animation, action, action.slots[0] if hasattr(action, "slots") else None)
    strip.extrapolation = "HOLD_FORWARD"  # else it would also hide what the tracks below do before it


def _add_strip(
    animation: bpy.types.AnimData, action: bpy.types.Action, slot: "bpy.types.ActionSlot | None"
) -> bpy.types.NlaStrip:
    """A strip on a new track on which the action plays at the frames of its keys."""
    start, end = action.curve_frame_range[0], action.curve_frame_range[1]
    track = animation.nla_tracks.new()
    track.name = action.name
    strip = track.strips.new(action.name, int(np.floor(start)), action)
    strip.action_frame_start, strip.action_frame_end = start, end
    strip.frame_start, strip.frame_end = start, max(end, start + 1.0)
    if slot is not None:
        strip.action_slot = slot
    return strip
