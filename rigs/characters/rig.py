"""`Rig`: the bone hierarchy of any character and its rest pose in world space, which is all that retargeting needs."""

from dataclasses import dataclass, field

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_hierarchy import ancestors


@dataclass(frozen=True)
class Rig:
    """A character's bones at rest in world space: right-handed, Z up, metres; its object's transform is applied.

    names: the nodes: the bones in topological order, then for each leaf bone its tail, named "<bone> end site".
    parents: each node's parent, -1 for a root. Where a constraint makes a bone follow another one, that one.
    heads: (N, 3) m.  rest_rotations: (N, 4); an end site has its bone's.
    inherits_rotation: whether each node inherits its parent's rotation.
    bone_count: how many of the nodes are bones; they are the first ones.
    unit_scale: metres in one unit of the bones' own space.
    object_rotation: (4,) and object_location: (3,) m, the object's in the world.
    object_space_locations: the nodes whose locations are along the object's axes instead of their own.
    connected: the nodes that are connected to their parent's tail and so have no location.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    rest_rotations: Array
    inherits_rotation: tuple[bool, ...]
    bone_count: int
    unit_scale: float = 1.0
    object_rotation: Array = field(default_factory=rotations.identity)
    object_location: Array = field(default_factory=lambda: np.zeros(3))
    object_space_locations: frozenset[int] = frozenset()
    connected: frozenset[int] = frozenset()

    def index(self, name: str) -> int:
        """The node of that name. Raises ValueError."""
        return self.names.index(name)

    def ancestors(self, node: int) -> list[int]:
        """The nodes from `node`'s parent up to its root."""
        return ancestors(node, self.parents)
