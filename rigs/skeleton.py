"""The 29 joints of a dancer in HybrIK's order, and `Skeleton`, the bone offsets of one dancer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array

_JOINT_TABLE = (
    # joint, its parent, and the T-pose offset from the parent in metres (x to the left, -y to the front, z up)
    ("pelvis", None, (0.0, 0.0, 0.95)),
    ("left_hip", "pelvis", (0.09, 0.0, -0.08)),
    ("right_hip", "pelvis", (-0.09, 0.0, -0.08)),
    ("spine1", "pelvis", (0.0, 0.01, 0.11)),
    ("left_knee", "left_hip", (0.0, 0.0, -0.4)),
    ("right_knee", "right_hip", (0.0, 0.0, -0.4)),
    ("spine2", "spine1", (0.0, 0.0, 0.13)),
    ("left_ankle", "left_knee", (0.0, 0.0, -0.4)),
    ("right_ankle", "right_knee", (0.0, 0.0, -0.4)),
    ("spine3", "spine2", (0.0, 0.0, 0.07)),
    ("left_foot", "left_ankle", (0.0, -0.13, -0.06)),
    ("right_foot", "right_ankle", (0.0, -0.13, -0.06)),
    ("neck", "spine3", (0.0, 0.01, 0.21)),
    ("left_collar", "spine3", (0.07, 0.01, 0.13)),
    ("right_collar", "spine3", (-0.07, 0.01, 0.13)),
    ("jaw", "neck", (0.0, -0.02, 0.09)),
    ("left_shoulder", "left_collar", (0.11, 0.0, 0.03)),
    ("right_shoulder", "right_collar", (-0.11, 0.0, 0.03)),
    ("left_elbow", "left_shoulder", (0.27, 0.0, 0.0)),
    ("right_elbow", "right_shoulder", (-0.27, 0.0, 0.0)),
    ("left_wrist", "left_elbow", (0.25, 0.0, 0.0)),
    ("right_wrist", "right_elbow", (-0.25, 0.0, 0.0)),
    ("left_thumb", "left_wrist", (0.08, 0.0, 0.0)),
    ("right_thumb", "right_wrist", (-0.08, 0.0, 0.0)),
    ("head", "jaw", (0.0, 0.0, 0.17)),
    ("left_middle", "left_thumb", (0.08, 0.0, 0.0)),
    ("right_middle", "right_thumb", (-0.08, 0.0, 0.0)),
    ("left_bigtoe", "left_foot", (0.0, -0.07, -0.01)),
    ("right_bigtoe", "right_foot", (0.0, -0.07, -0.01)),
)

JOINTS: tuple[str, ...] = tuple(name for name, _, _ in _JOINT_TABLE)
INDEX: dict[str, int] = {name: j for j, name in enumerate(JOINTS)}
PARENTS: tuple[int, ...] = tuple(-1 if up is None else INDEX[up] for _, up, _ in _JOINT_TABLE)
"""Each joint's parent; a parent always comes before its children, and the pelvis has -1."""
CHILDREN: tuple[tuple[int, ...], ...] = tuple(
    tuple(c for c, parent in enumerate(PARENTS) if parent == j) for j in range(len(JOINTS))
)


MIRROR_JOINTS = tuple(j + name.startswith("left_") - name.startswith("right_") for j, name in enumerate(JOINTS))
"""For each joint the index of its counterpart on the other side; the table has every left joint just before it."""
SIDES = ("left", "right")


def both_sides(*joints: str) -> list[int]:
    """Indices of the left and the right joint of each name: left hip, right hip, left knee, right knee and so on."""
    return [INDEX[f"{side}_{joint}"] for joint in joints for side in SIDES]


HIPS, ANKLES, BALLS, SHOULDERS = (both_sides(joint) for joint in ("hip", "ankle", "foot", "shoulder"))
"""The left and the right hip, ankle, ball of the foot, and shoulder."""
LIMB_JOINTS = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_shoulder", "_elbow", "_wrist"))]
HINGE_AXES = {
    "left_hip": (1.0, 0.0, 0.0),
    "right_hip": (1.0, 0.0, 0.0),
    "left_shoulder": (0.0, 0.0, -1.0),
    "right_shoulder": (0.0, 0.0, 1.0),
}
"""Hinge axis in the T-pose of the joint at the end of a limb's upper bone: knee and elbow flex by positive angles."""


def outward_path(j: int, mapped: Sequence[bool] | Array) -> list[int]:
    """Joints from `j` outwards to the first one that is `mapped` (29,), or to a leaf where none is."""
    path = [j]
    while not mapped[path[-1]] and CHILDREN[path[-1]]:
        path.append(next((child for child in CHILDREN[path[-1]] if mapped[child]), CHILDREN[path[-1]][0]))
    return path


def rest_positions(offsets: Array, parents: Sequence[int]) -> Array:
    """Rest positions (N, 3) of the bones of any hierarchy, each at its offset (N, 3) from its parent, -1 for a root."""
    positions = offsets.copy()
    for j, parent in enumerate(parents):
        if parent >= 0:
            positions[j] += positions[parent]
    return positions


@dataclass(frozen=True)
class Skeleton:
    """Bone offsets of one dancer.

    offsets: (29, 3) m, each joint from its parent in the T-pose, facing -Y, Z up; the pelvis's row is its position
    above the origin.
    """

    offsets: Array

    def rest_positions(self) -> Array:
        """Joint positions (29, 3) m of the T-pose."""
        return rest_positions(self.offsets, PARENTS)

    def scale(self, factor: float) -> "Skeleton":
        """Skeleton of the same proportions at `factor` times the size."""
        return Skeleton(self.offsets * factor)


DEFAULT_SKELETON = Skeleton(np.array([offset for _, _, offset in _JOINT_TABLE]))
"""An adult of 1.7 m, with common proportions and not measured on any scanned body."""
