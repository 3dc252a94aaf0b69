"""The frames that an object's animation covers: its action's keys and its NLA strips, without stray keys far away.

A key that was inserted by accident at frame 1,048,574 would make a dance of a hundred frames one of a million. It is
left out, and said; an action's Manual Frame Range says otherwise.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import bpy
import numpy as np

from rigs import Array

from . import fcurves, nla

_GAP = 1_500
"""Frames without any key, from which on keys may be stray: a minute at 25 frames per second."""
_SPANS = (10.0, _GAP), (3.0, 36_000)
"""A stray key is so many times the length of the movement away from it, and so many frames."""
_MANY = 10_000
"""Keys that would take milliseconds to read, and are read only where some may be stray."""
_MAX_STRAY = 3
"""Frames with stray keys before or after the movement; more are poses that the animator spaced out."""


@dataclass(frozen=True)
class AnimatedFrames:
    """The whole frames that an object's animation covers.

    stray: the frames of the keys that were left out, in rising order, and the data path of an F-curve with one.
    repeats: whether F-curves go on before and after the frames: by Cycles modifiers, or as modifiers alone make them.
    """

    frames: range
    stray: tuple[int, ...] = ()
    stray_path: str = ""
    repeats: bool = False


@dataclass(frozen=True)
class _KeyTimes:
    """The times (K,) of the keys of F-curves, in scene frames: for each array of times, an F-curve and their number."""

    times: Array
    path: str
    count: int = 1


def frame_range(obj: bpy.types.Object) -> range | None:
    """The whole frames that the object's action and its played NLA strips cover, without stray keys; None without any.

    A correction layer and an empty action cover none.
    """
    animated = animated_frames(obj)
    return animated.frames if animated and animated.frames else None


def is_animated(obj: bpy.types.Object) -> bool:
    """Whether the object has an action with keys, other than a correction layer, or played NLA strips."""
    has_keys = any(len(curve.keyframe_points) or len(curve.modifiers) for curve in _action_curves(obj))
    return has_keys or any(True for _ in nla.played_strips(obj))


def animated_frames(obj: bpy.types.Object) -> AnimatedFrames | None:
    """The frames that the object's animation covers; None without any."""
    keys: list[_KeyTimes] = []
    repeats = False
    if curves := _action_curves(obj):
        assert obj.animation_data is not None
        action = obj.animation_data.action
        assert action is not None
        if action.use_frame_range:
            keys.append(_even_times(action.frame_start, action.frame_end, "", _MANY))
        else:
            curves = [curve for curve in curves if fcurves.is_evaluated(curve)] or curves
            keys += _key_times(curves)
            repeats = any(map(_is_endless, curves))
    for strip in nla.played_strips(obj):
        keys += _strip_keys(strip) or [_even_times(strip.frame_start, strip.frame_end, strip.name, _MANY)]
    if not keys:
        return AnimatedFrames(range(0), repeats=True) if repeats else None
    return replace(_without_stray(keys), repeats=repeats)


def _action_curves(obj: bpy.types.Object) -> list[bpy.types.FCurve]:
    """The F-curves of the object's assigned action; none of a correction layer, or below a solo NLA track.

    In tweak mode the assigned action is that of a strip, which says when it plays.
    """
    animation = obj.animation_data
    if animation is None or animation.use_tweak_mode:
        return []
    if nla.has_correction_layer(obj) or nla.has_solo_track(animation):
        return []
    return fcurves.action_fcurves(obj)


def _is_endless(curve: bpy.types.FCurve) -> bool:
    """Whether an F-curve moves before its first and after its last key, or without keys, by its modifiers."""
    modifiers = [modifier for modifier in curve.modifiers if not modifier.mute]
    if len(curve.keyframe_points) == 0:
        return bool(modifiers)
    return len(curve.keyframe_points) > 1 and any(
        isinstance(modifier, bpy.types.FModifierCycles)
        and ((modifier.mode_after != "NONE" and modifier.cycles_after == 0) or modifier.mode_before != "NONE")
        for modifier in modifiers
    )


def _key_times(curves: Sequence[bpy.types.FCurve]) -> list[_KeyTimes]:
    """The times of the F-curves' keys, each array of times once; of many that lie close, even times in their stead."""
    curves = [curve for curve in curves if len(curve.keyframe_points)]
    if not curves:
        return []
    keys = sum(len(curve.keyframe_points) for curve in curves)
    ends = np.array([curve.range() for curve in curves])
    if keys > _MANY and not (_have_gap(ends) or any(map(_has_gap, curves))):
        return [_even_times(ends.min(), ends.max(), curves[0].data_path, keys)]
    known: dict[bytes, _KeyTimes] = {}
    for curve in curves:
        co = np.empty((len(curve.keyframe_points), 2), np.float32)
        curve.keyframe_points.foreach_get("co", co.ravel())
        times = co[:, 0].copy()
        same = known.get(times.tobytes())
        known[times.tobytes()] = (
            _KeyTimes(times.astype(float), curve.data_path) if same is None else replace(same, count=same.count + 1)
        )
    return list(known.values())


