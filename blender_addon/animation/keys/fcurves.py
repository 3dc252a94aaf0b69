"""Bulk access to F-curves: find, sample, read and write whole arrays of keyframes at once.

The one place that knows where the actions of Blender 4.2 (the action itself), 4.4 and 5.0 (the channelbag of an action
slot) store their F-curves.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import bpy
import numpy as np

from rigs import Array
from rigs.easing import smoothstep

Channelbag: TypeAlias = "bpy.types.Action | bpy.types.ActionChannelbag"
"""The owner of F-curves and their groups: an action before Blender 4.4, the channelbag of a slot since."""
KeyframeArrays = dict[str, Array]
"""K keyframes of an F-curve: for each attribute of `bpy.types.Keyframe` its values, (K, n) or (K,)."""

LINEAR, BEZIER = 1, 2  # enum values of Keyframe.interpolation, which foreach_set needs
ALIGNED, AUTO_CLAMPED = 3, 4  # enum values of Keyframe.handle_left_type and handle_right_type
_FRAME_TOLERANCE = 1e-4  # frames; importers place keyframes on whole frames within rounding
_HANDLE_TOLERANCE = 1e-3  # frames from a third of the span, within which a handle's time counts as there
_DEFAULTS: dict[str, tuple[float | int, ...]] = {
    # attributes of a Keyframe, with Blender's defaults
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
    "select_control_point": (False,),
    "select_left_handle": (False,),
    "select_right_handle": (False,),
}
_SELECTION = tuple(name for name in _DEFAULTS if name.startswith("select"))


@dataclass(frozen=True)
class FCurveData:
    """An F-curve to be written: its data path and array index, the name of its group, and its keyframes."""

    path: str
    index: int
    group: str
    keyframes: KeyframeArrays


def action_fcurves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the object's assigned action, those of its assigned slot where actions have slots."""
    animation = obj.animation_data
    if animation is None or animation.action is None:
        return []
    return slot_fcurves(animation.action, getattr(animation, "action_slot_handle", 0))


