"""Splice new movement into an action: all frames but the new ones keep their poses, keyframes and F-curves."""

from collections.abc import Sequence
from dataclasses import replace

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.retargeting import rotation_modes
from rigs.smoothing import blend_offsets, true_runs

from . import fcurves
from .channels import Channel, Tolerance, keyframe_curves, rotation_mode
from .fcurves import BEZIER, LINEAR, FCurveData, KeyframeArrays

_CONSTANT = 0  # enum value of Keyframe.interpolation
_FREE, _AUTO, _VECTOR, _ALIGNED, _AUTO_CLAMPED = range(5)  # enum values of Keyframe.handle_left_type
_FROZEN = {_AUTO: _ALIGNED, _AUTO_CLAMPED: _ALIGNED, _VECTOR: _FREE}
"""The handle types that do not follow neighbouring keyframes, for those that do."""
_TOLERANCE = 1e-3  # frames by which a keyframe may miss a whole one
_BISECTIONS = 50


def splice_action(
    obj: bpy.types.Object,
    channels: Sequence[Channel],
    first: int,
    name: str,
    tolerance: Tolerance | None = None,
) -> bpy.types.Action:
    """A copy of the object's assigned action that plays the channels' F frames from `first` on; it is not assigned.

    Before and after them the F-curves are as they were: a Bezier segment that reaches into them is split where they
    begin or end. The object's other F-curves are copied.
    tolerance: reduce the keyframes; without it every frame has one.
    """
    assert obj.animation_data is not None
    assert obj.animation_data.action is not None
    action = obj.animation_data.action.copy()
    try:
        action.name, action.use_fake_user = name, False
        channelbag = fcurves.copied_channelbag(action, obj)
        curves = {(curve.data_path, curve.array_index): curve for curve in channelbag.fcurves}
        frames = range(first, first + len(channels[0].values))
        added = []
        for data in keyframe_curves(obj, channels, first, 1.0, tolerance):
            curve = curves.get((data.path, data.index))
            if curve is not None and not curve.is_empty:
                fcurves.set_keyframes(curve, _splice(fcurves.read_keyframes(curve), frames, data.keyframes))
                continue
            if curve is not None:
                channelbag.fcurves.remove(curve)
            added.append(replace(data, keyframes=_splice(_held_key(obj, data, first - 1), frames, data.keyframes)))
        fcurves.write_fcurves(channelbag, added)
    except BaseException:
        bpy.data.actions.remove(action)
        raise
    return action


def hold_poses(
    obj: bpy.types.Object, channels: Sequence[Channel], first: int, fixed: Array, blend: int
) -> list[Channel]:
    """Channels that have the object's present values in the `fixed` frames (F,) bool, from the frame `first` on.

    What they differ by there fades out over `blend` frames to either side; custom properties switch.
    """
    curves = fcurves.fcurves_by_path(obj)
    frames = range(first, first + len(fixed))
    held = []
    for channel in channels:
        values = channel.columns.T
        present = np.tile(np.ravel(obj.path_resolve(channel.path)).astype(float), (len(fixed), 1))
        for index in range(present.shape[1]):
            curve = curves.get((channel.path, index))
            if curve is not None and fcurves.is_evaluated(curve):
                present[:, index] = fcurves.sample_fcurves([curve], frames)[0]
        mode = rotation_mode(obj, channel.path)
        if mode is not None:
            values = _hold_rotations(values, present, fixed, blend, mode)
        elif not channel.path.endswith("]"):
            offsets = np.where(fixed[:, None], present - values, 0.0)
            values = values + blend_offsets(offsets, true_runs(fixed), blend)
        held.append(Channel(channel.path, np.where(fixed[:, None], present, values), channel.group))
    return held


def _hold_rotations(values: Array, present: Array, fixed: Array, blend: int, mode: str) -> Array:
    """Rotation values (F, n) that are `present` where fixed, and continue it the short way in the frames after."""
    turned, target = (rotation_modes.to_quaternions(part, mode) for part in (values, present))
    offsets = rotations.to_rotation_vector(rotations.multiply(rotations.inverse(turned), target))
    offsets = blend_offsets(np.where(fixed[:, None], offsets, 0.0), true_runs(fixed), blend)
    turned = rotations.multiply(turned, rotations.from_rotation_vector(offsets))
    held = np.where(fixed[:, None], present, rotation_modes.from_quaternions(turned, mode))
    for start, stop in true_runs(~fixed):
        if start:
            held[start:stop] = rotation_modes.continue_from(held[start:stop], held[start - 1], mode)
    return held


def _held_key(obj: bpy.types.Object, data: FCurveData, frame: int) -> KeyframeArrays:
    """A keyframe for a property that nothing has animated so far: the object's present value."""
    value = np.ravel(obj.path_resolve(data.path))[data.index]
    return fcurves.with_defaults(fcurves.linear_keyframes(np.array([float(frame)]), np.array([float(value)])))


