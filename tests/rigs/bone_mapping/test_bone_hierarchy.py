"""Bone hierarchy: ancestors, descendants, and an order in which parents come first."""

import pytest

from rigs.bone_mapping.bone_hierarchy import ancestors, children_of, is_descendant, topological_order

PARENTS = [2, 0, -1, 2, 1]


def test_ancestors_lead_from_the_parent_to_the_root() -> None:
    assert ancestors(4, PARENTS) == [1, 0, 2]
    assert ancestors(2, PARENTS) == []
    assert is_descendant(4, 0, PARENTS)
    assert not is_descendant(4, 3, PARENTS)
    assert not is_descendant(0, 0, PARENTS)


def test_parents_come_before_their_children() -> None:
    assert topological_order(PARENTS) == [2, 0, 3, 1, 4]
    assert children_of(PARENTS) == {-1: [2], 2: [0, 3], 0: [1], 1: [4]}


def test_a_cycle_is_an_error() -> None:
    with pytest.raises(ValueError, match="a cycle of bones found"):
        topological_order([1, 0, -1])
