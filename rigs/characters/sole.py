"""`Sole`: the points of a rig's foot that touch the floor at rest and may not sink below it."""

from dataclasses import dataclass

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Humanoid
from rigs.skeleton import INDEX

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Sole:
    """The P points of one foot that touch the floor at rest, under its bones' ends.

    on_foot: (P, 3) m, from the ankle, in the foot's own axes.  on_toes: (P, 3) m, from there, in the toes' axes.
    high: (P,) m, how high the bone's end is above the floor.  of_toes: (P,) whether it is the toes' or the foot's.
    """

    foot_points: Array
    toe_points: Array
    bone_heights: Array
    on_toes: Array

    def lowest_point(self, foot: Array, toes: Array) -> Array:
        """How high the lowest point is from the ankle (F,) m, foot and toes turned (F, 4) in the world."""
        on_foot, on_toes = (rotations.rotate(rotations.inverse(q), _UP) for q in (foot, toes))
        under = self.bone_heights * np.where(self.on_toes, on_toes[:, 2:], on_foot[:, 2:])
        return np.asarray((on_foot @ self.foot_points.T + on_toes @ self.toe_points.T - under).min(axis=1))


def find_sole(body: Humanoid, side: str) -> Sole:
    """The sole of the "left" or "right" foot, from all bones that hang on it."""
    ankle, ball = (INDEX[f"{side}_{joint}"] for joint in ("ankle", "foot"))
    rig, joints = body.rig, [ankle, ball, INDEX[f"{side}_bigtoe"]]
    points = [(body.rest_positions[ankle], None), (body.rest_positions[ball], None)]
    foot = next((body.driven[k] for k, role in enumerate(body.driving_joints) if role == ankle), -1)
    toes = [body.driven[k] for k, role in enumerate(body.driving_joints) if role == ball]
    for node in range(len(rig.names)) if foot >= 0 else ():
        above = (node, *rig.ancestors(node))
        if foot in above:
            points.append((rig.heads[node], next((rig.heads[toe] for toe in toes if toe in above[1:]), None)))
    if not toes:
        points.append((body.rest_positions[joints[2]], body.rest_positions[ball]))
    back = rotations.inverse(body.rest_rotations[[ankle, ball]])
    on_foot = np.array([(place if pivot is None else pivot) - body.rest_positions[ankle] for place, pivot in points])
    on_toes = np.array([place * 0.0 if pivot is None else place - pivot for place, pivot in points])
    high = np.array([place @ _UP for place, _ in points]) - body.floor
    return Sole(
        rotations.rotate(back[0], on_foot),
        rotations.rotate(back[1], on_toes),
        high,
        np.array([pivot is not None for _, pivot in points]),
    )
