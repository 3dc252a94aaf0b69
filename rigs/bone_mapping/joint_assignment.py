"""Joint assignment: the bones of all 29 joints, once a body's arms and legs are found by names and places."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rigs.bone_mapping.body_finder import Body
from rigs.bone_mapping.bone_hierarchy import ancestors
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED
from rigs.bone_mapping.limb_finder import BoneTree
from rigs.bone_mapping.name_evidence import NameEvidence, joint_kind
from rigs.bone_mapping.name_matcher import NameMatch, hierarchy_allows, match_around
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.skeleton import INDEX, JOINTS

_PLAIN_KINDS = frozenset(("neck", "jaw", "collar", "foot"))
"""Joints that are where they are by the limbs and the trunk alone."""
_PELVIS_DISTANCE, _MAX_PELVIS_COST = 0.25, 6.0
"""Distance of the pelvis from the hips, in lengths of the leg, that costs one; and the most that it may cost."""
_LEVEL_COST, _ASIDE_COST = 1.0, 4.0
"""Cost of each bone between the pelvis and the legs, and of a pelvis that does not bear both legs and arms."""


def assign_named_joints(
    match: NameMatch,
    body: Body,
    placed: Sequence[int],
    evidence: NameEvidence,
    names: Sequence[str],
    tree: BoneTree,
) -> NameMatch:
    """Assign a body's joints: required ones as found, others by name or else by place; and tell the convention.

    match: the joints by name alone.  placed: (29,) the joints by the body's places alone.
    """
    required = [-1] * len(JOINTS)
    for joint in REQUIRED[1:]:
        required[INDEX[joint]] = placed[INDEX[joint]]
    required[0] = _find_pelvis(match, body, placed[0], evidence, tree)
    if all(required[INDEX[joint]] == match.bones[INDEX[joint]] for joint in REQUIRED):
        return match
    named = match_around(match, required, names, tree.parents)
    return replace(match, convention=BY_STRUCTURE, bones=list(placed)) if named is None else named


def fill_by_place(
    convention: NamingConvention,
    bones: list[int],
    placed: Sequence[int],
    evidence: NameEvidence,
    parents: Sequence[int],
) -> None:
    """Fill in joints that the convention knows with bones at their places.

    The bones' names say nothing; those of neck, head, collars and feet may say something else that is of the body.
    """
    nameless = {*np.flatnonzero(evidence.nameless)} - {*bones}
    unlisted = {*np.flatnonzero(~evidence.helpers)} - {*bones}
    neck, jaw = INDEX["neck"], INDEX["jaw"]
    candidates = list(placed)
    if bones[jaw] >= 0 and bones[neck] < 0:
        above = [bone for bone in ancestors(bones[jaw], parents) if bone not in bones]
        bearing = {*ancestors(bones[INDEX["left_shoulder"]], parents)}
        candidates[neck] = next((bone for bone in reversed(above) if bone not in bearing), -1)
    for j, joint in enumerate(JOINTS):
        bone = candidates[j]
        kind = joint_kind(joint)
        if bones[j] >= 0 or not convention.joints.get(joint):
            continue
        may_be = bone in unlisted and not evidence.says_other(kind, bone) if kind in _PLAIN_KINDS else bone in nameless
        if may_be and hierarchy_allows(j, bone, bones, parents, convention):
            bones[j] = bone


def _find_pelvis(match: NameMatch, body: Body, placed: int, evidence: NameEvidence, tree: BoneTree) -> int:
    """The bone of the pelvis: by name, by what it bears and by its distance from the hips."""
    bearers = [body.legs.common_ancestors(tree), body.arms.common_ancestors(tree)]
    limbs = {*body.legs.bones(), *body.arms.bones()}
    hips = body.legs.middle(tree, 0)
    leg = float(np.mean([limb.length(tree) for limb in body.legs.limbs]))
    candidates = {placed, match.bones[0], *bearers[0], *bearers[1]} - limbs - {-1}
    level = len(ancestors(placed, tree.parents))

    def cost(bone: int) -> float:
        distance = float(np.linalg.norm(tree.positions[bone] - hips)) / leg
        levels = abs(level - len(ancestors(bone, tree.parents)))
        aside = sum(bone not in bears for bears in bearers)
        place = min((distance / _PELVIS_DISTANCE) ** 2, _MAX_PELVIS_COST) + _LEVEL_COST * levels + _ASIDE_COST * aside
        return place - float(evidence.score("pelvis")[bone])

    return min(sorted(candidates), key=cost, default=placed)
