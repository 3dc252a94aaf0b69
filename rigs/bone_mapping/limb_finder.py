"""A rig's bones as a tree in space, and the pairs of branches in it that can be a body's arms or legs."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from rigs import Array

_PAIRS = 12
"""How many of the longest pairs of branches are looked at."""
_ALIKE = 0.1
"""The share by which the two branches of a pair may differ in length."""
_SMALL = 0.15
"""The share of the longest branch below which nothing is an arm or a leg."""
_SAME_PLACE = 1e-3
"""The share of a branch's length below which two bones begin at one place."""
_MOST = 24
"""How many bones a limb may have with its fingers or toes; a rope has more."""
EVEN = 2.0
"""How many times longer one part of a limb may be than the other."""
_UNEVEN, _BEHIND, _DETOUR, _STRAY, _FORKED = 0.3, 0.25, 0.02, 0.1, 2.0
"""What makes a cost of one: log ratio of the parts, lengths behind, detour, stray from the mirror; a fork's."""
LEG, ARM = (0.12, 0.08, 0.25), (0.35, 0.12, 0.33)
"""How far out a limb begins, give or take, and how far it goes on behind its end, in lengths of the limb."""


@dataclass(frozen=True)
class Tree:
    """places: (N, 3).  children: of each bone, and of -1 the roots.

    onward: each bone's child on its longest way out.  length: of that way.
    """

    places: Array
    parents: tuple[int, ...]
    children: dict[int, list[int]]
    onward: dict[int, int]
    length: dict[int, float]


@dataclass(frozen=True)
class Limb:
    """The longest way out of a branch; its root, its middle and its end; how little it is like a limb."""

    path: tuple[int, ...]
    joints: tuple[int, int, int]
    cost: float

    def beyond(self) -> tuple[int, ...]:
        """The bones behind the end."""
        return self.path[self.path.index(self.joints[2]) + 1 :]


@dataclass(frozen=True)
class Pair:
    """Two limbs that mirror each other, and the direction from the second one's side to the first's."""

    limbs: tuple[Limb, Limb]
    across: Array
    cost: float

    def bones(self) -> tuple[int, ...]:
        """The bones of both."""
        return (*self.limbs[0].path, *self.limbs[1].path)


def grow(parents: Sequence[int], places: Array) -> Tree:
    """The tree of bones with those parents, -1 for a root, at those places (N, 3)."""
    children: dict[int, list[int]] = {}
    for bone, parent in enumerate(parents):
        children.setdefault(parent, []).append(bone)
    order = list(children.get(-1, []))
    for bone in order:
        order += children.get(bone, [])
    onward: dict[int, int] = {}
    length = dict.fromkeys(order, 0.0)
    for bone in reversed(order):
        parent = parents[bone]
        whole = length[bone] + float(np.linalg.norm(places[bone] - places[parent]))
        if parent >= 0 and (parent not in onward or whole > length[parent]):
            onward[parent], length[parent] = bone, whole
    return Tree(places, tuple(parents), children, onward, length)


def pairs(tree: Tree, shape: tuple[float, float, float]) -> list[Pair]:
    """All pairs of branches that can be limbs of that shape: `LEG` or `ARM`."""
    return [pair for branch in _branches(tree) if (pair := _pair(tree, *branch, shape)) is not None]


def _branches(tree: Tree) -> list[tuple[int, int]]:
    """Sister bones with equally long ways out, the longest first."""
    least = _SMALL * max(tree.length.values(), default=0.0)
    found = []
    for sisters in tree.children.values():
        ranked = sorted((s for s in sisters if tree.length[s] > least), key=lambda s: -tree.length[s])
        for n, first in enumerate(ranked):
            for second in ranked[n + 1 :]:
                if tree.length[second] < (1.0 - _ALIKE) * tree.length[first]:
                    break
                found.append((first, second))
    return sorted(found, key=lambda pair: -tree.length[pair[0]])[:_PAIRS]


