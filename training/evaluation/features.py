"""Motion features of windows: kinetic, geometric and cross-distance features, on which Fréchet distances are taken.

The first two are fairmotion's (Gopinath and Won 2020), used by Li et al. 2021 (AI Choreographer, AIST++) for dance; the
third is that of Siyao et al. 2024 (Duolando). SMPL's 24 joints are our first 24.
"""

import numpy as np

from rigs import Array
from rigs.skeleton import INDEX, both_sides

WINDOW, HOP = 60, 10
"""Frames of a window, and from one window's start to the next, at 30 fps."""
SMPL_JOINTS = 24
_SLIDING_WINDOW = 2
"""Frames to either side over which the kinetic features average a velocity or an acceleration."""

_HUMERUS, _SHOULDERS, _HIPS = 0.25680, 0.39085, 0.12922
"""m: upper arm, shoulder width and hip width of SMPL's mean body; the published thresholds are multiples of these."""

_CROSS_JOINTS = [INDEX["pelvis"], *both_sides("ankle", "foot"), INDEX["jaw"], *both_sides("shoulder", "wrist")]

_GEOMETRIC: tuple[tuple[str, tuple[str, ...], float | tuple[float, float]], ...] = (
    # kind, joints, threshold in m or m/s, or an open range in degrees: Müller et al. 2005's relational features
    ("beside", ("neck", "right_hip", "left_hip", "right_wrist"), 1.8 * _HUMERUS),
    ("beside", ("neck", "left_hip", "right_hip", "left_wrist"), 1.8 * _HUMERUS),
    ("ahead", ("spine3", "neck", "neck", "right_wrist"), 0.2 * _HUMERUS),
    ("ahead", ("spine3", "neck", "neck", "left_wrist"), 0.2 * _HUMERUS),
    ("along", ("spine1", "spine3", "spine3"), 1.8 * _HUMERUS),
    ("along", ("spine1", "spine3", "spine3"), 1.8 * _HUMERUS),
    ("angle", ("right_elbow", "right_shoulder", "right_elbow", "right_wrist"), (0.0, 110.0)),
    ("angle", ("left_elbow", "left_shoulder", "left_elbow", "left_wrist"), (0.0, 110.0)),
    ("ahead", ("left_shoulder", "right_shoulder", "left_wrist", "right_wrist"), 2.5 * _SHOULDERS),
    ("along", ("left_wrist", "right_wrist", "right_wrist"), 1.4 * _HUMERUS),
    ("along", ("right_wrist", "pelvis", "left_wrist"), 1.4 * _HUMERUS),
    ("along", ("left_wrist", "pelvis", "right_wrist"), 1.4 * _HUMERUS),
    ("fast", ("right_wrist",), 2.5 * _HUMERUS),
    ("fast", ("left_wrist",), 2.5 * _HUMERUS),
    ("above plane", ("pelvis", "left_hip", "left_foot", "right_ankle"), 0.38 * _HUMERUS),
    ("above plane", ("pelvis", "right_hip", "right_foot", "left_ankle"), 0.38 * _HUMERUS),
    ("high", ("right_ankle",), 1.2 * _HUMERUS),
    ("high", ("left_ankle",), 1.2 * _HUMERUS),
    ("ahead", ("left_hip", "right_hip", "left_ankle", "right_ankle"), 2.1 * _HIPS),
    ("angle", ("right_knee", "right_hip", "right_knee", "right_ankle"), (0.0, 110.0)),
    ("angle", ("left_knee", "left_hip", "left_knee", "left_ankle"), (0.0, 110.0)),
    ("fast", ("right_ankle",), 2.5 * _HUMERUS),
    ("fast", ("left_ankle",), 2.5 * _HUMERUS),
    ("angle", ("neck", "pelvis", "right_shoulder", "right_elbow"), (25.0, 180.0)),
    ("angle", ("neck", "pelvis", "left_shoulder", "left_elbow"), (25.0, 180.0)),
    ("angle", ("neck", "pelvis", "right_hip", "right_knee"), (50.0, 180.0)),
    ("angle", ("neck", "pelvis", "left_hip", "left_knee"), (50.0, 180.0)),
    ("above plane", ("right_ankle", "neck", "left_ankle", "pelvis"), 0.5 * _HUMERUS),
    ("tilt", ("neck", "pelvis"), (70.0, 110.0)),
    ("low", ("right_wrist",), 1.2 * _HUMERUS),
    ("low", ("left_wrist",), 1.2 * _HUMERUS),
    ("fast", ("pelvis",), 2.3 * _HUMERUS),
)


def windows(positions: Array, length: int = WINDOW, hop: int = HOP) -> Array:
    """Sliding windows of (F, 29, 3): (N, length, 29, 3), one every `hop` frames."""
    starts = range(0, len(positions) - length + 1, hop)
    return np.array([positions[start : start + length] for start in starts]).reshape(-1, length, 29, 3)


def window_features(partner: Array, leader: Array, length: int = WINDOW, hop: int = HOP) -> dict[str, Array]:
    """Kinetic, geometric and cross-distance features of all windows of a couple, (F, 29, 3) m each: by kind (N, D)."""
    own, other = windows(partner, length, hop), windows(leader, length, hop)
    return {
        "kinetic": kinetic_features(own),
        "geometric": geometric_features(own),
        "cross": cross_distance_features(own, other),
    }


