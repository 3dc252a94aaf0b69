"""Interaction metrics of a couple, per frame: distance, facing angle, overlapping bodies, held hands."""

import numpy as np

from rigs import Array
from rigs.constraints.hand_holds import detect_hand_holds
from rigs.skeleton import HIPS
from training.data.duets import pelvis_distance

OVERLAP = 0.25
"""m between two pelvises below which the two bodies intersect."""


def bodies_overlap(partner: Array, leader: Array) -> Array:
    """1 where the pelvises are under 25 cm apart, else 0: (F,)."""
    return (pelvis_distance(partner, leader) < OVERLAP).astype(float)


def facing_angle(partner: Array, leader: Array) -> Array:
    """Angle (F,) in degrees from the partner's front to the leader: 0 face to face, 180 with the back turned."""
    across = partner[:, HIPS[0], :2] - partner[:, HIPS[1], :2]
    front = np.stack([across[:, 1], -across[:, 0]], axis=-1)
    to_leader = leader[:, 0, :2] - partner[:, 0, :2]
    cross = front[:, 0] * to_leader[:, 1] - front[:, 1] * to_leader[:, 0]
    return np.asarray(np.degrees(np.abs(np.arctan2(cross, np.sum(front * to_leader, axis=-1)))))


def hands_held(partner: Array, leader: Array, fps: float) -> Array:
    """1 where a hand of one dancer holds a hand of the other, else 0: (F,).

    Holds as `rigs.constraints.hand_holds` detects them: wrists within 25 cm of each other for 0.2 s, and within 20 cm
    at some time.
    """
    held = np.zeros(len(partner), bool)
    for hold in detect_hand_holds(partner, leader, fps):
        held |= hold.mask
    return held.astype(float)
