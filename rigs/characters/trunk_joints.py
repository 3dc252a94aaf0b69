"""Trunk joints between the hips and the shoulders, for captures of points that have no others."""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import DEFAULT_SKELETON, JOINTS

_TRUNK = ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")


def trunk_joints(points: dict[str, Array]) -> dict[str, Array]:
    """Pelvis, spine, neck and collars (F, 3), interpolated between hips and shoulders in average proportions.

    points: "left_hip", "right_hip", "left_shoulder" and "right_shoulder", each (F, 3) m.
    """
    hips, shoulders = midpoint(points, "hip"), midpoint(points, "shoulder")
    trunk = shoulders - hips
    rest = dict(zip(JOINTS, DEFAULT_SKELETON.rest_positions(), strict=True))
    rest_hips, rest_shoulders = midpoint(rest, "hip"), midpoint(rest, "shoulder")
    size = np.linalg.norm(trunk, axis=-1, keepdims=True) / np.linalg.norm(rest_shoulders - rest_hips)
    hip_rotation, shoulder_rotation = (trunk_rotation(trunk, left_vector(points, j)) for j in ("hip", "shoulder"))

    def interpolate(name: str) -> Array:
        of_hips = hips + rotations.rotate(hip_rotation, rest[name] - rest_hips) * size
        of_shoulders = shoulders + rotations.rotate(shoulder_rotation, rest[name] - rest_shoulders) * size
        share = float(np.clip((rest[name] - rest_hips)[2] / (rest_shoulders - rest_hips)[2], 0.0, 1.0))
        return (1.0 - share) * of_hips + share * of_shoulders

    return {name: interpolate(name) for name in _TRUNK}


def trunk_rotation(up: Array, left: Array) -> Array:
    """The rotation (F, 4) of a trunk along `up` whose left side is near `left`, both (F, 3)."""
    forward = np.cross(up, left)
    return rotations.from_axes(np.cross(forward, up), forward)


def midpoint(points: dict[str, Array], name: str) -> Array:
    """The midpoint (F, 3) of the left and the right point of a name."""
    return (points[f"left_{name}"] + points[f"right_{name}"]) / 2.0


def left_vector(points: dict[str, Array], name: str) -> Array:
    """The vector (F, 3) from the right to the left point of a name."""
    return points[f"left_{name}"] - points[f"right_{name}"]