def kinetic_features(positions: Array, frame_time: float = 1.0 / 60.0) -> Array:
    """The 72 kinetic features of windows (Onuma et al. 2008): kinetic energy and effort of each of SMPL's joints.

    positions: (N, T, 29, 3) m, Z up.  frame_time: s; the published code has 1/60 whatever the rate of its data.
    Returns (N, 72): for each joint the mean squared horizontal and vertical speed, m²/s², and the mean acceleration,
    m/s², each over velocities and accelerations averaged over five frames. Standardised features do not depend on
    `frame_time`.
    """
    joints = positions[:, :, :SMPL_JOINTS]
    velocity = _sliding_average(np.diff(joints, axis=1)) / frame_time
    acceleration = _sliding_average(np.diff(joints, n=2, axis=1), trailing=1) / frame_time**2
    horizontal = np.sum(velocity[..., :2] ** 2, axis=-1).mean(axis=1)
    vertical = (velocity[..., 2] ** 2).mean(axis=1)
    effort = np.linalg.norm(acceleration, axis=-1).mean(axis=1)
    return np.stack([horizontal, vertical, effort], axis=-1).reshape(len(positions), 3 * SMPL_JOINTS)


def _sliding_average(steps: Array, trailing: int = 0) -> Array:
    """Means of steps (N, T, J, 3) over `_SLIDING_WINDOW` steps to either side, fewer at the ends.

    trailing: frames after the last step that get a mean too, of what lies within their window.
    """
    count = steps.shape[1]
    sums = np.concatenate([np.zeros_like(steps[:, :1]), np.cumsum(steps, axis=1)], axis=1)
    frames = np.arange(count + trailing)
    first, end = np.maximum(frames - _SLIDING_WINDOW, 0), np.minimum(frames + _SLIDING_WINDOW + 1, count)
    return np.asarray((sums[:, end] - sums[:, first]) / (end - first)[:, None, None])


def geometric_features(positions: Array, frame_time: float = 1.0 / 120.0) -> Array:
    """The 32 geometric features of windows (Müller et al. 2005): the share of frames in which each relation holds.

    positions: (N, T, 29, 3) m, Z up.  frame_time: s; the published code has 1/120 whatever the rate of its data.
    Returns (N, 32) of 0 to 1. Kept as published: lengths are those of SMPL's mean body, not the dancer's, and a point
    that should move along a line is the third joint, not the fourth that was meant (so the fifth and the sixth feature
    are the same). The first frame of a window is left out.
    """
    relations = [
        _relation_holds(kind, [INDEX[name] for name in names], limit, positions, frame_time)
        for kind, names, limit in _GEOMETRIC
    ]
    return np.stack(relations, axis=-1).mean(axis=1)


def _relation_holds(
    kind: str, joints: list[int], limit: float | tuple[float, float], positions: Array, frame_time: float
) -> Array:
    """Frames after the first in which a relation between joints holds: (N, T - 1) bool."""
    if isinstance(limit, tuple):
        angle = _relation_angle(kind, [positions[:, 1:, j] for j in joints])
        return np.asarray((angle > limit[0]) & (angle < limit[1]))
    value = _relation_value(kind, joints, positions, frame_time)
    return np.asarray(value < limit if kind == "low" else value > limit)


def _relation_angle(kind: str, points: list[Array]) -> Array:
    """Angle (N, T - 1) in degrees between two limbs, or of one to the vertical."""
    first = points[1] - points[0]
    second = np.array([0.0, 0.0, 1.0]) if kind == "tilt" else points[3] - points[2]
    return np.asarray(np.degrees(np.arccos(np.clip(_dot(_unit(first), _unit(second)), -1.0, 1.0))))


def _relation_value(kind: str, joints: list[int], positions: Array, frame_time: float) -> Array:
    """Distance in m or speed in m/s that a relation compares with its threshold: (N, T - 1)."""
    points = [positions[:, 1:, j] for j in joints]
    velocities = [np.diff(positions[:, :, j], axis=1) / frame_time for j in joints]
    if kind == "fast":
        return np.linalg.norm(velocities[0], axis=-1)
    if kind in ("high", "low"):
        return np.asarray(points[0][..., 2] - positions[:, 1:, :SMPL_JOINTS, 2].min(axis=-1))
    if kind == "ahead":
        return _dot(_unit(points[1] - points[0]), points[3] - points[2])
    if kind == "along":
        return _dot(_unit(points[1] - points[0]), velocities[2] - velocities[0])
    normal = _unit(np.cross(points[2] - points[0], points[1] - points[0]))
    return _dot(normal, velocities[3] - velocities[0] if kind == "beside" else points[3] - points[0])


def cross_distance_features(partner: Array, leader: Array) -> Array:
    """The 100 cross-distance features: mean distances of 10 joints of one dancer from 10 of the other's.

    partner, leader: (N, T, 29, 3) m.  Returns (N, 100) m. Siyao et al. 2024 (Duolando, 5.1).
    """
    offsets = partner[:, :, _CROSS_JOINTS, None] - leader[:, :, None, _CROSS_JOINTS]
    return np.linalg.norm(offsets, axis=-1).mean(axis=1).reshape(len(partner), len(_CROSS_JOINTS) ** 2)


def _dot(a: Array, b: Array) -> Array:
    return np.asarray(np.sum(a * b, axis=-1))


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))
