"""Limb detection: the pairs of branches of a bone hierarchy that are shaped like a body's arms or legs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors, children_of, topological_order

_MAX_BRANCH_PAIRS = 12
"""Number of the longest pairs of branches that are examined."""
_MAX_LENGTH_DIFFERENCE = 0.1
"""Maximum relative difference in length between the two branches of a pair."""
_MIN_BRANCH_LENGTH = 0.15
"""Minimum length of an arm or a leg, relative to the longest branch."""
_COINCIDENT = 1e-3
"""Distance below which two bones begin at one position, relative to the branch's length."""
_MAX_LIMB_BONES = 24
"""Maximum number of bones of a limb with its fingers or toes; a rope or tail has more."""
MAX_SEGMENT_RATIO = 2.0
"""Maximum ratio between the lengths of a limb's two segments."""
_SEGMENT_RATIO_SCALE, _EXTENSION_SCALE, _DETOUR_SCALE, _ASYMMETRY_SCALE, _FORK_COST = 0.3, 0.25, 0.02, 0.1, 2.0
"""Scales of the cost terms: log ratio of the segments, extension beyond the end, detour, asymmetry; cost of a fork."""
LEG, ARM = (0.12, 0.08, 0.25), (0.35, 0.12, 0.33)
"""Expected lateral distance of the root, its tolerance, and extension beyond the end, in lengths of the limb."""


@dataclass(frozen=True)
class BoneTree:
    """Bone hierarchy with positions (N, 3).

    children: of each bone, and of -1 the roots.  longest_child: each bone's child on its longest path to a leaf.
    length: of that path.
    """

    positions: Array
    parents: tuple[int, ...]
    children: dict[int, list[int]]
    longest_child: dict[int, int]
    length: dict[int, float]

    @classmethod
    def from_parents(cls, parents: Sequence[int], positions: Array) -> "BoneTree":
        """Build the tree of bones with parents, -1 for a root, and positions (N, 3)."""
        order = topological_order(parents)
        longest_child: dict[int, int] = {}
        length = dict.fromkeys(order, 0.0)
        for bone in reversed(order):
            parent = parents[bone]
            path_length = length[bone] + float(np.linalg.norm(positions[bone] - positions[parent]))
            if parent >= 0 and (parent not in longest_child or path_length > length[parent]):
                longest_child[parent], length[parent] = bone, path_length
        return cls(positions, tuple(parents), children_of(parents), longest_child, length)

    def subtree(self, bone: int) -> list[int]:
        """`bone` and all its descendants."""
        bones = [bone]
        for each in bones:
            bones += self.children.get(each, [])
        return bones


@dataclass(frozen=True)
class Limb:
    """The longest path of a branch with its root, middle and end joint; cost: how unlike a limb it is."""

    path: tuple[int, ...]
    joints: tuple[int, int, int]
    cost: float

    def length(self, tree: BoneTree) -> float:
        """The limb's length from root to end when straight."""
        root, middle, end = tree.positions[list(self.joints)]
        return float(np.linalg.norm(middle - root) + np.linalg.norm(end - middle))

    def bones_beyond(self) -> tuple[int, ...]:
        """The bones of the hand or foot, beyond the end joint."""
        return self.path[self.path.index(self.joints[2]) + 1 :]


@dataclass(frozen=True)
class LimbPair:
    """Two limbs that mirror each other, and the lateral unit vector from the second limb to the first."""

    limbs: tuple[Limb, Limb]
    lateral: Array
    cost: float

    def bones(self) -> tuple[int, ...]:
        """The bones of both limbs."""
        return (*self.limbs[0].path, *self.limbs[1].path)

    def common_ancestors(self, tree: BoneTree) -> list[int]:
        """The bones above both limbs, the nearest first."""
        first, second = (ancestors(limb.path[0], tree.parents) for limb in self.limbs)
        return [bone for bone in first if bone in second]

    def middle(self, tree: BoneTree, n: int) -> Array:
        """The middle (3,) between the roots, the middle joints or the ends of both limbs, for `n` of 0, 1 or 2."""
        return np.mean([tree.positions[limb.joints[n]] for limb in self.limbs], axis=0)


def find_limb_pairs(tree: BoneTree, shape: tuple[float, float, float]) -> list[LimbPair]:
    """Find all pairs of branches that can be limbs of a shape: `LEG` or `ARM`."""
    return [pair for branch in _sibling_branches(tree) if (pair := _limb_pair(tree, *branch, shape)) is not None]


