"""Tilt of a rest pose: by which rotation a rig that leans, lies or hangs upside down at rest was turned from standing.

A lean of the whole body is told from posture: trunk and legs lean alike, and the line from the ankles to the shoulders
with them, which in upright rigs, slouching or not, stands within a few degrees of an axis of the armature.
"""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import ANKLES, HIPS, SHOULDERS

_UP = np.array([0.0, 0.0, 1.0])
_UPRIGHT = np.radians(5.0)
"""Radians from the vertical within which a body stands; the rest poses of common rigs are within 3 degrees."""
_STRAIGHT = np.radians(20.0)
"""Radians between trunk and legs up to which a lean is one of the whole body, and not of its posture."""
_BENT = np.radians(90.0)
"""Radians between trunk and legs from which a rest pose does not tell where the body's up is."""
_POSTURE = np.radians(40.0)
"""Radians from an axis of the armature within which a body that is not straight, but crouches or sits, stands so."""
_NEGLIGIBLE = 1e-4  # radians
_NEAR_ZERO = 1e-9


def rest_tilt(positions: Array, object_rotation: Array = rotations.IDENTITY) -> Array | None:
    """The rotation (4,) that turned a standing body to a rest pose (29, 3); None for one that stands upright.

    object_rotation: (4,) the armature's object's in the world. Where the body stands along an axis of the armature, the
    object was tilted, and so it is known exactly; else the lean is measured, to within the body's posture.
    The tilt is without the heading, which is about the body's own vertical.
    """
    ankles, hips, shoulders = (positions[joints].mean(axis=0) for joints in (ANKLES, HIPS, SHOULDERS))
    body, trunk, legs = shoulders - ankles, shoulders - hips, hips - ankles
    if min(np.linalg.norm(vector) for vector in (body, trunk, legs)) < _NEAR_ZERO:
        return None
    up = _body_up(body, _angle(trunk, legs), object_rotation)
    if up is None or _angle(up, _UP) < _NEGLIGIBLE:
        return None
    left = positions[HIPS[0]] - positions[HIPS[1]]
    left = left - (left @ up) * up
    if np.linalg.norm(left) < _NEAR_ZERO:
        return rotations.between(_UP, up)
    base = rotations.from_axes(left, np.cross(up, left))
    return rotations.multiply(base, rotations.about_z(-rotations.heading(base)))


def _body_up(body: Array, bend: float, object_rotation: Array) -> Array | None:
    """The body's own vertical (3,) in the world; None where it is the world's.

    body: (3,) from the ankles to the shoulders.  bend: radians between trunk and legs.
    """
    local = rotations.rotate(rotations.inverse(object_rotation), body)
    axis = np.zeros(3)
    longest = int(np.abs(local).argmax())
    axis[longest] = np.sign(local[longest])
    if bend < _BENT and _angle(local, axis) < (_UPRIGHT if bend < _STRAIGHT else _POSTURE):
        return rotations.rotate(object_rotation, axis)
    return rotations.normalize(body) if bend < _STRAIGHT and _angle(body, _UP) > _UPRIGHT else None


def _angle(u: Array, v: Array) -> float:
    """The angle in radians between two vectors (3,)."""
    return float(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))
