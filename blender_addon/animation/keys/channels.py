"""Animated properties as arrays (channels), and the F-curves for them: a keyframe on every frame, or reduced."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array
from rigs.retargeting import key_reduction, rotation_modes
from rigs.retargeting.key_reduction import KeyedCurve
from rigs.retargeting.key_reduction import Tolerance as Tolerance

from . import fcurves
from .fcurves import FCurveData

REST_VALUES = {
    "location": (0.0, 0.0, 0.0),
    "rotation_quaternion": (1.0, 0.0, 0.0, 0.0),
    "rotation_euler": (0.0, 0.0, 0.0),
    "rotation_axis_angle": (0.0, 0.0, 1.0, 0.0),
    "scale": (1.0, 1.0, 1.0),
}
"""The values at rest of a bone's transform properties."""
OBJECT_GROUP = "Object Transforms"
"""The group of an object's own F-curves, as Blender names it."""


@dataclass(frozen=True)
class Channel:
    """The values of one animated property.

    path: its data path from the object.  values: (F, n), a column for each array element.
    group: the name of its channel group in the Dope Sheet.
    reduced: its reduced keys, if they were chosen already; they take the place of `values`.
    """

    path: str
    values: Array
    group: str
    reduced: KeyedCurve | None = None

    @property
    def columns(self) -> Array:
        """The array elements as rows: (n, F)."""
        values = np.asarray(self.values, dtype=float)
        return values.reshape(len(values), -1).T


def transform_channels(
    owner: "bpy.types.PoseBone | bpy.types.Object",
    quaternions: Array | None = None,
    locations: Array | None = None,
    reduced: tuple[KeyedCurve | None, KeyedCurve | None] = (None, None),
) -> list[Channel]:
    """Channels of a pose bone's or object's rotation and location, in the owner's rotation mode.

    quaternions: (F, 4).  locations: (F, 3). Both as the owner's properties: for a pose bone relative to its parent and
    rest pose, in its own axes and units.
    reduced: the reduced keys of rotation and location; those of another rotation mode than the owner's are ignored.
    """
    is_bone = isinstance(owner, bpy.types.PoseBone)
    prefix, group = (owner.path_from_id() + ".", owner.name) if is_bone else ("", OBJECT_GROUP)
    channels = []
    if locations is not None:
        channels.append(Channel(prefix + "location", locations, group, reduced[1]))
    if quaternions is not None:
        name = rotation_modes.rotation_property(owner.rotation_mode)
        values = rotation_modes.from_quaternions(quaternions, owner.rotation_mode)
        keys = reduced[0] if reduced[0] is not None and reduced[0].mode == owner.rotation_mode else None
        channels.append(Channel(prefix + name, values, group, keys))
    return channels


def rest_channel(path: str, group: str, frames: int, rest: Sequence[float]) -> Channel:
    """A channel of a property that keeps its value at rest, with a keyframe at both ends."""
    ends = np.unique([0, frames - 1])
    values = np.tile(np.array(rest, dtype=float), (frames, 1))
    return Channel(path, values, group, KeyedCurve(ends, values[ends], np.zeros_like(values[ends])))


def rotation_mode(obj: bpy.types.Object, path: str) -> str | None:
    """The rotation mode of the rotation property at a data path; None for any other property."""
    prefix, name = _split_data_path(path)
    if name not in rotation_modes.PROPERTY_WIDTHS:
        return None
    mode = (obj.path_resolve(prefix) if prefix else obj).rotation_mode
    if rotation_modes.rotation_property(mode) == name:
        return str(mode)
    return {"rotation_quaternion": "QUATERNION", "rotation_axis_angle": "AXIS_ANGLE"}.get(name, "XYZ")


def other_rotation_paths(path: str) -> list[str]:
    """The data paths of the same rotation in its other rotation modes; empty for any other property."""
    prefix, name = _split_data_path(path)
    if name not in rotation_modes.PROPERTY_WIDTHS:
        return []
    return [f"{prefix}.{other}" if prefix else other for other in rotation_modes.PROPERTY_WIDTHS if other != name]


def keyframe_curves(
    obj: bpy.types.Object, channels: Sequence[Channel], first: float, step: float, tolerance: Tolerance | None
) -> list[FCurveData]:
    """F-curves with the channels' reduced keys; without those, reduced by the tolerance or keyed on every frame."""
    curves = [
        curve
        for channel in channels
        if channel.reduced is not None
        for curve in bezier_curves(channel.path, channel.group, channel.reduced, first, step)
    ]
    others = [channel for channel in channels if channel.reduced is None]
    if tolerance is None or not others:
        return curves + key_every_frame(others, first, step)
    return curves + key_reduced(obj, others, first, step, tolerance)


def key_every_frame(channels: Sequence[Channel], first: float, step: float) -> list[FCurveData]:
    """F-curves with a linear keyframe for each value; one keyframe for a custom property that stays constant."""
    curves = []
    for channel in channels:
        for index, column in enumerate(channel.columns):
            values = column[:1] if channel.path.endswith("]") and np.ptp(column) == 0.0 else column
            keyframes = fcurves.linear_keyframes(first + step * np.arange(len(values)), values)
            curves.append(FCurveData(channel.path, index, channel.group, keyframes))
    return curves


def key_reduced(
    obj: bpy.types.Object, channels: Sequence[Channel], first: float, step: float, tolerance: Tolerance
) -> list[FCurveData]:
    """Bezier F-curves with as few keyframes as the tolerance allows, on the same frames for all channels of a bone."""
    if len(channels[0].values) < 3:
        return key_every_frame(channels, first, step)
    channels_by_bone: dict[str, list[Channel]] = {}
    for channel in channels:
        channels_by_bone.setdefault(_split_data_path(channel.path)[0], []).append(channel)
    tracks = [[_track(obj, channel, tolerance) for channel in group] for group in channels_by_bone.values()]
    curves = []
    for group, key_frames in zip(channels_by_bone.values(), key_reduction.reduce_keys(tracks), strict=True):
        for channel in group:
            values = channel.columns.T
            slopes = key_reduction.tangents(values)[key_frames]
            curve = KeyedCurve(key_frames, values[key_frames], slopes)
            curves += bezier_curves(channel.path, channel.group, curve, first, step)
    return curves


def bezier_curves(path: str, group: str, curve: KeyedCurve, first: float, step: float) -> list[FCurveData]:
    """Bezier F-curves of a property with reduced keys."""
    times = first + step * curve.frames
    columns = list(zip(curve.values.T, curve.slopes.T / step, strict=True))
    if len(times) == 1:
        keyframes = [fcurves.linear_keyframes(times, values) for values, _ in columns]
    else:
        keyframes = [fcurves.bezier_keyframes(times, values, slopes) for values, slopes in columns]
    return [FCurveData(path, index, group, keys) for index, keys in enumerate(keyframes)]


def _track(obj: bpy.types.Object, channel: Channel, tolerance: Tolerance) -> key_reduction.PropertyCurve:
    mode = rotation_mode(obj, channel.path)
    limit = tolerance.distance if mode is None else tolerance.angle
    if channel.path.endswith("].location"):
        limit /= max(obj.matrix_world.median_scale, 1e-9)
    return key_reduction.PropertyCurve(channel.columns.T, mode, limit)


def _split_data_path(path: str) -> tuple[str, str]:
    """Split a data path into the path of the property's owner and the property's name."""
    if path.endswith("]"):
        end = path.rindex("[")
        return path[:end], path[end:]
    prefix, _, name = path.rpartition(".")
    return prefix, name
