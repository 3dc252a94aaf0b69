"""Bone hierarchy: ancestors, descendants and topological order of bones, given by their parents, -1 for a root."""

from collections.abc import Sequence


def ancestors(bone: int, parents: Sequence[int]) -> list[int]:
    """The bones from `bone`'s parent up to its root."""
    path = []
    while (bone := parents[bone]) >= 0:
        path.append(bone)
    return path


def is_descendant(bone: int, other: int, parents: Sequence[int]) -> bool:
    """Whether `bone` is a child of `other`, or a child of one of its descendants."""
    return other in ancestors(bone, parents)


def children_of(parents: Sequence[int]) -> dict[int, list[int]]:
    """The children of each bone that has some, and of -1 the roots."""
    children: dict[int, list[int]] = {}
    for bone, parent in enumerate(parents):
        children.setdefault(parent, []).append(bone)
    return children


def topological_order(parents: Sequence[int]) -> list[int]:
    """The bones in an order in which each parent comes before its children. Raises ValueError for a cycle."""
    children = children_of(parents)
    order = list(children.get(-1, []))
    for bone in order:
        order += children.get(bone, [])
    if len(order) != len(parents):
        raise ValueError("a bone hierarchy expected, a cycle of bones found")
    return order
