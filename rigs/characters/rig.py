"""`Rig`: the bones of any character as they rest in the world, which is all that retargeting needs to know of it."""

from dataclasses import dataclass, field

from rigs import Array, rotations
from rigs.bone_mapping.bone_hierarchy import ancestors


@dataclass(frozen=True)
class Rig:
    """A character's bones in rest, in the world: right-handed, Z up, metres; its object's place, turn and size are in.

    names: the nodes: the bones, a parent before its children, then for each bone without children its tail, named
    "<bone> end site".
    parents: each node's parent, -1 for a root. Where a constraint makes a bone follow another one, that one.
    heads: (N, 3) m.  turned: (N, 4) rest rotations; an end site has its bone's.
    inherits: whether each node turns with its parent.
    bones: how many of the nodes are bones; they are the first ones.
    scale: metres in one unit of the bones' own space.  turn: (4,) the object's rotation in the world.
    unaligned: the nodes that are moved along the object's axes, as their parents turn them, and not along their own.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    heads: Array
    rest_rotations: Array
    inherits_rotation: tuple[bool, ...]
    bone_count: int
    unit_scale: float = 1.0
    object_rotation: Array = field(default_factory=rotations.identity)
    object_space_locations: frozenset[int] = frozenset()

    def index(self, name: str) -> int:
        """The node of that name. Raises ValueError."""
        return self.names.index(name)

    def ancestors(self, node: int) -> list[int]:
        """The nodes from `node`'s parent up to its root."""
        return ancestors(node, self.parents)