def _sibling_branches(tree: BoneTree) -> list[tuple[int, int]]:
    """Pairs of sibling bones whose branches are of similar length, the longest first."""
    min_length = _MIN_BRANCH_LENGTH * max(tree.length.values(), default=0.0)
    branches = []
    for siblings in tree.children.values():
        ranked = sorted((s for s in siblings if tree.length[s] > min_length), key=lambda s: -tree.length[s])
        for n, first in enumerate(ranked):
            for second in ranked[n + 1 :]:
                if tree.length[second] < (1.0 - _MAX_LENGTH_DIFFERENCE) * tree.length[first]:
                    break
                branches.append((first, second))
    return sorted(branches, key=lambda pair: -tree.length[pair[0]])[:_MAX_BRANCH_PAIRS]


def _limb_pair(tree: BoneTree, first: int, second: int, shape: tuple[float, float, float]) -> LimbPair | None:
    """Fit a pair of limbs of that shape to two branches, or None."""
    paths = [_longest_path(tree, first), _longest_path(tree, second)]
    centres = [tree.positions[list(path)].mean(axis=0) for path in paths]
    separation = centres[0] - centres[1]
    if not np.linalg.norm(separation) > 0.0:
        return None
    lateral, middle = separation / np.linalg.norm(separation), (centres[0] + centres[1]) / 2.0
    limbs = [_fit_limb(tree, path, np.abs((tree.positions[list(path)] - middle) @ lateral), shape) for path in paths]
    if limbs[0] is None or limbs[1] is None:
        return None
    first_joints, second_joints = (tree.positions[list(limb.joints)] for limb in limbs if limb)
    mirrored = second_joints - 2.0 * ((second_joints - middle) @ lateral)[:, None] * lateral
    span = np.linalg.norm(first_joints[2] - first_joints[0])
    asymmetry = float(np.linalg.norm(mirrored - first_joints, axis=-1).max() / span)
    cost = (limbs[0].cost + limbs[1].cost) / 2.0 + (asymmetry / _ASYMMETRY_SCALE) ** 2
    return LimbPair((limbs[0], limbs[1]), lateral, cost)


def _longest_path(tree: BoneTree, bone: int) -> tuple[int, ...]:
    """The bones on the longest path from `bone` to a leaf; of several at one position only the first."""
    path = [bone]
    min_distance = _COINCIDENT * tree.length[bone]
    while (bone := tree.longest_child.get(bone, -1)) >= 0:
        if np.linalg.norm(tree.positions[bone] - tree.positions[path[-1]]) > min_distance:
            path.append(bone)
    return tuple(path)


def _fit_limb(
    tree: BoneTree, path: tuple[int, ...], lateral_distance: Array, shape: tuple[float, float, float]
) -> Limb | None:
    """Fit a limb to a path: the root, middle and end bones of least cost.

    lateral_distance: each bone's distance from the body's sagittal plane.
    """
    start, start_scale, extension = shape
    positions = tree.positions[list(path)]
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    arc_length = np.concatenate([[0.0], np.cumsum(np.diagonal(distances, 1))])
    forks = np.array([len(tree.children.get(bone, [])) > 1 for bone in path])
    best: tuple[float, tuple[int, int, int]] | None = None
    for i, j, k in combinations(range(len(path) if len(path) <= _MAX_LIMB_BONES else 0), 3):
        upper, lower = distances[i, j], distances[j, k]
        if not 0.0 < max(upper, lower) < MAX_SEGMENT_RATIO * min(upper, lower):
            continue
        length = upper + lower
        cost = (
            (np.log(upper / lower) / _SEGMENT_RATIO_SCALE) ** 2
            + ((lateral_distance[i] / length - start) / start_scale) ** 2
            + min(1.0, (((arc_length[-1] - arc_length[k]) / length - extension) / _EXTENSION_SCALE) ** 2)
            + ((arc_length[k] - arc_length[i]) / length - 1.0) / _DETOUR_SCALE
            + _FORK_COST * forks[j + 1 : k].any()
            + _bend_angle(positions[j] - positions[i], positions[k] - positions[j]) ** 2
        )
        if best is None or cost < best[0]:
            best = float(cost), (path[i], path[j], path[k])
    return Limb(path, best[1], best[0]) if best else None


def _bend_angle(upper: Array, lower: Array) -> float:
    """The angle in radians between two segments of a limb, (3,) each."""
    return float(np.arctan2(np.linalg.norm(np.cross(upper, lower)), upper @ lower))
