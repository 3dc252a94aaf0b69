"""Bodies that do not run through each other: where a partner must stand, and have the arms, to be out of the leader."""

import numpy as np

from rigs import Array
from rigs.characters.humanoid import SIDES
from rigs.post_processing.capsules import CAPSULES, penetration_depths
from rigs.smoothing import hann_average, upper_envelope

_SOLID = [n for n, (start, _, _) in enumerate(CAPSULES) if start in ("pelvis", "neck", "left_hip", "right_hip")]
"""Trunk, head and thighs; arms and shins of real couples pass each other too closely to be kept apart."""
_TRUNKS = 2
"""How many of them come first that are not a limb."""
_TRUNK = [n for n, (start, _, _) in enumerate(CAPSULES) if start in ("pelvis", "neck")]
_ARMS = [[n for n, (_, end, _) in enumerate(CAPSULES) if end in (f"{s}_elbow", f"{s}_wrist")] for s in SIDES]
_LEVERS = np.array([2.0, 1.3])
"""How far a wrist must go for the upper arm's deepest place to go 1 m, and for the forearm's."""
_NEAREST = 0.28
"""m between two pelvises that two bodies need at least: what the nearest real couples have."""
_BESIDE = 1.2
"""m between two pelvises beyond which nothing of one body is in the other's trunk."""
_ALLOWED = 0.005
"""m of penetration that is left: flesh gives way."""
_STEEPEST = 0.4
"""How much of a step along the floor leads straight out of the other body, at least, for it to be worth going."""
_FURTHEST = 0.3
"""m that a partner is moved at most."""
_TURNING = 0.7
"""s over which the direction is averaged in which a partner gives way."""
_BLEND = 0.8
"""s in which a partner gives way, and comes back after."""
_SWEEP = 0.2
"""s over which an arm's way out is averaged."""
_ROUNDS = 4
"""How often it is looked how far a partner is still in the leader."""


def body_separation(partner: Array, leader: Array, fps: float) -> Array:
    """How the partner must be moved along the floor so as not to be in the leader: (F, 3) m, smooth in time.

    partner, leader: (F, 29, 3) m.  The way leads from the leader's pelvis to the partner's; a partner who walks right
    through the leader is led around.
    """
    away = partner[:, 0, :2] - leader[:, 0, :2]
    angle = hann_average(np.unwrap(np.arctan2(away[:, 1], away[:, 0])), round(_TURNING * fps))
    direction = np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=-1)
    needed = _to_distance(away, direction[:, :2], _NEAREST)
    near = np.flatnonzero(np.linalg.norm(away, axis=-1) < _BESIDE)
    for _ in range(_ROUNDS):
        moved = partner[near] + (needed[near, None] * direction[near])[:, None]
        depth, out = penetration_depths(moved, leader[near], _SOLID, _SOLID)
        slope = np.einsum("fabi,fi->fab", out, direction[near])
        depth = depth - _ALLOWED
        depth[:, _TRUNKS:][slope[:, _TRUNKS:] < _STEEPEST] = (
            0.0  # a thigh beyond the leader's is not pulled back through it
        )
        depth[:, :, _TRUNKS:][slope[:, :, _TRUNKS:] < _STEEPEST] = 0.0
        step = (depth / np.maximum(slope, _STEEPEST)).max(axis=(1, 2))
        if not (step > 0.0).any():
            break
        needed[near] += np.maximum(step, 0.0)
        near = near[step > 0.0]
    needed = np.minimum(needed, np.maximum(_FURTHEST, _to_distance(away, direction[:, :2], _NEAREST)))
    return upper_envelope(needed, round(_BLEND * fps))[:, None] * direction


def arm_separation(partner: Array, leader: Array, fps: float) -> Array:
    """How the partner's wrists must be moved for arms to run less through the leader's trunk and head: (2, F, 3) m.

    partner, leader: (F, 29, 3) m.  An arm that comes out on the other side or only for a moment stays in part.
    """
    offsets = np.zeros((2, len(partner), 3))
    near = np.flatnonzero(np.linalg.norm((partner - leader)[:, 0], axis=-1) < _BESIDE)
    if not len(near):
        return offsets
    for side, arm in enumerate(_ARMS):
        depth, out = penetration_depths(partner[near], leader[near], arm, _TRUNK)
        way = np.maximum(depth - _ALLOWED, 0.0) * _LEVERS[:, None]
        deepest = way.reshape(len(near), -1).argmax(axis=1)
        at = np.arange(len(near)), *np.unravel_index(deepest, way.shape[1:])
        offsets[side, near] = way[at][:, None] * out[at]
        offsets[side] = hann_average(offsets[side], round(_SWEEP * fps))
    return offsets


def _to_distance(away: Array, direction: Array, distance: float) -> Array:
    """How far (F,) m one must go from `away` (F, 2) in `direction` (F, 2) to be at `distance`, 0 where one is."""
    along = np.sum(away * direction, axis=-1)
    missing = distance**2 - np.sum(away**2, axis=-1)
    return np.where(missing > 0.0, np.sqrt(np.maximum(along**2 + missing, 0.0)) - along, 0.0)
