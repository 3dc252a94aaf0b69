"""Limb detection: the pairs of branches of a bone hierarchy that are shaped like a body's arms or legs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, pairwise

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors
from rigs.bone_mapping.structure.bone_tree import BoneTree

_MAX_BRANCH_PAIRS = 12
"""Number of the longest pairs of branches that are examined."""
_MAX_LENGTH_DIFFERENCE = 0.1
"""Maximum relative difference in length between the two branches of a pair."""
_MAX_PROP_LENGTH, _MAX_DISSIMILAR_PAIRS = 0.5, 6
"""The same for limbs one of which holds something, and the number of such pairs that are examined."""
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
_UNEQUAL_COST = 3.0
"""Cost of a joint that is not the same bone, counted from the body, of both limbs of as many bones."""
_BEARER_SCORE = 3.0
"""Log-likelihood ratio that of several bones at one position the joint is the one on which most others hang."""
LIMB = ("root", "middle", "end")
"""The joints of a limb."""
LEG, ARM = (0.12, 0.08, 0.25), (0.35, 0.12, 0.33)
"""Expected lateral distance of the root, its tolerance, and extension beyond the end, in lengths of the limb."""

_PathPair = tuple[tuple[int, ...], tuple[int, ...]]


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

    def segments(self, tree: BoneTree) -> Array:
        """(2,) lengths of the limb's two segments."""
        joints = tree.positions[list(self.joints)]
        return np.linalg.norm(np.diff(joints, axis=0), axis=-1)

    def bones_beyond(self) -> tuple[int, ...]:
        """The bones of the hand or foot, beyond the end joint."""
        return self.path[self.path.index(self.joints[2]) + 1 :]


@dataclass(frozen=True)
class LimbPair:
    """Two limbs that mirror each other, and the lateral unit vector from the second limb to the first.

    cost: how unlike a pair of limbs they are by place.  name_score: log-likelihood ratio of the joints' names.
    """

    limbs: tuple[Limb, Limb]
    lateral: Array
    cost: float
    name_score: float = 0.0

    def swap_sides(self, swap: bool) -> "LimbPair":
        """The pair with the other limb first if `swap`."""
        return replace(self, limbs=self.limbs[::-1], lateral=-self.lateral) if swap else self

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


def find_limb_pairs(
    tree: BoneTree,
    shape: tuple[float, float, float],
    scores: Array | None = None,
    named: Sequence[Sequence[int]] = (),
    *,
    posed: bool = True,
) -> list[LimbPair]:
    """Find all pairs of branches that can be limbs of a shape: `LEG` or `ARM`.

    scores: (3, N) log-likelihood ratio of the bones' names for the root, the middle and the end of such a limb.
    named: the bones by name of both limbs, which may lie in branches of unequal length, or beside the longest path.
    posed: whether the rest positions are those of a body; else only the lengths of bones count.
    """
    if scores is None:
        scores = np.zeros((3, len(tree.parents)))
    paths = [pair for branch in _sibling_branches(tree) for pair in _path_pairs(tree, *branch, scores)]
    paths += _named_paths(tree, named, scores)
    return [pair for both in dict.fromkeys(paths) for pair in _fit_pairs(tree, both, shape, scores, posed)]


def _sibling_branches(tree: BoneTree) -> list[tuple[int, int]]:
    """Pairs of sibling bones whose branches are of similar length, the longest first, then some of less similar."""
    min_length = _MIN_BRANCH_LENGTH * max(tree.length.values(), default=0.0)
    similar, dissimilar = [], []
    for siblings in tree.children.values():
        ranked = sorted((s for s in siblings if tree.length[s] > min_length), key=lambda s: -tree.length[s])
        for first, second in combinations(ranked, 2):
            ratio = tree.length[second] / tree.length[first]
            if ratio >= 1.0 - _MAX_LENGTH_DIFFERENCE:
                similar.append((first, second))
            elif ratio >= 1.0 - _MAX_PROP_LENGTH:
                dissimilar.append((first, second))

    def longest(branches: list[tuple[int, int]], count: int) -> list[tuple[int, int]]:
        return sorted(branches, key=lambda pair: -tree.length[pair[0]])[:count]

    return longest(similar, _MAX_BRANCH_PAIRS) + longest(dissimilar, _MAX_DISSIMILAR_PAIRS)