def _even_times(first: float, last: float, path: str, count: int) -> _KeyTimes:
    """Times without a gap that stand for a number of keys, none of which is stray."""
    times = np.linspace(first, last, 10 + int(2.0 * (last - first) / _GAP))
    return _KeyTimes(times, path, max(1, count // len(times)))


def _have_gap(ends: Array) -> bool:
    """Whether there is a gap between the first and last times (C, 2) of curves' keys."""
    ends = ends[np.argsort(ends[:, 0])]
    return bool((ends[1:, 0] - np.maximum.accumulate(ends[:-1, 1]) > _GAP).any())


def _has_gap(curve: bpy.types.FCurve) -> bool:
    """Whether an F-curve has a gap after at most `_MAX_STRAY` keys, or before so many; fast where curves are long."""
    points = curve.keyframe_points
    count = len(points)
    if curve.range()[1] - curve.range()[0] <= _GAP:
        return False
    for side in (range(min(count, _MAX_STRAY + 2)), range(max(0, count - _MAX_STRAY - 2), count)):
        if any(points[b].co.x - points[a].co.x > _GAP for a, b in pairwise(side)):
            return True
    return False


def _strip_keys(strip: bpy.types.NlaStrip) -> list[_KeyTimes]:
    """The times at which a strip plays the keys of its action; none where no key of it can be stray."""
    action = strip.action
    length = strip.action_frame_end - strip.action_frame_start
    if strip.type != "CLIP" or action is None or strip.repeat != 1.0 or strip.use_animated_time or length <= 0.0:
        return []
    if strip.frame_end - strip.frame_start < _GAP:
        return []
    curves = fcurves.slot_fcurves(action, getattr(strip, "action_slot_handle", 0))
    scale = (strip.frame_end - strip.frame_start) / length
    played = []
    for keys in _key_times([curve for curve in curves if fcurves.is_evaluated(curve)]):
        times = keys.times[(keys.times >= strip.action_frame_start) & (keys.times <= strip.action_frame_end)]
        times = times - strip.action_frame_start
        times = length - times[::-1] if strip.use_reverse else times
        if len(times):
            played.append(replace(keys, times=strip.frame_start + scale * times))
    return played if played and len(list(_groups(_frames(played)))) > 1 else []


def _without_stray(keys: Sequence[_KeyTimes]) -> AnimatedFrames:
    """The frames of the keys, without stray keys."""
    first, last = min(each.times[0] for each in keys), max(each.times[-1] for each in keys)
    if last - first > _GAP:
        start, end = _movement(keys)
        stray = tuple(sorted({int(f) for f in _frames(keys) if not start <= f <= end}))
        if stray:
            path = next(each.path for each in keys if ((each.times < start) | (each.times > end)).any())
            return AnimatedFrames(range(int(start), int(end) + 1), stray, path)
    return AnimatedFrames(range(int(np.floor(first)), int(np.ceil(last)) + 1))


def _frames(keys: Sequence[_KeyTimes]) -> Array:
    """The whole frames that hold the keys, (K,) in rising order."""
    times = np.concatenate([each.times for each in keys])
    return np.unique(np.concatenate([np.floor(times), np.ceil(times)]))


def _movement(keys: Sequence[_KeyTimes]) -> tuple[float, float]:
    """The first and the last frame of the keys that are not stray."""
    frames = _frames(keys)
    counts = np.zeros(len(frames))
    for each in keys:
        np.add.at(counts, np.searchsorted(frames, np.floor(each.times)), each.count)
    groups = list(_groups(frames))
    weights = [counts[group].sum() for group in groups]
    body = int(np.argmax(weights))
    low, high = frames[groups[body].start], frames[groups[body].stop - 1]
    if low == high:
        return float(frames[0]), float(frames[-1])
    start, end = float(frames[0]), float(frames[-1])
    for n in range(body, 0, -1):
        first, before = frames[groups[n].start], frames[: groups[n].start]
        if _are_stray(before, first - before[-1], high - first):
            start = float(first)
            break
    for n in range(body, len(groups) - 1):
        last, after = frames[groups[n].stop - 1], frames[groups[n].stop :]
        if _are_stray(after, after[0] - last, last - low):
            end = float(last)
            break
    return start, end


def _groups(frames: Array) -> Iterator[slice]:
    """The runs of frames (K,) without a gap between them."""
    cuts = [0, *(np.flatnonzero(np.diff(frames) > _GAP) + 1).tolist(), len(frames)]
    return (slice(start, stop) for start, stop in pairwise(cuts))


def _are_stray(outside: Array, gap: float, length: float) -> bool:
    """Whether the keyed frames outside of a movement of this length, with this gap between them, are stray."""
    return len(outside) <= _MAX_STRAY and any(gap > max(spans * length, frames) for spans, frames in _SPANS)
