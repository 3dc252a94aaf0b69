"""Whole movements written as F-curves in bulk: the one place that knows how Blender 4.2, 4.4 and 5.0 keep them."""

from collections.abc import Iterable
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array

_LINEAR = 1  # the number behind "LINEAR" of a key's interpolation, as bulk writing wants it


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