def all_fcurves(action: bpy.types.Action) -> Iterator[bpy.types.FCurve]:
    """The F-curves of all slots of an action."""
    if not hasattr(action, "layers"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            if isinstance(strip, bpy.types.ActionKeyframeStrip):
                for channelbag in strip.channelbags:
                    yield from channelbag.fcurves


def slot_fcurves(action: bpy.types.Action, handle: int) -> list[bpy.types.FCurve]:
    """The F-curves of one slot of an action, by the slot's handle; all where actions have no slots."""
    if not hasattr(action, "layers"):
        return list(action.fcurves)
    strips = [strip for layer in action.layers for strip in layer.strips]
    return [
        fcurve
        for strip in strips
        if isinstance(strip, bpy.types.ActionKeyframeStrip)
        for channelbag in strip.channelbags
        if channelbag.slot_handle == handle
        for fcurve in channelbag.fcurves
    ]


def fcurves_by_path(obj: bpy.types.Object) -> dict[tuple[str, int], bpy.types.FCurve]:
    """The same F-curves by data path and array index."""
    return {(fcurve.data_path, fcurve.array_index): fcurve for fcurve in action_fcurves(obj)}


def is_evaluated(fcurve: bpy.types.FCurve) -> bool:
    """Whether Blender evaluates the F-curve: it is valid, not empty, and neither it nor its group is muted."""
    group_muted = fcurve.group is not None and fcurve.group.mute
    return not (fcurve.mute or fcurve.is_empty or not fcurve.is_valid or group_muted)


def sample_fcurves(fcurves: Sequence[bpy.types.FCurve], frames: range) -> Array:
    """Sample F-curves at frames: (n, F)."""
    times = np.arange(frames.start, frames.stop, frames.step, dtype=float)
    known: dict[bytes, Array | None] = {}  # most F-curves of an action have keyframes on the same frames
    return np.array([_sample_fcurve(fcurve, times, known) for fcurve in fcurves]).reshape(len(fcurves), len(times))


def _sample_fcurve(fcurve: bpy.types.FCurve, times: Array, known: dict[bytes, Array | None]) -> Array:
    """Sample one F-curve (F,): in bulk where keyframes lie on the frames or are linear, else by Blender's evaluate.

    known: for the keyframe times met so far, the result of `_keyframes_at`.
    """
    points = fcurve.keyframe_points
    if len(points) > 0 and len(fcurve.modifiers) == 0 and fcurve.extrapolation == "CONSTANT":
        co = np.empty((len(points), 2), np.float32)
        points.foreach_get("co", co.ravel())
        key_times, values = np.ascontiguousarray(co.T)
        cache_key = key_times.tobytes()
        if cache_key not in known:
            known[cache_key] = _keyframes_at(key_times, times)
        if (indices := known[cache_key]) is not None:
            return values[indices]
        if _is_linear(fcurve):
            return np.interp(times, key_times, values)
        if (slopes := _hermite_slopes(fcurve, co)) is not None:
            return _sample_hermite(key_times, values, slopes, times)
    return np.fromiter(map(fcurve.evaluate, times.tolist()), float, len(times))


def _keyframes_at(key_times: Array, times: Array) -> Array | None:
    """The index (F,) of the keyframe that gives the value at each time; None if a time lies between two keyframes."""
    nearest = np.minimum(np.searchsorted(key_times, times - _FRAME_TOLERANCE), len(key_times) - 1)
    on_keyframe = np.abs(key_times[nearest] - times) < _FRAME_TOLERANCE
    return nearest if (on_keyframe | (times < key_times[0]) | (times > key_times[-1])).all() else None


def _is_linear(fcurve: bpy.types.FCurve) -> bool:
    interpolations = np.empty(len(fcurve.keyframe_points), np.int32)
    fcurve.keyframe_points.foreach_get("interpolation", interpolations)
    return bool((interpolations == LINEAR).all())


def _hermite_slopes(fcurve: bpy.types.FCurve, co: Array) -> tuple[Array, Array] | None:
    """The slopes at the start and the end of each span (K - 1,) of a curve like `bezier_keyframes`, else None."""
    interpolations = np.empty(len(co), np.int32)
    fcurve.keyframe_points.foreach_get("interpolation", interpolations)
    if len(co) < 2 or not (interpolations == BEZIER).all():
        return None
    left, right = np.empty_like(co), np.empty_like(co)
    fcurve.keyframe_points.foreach_get("handle_left", left.ravel())
    fcurve.keyframe_points.foreach_get("handle_right", right.ravel())
    span = np.diff(co[:, 0].astype(float))
    before, after = right[:-1] - co[:-1], co[1:] - left[1:]
    thirds = np.abs(np.concatenate([before[:, 0], after[:, 0]]) - np.tile(span / 3.0, 2))
    if span.min() <= 0.0 or thirds.max() > _HANDLE_TOLERANCE:
        return None
    return 3.0 * before[:, 1] / span, 3.0 * after[:, 1] / span


def _sample_hermite(key_times: Array, values: Array, slopes: tuple[Array, Array], times: Array) -> Array:
    """Evaluate a cubic Hermite spline (F,) with the slopes at the start and the end of each span; constant outside."""
    times = np.clip(times, key_times[0], key_times[-1])
    n = np.clip(np.searchsorted(key_times, times, side="right") - 1, 0, len(key_times) - 2)
    start, span = key_times[n].astype(float), np.diff(key_times.astype(float))[n]
    u = (times - start) / span
    bend = (1.0 - u) * slopes[0][n] - u * slopes[1][n]
    rise = values[n + 1].astype(float) - values[n]
    sampled: Array = values[n] + smoothstep(u) * rise + u * (1.0 - u) * span * bend
    return sampled


def create_channelbag(action: bpy.types.Action, obj: bpy.types.Object) -> Channelbag:
    """The channelbag of a new slot for the object in a new action."""
    if not hasattr(action, "slots"):
        return action
    return _ensure_channelbag(action, action.slots.new(id_type="OBJECT", name=obj.name))


def copied_channelbag(action: bpy.types.Action, obj: bpy.types.Object) -> Channelbag:
    """The object's channelbag in a copy of its action."""
    if not hasattr(action, "slots"):
        return action
    slot = matching_slot(action, obj)
    return _ensure_channelbag(action, slot) if slot is not None else create_channelbag(action, obj)


def assigned_channelbag(obj: bpy.types.Object) -> Channelbag:
    """The channelbag of the object's assigned action and slot; a slot is assigned first if there is none."""
    animation = obj.animation_data
    assert animation is not None
    assert animation.action is not None
    if not hasattr(animation, "action_slot"):
        return animation.action
    if animation.action_slot is None:
        suitable = list(animation.action_suitable_slots)
        animation.action_slot = suitable[0] if suitable else animation.action.slots.new("OBJECT", obj.name)
    assert animation.action_slot is not None
    return _ensure_channelbag(animation.action, animation.action_slot)


def matching_slot(action: bpy.types.Action, obj: bpy.types.Object) -> "bpy.types.ActionSlot | None":
    """The action's slot with the identifier of the object's assigned slot, else its first; None without slots."""
    if not hasattr(action, "slots") or not action.slots:
        return None
    assigned = getattr(obj.animation_data, "action_slot", None)
    return (assigned and action.slots.get(assigned.identifier)) or action.slots[0]


def _ensure_channelbag(action: bpy.types.Action, slot: "bpy.types.ActionSlot") -> "bpy.types.ActionChannelbag":
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    assert isinstance(strip, bpy.types.ActionKeyframeStrip)
    return strip.channelbag(slot, ensure=True)


def linear_keyframes(times: Array, values: Array) -> KeyframeArrays:
    """Keyframes (K,) with linear interpolation."""
    co = np.stack([times, values], axis=-1)
    return {"co": co, "interpolation": np.full(len(co), LINEAR, np.int32)}


def bezier_keyframes(times: Array, values: Array, slopes: Array) -> KeyframeArrays:
    """Keyframes (K,), K > 1, whose Bezier segments are the cubic Hermite splines of the slopes per unit of time.

    Handles a third of the way to the next keyframe make time run evenly along Blender's Bezier curves.
    """
    co = np.stack([times, values], axis=-1)
    thirds = np.diff(times) / 3.0
    tangents = np.stack([np.ones_like(slopes), slopes], axis=-1)
    aligned = np.full(len(co), ALIGNED, np.int32)
    return {
        "co": co,
        "interpolation": np.full(len(co), BEZIER, np.int32),
        "handle_left_type": aligned,
        "handle_right_type": aligned,
        "handle_left": co - tangents * np.concatenate([thirds[:1], thirds])[:, None],
        "handle_right": co + tangents * np.concatenate([thirds, thirds[-1:]])[:, None],
    }


def read_keyframes(fcurve: bpy.types.FCurve, attributes: Iterable[str] = tuple(_DEFAULTS)) -> KeyframeArrays:
    """Read attributes of an F-curve's keyframes, by default all."""
    keyframes = {}
    for attribute in attributes:
        values = np.empty((len(fcurve.keyframe_points), len(_DEFAULTS[attribute])), _dtype(attribute))
        fcurve.keyframe_points.foreach_get(attribute, values.ravel())
        keyframes[attribute] = values
    return keyframes


def with_defaults(keyframes: KeyframeArrays) -> KeyframeArrays:
    """Keyframes (K,) with all their attributes, by default as Blender's, as `read_keyframes` returns them."""
    count = len(keyframes["co"])
    return {
        attribute: np.reshape(keyframes[attribute], (count, -1)).astype(_dtype(attribute))
        if attribute in keyframes
        else np.tile(np.array(default, _dtype(attribute)), (count, 1))
        for attribute, default in _DEFAULTS.items()
    }


def replace_frame_range(
    fcurve: bpy.types.FCurve, first: float, last: float, keyframes: KeyframeArrays
) -> KeyframeArrays:
    """The F-curve's keyframes with those from the frame `first` to `last` replaced by `keyframes`."""
    span = fcurve.range()
    if span[0] > first - _FRAME_TOLERANCE and span[1] < last + _FRAME_TOLERANCE:
        return keyframes
    old = read_keyframes(fcurve)
    times = old["co"][:, 0]
    before, after = times < first - _FRAME_TOLERANCE, times > last + _FRAME_TOLERANCE
    between = with_defaults(keyframes)
    return {
        attribute: np.concatenate([values[before], between[attribute], values[after]])
        for attribute, values in old.items()
    }


def write_fcurves(channelbag: Channelbag, fcurves: Iterable[FCurveData]) -> None:
    """Add F-curves to the channelbag, with their keyframes and groups. Raises RuntimeError where one exists already."""
    groups: dict[str, bpy.types.ActionGroup] = {}
    for data in fcurves:
        if data.group not in groups:
            groups[data.group] = channelbag.groups.get(data.group) or channelbag.groups.new(data.group)
            unmute_group(groups[data.group])
        fcurve = channelbag.fcurves.new(data.path, index=data.index)
        fcurve.group = groups[data.group]
        set_keyframes(fcurve, data.keyframes)


def unmute_group(group: bpy.types.ActionGroup) -> None:
    """Unmute a group of F-curves; if it was muted, those in it are muted one by one instead."""
    if group.mute:
        for fcurve in group.channels:
            fcurve.mute = True
        group.mute = False


def set_keyframes(fcurve: bpy.types.FCurve, keyframes: KeyframeArrays) -> None:
    """Replace all keyframes of an F-curve; they are selected only if `keyframes` says so, unlike Blender's new ones."""
    count = len(keyframes["co"])
    fcurve.keyframe_points.clear()
    fcurve.keyframe_points.add(count)
    unselected = {attribute: np.zeros(count, bool) for attribute in _SELECTION}
    for attribute, values in (unselected | keyframes).items():
        fcurve.keyframe_points.foreach_set(attribute, np.ascontiguousarray(values, _dtype(attribute)).ravel())
    fcurve.update()


def set_values(fcurve: bpy.types.FCurve, times: Array, values: Array) -> None:
    """Make the keyframes of an F-curve these (K,), in order; faster than `set_keyframes`, as other attributes stay."""
    points = fcurve.keyframe_points
    if len(points) > len(times):
        points.clear()
    points.add(len(times) - len(points))
    points.foreach_set("co", np.stack([times, values], axis=-1).astype(np.float32).ravel())
    fcurve.update()


def _dtype(attribute: str) -> type[np.generic]:
    default = _DEFAULTS[attribute][0]
    if isinstance(default, bool):
        return np.bool_
    return np.float32 if isinstance(default, float) else np.int32
