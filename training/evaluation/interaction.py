"""How two dancers stand to each other: near or far, face to face, hand in hand."""

import numpy as np

from rigs import Array
from rigs.constraints.hand_holds import holds
from rigs.skeleton import INDEX

OVERLAP = 0.25
"""m between two pelvises below which two bodies cannot both be there."""
_PELVIS, _LEFT, _RIGHT = INDEX["pelvis"], INDEX["left_hip"], INDEX["right_hip"]


def pelvis_distance(partner: Array, leader: Array) -> Array:
    """Metres between the two pelvises: (F,).  partner, leader: (F, 29, 3) m."""
    return np.linalg.norm(partner[:, _PELVIS] - leader[:, _PELVIS], axis=-1)


def bodies_overlap(partner: Array, leader: Array) -> Array:
    """1 where the pelvises are under 25 cm apart, else 0: (F,)."""
    return (pelvis_distance(partner, leader) < OVERLAP).astype(float)


def facing_angle(partner: Array, leader: Array) -> Array:
    """The angle (F,) in degrees from the partner's front to the leader: 0 face to face, 180 with the back turned."""
    across = partner[:, _LEFT, :2] - partner[:, _RIGHT, :2]
    front = np.stack([across[:, 1], -across[:, 0]], axis=-1)
    towards = leader[:, _PELVIS, :2] - partner[:, _PELVIS, :2]
    turn = front[:, 0] * towards[:, 1] - front[:, 1] * towards[:, 0]
    return np.asarray(np.degrees(np.abs(np.arctan2(turn, np.sum(front * towards, axis=-1)))))


def hands_held(partner: Array, leader: Array, fps: float) -> Array:
    """1 where a hand of the one holds a hand of the other, else 0: (F,).

    A hold is `rigs.constraints.hand_holds`'s: wrists within 25 cm of each other for 0.2 s, and within 20 cm once in it.
    """
    held = np.zeros(len(partner), bool)
    for hold in holds(partner, leader, fps):
        held |= hold.held
    return held.astype(float)
