"""Capsules around the bones of two dancers, and their penetration depths."""

import numpy as np

from rigs import Array
from rigs.skeleton import INDEX

CAPSULES = (
    # from joint to joint, radius in m: a slender adult's, so that a close hold is not yet a collision
    ("pelvis", "neck", 0.11),
    ("neck", "head", 0.08),
    ("left_hip", "left_knee", 0.07),
    ("right_hip", "right_knee", 0.07),
    ("left_knee", "left_ankle", 0.045),
    ("right_knee", "right_ankle", 0.045),
    ("left_shoulder", "left_elbow", 0.04),
    ("right_shoulder", "right_elbow", 0.04),
    ("left_elbow", "left_wrist", 0.03),
    ("right_elbow", "right_wrist", 0.03),
)
_STARTS = [INDEX[start] for start, _, _ in CAPSULES]
_ENDS = [INDEX[end] for _, end, _ in CAPSULES]
_RADII = np.array([radius for _, _, radius in CAPSULES])


def deepest_penetration(first: Array, second: Array) -> Array:
    """Deepest penetration (F,) m between the capsules of two dancers, 0 where they are apart.

    first, second: (F, 29, 3) m.  Hands and feet have no capsules: hands hold, and feet step between feet.
    """
    every = list(range(len(CAPSULES)))
    depths, _ = penetration_depths(first, second, every, every)
    return np.asarray(np.maximum(depths.max(axis=(1, 2)), 0.0))


def penetration_depths(
    first: Array, second: Array, first_capsules: list[int], second_capsules: list[int]
) -> tuple[Array, Array]:
    """Penetration depths (F, A, B) m of capsule pairs, negative where apart, and their contact normals (F, A, B, 3).

    first, second: (F, 29, 3) m.  first_capsules, second_capsules: indices in `CAPSULES`, A and B of them.
    A normal is the unit direction in which the first dancer's capsule leaves the second's.
    """
    start, end = (first[:, [ends[k] for k in first_capsules], None] for ends in (_STARTS, _ENDS))
    other_start, other_end = (second[:, None, [ends[k] for k in second_capsules]] for ends in (_STARTS, _ENDS))
    separation = segment_separation(start, end, other_start, other_end)
    distance = np.linalg.norm(separation, axis=-1)
    normal = separation / np.maximum(distance, 1e-9)[..., None]
    return _RADII[first_capsules][:, None] + _RADII[second_capsules] - distance, normal


def segment_separation(a: Array, b: Array, c: Array, d: Array) -> Array:
    """Vector (..., 3) between the closest points of two segments, from `c` to `d`, to the one from `a` to `b`.

    Closest points of the two lines, each clamped (Ericson 2005, "Real-Time Collision Detection", 5.1.9).
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = _dot(u, u), _dot(v, v), _dot(u, v)
    uw, vw = _dot(u, w), _dot(v, w)
    across = uu * vv - uv**2
    s = np.where(across > 1e-12, (uv * vw - uw * vv) / np.where(across > 1e-12, across, 1.0), 0.0)
    s = np.clip(s, 0.0, 1.0)
    t = np.clip((uv * s + vw) / np.maximum(vv, 1e-12), 0.0, 1.0)
    s = np.clip((uv * t - uw) / np.maximum(uu, 1e-12), 0.0, 1.0)
    return np.asarray(w + s[..., None] * u - t[..., None] * v)


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.sum(a * b, axis=-1))
