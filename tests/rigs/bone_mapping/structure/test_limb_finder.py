"""Limbs of our own skeleton, whose bones are known."""

import numpy as np
import pytest

from rigs.bone_mapping.structure.bone_tree import BoneTree
from rigs.bone_mapping.structure.limb_finder import ARM, LEG, find_limb_pairs
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS

TREE = BoneTree.from_parents(PARENTS, DEFAULT_SKELETON.rest_positions())


def test_a_subtree_has_all_bones_of_a_branch() -> None:
    arm = ("shoulder", "elbow", "wrist", "thumb", "middle")
    assert [JOINTS[bone] for bone in TREE.subtree(INDEX["left_shoulder"])] == [f"left_{joint}" for joint in arm]


def test_a_branch_is_as_long_as_its_longest_path() -> None:
    lengths = np.linalg.norm(DEFAULT_SKELETON.offsets, axis=-1)
    leg = [INDEX[f"left_{joint}"] for joint in ("knee", "ankle", "foot", "bigtoe")]
    assert TREE.length[INDEX["left_hip"]] == pytest.approx(lengths[leg].sum())
    assert TREE.longest_child[INDEX["pelvis"]] == INDEX["spine1"]


@pytest.mark.parametrize(
    ("shape", "joints", "above"),
    [(LEG, ("hip", "knee", "ankle"), "pelvis"), (ARM, ("shoulder", "elbow", "wrist"), "spine3")],
)
def test_the_best_pair_of_limbs_is_the_bodys(
    shape: tuple[float, float, float], joints: tuple[str, ...], above: str
) -> None:
    pair = min(find_limb_pairs(TREE, shape), key=lambda each: each.cost)
    assert {tuple(JOINTS[bone] for bone in limb.joints) for limb in pair.limbs} == {
        tuple(f"{side}_{joint}" for joint in joints) for side in ("left", "right")
    }
    assert abs(pair.lateral[0]) == pytest.approx(1.0)
    assert JOINTS[pair.common_ancestors(TREE)[0]] == above
    np.testing.assert_allclose(pair.middle(TREE, 2)[0], 0.0, atol=1e-12)
