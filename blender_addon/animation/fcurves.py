"""F-curves in bulk: the one place that knows where the actions of Blender 4.2, 4.4 and 5.0 keep them, and how keys go
in and out of them whole arrays at a time.
"""

from collections.abc import Sequence
from typing import TypeAlias

import bpy
import numpy as np

from rigs import Array

Bag: TypeAlias = "bpy.types.Action | bpy.types.ActionChannelbag"
"""What keeps F-curves and their groups: an action before Blender 4.4, a slot's channelbag in it since."""
Keys = dict[str, Array]
"""K keys of a curve, under the names that Blender has for what each one holds; all (K, n) or (K,)."""

LINEAR, BEZIER = 1, 2  # the numbers behind an interpolation's name, as bulk writing wants them
ALIGNED, AUTO_CLAMPED = 3, 4  # the same of a handle's type
_SAME_FRAME = 1e-4  # a key is on a frame when it is no further from it; importers put theirs there within rounding
_ORDINARY: dict[str, tuple[float | int, ...]] = {
    # what a key holds, and what Blender gives it
    "co": (0.0, 0.0),
    "interpolation": (BEZIER,),
    "handle_left_type": (AUTO_CLAMPED,),
    "handle_right_type": (AUTO_CLAMPED,),
    "handle_left": (0.0, 0.0),
    "handle_right": (0.0, 0.0),
    "easing": (0,),
    "type": (0,),
    "amplitude": (0.8,),
    "back": (1.70158,),
    "period": (4.1,),
}


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


def curves_by_place(owner: bpy.types.Object) -> dict[tuple[str, int], bpy.types.FCurve]:
    """The same by data path and index."""
    return {(curve.data_path, curve.array_index): curve for curve in curves_of(owner)}


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
    return bool((kinds == LINEAR).all())


def bag_of_new(action: bpy.types.Action, owner: bpy.types.Object) -> Bag:
    """Where the curves of a fresh action go that is to move `owner`."""
    if not hasattr(action, "slots"):
        return action
    return _bag(action, action.slots.new(id_type="OBJECT", name=owner.name))


def bag_of_copy(action: bpy.types.Action, owner: bpy.types.Object) -> Bag:
    """Where the curves for `owner` are in a copy of its action."""
    if not hasattr(action, "slots"):
        return action
    slot = slot_like(action, owner)
    return _bag(action, slot) if slot is not None else bag_of_new(action, owner)


def slot_like(action: bpy.types.Action, owner: bpy.types.Object) -> "bpy.types.ActionSlot | None":
    """The action's slot with the name of the one that moves `owner` now, or else its first; None without slots."""
    if not hasattr(action, "slots") or not action.slots:
        return None
    now = getattr(owner.animation_data, "action_slot", None)
    return (now and action.slots.get(now.identifier)) or action.slots[0]


def bag_of_current(owner: bpy.types.Object) -> Bag:
    """Where the curves of the owner's action go; it is given a slot where it has none yet."""
    animation = owner.animation_data
    assert animation is not None
    assert animation.action is not None
    if not hasattr(animation, "action_slot"):
        return animation.action
    if animation.action_slot is None:
        fitting = list(animation.action_suitable_slots)
        animation.action_slot = fitting[0] if fitting else animation.action.slots.new("OBJECT", owner.name)
    assert animation.action_slot is not None
    return _bag(animation.action, animation.action_slot)


def _bag(action: bpy.types.Action, slot: "bpy.types.ActionSlot") -> "bpy.types.ActionChannelbag":
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    return strip.channelbag(slot, ensure=True)


def straight_keys(times: Array, values: Array) -> Keys:
    """Keys (K,) at these times with straight lines between them."""
    points = np.stack([times, values], axis=-1)
    return {"co": points, "interpolation": np.full(len(points), LINEAR, np.int32)}


def smooth_keys(times: Array, values: Array, slopes: Array) -> Keys:
    """Keys (K,), K > 1, with the cubic between each two that has these slopes per unit of time at its ends.

    A handle a third of the way to the next key makes time run evenly along Blender's Bezier curves.
    """
    points = np.stack([times, values], axis=-1)
    gaps = np.diff(times) / 3.0
    along = np.stack([np.ones_like(slopes), slopes], axis=-1)
    aligned = np.full(len(points), ALIGNED, np.int32)
    return {
        "co": points,
        "interpolation": np.full(len(points), BEZIER, np.int32),
        "handle_left_type": aligned,
        "handle_right_type": aligned,
        "handle_left": points - along * np.concatenate([gaps[:1], gaps])[:, None],
        "handle_right": points + along * np.concatenate([gaps, gaps[-1:]])[:, None],
    }


def keys_of(curve: bpy.types.FCurve) -> Keys:
    """All that a curve's keys hold."""
    keys = {}
    for name, usual in _ORDINARY.items():
        kind = np.float32 if isinstance(usual[0], float) else np.int32
        values = np.empty((len(curve.keyframe_points), len(usual)), kind)
        curve.keyframe_points.foreach_get(name, values.ravel())
        keys[name] = values
    return keys


def around(curve: bpy.types.FCurve, first: float, last: float, between: Keys) -> Keys:
    """The curve's keys before the time `first` and after `last`, and `between` in the middle."""
    covered = curve.range()
    if covered[0] > first - _SAME_FRAME and covered[1] < last + _SAME_FRAME:
        return between
    keys = keys_of(curve)
    times = keys["co"][:, 0]
    before, after = times < first - _SAME_FRAME, times > last + _SAME_FRAME
    count = len(between["co"])
    return {
        name: np.concatenate(
            [
                keys[name][before],
                between[name].reshape(count, -1) if name in between else np.tile(usual, (count, 1)),
                keys[name][after],
            ]
        )
        for name, usual in _ORDINARY.items()
    }


def put(bag: Bag, path: str, index: int, group: bpy.types.ActionGroup, keys: Keys) -> None:
    """Add a curve with these keys. Raises RuntimeError where the bag has it already."""
    curve = bag.fcurves.new(path, index=index)
    curve.group = group
    curve.keyframe_points.add(len(keys["co"]))
    for name, values in keys.items():
        kind = np.float32 if isinstance(_ORDINARY[name][0], float) else np.int32
        curve.keyframe_points.foreach_set(name, np.ascontiguousarray(values, kind).ravel())
    curve.update()
