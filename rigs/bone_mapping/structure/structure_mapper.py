"""Bone mapping by structure: find a humanoid by the hierarchy and rest positions of bones, without their names.

Nothing is assumed about names, units, axes, position or facing direction. A body is measured in its own proportions:
limbs bend in their middle, shoulders lie a third of an arm's length from the body's middle, toes point forward.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rigs import Array
from rigs.bone_mapping.structure.body_finder import Body, find_body
from rigs.bone_mapping.structure.bone_tree import BoneTree
from rigs.bone_mapping.structure.limb_finder import MAX_SEGMENT_RATIO, Limb
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS, SIDES

_HEAD_HEIGHT, _SPINE1_HEIGHT, _SPINE2_HEIGHT, _SPINE3_HEIGHT = 0.38, 0.2, 0.46, 0.6
"""Heights: of the head above the shoulders, in trunk lengths; of the spine's joints, from the hips to the neck."""

_FINGERS, _MIN_FINGER = 5, 0.15
"""Number of fingers of a whole hand, and the least length of a finger's bones, in reaches of the longest."""


def map_by_structure(parents: Sequence[int], heads: Array) -> list[int] | None:
    """The bones (29,) of a humanoid, -1 where there is none; or None where no body with arms and legs is found.

    heads: (N, 3) rest positions of the bones, with or without the tails of the leaves.
    """
    tree = BoneTree.from_parents(parents, np.asarray(heads, dtype=float))
    body = find_body(tree)
    return assign_joints(tree, body) if body is not None else None


def implausible_joints(bones: Sequence[int], heads: Array) -> frozenset[int]:
    """The joints with implausible rest positions: on the wrong side, or in a limb of unequal segments or sides.

    bones: (29,).  heads: (N, 3).
    """
    implausible: set[int] = set()
    positions = {j: np.asarray(heads[bone], dtype=float) for j, bone in enumerate(bones) if bone >= 0}
    lateral = positions[INDEX["left_hip"]] - positions[INDEX["right_hip"]]
    for j, other in enumerate(MIRROR_JOINTS):
        if j < other and {j, other} <= positions.keys() and (positions[j] - positions[other]) @ lateral < 0.0:
            implausible |= {j, other}
    for root, middle, end in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
        limbs = [[INDEX[f"{side}_{joint}"] for joint in (root, middle, end)] for side in ("left", "right")]
        segments = [float(np.linalg.norm(positions[b] - positions[a])) for limb in limbs for a, b in pairwise(limb)]
        if max(segments) > MAX_SEGMENT_RATIO * min(segments):
            implausible |= {j for limb in limbs for j in limb}
    return frozenset(implausible)


def assign_joints(tree: BoneTree, body: Body) -> list[int]:
    """Assign the body's bones to the 29 joints by place; without a body's pose only those of limbs and pelvis."""
    bones = [-1] * len(JOINTS)
    for n, side in enumerate(SIDES):
        _assign_leg(tree, body.legs.limbs[n], side, bones)
        _assign_arm(tree, body.arms.limbs[n], side, bones)
    chest_ancestors = body.arms.common_ancestors(tree)
    trunk = [bone for bone in chest_ancestors if bone not in body.legs.common_ancestors(tree)]
    pelvis_ancestors = [bone for bone in chest_ancestors if bone not in trunk]
    hips, shoulders = body.legs.middle(tree, 0), body.arms.middle(tree, 0)
    if pelvis_ancestors:
        pelvis = pelvis_ancestors[0]
    else:  # the legs have no common ancestor in the trunk
        candidates = chest_ancestors or [body.legs.limbs[0].path[0]]
        pelvis = min(candidates, key=lambda bone: float(np.linalg.norm(tree.positions[bone] - hips)))
        trunk = trunk[: trunk.index(pelvis)] if pelvis in trunk else trunk
    bones[INDEX["pelvis"]] = pelvis
    if body.posed:
        _assign_head(tree, chest_ancestors[0] if chest_ancestors else pelvis, body.up, shoulders, bones)
        _assign_spine(tree, trunk[::-1], hips, body.up, bones)
    return bones


def _assign_leg(tree: BoneTree, limb: Limb, side: str, bones: list[int]) -> None:
    """Assign the joints of a leg and its toes."""
    joints = ("hip", "knee", "ankle", "foot", "bigtoe")
    for joint, bone in zip(joints, (*limb.joints, *limb.bones_beyond()), strict=False):
        bones[INDEX[f"{side}_{joint}"]] = bone


