"""Rotation modes of Blender's bones: conversion between quaternions and Euler angles in six orders, or axis and angle.

A mode has Blender's name: "QUATERNION", "AXIS_ANGLE", or an Euler order such as "XYZ". Curves made from quaternions
are continuous (no sign flips, no jumps by whole turns), so that poses between keys are interpolated correctly.
"""

import numpy as np

from rigs import Array, rotations

PROPERTY_WIDTHS: dict[str, int] = {"rotation_quaternion": 4, "rotation_euler": 3, "rotation_axis_angle": 4}
"""The rotation properties of a bone and their number of values."""


def rotation_property(mode: str) -> str:
    """The bone property that holds the rotation in that mode."""
    return {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}.get(mode, "rotation_euler")


def to_quaternions(values: Array, mode: str) -> Array:
    """Convert a bone's rotation values (..., n) to unit quaternions (..., 4)."""
    values = np.asarray(values, dtype=float)
    if mode == "QUATERNION":
        return rotations.normalize(values)
    if mode == "AXIS_ANGLE":
        return rotations.from_axis_angle(rotations.normalize(values[..., 1:]), values[..., 0])
    return rotations.from_euler(values[..., _outermost_first(mode)], mode[::-1])


def from_quaternions(quaternions: Array, mode: str) -> Array:
    """Convert unit quaternions (F, ..., 4) to continuous rotation values (F, ..., n)."""
    quaternions = rotations.unroll(quaternions)
    if mode == "QUATERNION":
        return quaternions
    if mode == "AXIS_ANGLE":
        return _to_axis_angle(quaternions)
    outermost_first = rotations.to_euler(quaternions, mode[::-1])
    return _unwrap_euler(outermost_first[..., np.argsort(_outermost_first(mode))], mode)


def continue_from(values: Array, before: Array, mode: str) -> Array:
    """Choose the equivalent values (F, n) that continue closest from the values `before` (n,) of the frame before."""
    periodic = {"QUATERNION": [0.0] * 4, "AXIS_ANGLE": [1.0, 0.0, 0.0, 0.0]}.get(mode, [1.0] * 3)
    whole_turns = 2.0 * np.pi * np.array(periodic)
    values = np.asarray(values)
    twins = (values, _equivalent_values(values, mode))
    candidates = [twin + whole_turns * np.round((before - twin[0]) / (2.0 * np.pi)) for twin in twins]
    return min(candidates, key=lambda twin: np.abs(twin[0] - before).sum())


def _outermost_first(mode: str) -> list[int]:
    """Indices of the Euler angles, the outermost axis first; Blender's order begins with the innermost."""
    return ["XYZ".index(letter) for letter in reversed(mode)]


def _unwrap_euler(angles: Array, mode: str) -> Array:
    """Continuous Euler angles (F, ..., 3) of the same rotations, without jumps at gimbal lock or by whole turns."""
    twin = _equivalent_values(angles, mode)
    switches = _angle_distance(angles[1:], angles[:-1]) > _angle_distance(twin[1:], angles[:-1])
    use_twin = np.concatenate([np.zeros_like(switches[:1]), np.cumsum(switches, axis=0) % 2 == 1])
    return np.unwrap(np.where(use_twin[..., None], twin, angles), axis=0)


def _equivalent_values(values: Array, mode: str) -> Array:
    """The other values (..., n) of the same rotations, up to whole turns."""
    if mode in ("QUATERNION", "AXIS_ANGLE"):
        return -values
    middle = "XYZ".index(mode[1])
    twin = values + np.pi
    twin[..., middle] = np.pi - values[..., middle]
    return twin


def _angle_distance(a: Array, b: Array) -> Array:
    """Distance of two triples of angles (...), up to whole turns."""
    return np.abs((a - b + np.pi) % (2.0 * np.pi) - np.pi).sum(axis=-1)


def _to_axis_angle(quaternions: Array) -> Array:
    """Angle and axis (F, ..., 4) of unrolled quaternions; a frame without rotation has a neighbour's axis."""
    sine = np.linalg.norm(quaternions[..., 1:], axis=-1, keepdims=True)
    axis = _fill_undefined_axes(quaternions[..., 1:], sine[..., 0] > 1e-6)
    flips = np.sum(axis[1:] * axis[:-1], axis=-1, keepdims=True) < 0.0
    sign = np.concatenate([np.ones_like(sine[:1]), np.where(np.cumsum(flips, axis=0) % 2 == 1, -1.0, 1.0)])
    angle = np.unwrap(2.0 * np.arctan2(sine, quaternions[..., :1]) * sign, axis=0)
    return np.concatenate([angle, axis * sign], axis=-1)


def _fill_undefined_axes(vectors: Array, defined: Array) -> Array:
    """Directions (F, ..., 3) of vectors; undefined ones copy the last defined frame, else the first, else Y."""
    frames = np.arange(len(vectors)).reshape(-1, *[1] * (defined.ndim - 1))
    last = np.maximum.accumulate(np.where(defined, frames, -1), axis=0)
    source = np.where(last < 0, np.argmax(defined, axis=0), last)[..., None]
    filled = rotations.normalize(np.take_along_axis(vectors, source, axis=0))
    return np.where(defined.any(axis=0)[..., None], filled, np.array([0.0, 1.0, 0.0]))
