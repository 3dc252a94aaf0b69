"""Find the dancers in a file of several hierarchies: two dancers, or a dancer and a prop."""

from collections.abc import Sequence

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors, children_of
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones

_MIN_HUMANOID_NODES = 14
"""Nodes of the smallest humanoid: a pelvis, a neck, and three for each limb; a smaller branch need not be tried."""


def find_dancer_trees(names: Sequence[str], parents: Sequence[int], rest: Array) -> tuple[list[list[int]], list[int]]:
    """Find the hierarchies that are a dancer's, each on its own: below the roots, or two of them below one root.

    rest: (N, 3) rest positions.  Returns the nodes of each dancer, and the roots without one. The only hierarchy of a
    file is returned whatever it is.
    """
    children = children_of(parents)
    roots = children.get(-1, [])
    dancers, others = [], []
    for root in roots:
        top = root
        while len(children.get(top, [])) == 1:
            (top,) = children[top]
        branches = [_branch(child, parents) for child in children.get(top, [])]
        large = [branch for branch in branches if len(branch) >= _MIN_HUMANOID_NODES]
        humanoids = [branch for branch in large if len(large) > 1 and _is_humanoid(branch, names, parents, rest)]
        if len(humanoids) < 2:
            whole = _branch(root, parents)
            humanoids = [whole] if len(roots) == 1 or _is_humanoid(whole, names, parents, rest) else []
        dancers += humanoids
        others += [] if humanoids else [root]
    return dancers, others


def _branch(top: int, parents: Sequence[int]) -> list[int]:
    """A node and all below it."""
    return [node for node in range(len(parents)) if node == top or top in ancestors(node, parents)]


def _is_humanoid(nodes: list[int], names: Sequence[str], parents: Sequence[int], rest: Array) -> bool:
    """Whether these nodes, the first of which is their root, can be mapped to a dancer's joints."""
    if len(nodes) < _MIN_HUMANOID_NODES:
        return False
    index = {node: at for at, node in enumerate(nodes)}
    try:
        map_bones([names[node] for node in nodes], [index.get(parents[node], -1) for node in nodes], rest[nodes])
    except UnmappableRig:
        return False
    return True
