"""`Sole`: the points of a rig's foot that touch the floor at rest and may not sink below it."""

from dataclasses import dataclass

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Body
from rigs.skeleton import INDEX

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Sole:
    """The P points of one foot that touch the floor at rest, under its bones' ends.

    on_foot: (P, 3) m, from the ankle, in the foot's own axes.  on_toes: (P, 3) m, from there, in the toes' axes.
    high: (P,) m, how high the bone's end is above the floor.  of_toes: (P,) whether it is the toes' or the foot's.
    """

    on_foot: Array
    on_toes: Array
    high: Array
    of_toes: Array

    def lowest(self, foot: Array, toes: Array) -> Array:
        """How high the lowest point is from the ankle (F,) m, foot and toes turned (F, 4) in the world."""
        on_foot, on_toes = (rotations.rotate(rotations.inverse(q), _UP) for q in (foot, toes))
        under = self.high * np.where(self.of_toes, on_toes[:, 2:], on_foot[:, 2:])
        return np.asarray((on_foot @ self.on_foot.T + on_toes @ self.on_toes.T - under).min(axis=1))


def sole_of(body: Body, side: str) -> Sole:
    """The sole of the "left" or "right" foot, from all bones that hang on it."""
    ankle, ball = (INDEX[f"{side}_{joint}"] for joint in ("ankle", "foot"))
    rig, joints = body.rig, [ankle, ball, INDEX[f"{side}_bigtoe"]]
    points = [(body.places[ankle], None), (body.places[ball], None)]
    foot = next((body.moved[k] for k, role in enumerate(body.roles) if role == ankle), -1)
    toes = [body.moved[k] for k, role in enumerate(body.roles) if role == ball]
    for node in range(len(rig.names)) if foot >= 0 else ():
        above = (node, *rig.above(node))
        if foot in above:
            points.append((rig.heads[node], next((rig.heads[toe] for toe in toes if toe in above[1:]), None)))
    if not toes:
        points.append((body.places[joints[2]], body.places[ball]))
    back = rotations.inverse(body.rest[[ankle, ball]])
    on_foot = np.array([(place if pivot is None else pivot) - body.places[ankle] for place, pivot in points])
    on_toes = np.array([place * 0.0 if pivot is None else place - pivot for place, pivot in points])
    high = np.array([place @ _UP for place, _ in points]) - body.floor
    return Sole(
        rotations.rotate(back[0], on_foot),
        rotations.rotate(back[1], on_toes),
        high,
        np.array([pivot is not None for _, pivot in points]),
    )