def _path_pairs(tree: BoneTree, first: int, second: int, scores: Array) -> list[_PathPair]:
    """The paths through two branches: the longest ones, and those through the sub-branches of most bones."""
    longest, fullest = (
        (_path(tree, first, below, scores), _path(tree, second, below, scores))
        for below in (tree.longest_child, tree.fullest_child)
    )
    return [longest, fullest]


def _named_paths(tree: BoneTree, named: Sequence[Sequence[int]], scores: Array) -> list[_PathPair]:
    """The paths from below the bones that both limbs share through each limb's lowest named bone."""
    if len(named) != 2 or not all(named):
        return []
    lowest = [max(bones, key=lambda bone: len(ancestors(bone, tree.parents))) for bones in named]
    above = [[bone, *ancestors(bone, tree.parents)] for bone in lowest]
    own = [[bone for bone in path if bone not in other] for path, other in zip(above, above[::-1], strict=True)]
    if not all(own):
        return []
    first, second = (_path(tree, path[-1], tree.longest_child | dict(pairwise(path[::-1])), scores) for path in own)
    return [(first, second)]


def _path(tree: BoneTree, bone: int, next_bone: dict[int, int], scores: Array) -> tuple[int, ...]:
    """The bones on the path from `bone` to a leaf, at each position one.

    Of several at one position it is the best named, that on which most others hang, or the last.
    """
    groups = [[bone]]
    min_distance = _COINCIDENT * tree.length[bone]
    while (bone := next_bone.get(bone, -1)) >= 0:
        if np.linalg.norm(tree.positions[bone] - tree.positions[groups[-1][0]]) > min_distance:
            groups.append([])
        groups[-1].append(bone)
    best_name = scores.max(axis=0)

    def rank(bone: int, group: list[int]) -> float:
        bears_most = len(tree.children.get(bone, [])) == max(len(tree.children.get(each, [])) for each in group)
        return float(best_name[bone]) + _BEARER_SCORE * bears_most

    return tuple(max(group[::-1], key=lambda bone: rank(bone, group)) for group in groups)


def _fit_pairs(
    tree: BoneTree, paths: _PathPair, shape: tuple[float, float, float], scores: Array, posed: bool
) -> list[LimbPair]:
    """Fit pairs of limbs of that shape to two paths: the one of least cost by place and name, and by place alone."""
    if not all(len(LIMB) <= len(path) <= _MAX_LIMB_BONES for path in paths):
        return []
    centres = [tree.positions[list(path)].mean(axis=0) for path in paths]
    separation, middle = centres[0] - centres[1], (centres[0] + centres[1]) / 2.0
    if not np.linalg.norm(separation) > 0.0:
        return []
    lateral = separation / np.linalg.norm(separation)
    costs, names = [], []
    for path in paths:
        offsets = np.abs((tree.positions[list(path)] - middle) @ lateral)
        costs.append(_limb_costs(tree, path, offsets if posed else None, shape))
        names.append(sum(scores[n][list(path)][joint] for n, joint in enumerate(_joint_choices(len(path)))))
    choices = []
    for weight in (1.0, 0.0):
        totals = [cost / 2.0 - weight * score for cost, score in zip(costs, names, strict=True)]
        best = [int(np.argmin(total)) for total in totals]
        choices.append((best[0], best[1]))
        if len(paths[0]) == len(paths[1]):  # the names of one side tell the bones of the other
            choices += [(n, n) for n in (int(np.argmin(totals[0] + totals[1])), *best)]
    pairs = []
    for chosen in dict.fromkeys(choices):
        cost = sum(float(costs[side][n]) for side, n in enumerate(chosen)) / 2.0
        if np.isfinite(cost):
            limbs = [
                Limb(path, tuple(path[joint[n]] for joint in _joint_choices(len(path))), float(costs[side][n]))
                for side, (path, n) in enumerate(zip(paths, chosen, strict=True))
            ]
            if posed:
                asymmetry = _asymmetry(tree, limbs, middle, lateral)
            else:
                asymmetry = float(np.abs(np.log(limbs[0].segments(tree) / limbs[1].segments(tree))).max())
            if len(paths[0]) == len(paths[1]):
                places = [_joint_choices(len(paths[0]))[:, n] for n in chosen]
                cost += _UNEQUAL_COST * float((places[0] != places[1]).sum())
            score = sum(float(names[side][n]) for side, n in enumerate(chosen))
            pairs.append(LimbPair((limbs[0], limbs[1]), lateral, cost + (asymmetry / _ASYMMETRY_SCALE) ** 2, score))
    likeliest = sorted(pairs, key=lambda pair: pair.cost - pair.name_score)[:1]
    return likeliest + [pair for pair in sorted(pairs, key=lambda pair: pair.cost)[:1] if pair is not likeliest[0]]


