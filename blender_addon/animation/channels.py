"""What is to be keyed, property by property, and the curves that tell it, with keys on every frame or on few."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array
from rigs.retargeting import key_reduction, rotation_modes

from . import fcurves


@dataclass(frozen=True)
class Channel:
    """One animated property.

    path: its data path from the object.  values: (F, n), one column for each of its elements.
    group: the name under which the dope sheet lists it.
    """

    path: str
    values: Array
    group: str

    @property
    def columns(self) -> Array:
        """The elements, one a row: (n, F)."""
        values = np.asarray(self.values, dtype=float)
        return values.reshape(len(values), -1).T


@dataclass(frozen=True)
class Tolerance:
    """How far reduced keys may lead from the movement: radians for rotations, m in the world for locations.

    Numbers of other properties may be off by `distance`.
    """

    angle: float = np.radians(0.5)
    distance: float = 1e-3


@dataclass(frozen=True)
class Curve:
    """A curve to be: one element of a channel, and its keys."""

    path: str
    index: int
    group: str
    keys: fcurves.Keys


def channels_for(
    thing: "bpy.types.PoseBone | bpy.types.Object", turns: Array | None = None, places: Array | None = None
) -> list[Channel]:
    """The channels of a bone or an object for `turns` (F, 4), in the form that it keeps, and for `places` (F, 3).

    Both as its own properties have them: for a bone, relative to its parent and its rest, in its own axes and units.
    """
    is_bone = isinstance(thing, bpy.types.PoseBone)
    before, group = (thing.path_from_id() + ".", thing.name) if is_bone else ("", "Object Transforms")
    channels = []
    if places is not None:
        channels.append(Channel(before + "location", places, group))
    if turns is not None:
        name = rotation_modes.property_of(thing.rotation_mode)
        values = rotation_modes.from_quaternions(turns, thing.rotation_mode)
        channels.append(Channel(before + name, values, group))
    return channels


def rotation_mode(owner: bpy.types.Object, path: str) -> str | None:
    """How the rotation that a path leads to is kept; None where it leads to no rotation."""
    before, name = _parts(path)
    if name not in rotation_modes.WIDTHS:
        return None
    mode = (owner.path_resolve(before) if before else owner).rotation_mode
    if rotation_modes.property_of(mode) == name:
        return str(mode)
    return {"rotation_quaternion": "QUATERNION", "rotation_axis_angle": "AXIS_ANGLE"}.get(name, "XYZ")


def other_rotations(path: str) -> list[str]:
    """For a path to a rotation the paths to the other forms of the same rotation."""
    before, name = _parts(path)
    if name not in rotation_modes.WIDTHS:
        return []
    return [f"{before}.{other}" if before else other for other in rotation_modes.WIDTHS if other != name]


def on_every_frame(channels: Sequence[Channel], first: float, step: float) -> list[Curve]:
    """Curves with a linear key for each value; a switch that stays as it is needs but one."""
    curves = []
    for channel in channels:
        for index, column in enumerate(channel.columns):
            needed = column[:1] if channel.path.endswith("]") and np.ptp(column) == 0.0 else column
            keys = fcurves.straight_keys(first + step * np.arange(len(needed)), needed)
            curves.append(Curve(channel.path, index, channel.group, keys))
    return curves


def on_few_frames(
    owner: bpy.types.Object, channels: Sequence[Channel], first: float, step: float, tolerance: Tolerance
) -> list[Curve]:
    """Smooth curves on as few keys as the tolerance allows, on the same frames for all channels of a bone."""
    if len(channels[0].values) < 3:
        return on_every_frame(channels, first, step)
    bones: dict[str, list[Channel]] = {}
    for channel in channels:
        bones.setdefault(_parts(channel.path)[0], []).append(channel)
    tracks = [[_track(owner, channel, tolerance) for channel in of_bone] for of_bone in bones.values()]
    curves = []
    for of_bone, kept in zip(bones.values(), key_reduction.key_frames(tracks), strict=True):
        times = first + step * kept
        for channel in of_bone:
            for index, column in enumerate(channel.columns):
                slopes = key_reduction.slopes(column)[kept] / step
                keys = fcurves.smooth_keys(times, column[kept], slopes)
                curves.append(Curve(channel.path, index, channel.group, keys))
    return curves


def _track(owner: bpy.types.Object, channel: Channel, tolerance: Tolerance) -> key_reduction.Track:
    mode = rotation_mode(owner, channel.path)
    allowed = tolerance.distance if mode is None else tolerance.angle
    if channel.path.endswith("].location"):
        allowed /= max(owner.matrix_world.median_scale, 1e-9)
    return key_reduction.Track(channel.columns.T, mode, allowed)


def _parts(path: str) -> tuple[str, str]:
    """What has the property, and the property's own name, of a data path."""
    if path.endswith("]"):
        end = path.rindex("[")
        return path[:end], path[end:]
    before, _, name = path.rpartition(".")
    return before, name
