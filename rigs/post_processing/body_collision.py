"""Body collision: offsets of a partner and its arms that resolve their penetration of the leader's capsules."""

import numpy as np

from rigs import Array
from rigs.post_processing.capsules import CAPSULES, penetration_depths
from rigs.skeleton import SIDES
from rigs.smoothing import hann_average, upper_envelope

_BODY = [n for n, (start, _, _) in enumerate(CAPSULES) if start in ("pelvis", "neck", "left_hip", "right_hip")]
"""Capsules of trunk, head and thighs; arms and shins of real couples pass each other too closely to be separated."""
_TRUNK_COUNT = 2
"""Capsules of `_BODY` that are trunk and head; they come first."""
_TRUNK = [n for n, (start, _, _) in enumerate(CAPSULES) if start in ("pelvis", "neck")]
_ARMS = [[n for n, (_, end, _) in enumerate(CAPSULES) if end in (f"{s}_elbow", f"{s}_wrist")] for s in SIDES]
_LEVERS = np.array([2.0, 1.3])
"""m that a wrist moves for each m at the middle of the upper arm, and of the forearm."""
_NEAREST = 0.28
"""m between two pelvises that bodies need at least, as the closest real couples have."""
_COLLISION_RANGE = 1.2
"""m between two pelvises beyond which no body part reaches the other's trunk."""
_ALLOWED = 0.005
"""m of penetration that is allowed, since flesh gives way."""
_MIN_SLOPE = 0.4
"""Cosine between the direction of separation and a contact normal from which moving along the floor helps."""
_FURTHEST = 0.3
"""m by which a partner is moved at most."""
_DIRECTION_TIME = 0.7
"""s to either side over which the direction of separation is averaged."""
_BLEND = 0.8
"""s over which a partner is moved away before a collision, and back after."""
_ARM_TIME = 0.2
"""s to either side over which the offset of an arm is averaged."""
_ITERATIONS = 4
"""Iterations of measuring the penetration and moving the partner."""


def body_separation(partner: Array, leader: Array, fps: float) -> Array:
    """Offsets (F, 3) m along the floor, smooth in time, that separate the partner's body from the leader's.

    partner, leader: (F, 29, 3) m.  The direction is from the leader's pelvis to the partner's; a partner who walks
    straight through the leader is led around.
    """
    away = partner[:, 0, :2] - leader[:, 0, :2]
    angle = hann_average(np.unwrap(np.arctan2(away[:, 1], away[:, 0])), round(_DIRECTION_TIME * fps))
    direction = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=-1)
    needed = _to_distance(away, direction[:, :2], _NEAREST)
    near = np.flatnonzero(np.linalg.norm(away, axis=-1) < _COLLISION_RANGE)
    for _ in range(_ITERATIONS):
        positions = partner[near] + (needed[near, None] * direction[near])[:, None]
        depth, normal = penetration_depths(positions, leader[near], _BODY, _BODY)
        slope = np.einsum("fabi,fi->fab", normal, direction[near])
        depth = depth - _ALLOWED
        # a thigh beyond the leader's is not pulled back through it
        depth[:, _TRUNK_COUNT:][slope[:, _TRUNK_COUNT:] < _MIN_SLOPE] = 0.0
        depth[:, :, _TRUNK_COUNT:][slope[:, :, _TRUNK_COUNT:] < _MIN_SLOPE] = 0.0
        step = (depth / np.maximum(slope, _MIN_SLOPE)).max(axis=(1, 2))
        if not (step > 0.0).any():
            break
        needed[near] += np.maximum(step, 0.0)
        near = near[step > 0.0]
    needed = np.minimum(needed, np.maximum(_FURTHEST, _to_distance(away, direction[:, :2], _NEAREST)))
    return upper_envelope(needed, round(_BLEND * fps))[:, None] * direction


def arm_separation(partner: Array, leader: Array, fps: float) -> Array:
    """Offsets (2, F, 3) m of the partner's wrists that reduce penetration of the leader's trunk and head by the arms.

    partner, leader: (F, 29, 3) m.  An arm that passes right through, or only for a moment, is not fully separated.
    """
    offsets = np.zeros((2, len(partner), 3))
    near = np.flatnonzero(np.linalg.norm((partner - leader)[:, 0], axis=-1) < _COLLISION_RANGE)
    if not len(near):
        return offsets
    for side, arm in enumerate(_ARMS):
        depth, normal = penetration_depths(partner[near], leader[near], arm, _TRUNK)
        travel = np.maximum(depth - _ALLOWED, 0.0) * _LEVERS[:, None]
        deepest = travel.reshape(len(near), -1).argmax(axis=1)
        at = np.arange(len(near)), *np.unravel_index(deepest, travel.shape[1:])
        offsets[side, near] = travel[at][:, None] * normal[at]
        offsets[side] = hann_average(offsets[side], round(_ARM_TIME * fps))
    return offsets


def _to_distance(away: Array, direction: Array, distance: float) -> Array:
    """Distance (F,) m from `away` (F, 2) m along `direction` (F, 2) to the circle of `distance` m, 0 if outside it."""
    along = np.sum(away * direction, axis=-1)
    missing = distance**2 - np.sum(away**2, axis=-1)
    return np.where(missing > 0.0, np.sqrt(np.maximum(along**2 + missing, 0.0)) - along, 0.0)