def _asymmetry(tree: BoneTree, limbs: Sequence[Limb], middle: Array, lateral: Array) -> float:
    """The greatest distance between a limb's joint and the other limb's mirrored one, in spans of the first limb."""
    first, second = (tree.positions[list(limb.joints)] for limb in limbs)
    mirrored = second - 2.0 * ((second - middle) @ lateral)[:, None] * lateral
    span = np.linalg.norm(first[2] - first[0])
    return float(np.linalg.norm(mirrored - first, axis=-1).max() / span) if span > 0.0 else np.inf


@cache
def _joint_choices(count: int) -> Array:
    """(3, C) all places of a limb's root, middle and end on a path of `count` bones."""
    return np.array(list(combinations(range(count), len(LIMB)))).T


def _limb_costs(
    tree: BoneTree, path: tuple[int, ...], lateral_distance: Array | None, shape: tuple[float, float, float]
) -> Array:
    """(C,) how unlike a limb each choice of root, middle and end on a path is; infinite for none.

    lateral_distance: each bone's distance from the body's sagittal plane; without it the pose does not count.
    """
    start, start_scale, extension = shape
    i, j, k = _joint_choices(len(path))
    positions = tree.positions[list(path)]
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    arc_length = np.concatenate([[0.0], np.cumsum(np.diagonal(distances, 1))])
    forks = np.cumsum([0, *(len(tree.children.get(bone, [])) > 1 for bone in path)])
    upper, lower = distances[i, j], distances[j, k]
    length = upper + lower
    valid = np.minimum(upper, lower) > 0.0
    if lateral_distance is not None:
        valid &= np.maximum(upper, lower) < MAX_SEGMENT_RATIO * np.minimum(upper, lower)
    with np.errstate(divide="ignore", invalid="ignore"):
        cost = (
            (np.log(upper / lower) / _SEGMENT_RATIO_SCALE) ** 2
            + np.minimum(1.0, (((arc_length[-1] - arc_length[k]) / length - extension) / _EXTENSION_SCALE) ** 2)
            + _FORK_COST * (forks[k] > forks[j + 1])
        )
        if lateral_distance is not None:
            cost += ((lateral_distance[i] / length - start) / start_scale) ** 2
            cost += ((arc_length[k] - arc_length[i]) / length - 1.0) / _DETOUR_SCALE
            cost += _bend_angles(positions[j] - positions[i], positions[k] - positions[j]) ** 2
    return np.where(valid & np.isfinite(cost), cost, np.inf)


def _bend_angles(upper: Array, lower: Array) -> Array:
    """(C,) angles in radians between two segments of a limb, (C, 3) each."""
    return np.arctan2(np.linalg.norm(np.cross(upper, lower), axis=-1), (upper * lower).sum(axis=-1))
