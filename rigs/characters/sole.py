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
    ankle, ball = (INDEX[f"{side}_{joint}"] for joint in ("ankle", "foot"))
    rig, joints = humanoid.rig, [ankle, ball, INDEX[f"{side}_bigtoe"]]
    points = [(humanoid.rest_positions[ankle], None), (humanoid.rest_positions[ball], None)]
    foot = next((humanoid.driven[k] for k, role in enumerate(humanoid.joints) if role == ankle), -1)
    toes = [humanoid.driven[k] for k, role in enumerate(humanoid.joints) if role == ball]
    for node in range(len(rig.names)) if foot >= 0 else ():
        ancestors = (node, *rig.ancestors(node))
        if foot in ancestors:
            points.append((rig.heads[node], next((rig.heads[toe] for toe in toes if toe in ancestors[1:]), None)))
    if not toes:
        points.append((humanoid.rest_positions[joints[2]], humanoid.rest_positions[ball]))
    to_rest = rotations.inverse(humanoid.rest_rotations[[ankle, ball]])
    foot_points = np.array(
        [(point if pivot is None else pivot) - humanoid.rest_positions[ankle] for point, pivot in points]
    )
    toe_points = np.array([place * 0.0 if pivot is None else place - pivot for place, pivot in points])
    bone_heights = np.array([place @ _UP for place, _ in points]) - humanoid.floor
    return Sole(
        rotations.rotate(to_rest[0], foot_points),
        rotations.rotate(to_rest[1], toe_points),
        bone_heights,
        np.array([pivot is not None for _, pivot in points]),
    )