def _pair(tree: Tree, first: int, second: int, shape: tuple[float, float, float]) -> Pair | None:
    """The two branches as limbs of that shape, if they can be."""
    paths = [_way_out(tree, first), _way_out(tree, second)]
    centres = [tree.places[list(path)].mean(axis=0) for path in paths]
    apart = centres[0] - centres[1]
    if not np.linalg.norm(apart) > 0.0:
        return None
    across, middle = apart / np.linalg.norm(apart), (centres[0] + centres[1]) / 2.0
    limbs = [_limb(tree, path, np.abs((tree.places[list(path)] - middle) @ across), shape) for path in paths]
    if limbs[0] is None or limbs[1] is None:
        return None
    one, two = (tree.places[list(limb.joints)] for limb in limbs if limb)
    mirrored = two - 2.0 * ((two - middle) @ across)[:, None] * across
    stray = float(np.linalg.norm(mirrored - one, axis=-1).max() / np.linalg.norm(one[2] - one[0]))
    return Pair((limbs[0], limbs[1]), across, (limbs[0].cost + limbs[1].cost) / 2.0 + (stray / _STRAY) ** 2)


def _way_out(tree: Tree, bone: int) -> tuple[int, ...]:
    """The bones on the longest way out from `bone`; of several that begin at one place the first."""
    path = [bone]
    near = _SAME_PLACE * tree.length[bone]
    while (bone := tree.onward.get(bone, -1)) >= 0:
        if np.linalg.norm(tree.places[bone] - tree.places[path[-1]]) > near:
            path.append(bone)
    return tuple(path)


def _limb(tree: Tree, path: tuple[int, ...], out: Array, shape: tuple[float, float, float]) -> Limb | None:
    """The three bones on a way out that are most like a limb's root, middle and end.

    out: how far each bone of the path lies from the body's middle plane.
    """
    begins, give, ends = shape
    places = tree.places[list(path)]
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    steps = np.concatenate([[0.0], np.cumsum(np.diagonal(apart, 1))])
    forks = np.array([len(tree.children.get(bone, [])) > 1 for bone in path])
    best: tuple[float, tuple[int, int, int]] | None = None
    for i, j, k in combinations(range(len(path) if len(path) <= _MOST else 0), 3):
        upper, lower = apart[i, j], apart[j, k]
        if not 0.0 < max(upper, lower) < EVEN * min(upper, lower):
            continue
        whole = upper + lower
        cost = (
            (np.log(upper / lower) / _UNEVEN) ** 2
            + ((out[i] / whole - begins) / give) ** 2
            + min(1.0, (((steps[-1] - steps[k]) / whole - ends) / _BEHIND) ** 2)
            + ((steps[k] - steps[i]) / whole - 1.0) / _DETOUR
            + _FORKED * forks[j + 1 : k].any()
            + _bend(places[j] - places[i], places[k] - places[j]) ** 2
        )
        if best is None or cost < best[0]:
            best = float(cost), (path[i], path[j], path[k])
    return Limb(path, best[1], best[0]) if best else None


def _bend(upper: Array, lower: Array) -> float:
    """The angle in radians between two parts of a limb, (3,) each."""
    return float(np.arctan2(np.linalg.norm(np.cross(upper, lower)), upper @ lower))


def reach(tree: Tree, limb: Limb) -> float:
    """The limb's length from its root to its end, when straight."""
    root, middle, end = tree.places[list(limb.joints)]
    return float(np.linalg.norm(middle - root) + np.linalg.norm(end - middle))


def carriers(tree: Tree, pair: Pair) -> list[int]:
    """The bones above both limbs, the nearest first."""
    first, second = (above(limb.path[0], tree.parents) for limb in pair.limbs)
    return [bone for bone in first if bone in second]


def everything_below(tree: Tree, bone: int) -> list[int]:
    """`bone` and all below it."""
    found = [bone]
    for each in found:
        found += tree.children.get(each, [])
    return found


def above(bone: int, parents: Sequence[int]) -> list[int]:
    """The bones from `bone`'s parent up to its root."""
    path = []
    while (bone := parents[bone]) >= 0:
        path.append(bone)
    return path


def is_below(bone: int, other: int, parents: Sequence[int]) -> bool:
    """Whether `bone` hangs on `other`, directly or by other bones."""
    while (bone := parents[bone]) >= 0:
        if bone == other:
            return True
    return False
