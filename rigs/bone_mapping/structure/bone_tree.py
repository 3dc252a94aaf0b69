"""`BoneTree`: a bone hierarchy with rest positions, and the longest and the fullest path of each of its branches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import children_of, topological_order


@dataclass(frozen=True)
class BoneTree:
    """Bone hierarchy with positions (N, 3).

    children: of each bone, and of -1 the roots.  longest_child: each bone's child on its longest path to a leaf.
    length: of that path.  fullest_child: each bone's child with most bones below it.
    """

    positions: Array
    parents: tuple[int, ...]
    children: dict[int, list[int]]
    longest_child: dict[int, int]
    fullest_child: dict[int, int]
    length: dict[int, float]

    @classmethod
    def from_parents(cls, parents: Sequence[int], positions: Array) -> "BoneTree":
        """Build the tree of bones with parents, -1 for a root, and positions (N, 3)."""
        order = topological_order(parents)
        above = np.array(parents, dtype=int)
        steps: list[float] = np.linalg.norm(positions - positions[above], axis=-1).tolist() if order else []
        longest_child: dict[int, int] = {}
        fullest_child: dict[int, int] = {}
        fullest: dict[int, tuple[int, float]] = {}
        counts = dict.fromkeys(order, 1)
        length = dict.fromkeys(order, 0.0)
        for bone in reversed(order):
            parent = parents[bone]
            path_length = length[bone] + steps[bone]
            if parent >= 0 and (parent not in longest_child or path_length > length[parent]):
                longest_child[parent], length[parent] = bone, path_length
            if parent >= 0:
                counts[parent] += counts[bone]
                # Of equally many the one further on: a limb goes on, a twist bone does not.
                fuller = (counts[bone], path_length)
                if parent not in fullest_child or fuller > fullest[parent]:
                    fullest_child[parent], fullest[parent] = bone, fuller
        return cls(positions, tuple(parents), children_of(parents), longest_child, fullest_child, length)

    def subtree(self, bone: int) -> list[int]:
        """`bone` and all its descendants."""
        bones = [bone]
        for each in bones:
            bones += self.children.get(each, [])
        return bones