def _assign_arm(tree: BoneTree, limb: Limb, side: str, bones: list[int]) -> None:
    """Assign the joints of an arm, its collar and its middle finger."""
    for joint, bone in zip(("shoulder", "elbow", "wrist"), limb.joints, strict=True):
        bones[INDEX[f"{side}_{joint}"]] = bone
    before = limb.path[: limb.path.index(limb.joints[0])]
    if before:
        bones[INDEX[f"{side}_collar"]] = before[0]
    hand = _middle_finger(tree, limb)
    if len(hand) > 1:
        from_wrist = np.linalg.norm(tree.positions[list(hand)] - tree.positions[limb.joints[2]], axis=-1)
        knuckle = int(np.abs(from_wrist[:-1] / from_wrist[-1] - 0.5).argmin())
        bones[INDEX[f"{side}_thumb"]] = hand[knuckle]
        hand = hand[: knuckle + 4]
    if hand:
        bones[INDEX[f"{side}_middle"]] = hand[-1]


def _middle_finger(tree: BoneTree, limb: Limb) -> tuple[int, ...]:
    """The bones of the middle finger: of five fingers the one between the others, else of the longest path."""
    wrist, longest = limb.joints[2], limb.bones_beyond()
    if not longest:
        return longest
    reach = {
        bone: float(np.linalg.norm(tree.positions[bone] - tree.positions[wrist])) + tree.length[bone]
        for bone in tree.children.get(wrist, [])
    }
    fingers = [bone for bone in reach if tree.length[bone] > _MIN_FINGER * max(reach.values())]
    if len(fingers) != _FINGERS:
        return longest
    paths = [_longest_path(tree, bone) for bone in fingers]
    tips = tree.positions[[path[-1] for path in paths]]
    along = tips.mean(axis=0) - tree.positions[wrist]
    spread = tips - tips.mean(axis=0)
    spread -= np.outer(spread @ along, along) / (along @ along)
    _, _, axes = np.linalg.svd(spread)
    return paths[int(np.argsort(spread @ axes[0])[_FINGERS // 2])]


def _longest_path(tree: BoneTree, bone: int) -> tuple[int, ...]:
    """The bones from `bone` on along the longest path."""
    path = [bone]
    while (bone := tree.longest_child.get(bone, -1)) >= 0:
        path.append(bone)
    return tuple(path)


def _assign_head(tree: BoneTree, chest: int, up: Array, shoulders: Array, bones: list[int]) -> None:
    """Assign the neck, the head and its crown, on the branch of the chest that rises highest and bears no arm."""
    mapped = {bone for bone in bones if bone >= 0}
    free = [bone for bone in tree.children.get(chest, []) if mapped.isdisjoint(tree.subtree(bone))]
    if not free:
        return
    path = [max(free, key=lambda bone: _branch_height(tree, bone, up))]
    while below := tree.children.get(path[-1], []):
        path.append(max(below, key=lambda bone: _branch_height(tree, bone, up)))
    height = (tree.positions[path] - shoulders) @ up / (up @ up)
    faces = [n for n, bone in enumerate(path) if len(tree.children.get(bone, [])) > 1]
    n = faces[0] if faces else int(np.abs(height[: max(2, len(path) - 1)] - _HEAD_HEIGHT).argmin())
    while n and np.allclose(tree.positions[path[n]], tree.positions[path[n - 1]]):
        n -= 1
    bones[INDEX["jaw"]] = path[n]
    if n:
        bones[INDEX["neck"]] = path[0]
    if not faces and n + 1 < len(path):
        bones[INDEX["head"]] = path[n + 1]


def _branch_height(tree: BoneTree, bone: int, up: Array) -> float:
    """The greatest height of a branch."""
    return float((tree.positions[tree.subtree(bone)] @ up).max())


def _assign_spine(tree: BoneTree, trunk: Sequence[int], hips: Array, up: Array, bones: list[int]) -> None:
    """Choose spine1, spine2 and spine3 among the trunk's bones, which are ordered from the pelvis up."""
    trunk = [bone for bone in trunk if bone != bones[INDEX["neck"]]]
    neck = next((bones[INDEX[name]] for name in ("neck", "jaw") if bones[INDEX[name]] >= 0), -1)
    neck_height = (tree.positions[neck] - hips) @ up if neck >= 0 else up @ up
    height = {bone: float((tree.positions[bone] - hips) @ up / neck_height) for bone in trunk}
    if len(trunk) == 1:
        joint = "spine1" if height[trunk[0]] < (_SPINE1_HEIGHT + _SPINE3_HEIGHT) / 2.0 else "spine3"
        bones[INDEX[joint]] = trunk[0]
        return
    if not trunk:
        return
    *lower, chest = trunk
    bones[INDEX["spine3"]] = chest
    first = min(lower[: max(1, len(lower) - 1)], key=lambda bone: abs(height[bone] - _SPINE1_HEIGHT))
    bones[INDEX["spine1"]] = first
    between = lower[lower.index(first) + 1 :]
    if between:
        bones[INDEX["spine2"]] = min(between, key=lambda bone: abs(height[bone] - _SPINE2_HEIGHT))
