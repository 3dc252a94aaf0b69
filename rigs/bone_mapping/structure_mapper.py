"""Bone mapping by structure: find a humanoid by the hierarchy and rest positions of bones, without their names.

Nothing is assumed about names, units, axes, position or facing direction. A body is measured in its own proportions:
limbs bend in their middle, shoulders lie a third of an arm's length from the body's middle, toes point forward.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rigs import Array
from rigs.bone_mapping.limb_finder import ARM, LEG, MAX_SEGMENT_RATIO, BoneTree, Limb, LimbPair, find_limb_pairs
from rigs.skeleton import INDEX, JOINTS, MIRROR_JOINTS

_TRUNK_LENGTH, _ARM_LENGTH = 0.69, 0.65
"""Lengths of the default dancer's trunk and arms, in lengths of the leg."""
_PROPORTION_SCALE = 0.45
"""Log ratio of a deviation from these proportions that costs one."""
_MAX_COST = 7.0
"""Cost from which a candidate is no body."""
_HEAD_HEIGHT, _SPINE1_HEIGHT, _SPINE2_HEIGHT, _SPINE3_HEIGHT = 0.38, 0.2, 0.46, 0.6
"""Heights: of the head above the shoulders, in trunk lengths; of the spine's joints, from the hips to the neck."""


@dataclass(frozen=True)
class _BodyCandidate:
    """A pair of legs and a pair of arms that may form a body."""

    legs: LimbPair
    arms: LimbPair
    cost: float


def map_by_structure(parents: Sequence[int], heads: Array) -> list[int] | None:
    """The bones (29,) of a humanoid, -1 where there is none; or None where no body with arms and legs is found.

    heads: (N, 3) rest positions of the bones, with or without the tails of the leaves.
    """
    tree = BoneTree.from_parents(parents, np.asarray(heads, dtype=float))
    both = [(legs, arms) for legs in find_limb_pairs(tree, LEG) for arms in find_limb_pairs(tree, ARM)]
    bodies = [body for legs, arms in both if (body := _body_candidate(tree, legs, arms)) is not None]
    return _assign_joints(tree, min(bodies, key=lambda body: body.cost)) if bodies else None


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


def _body_candidate(tree: BoneTree, legs: LimbPair, arms: LimbPair) -> _BodyCandidate | None:
    """Legs and arms as one body, or None if their proportions and directions do not match."""
    leg_roots = {limb.path[0] for limb in legs.limbs}
    if leg_roots & set(arms.common_ancestors(tree)) or set(legs.bones()) & set(arms.bones()):
        return None
    hips, ankles, shoulders = legs.middle(tree, 0), legs.middle(tree, 2), arms.middle(tree, 0)
    trunk, down = shoulders - hips, ankles - hips
    trunk_length, leg_length = float(np.linalg.norm(trunk)), float(np.linalg.norm(down))
    if min(trunk_length, leg_length) <= 0.0:
        return None
    tilt = max(abs(trunk @ legs.lateral) / trunk_length, abs(down @ legs.lateral) / leg_length)
    if trunk @ down > -0.5 * trunk_length * leg_length or abs(legs.lateral @ arms.lateral) < 0.8 or tilt > 0.2:
        return None
    arm_length = np.mean([limb.length(tree) for limb in arms.limbs])
    trunk_deviation = np.log(trunk_length / leg_length / _TRUNK_LENGTH) / _PROPORTION_SCALE
    arm_deviation = np.log(arm_length / leg_length / _ARM_LENGTH) / _PROPORTION_SCALE
    cost = legs.cost + arms.cost + trunk_deviation**2 + arm_deviation**2
    return _BodyCandidate(legs, arms, float(cost)) if cost < _MAX_COST else None


def _assign_joints(tree: BoneTree, body: _BodyCandidate) -> list[int]:
    """Assign the body's bones to the 29 joints."""
    bones = [-1] * len(JOINTS)
    hips, shoulders = body.legs.middle(tree, 0), body.arms.middle(tree, 0)
    up = shoulders - hips
    left = np.cross(up, _facing_direction(tree, body, up))
    for pair, assign in ((body.legs, _assign_leg), (body.arms, _assign_arm)):
        swapped = pair.lateral @ left < 0.0
        for limb, side in zip(pair.limbs, ("right", "left") if swapped else ("left", "right"), strict=True):
            assign(tree, limb, side, bones)
    chest_ancestors = body.arms.common_ancestors(tree)
    trunk = [bone for bone in chest_ancestors if bone not in body.legs.common_ancestors(tree)]
    pelvis_ancestors = [bone for bone in chest_ancestors if bone not in trunk]
    if pelvis_ancestors:
        pelvis = pelvis_ancestors[0]
    else:  # the legs have no common ancestor in the trunk
        candidates = chest_ancestors or [body.legs.limbs[0].path[0]]
        pelvis = min(candidates, key=lambda bone: float(np.linalg.norm(tree.positions[bone] - hips)))
        trunk = trunk[: trunk.index(pelvis)] if pelvis in trunk else trunk
    bones[INDEX["pelvis"]] = pelvis
    _assign_head(tree, chest_ancestors[0] if chest_ancestors else pelvis, up, shoulders, bones)
    _assign_spine(tree, trunk[::-1], hips, up, bones)
    return bones


def _facing_direction(tree: BoneTree, body: _BodyCandidate, up: Array) -> Array:
    """The facing direction (3,): where the toes point, or else the bend of knees and elbows; normal to the trunk."""

    def level(v: Array) -> Array:
        return v - (v @ up) / (up @ up) * up

    feet = np.zeros(3)
    for limb in body.legs.limbs:
        if limb.bones_beyond():
            feet += level(tree.positions[limb.bones_beyond()[-1]] - tree.positions[limb.joints[2]])
    leg = body.legs.limbs[0].length(tree)
    if np.linalg.norm(feet) > 0.1 * leg:
        return feet
    bends = np.zeros(3)
    for pair, sign in ((body.legs, 1.0), (body.arms, -1.0)):
        for limb in pair.limbs:
            root, middle, end = tree.positions[list(limb.joints)]
            bends += sign * level(middle - (root + end) / 2.0)
    return bends if np.linalg.norm(bends) > 0.01 * leg else level(np.array([0.0, -1.0, 0.0]))


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
    hand = limb.bones_beyond()
    if len(hand) > 1:
        from_wrist = np.linalg.norm(tree.positions[list(hand)] - tree.positions[limb.joints[2]], axis=-1)
        knuckle = int(np.abs(from_wrist[:-1] / from_wrist[-1] - 0.5).argmin())
        bones[INDEX[f"{side}_thumb"]] = hand[knuckle]
        hand = hand[: knuckle + 4]
    if hand:
        bones[INDEX[f"{side}_middle"]] = hand[-1]


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
