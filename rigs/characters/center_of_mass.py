"""The body's centre of mass, from joint positions and the masses of its segments."""

import numpy as np

from rigs import Array
from rigs.skeleton import INDEX, SIDES

_SEGMENTS = (
    # both ends of a segment, how far its centre of mass is from the first to the second, and its share of the mass:
    # de Leva, "Adjustments to Zatsiorsky-Seluyanov's segment inertia parameters" (1996), table 4, men
    ("hip", "knee", 0.41, 0.142),
    ("knee", "ankle", 0.44, 0.057),
    ("shoulder", "elbow", 0.58, 0.027),
    ("elbow", "wrist", 0.62, 0.022),
)
_TRUNK_MASS, _HEAD_MASS = 0.435, 0.069
_TRUNK_CENTER, _HEAD_CENTER = 0.5, 1.35
"""Where trunk and head have their centres of mass, in trunk lengths from between the hips to between the shoulders."""

_MIN_FALL, _MAX_FALL = 7.0, 14.0
"""m/s² of free fall, in captures whose height and rate are not exact."""
_MAX_RESIDUAL = 0.02
"""m that a body in free fall is off a parabola at most, by the noise of a capture."""


def center_of_mass(positions: Array) -> Array:
    """The centre of mass (F, 3) of a body by the positions (F, 29, 3) of its hips, shoulders, knees, elbows and so on.

    Feet count with the shins, hands with the forearms and the head with the trunk, so no other joints are needed.
    """
    shoulders = positions[:, [INDEX[f"{side}_shoulder"] for side in SIDES]].mean(axis=1)
    hips = positions[:, [INDEX[f"{side}_hip"] for side in SIDES]].mean(axis=1)
    total = (_TRUNK_MASS + _HEAD_MASS) * hips
    total += (_TRUNK_MASS * _TRUNK_CENTER + _HEAD_MASS * _HEAD_CENTER) * (shoulders - hips)
    mass = _TRUNK_MASS + _HEAD_MASS
    for first, second, share, segment_mass in _SEGMENTS:
        for side in SIDES:
            start, end = (positions[:, INDEX[f"{side}_{joint}"]] for joint in (first, second))
            total += segment_mass * (start + share * (end - start))
            mass += segment_mass
    return np.asarray(total / mass)


def free_fall(windows: Array, fps: float) -> Array:
    """Directions (W, 3) of free fall, unit vectors, in the windows in which the body falls; else zeros.

    windows: (W, N, 29, 3) m, N frames each. A body falls if its centre of mass follows a parabola of about 1 g.
    """
    acceleration, residual = center_acceleration(windows, fps)
    strength = np.linalg.norm(acceleration, axis=-1)
    falls = (strength > _MIN_FALL) & (strength < _MAX_FALL) & (residual < _MAX_RESIDUAL)
    return np.where(falls[:, None], acceleration / np.maximum(strength, _MIN_FALL)[:, None], 0.0)


def center_acceleration(windows: Array, fps: float) -> tuple[Array, Array]:
    """Acceleration (W, 3) m/s² of the centre of mass by a parabola fitted to each window, and its residual (W,) m."""
    count = windows.shape[1]
    centers = center_of_mass(windows.reshape(-1, *windows.shape[2:])).reshape(-1, count, 3)
    time = (np.arange(count) - (count - 1) / 2.0) / fps
    powers = np.stack([np.ones(count), time, time**2 / 2.0], axis=-1)
    coefficients = np.linalg.pinv(powers) @ centers
    residual = np.sqrt(np.mean((centers - powers @ coefficients) ** 2, axis=1).sum(axis=-1))
    return coefficients[:, 2], residual
