"""Joint assignment: the bones of all 29 joints, once a body's arms and legs are found by names and places."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_hierarchy import ancestors
from rigs.bone_mapping.bone_map import BY_STRUCTURE, REQUIRED
from rigs.bone_mapping.names.name_evidence import NameEvidence, joint_kind
from rigs.bone_mapping.names.name_matcher import NameMatch, hierarchy_allows, match_around
from rigs.bone_mapping.naming_conventions import NamingConvention
from rigs.bone_mapping.structure.body_finder import Body
from rigs.bone_mapping.structure.bone_tree import BoneTree
from rigs.bone_mapping.structure.structure_mapper import implausible_joints
from rigs.skeleton import CHILDREN, INDEX, JOINTS

_PLAIN_KINDS = frozenset(("neck", "jaw", "collar", "foot"))
"""Joints that are where they are by the limbs and the trunk alone."""
_CERTAIN_SCORE, _ALONG = 5.0, 0.8
"""Score of a name that no place outweighs; cosine from which two directions of a body are along each other."""
_PELVIS_DISTANCE, _MAX_PELVIS_COST = 0.25, 6.0
"""Distance of the pelvis from the hips, in lengths of the leg, that costs one; and the most that it may cost."""
_LEVEL_COST, _ASIDE_COST = 1.0, 15.0
"""Cost of each bone between the pelvis and the legs, and of a pelvis that does not bear both legs and arms."""


def is_certain(match: NameMatch, evidence: NameEvidence, tree: BoneTree) -> bool:
    """Whether no other body can be likelier than the one that names alone tell, so that none need be looked for.

    All required joints have a preset's best names at plausible places, and no joint is open that places may tell.
    """
    bones = match.bones
    scores = [evidence.score(joint_kind(joint))[bones[INDEX[joint]]] for joint in REQUIRED if bones[INDEX[joint]] >= 0]
    if len(scores) < len(REQUIRED) or min(scores) < _CERTAIN_SCORE:
        return False
    if any(bones[j] < 0 and match.convention.joints.get(joint) for j, joint in enumerate(JOINTS) if CHILDREN[j]):
        return False
    if implausible_joints(bones, tree.positions):
        return False
    places = tree.positions[[bones[INDEX[joint]] for joint in REQUIRED]]
    hips, ankles, shoulders = (places[n : n + 2] for n in (1, 5, 7))
    trunk, down = shoulders.mean(axis=0) - hips.mean(axis=0), ankles.mean(axis=0) - hips.mean(axis=0)
    return _cosine(hips[0] - hips[1], shoulders[0] - shoulders[1]) > _ALONG and _cosine(trunk, down) < -_ALONG


def _cosine(a: Array, b: Array) -> float:
    return float(a @ b) / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12)


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
