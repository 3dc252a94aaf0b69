"""Detect left-handed axes: in them a body is its own mirror image, whose knees and feet point backwards."""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import ANKLES, HIPS, both_sides

MIRRORED = (
    "knees and feet point backwards, as in left-handed axes or with left and right swapped; read as a mirror image"
)
"""Warning about a file with left-handed axes."""
_KNEES, _BALLS, _SHOULDERS = both_sides("knee"), both_sides("foot"), both_sides("shoulder")
_NEAR_ZERO = 1e-9
_BACKWARDS = -0.2, -0.02
"""Mean cosine of the feet's direction with the body's front, and bend of the knees in lengths of the leg, below which
both point backwards."""


def is_mirrored(joints: Array) -> bool:
    """Whether left and right are reversed in `joints` (F, 29, 3): knees bend and feet point to the body's back."""
    shoulders, hips, knees, ankles = (joints[:, pair] for pair in (_SHOULDERS, HIPS, _KNEES, ANKLES))
    trunk = shoulders.mean(axis=1) - hips.mean(axis=1)
    left = sum(rotations.normalize(pair[:, 0] - pair[:, 1]) for pair in (shoulders, hips))
    front = rotations.normalize(np.cross(left, trunk))[:, None]
    feet = np.sum(rotations.normalize(joints[:, _BALLS] - ankles) * front, axis=-1).mean()
    legs = np.maximum(np.linalg.norm(hips - ankles, axis=-1), _NEAR_ZERO)
    bend = np.sum((knees - (hips + ankles) / 2.0) * front, axis=-1) / legs
    return bool(feet < _BACKWARDS[0] and bend.mean() < _BACKWARDS[1])
