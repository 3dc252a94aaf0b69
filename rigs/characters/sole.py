"""`Sole`: the points of a rig's foot that touch the floor at rest and must not sink below it."""

from dataclasses import dataclass

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Humanoid
from rigs.skeleton import INDEX

_UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Sole:
    """The P contact points of one foot, below the ends of its bones.

    foot_points: (P, 3) m, from the ankle, in the foot's axes; of a toe's point its pivot.  toe_points: (P, 3) m, from
    there, in the toes' axes.
    bone_heights: (P,) m, the bone end's height above the floor.  on_toes: (P,) whether it moves with the toes.
    """

    foot_points: Array
    toe_points: Array
    bone_heights: Array
    on_toes: Array

    def lowest_height(self, foot: Array, toes: Array) -> Array:
        """Height of the lowest point relative to the ankle (F,) m, for world rotations (F, 4) of foot and toes."""
        foot_up, toe_up = (rotations.rotate(rotations.inverse(q), _UP) for q in (foot, toes))
        clearance = self.bone_heights * np.where(self.on_toes, toe_up[:, 2:], foot_up[:, 2:])
        return np.asarray((foot_up @ self.foot_points.T + toe_up @ self.toe_points.T - clearance).min(axis=1))


def find_sole(humanoid: Humanoid, side: str) -> Sole:
    """The sole of the "left" or "right" foot, from all bones below it."""
    ankle, ball, tip = (INDEX[f"{side}_{joint}"] for joint in ("ankle", "foot", "bigtoe"))
    rig, rest = humanoid.rig, humanoid.rest_positions
    points = [(rest[joint], rest[joint], False) for joint in (ankle, ball)]
    foot = next((humanoid.driven[k] for k, role in enumerate(humanoid.joints) if role == ankle), -1)
    toes = [humanoid.driven[k] for k, role in enumerate(humanoid.joints) if role == ball]
    for node in range(len(rig.names)) if foot >= 0 else ():
        ancestors = (node, *rig.ancestors(node))
        if foot in ancestors:
            toe = next((toe for toe in toes if toe in ancestors[1:]), None)
            points.append((rig.heads[node], rig.heads[node if toe is None else toe], toe is not None))
    if not toes:
        points.append((rest[tip], rest[ball], True))
    ends, pivots, on_toes = (np.array(column) for column in zip(*points, strict=True))
    to_foot, to_toes = rotations.inverse(humanoid.rest_rotations[[ankle, ball]])
    foot_points = rotations.rotate(to_foot, pivots - rest[ankle])
    return Sole(foot_points, rotations.rotate(to_toes, ends - pivots), humanoid.heights_at_rest(ends), on_toes)
