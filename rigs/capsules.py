"""Two bodies made of capsules, and how deep they lie in each other."""

import numpy as np

from rigs import Array
from rigs.skeleton import INDEX

_CAPSULES = (
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
_STARTS = [INDEX[start] for start, _, _ in _CAPSULES]
_ENDS = [INDEX[end] for _, end, _ in _CAPSULES]
_RADII = np.array([radius for _, _, radius in _CAPSULES])


def penetration(first: Array, second: Array) -> Array:
    """How deep the capsules of two dancers lie in each other at the deepest place: (F,) m, 0 where they are apart.

    first, second: (F, 29, 3) m.  Hands and feet have no capsules: hands hold, and feet step between feet.
    """
    apart = segment_distance(
        first[:, _STARTS, None], first[:, _ENDS, None], second[:, None, _STARTS], second[:, None, _ENDS]
    )
    depth = _RADII[:, None] + _RADII - apart
    return np.asarray(np.maximum(depth.max(axis=(1, 2)), 0.0))


def segment_distance(a: Array, b: Array, c: Array, d: Array) -> Array:
    """The least distance between the segments from `a` to `b` and from `c` to `d` (..., 3): (...).

    After Ericson 2005, "Real-Time Collision Detection", 5.1.9: the nearest points of the two lines, each clamped.
    """
    u, v, w = b - a, d - c, a - c
    uu, vv, uv = _dot(u, u), _dot(v, v), _dot(u, v)
    uw, vw = _dot(u, w), _dot(v, w)
    across = uu * vv - uv**2
    s = np.where(across > 1e-12, (uv * vw - uw * vv) / np.where(across > 1e-12, across, 1.0), 0.0)
    s = np.clip(s, 0.0, 1.0)
    t = np.clip((uv * s + vw) / np.maximum(vv, 1e-12), 0.0, 1.0)
    s = np.clip((uv * t - uw) / np.maximum(uu, 1e-12), 0.0, 1.0)
    return np.linalg.norm(w + s[..., None] * u - t[..., None] * v, axis=-1)


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.sum(a * b, axis=-1))