def _splice(keys: KeyframeArrays, frames: range, between: KeyframeArrays) -> KeyframeArrays:
    """Keyframes before and after some frames with others between; a single one of these is held to the last frame."""
    between = fcurves.with_defaults(between)
    if len(between["co"]) == 1 and len(frames) > 1:
        between = {attribute: np.repeat(values, 2, axis=0) for attribute, values in between.items()}
        between["co"][:, 0] = frames[0], frames[-1]
    between["interpolation"][-1] = LINEAR
    parts = (_until(keys, frames.start - 1), between, _from(keys, frames.stop))
    return {attribute: np.concatenate([part[attribute] for part in parts]) for attribute in between}


def _until(keys: KeyframeArrays, at: float) -> KeyframeArrays:
    """The keyframes up to one at the frame `at`, which is added so that the F-curve does not change before it."""
    times = keys["co"][:, 0]
    count = int(np.searchsorted(times, at - _TOLERANCE))
    kept = {attribute: values[:count].copy() for attribute, values in keys.items()}
    if count < len(times) and times[count] < at + _TOLERANCE:
        kept = {attribute: values[: count + 1].copy() for attribute, values in keys.items()}
        if count and kept["interpolation"][count - 1] == BEZIER:
            _freeze(kept, count)
    else:
        added = _key_between(keys, count, at)
        if count and count < len(times) and kept["interpolation"][-1] == BEZIER:
            _freeze(kept, count - 1)
            kept["handle_right"][-1], added["handle_left"][0] = _split(keys, count, at)[:2]
        elif count and count == len(times):
            kept["interpolation"][-1] = LINEAR
        kept = {attribute: np.concatenate([values, added[attribute]]) for attribute, values in kept.items()}
    kept["interpolation"][-1] = LINEAR
    return kept


def _from(keys: KeyframeArrays, at: float) -> KeyframeArrays:
    """The keyframes from one at the frame `at` on, which is added so that the F-curve does not change after it."""
    times = keys["co"][:, 0]
    start = int(np.searchsorted(times, at - _TOLERANCE))
    kept = {attribute: values[start:].copy() for attribute, values in keys.items()}
    if start < len(times) and times[start] < at + _TOLERANCE:
        if kept["interpolation"][0] == BEZIER:
            _freeze(kept, 0)
        return kept
    added = _key_between(keys, start, at)
    if start and start < len(times) and added["interpolation"][0] == BEZIER:
        _freeze(kept, 0)
        added["handle_right"][0], kept["handle_left"][0] = _split(keys, start, at)[2:4]
    return {attribute: np.concatenate([added[attribute], values]) for attribute, values in kept.items()}


def _key_between(keys: KeyframeArrays, n: int, at: float) -> KeyframeArrays:
    """A keyframe at the frame `at` on the F-curve, between the keyframes `n - 1` and `n`; the curve holds its ends."""
    co, kinds = keys["co"], keys["interpolation"]
    if n == 0 or n == len(co):
        value, kind = co[min(n, len(co) - 1), 1], LINEAR
    else:
        (before, low), (after, high) = co[n - 1], co[n]
        kind = int(kinds[n - 1].item())
        value = low + (high - low) * (at - before) / (after - before)
        if kind == _CONSTANT:
            value = low
        elif kind != LINEAR:
            kind, value = BEZIER, _split(keys, n, at)[4]
    point = np.array([[at, value]])
    key = {"co": point, "interpolation": np.array([kind]), "handle_left": point, "handle_right": point}
    if kind == BEZIER:
        key |= {"handle_left_type": np.array([_FREE]), "handle_right_type": np.array([_FREE])}
    return fcurves.with_defaults(key)


def _split(keys: KeyframeArrays, n: int, at: float) -> tuple[Array, Array, Array, Array, float]:
    """Split the Bezier segment before the keyframe `n` at the frame `at` (de Casteljau).

    Returns the handles (2,) of the first part, those of the second, and the value at `at`.
    """
    p0, p3 = keys["co"][n - 1].astype(float), keys["co"][n].astype(float)
    length = p3[0] - p0[0]
    out, into = keys["handle_right"][n - 1] - p0, keys["handle_left"][n] - p3
    # As Blender does where handles reach beyond the other keyframe.
    p1 = p0 + out * min(1.0, length / max(abs(out[0]), 1e-9))
    p2 = p3 + into * min(1.0, length / max(abs(into[0]), 1e-9))
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        u = 0.5 * (low + high)
        a, b, c = p0 + u * (p1 - p0), p1 + u * (p2 - p1), p2 + u * (p3 - p2)
        d, e = a + u * (b - a), b + u * (c - b)
        point = d + u * (e - d)
        low, high = (u, high) if point[0] < at else (low, u)
    return a, d, e, c, float(point[1])


def _freeze(keys: KeyframeArrays, n: int) -> None:
    """Fix the handles of the keyframe `n` where they are, whatever neighbours it gets."""
    for name in ("handle_left_type", "handle_right_type"):
        kind = int(keys[name][n].item())
        keys[name][n] = _FROZEN.get(kind, kind)
