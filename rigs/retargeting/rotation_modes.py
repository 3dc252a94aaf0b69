"""Rotations in the forms in which Blender's bones keep theirs: quaternion, Euler angles in six orders, axis and angle.

A mode has Blender's name: "QUATERNION", "AXIS_ANGLE", or the Euler order in which the axes turn, such as "XYZ". Going
from quaternions to a form gives curves without jumps, so that what lies between keys lies between the poses too.
"""

import numpy as np

from rigs import Array, rotations

PROPERTY_WIDTHS: dict[str, int] = {"rotation_quaternion": 4, "rotation_euler": 3, "rotation_axis_angle": 4}
"""The properties in which a bone keeps its rotation, one for each kind of mode, and how many numbers each has."""


def rotation_property(mode: str) -> str:
    """The name of the property in which a bone of that mode keeps its rotation."""
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")


def to_quaternions(values: Array, mode: str) -> Array:
    """Unit quaternions (..., 4) of a bone's values (..., n)."""
    values = np.asarray(values, dtype=float)
    if mode == "QUATERNION":
        return rotations.normalize(values)
    if mode == "AXIS_ANGLE":
        return rotations.from_axis_angle(rotations.normalize(values[..., 1:]), values[..., 0])
    return rotations.from_euler(values[..., _outermost_first(mode)], mode[::-1])


def from_quaternions(quaternions: Array, mode: str) -> Array:
    """A bone's values (F, ..., n) of unit quaternions (F, ..., 4), each near those of the frame before."""
    quaternions = rotations.unroll(quaternions)
    if mode == "QUATERNION":
        return quaternions
    if mode == "AXIS_ANGLE":
        return _to_axis_angle(quaternions)
    outermost_first = rotations.to_euler(quaternions, mode[::-1])
    return _unwrap_euler(outermost_first[..., np.argsort(_outermost_first(mode))], mode)


def continue_from(values: Array, before: Array, mode: str) -> Array:
    """Values (F, n) for the same rotations that begin as near as can be to the values `before` (n,) them."""
    whole_turns = (
        2.0 * np.pi * np.array({"QUATERNION": [0.0] * 4, "AXIS_ANGLE": [1.0, 0.0, 0.0, 0.0]}.get(mode, [1.0] * 3))
    )
    values = np.asarray(values)
    candidates = [
        twin + whole_turns * np.round((before - twin[0]) / (2.0 * np.pi))
        for twin in (values, _equivalent_values(values, mode))
    ]
    return min(candidates, key=lambda twin: np.abs(twin[0] - before).sum())


def _outermost_first(mode: str) -> list[int]:
    """Where the angle of each letter stands among a bone's values; Blender's name begins with the innermost."""
    return ["XYZ".index(letter) for letter in reversed(mode)]


def _unwrap_euler(angles: Array, mode: str) -> Array:
    """Euler angles (F, ..., 3) of the same rotations that never jump from frame to frame."""
    twin = _equivalent_values(angles, mode)
    switches = _angle_distance(angles[1:], angles[:-1]) > _angle_distance(twin[1:], angles[:-1])
    use_twin = np.concatenate([np.zeros_like(switches[:1]), np.cumsum(switches, axis=0) % 2 == 1])
    return np.unwrap(np.where(use_twin[..., None], twin, angles), axis=0)


def _equivalent_values(values: Array, mode: str) -> Array:
    """The other values (..., n) for the same rotations, whole turns aside; each form has two."""
    if mode in ("QUATERNION", "AXIS_ANGLE"):
        return -values
    middle = "XYZ".index(mode[1])
    twin = values + np.pi
    twin[..., middle] = np.pi - values[..., middle]
    return twin


def _angle_distance(a: Array, b: Array) -> Array:
    """How far apart two triples of angles are (...), whole turns aside."""
    return np.abs((a - b + np.pi) % (2.0 * np.pi) - np.pi).sum(axis=-1)


def _to_axis_angle(quaternions: Array) -> Array:
    """Angle and axis (F, ..., 4) of near quaternions; a frame without rotation has the axis of one beside it."""
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    axis = _fill_undefined_axes(quaternions[..., 1:], sine[..., 0] > 1e-6)
    flips = np.sum(axis[1:] * axis[:-1], axis=-1, keepdims=True) < 0.0
    sign = np.concatenate([np.ones_like(sine[:1]), np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0)])
    angle = np.unwrap(2.0 * np.arctan2(sine, quaternions[..., :1]) * sign, axis=0)
    return np.concatenate([angle, axis * sign], axis=-1)


def _fill_undefined_axes(vectors: Array, known: Array) -> Array:
    """Directions (F, ..., 3) of vectors; where none is known, that of the last known frame, or the first one, or Y."""
    frames = np.arange(len(vectors)).reshape(-1, *[1] * (known.ndim - 1))
    last = np.maximum.accumulate(np.where(known, frames, -1), axis=0)
    source = np.where(last < 0, np.argmax(known, axis=0), last)[..., None]
    filled = rotations.normalize(np.take_along_axis(vectors, source, axis=0))
    return np.where(known.any(axis=0)[..., None], filled, np.array([0.0, 1.0, 0.0]))
