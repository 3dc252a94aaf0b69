"""Axes and units of files: conversion between any up axis and Blender's Z up, and metres in the units people use."""

import numpy as np

from rigs import Array, rotations

UP_AXES: tuple[str, ...] = ("X", "Y", "Z", "-X", "-Y", "-Z")
"""The axes that may point up in a file; "Y" has Z forward, as BVH files and Maya have it, and "-Y" is a camera's."""
UNITS: dict[str, float] = {"m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048}
"""Metres in the units that a file may be in, by their symbols."""
UNIT_NAMES: dict[str, str] = {
    "m": "metres",
    "dm": "decimetres",
    "cm": "centimetres",
    "mm": "millimetres",
    "in": "inches",
    "ft": "feet",
}
"""Their names for people."""

_TO_Z_UP: dict[str, tuple[tuple[int, int, int], tuple[float, float, float]]] = {
    # up axis: which of the file's coordinates becomes x, y and z, and its sign; each is a rotation by a multiple of 90°
    "X": ((2, 1, 0), (-1.0, 1.0, 1.0)),
    "Y": ((0, 2, 1), (1.0, -1.0, 1.0)),
    "Z": ((0, 1, 2), (1.0, 1.0, 1.0)),
    "-X": ((2, 1, 0), (1.0, 1.0, -1.0)),
    "-Y": ((0, 2, 1), (1.0, 1.0, -1.0)),
    "-Z": ((0, 1, 2), (1.0, -1.0, -1.0)),
}


def to_z_up(v: Array, up: str) -> Array:
    """Rotate vectors or rotation axes (..., 3) of a file whose axis `up` points up to Blender's Z up."""
    order, signs = _TO_Z_UP[up]
    return np.asarray(v[..., order] * np.array(signs))


def from_z_up(v: Array, up: str) -> Array:
    """Rotate Blender's vectors or rotation axes (..., 3) to a file whose axis `up` points up: undo `to_z_up`."""
    order, signs = _TO_Z_UP[up]
    return np.asarray((v * np.array(signs))[..., np.argsort(order)])


def quaternions_to_z_up(quaternions: Array, up: str) -> Array:
    """Express rotations (..., 4) of a file whose axis `up` points up in Blender's axes."""
    return np.concatenate([quaternions[..., :1], to_z_up(quaternions[..., 1:], up)], axis=-1)


def quaternions_from_z_up(quaternions: Array, up: str) -> Array:
    """Express Blender's rotations (..., 4) in the axes of a file whose axis `up` points up."""
    return np.concatenate([quaternions[..., :1], from_z_up(quaternions[..., 1:], up)], axis=-1)


def z_up_rotation(up: str, rest_up: str) -> Array:
    """The rotation (4,) from a rest pose brought to Z up by its own axis `rest_up` to one brought there by `up`."""
    turn, rest_turn = (rotations.from_matrix(to_z_up(np.eye(3), axis).T) for axis in (up, rest_up))
    return rotations.multiply(turn, rotations.inverse(rest_turn))


def reflect(v: Array) -> Array:
    """Reflect vectors (..., 3) of left-handed axes to right-handed ones or back: the X axis points the other way."""
    return np.asarray(v * [-1.0, 1.0, 1.0])


def reflect_quaternions(quaternions: Array) -> Array:
    """Rotations (..., 4) of left-handed axes in the right-handed ones of `reflect`, or back."""
    return np.asarray(quaternions * [1.0, 1.0, -1.0, -1.0])
