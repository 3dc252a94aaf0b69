"""Whole movements written as F-curves in bulk: the one place that knows how Blender 4.2, 4.4 and 5.0 keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array

_LINEAR = 1  # the number behind "LINEAR" of a key's interpolation, as bulk writing wants it
_SAME_FRAME = 1e-4  # a key is on a frame when it is no further from it; importers put theirs there within rounding


@dataclass(frozen=True)
class Channel:
    """One animated property.

    path: its data path from the object.  values: (F, n), one column for each of its elements.
    group: the name under which the dope sheet lists it.
    """

    path: str
    values: Array
    group: str


def create(owner: bpy.types.Object, name: str, channels: Iterable[Channel], first: int) -> bpy.types.Action:
    """Make an action for `owner` with a linear key on every frame from `first` on; `owner` itself is not changed."""
    action = bpy.data.actions.new(name)
    bag = _curves_of_new(action, owner)
    groups: dict[str, bpy.types.ActionGroup] = {}
    for channel in channels:
        group = groups.get(channel.group) or groups.setdefault(channel.group, bag.groups.new(channel.group))
        for index, column in enumerate(np.asarray(channel.values).T):
            curve = bag.fcurves.new(channel.path, index=index)
            curve.group = group
            _fill(curve, column, first)
    return action


def assign(owner: bpy.types.Object, action: bpy.types.Action) -> None:
    """Let `action` move `owner`, through its slot where actions have slots."""
    animation = owner.animation_data or owner.animation_data_create()
    if animation is None:
        raise RuntimeError(f"{owner.name} takes no animation")
    animation.action = action
    if hasattr(animation, "action_slot"):
        animation.action_slot = action.slots[0]


def frame_range(owner: bpy.types.Object) -> range | None:
    """The whole frames that the owner's action covers; None without one."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return None
    covered = animation.action.frame_range
    return range(int(np.floor(covered[0])), int(np.ceil(covered[1])) + 1)


def curves_of(owner: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the action that the owner has now, those of its slot where actions have slots."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return []
    if not hasattr(animation, "action_slot"):
        return list(animation.action.fcurves)
    bags = [
        strip.channelbag(animation.action_slot)
        for layer in animation.action.layers
        for strip in layer.strips
        if animation.action_slot is not None and isinstance(strip, bpy.types.ActionKeyframeStrip)
    ]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]


def is_heard(curve: bpy.types.FCurve) -> bool:
    """Whether Blender lets the curve move anything."""
    return not (curve.mute or curve.is_empty or not curve.is_valid or (curve.group is not None and curve.group.mute))


def sample(curves: Sequence[bpy.types.FCurve], frames: range) -> Array:
    """What the curves say in these frames: (n, F)."""
    wanted = np.arange(frames.start, frames.stop, frames.step, dtype=float)
    known: dict[bytes, Array | None] = {}  # most curves of an action have their keys at the same times
    return np.array([_read(curve, wanted, known) for curve in curves]).reshape(len(curves), len(wanted))


def _read(curve: bpy.types.FCurve, wanted: Array, known: dict[bytes, Array | None]) -> Array:
    """A curve's values (F,) at the frames `wanted`: its keys' own or those on straight lines between them in bulk."""
    points = curve.keyframe_points
    if len(points) > 0 and len(curve.modifiers) == 0 and curve.extrapolation == "CONSTANT":
        keys = np.empty((len(points), 2), np.float32)
        points.foreach_get("co", keys.ravel())
        times, values = np.ascontiguousarray(keys.T)
        name = times.tobytes()
        if name not in known:
            known[name] = _keys_at(times, wanted)
        if (keys_there := known[name]) is not None:
            return values[keys_there]
        if _is_straight(curve):
            return np.interp(wanted, times, values)
    return np.fromiter(map(curve.evaluate, wanted.tolist()), float, len(wanted))


def _keys_at(times: Array, wanted: Array) -> Array | None:
    """Which key (F,) gives the value in each frame; None where a frame lies between two keys."""
    nearest = np.minimum(np.searchsorted(times, wanted - _SAME_FRAME), len(times) - 1)
    at_key = np.abs(times[nearest] - wanted) < _SAME_FRAME
    return nearest if (at_key | (wanted < times[0]) | (wanted > times[-1])).all() else None


def _is_straight(curve: bpy.types.FCurve) -> bool:
    kinds = np.empty(len(curve.keyframe_points), np.int32)
    curve.keyframe_points.foreach_get("interpolation", kinds)
    return bool((kinds == _LINEAR).all())


def _curves_of_new(
    action: bpy.types.Action, owner: bpy.types.Object
) -> "bpy.types.Action | bpy.types.ActionChannelbag":
    """Where the F-curves and groups of a fresh action go: itself before Blender 4.4, its slot's channelbag since."""
    if not hasattr(action, "slots"):
        return action
    slot = action.slots.new(id_type="OBJECT", name=owner.name)
    strip = action.layers.new("Layer").strips.new(type="KEYFRAME")
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    return strip.channelbag(slot, ensure=True)


def _fill(curve: bpy.types.FCurve, values: Array, first: int) -> None:
    frames = len(values)
    points = np.empty((frames, 2), np.float32)
    points[:, 0] = np.arange(first, first + frames)
    points[:, 1] = values
    curve.keyframe_points.add(frames)
    curve.keyframe_points.foreach_set("co", points.ravel())
    curve.keyframe_points.foreach_set("interpolation", np.full(frames, _LINEAR, np.int32))
    curve.update()
