"""Body detection: the legs and arms of a humanoid among a rig's bones, by place and by name at once.

The costs of places are negative log-likelihoods up to a constant, as are the negated scores of names: the body of least
total is the most likely one. Nothing is assumed about units, axes, position or facing direction. A body is measured in
its own proportions: limbs bend in their middle, shoulders lie a third of an arm's length from the body's middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rigs import Array
from rigs.bone_mapping.names.name_evidence import NameEvidence, no_evidence
from rigs.bone_mapping.structure.bone_tree import BoneTree
from rigs.bone_mapping.structure.limb_finder import ARM, LEG, LimbPair, find_limb_pairs
from rigs.skeleton import INDEX, SIDES

_TRUNK_LENGTH, _ARM_LENGTH = 0.69, 0.65
"""Lengths of the default dancer's trunk and arms, in lengths of the leg."""
_PROPORTION_SCALE = 0.45
"""Log ratio of a deviation from these proportions that costs one."""
_MAX_COST = 7.0
"""Cost from which a candidate is no body by its places."""
_UNPOSED_COST, _MIN_NAME_SCORE = 8.0, 12.0
"""Cost of a rest pose that is no body's, and the score of names from which there may be a body nevertheless."""
_SIDE_SCORE, _TOES_SCORE, _BENDS_SCORE = 6.0, 3.0, 1.0
"""Log-likelihood ratios of left and right: by all names of a pair of limbs, by the feet, by bent knees and elbows."""
_KINDS = {"legs": ("hip", "knee", "ankle"), "arms": ("shoulder", "elbow", "wrist")}


@dataclass(frozen=True)
class Body:
    """A pair of legs and a pair of arms that may form a body, each with the left limb first.

    cost: how unlike a body they are by place.  posed: whether the rest positions are those of a body.
    up, forward: (3,) along the trunk, and the facing direction normal to it; nonsense if not posed.
    """

    legs: LimbPair
    arms: LimbPair
    cost: float
    posed: bool
    up: Array
    forward: Array

    @property
    def name_score(self) -> float:
        """Log-likelihood ratio of the names of its arms' and legs' joints."""
        return self.legs.name_score + self.arms.name_score


def find_body(tree: BoneTree, evidence: NameEvidence | None = None, named: Sequence[int] = ()) -> Body | None:
    """Find the most likely body with arms and legs, or None.

    named: (29,) the bones of the joints by names alone, -1 where there is none.
    """
    names = evidence or no_evidence(len(tree.parents))
    legs, arms = _limb_pairs(tree, names, named, posed=True)
    bodies = [body for each in legs for other in arms if (body := _posed_body(tree, each, other)) is not None]
    expected = max((body.name_score for body in bodies), default=-np.inf)
    if evidence is not None and expected < _named_score(evidence, named) - _UNPOSED_COST:
        legs, arms = _limb_pairs(tree, names, named, posed=False)
        bodies += [body for each in legs for other in arms if (body := _unposed_body(tree, each, other)) is not None]
    if not bodies:
        return None
    return _with_sides(tree, min(bodies, key=lambda body: body.cost - body.name_score), names)


def _named_score(names: NameEvidence, named: Sequence[int]) -> float:
    """The score of the names of the limbs' joints as names alone tell them."""
    joints = [(f"{side}_{kind}", kind) for kinds in _KINDS.values() for kind in kinds for side in SIDES]
    return sum(float(names.score(kind)[bone]) for joint, kind in joints if named and (bone := named[INDEX[joint]]) >= 0)


def _limb_pairs(
    tree: BoneTree, names: NameEvidence, named: Sequence[int], *, posed: bool
) -> tuple[list[LimbPair], list[LimbPair]]:
    """The pairs of branches that may be legs, and those that may be arms."""
    both = []
    for shape, kinds in ((LEG, _KINDS["legs"]), (ARM, _KINDS["arms"])):
        scores = np.array([names.score(kind) for kind in kinds])
        bones = [[bone for kind in kinds if named and (bone := named[INDEX[f"{side}_{kind}"]]) >= 0] for side in SIDES]
        both.append(find_limb_pairs(tree, shape, scores, bones, posed=posed))
    return both[0], both[1]


def _are_apart(tree: BoneTree, legs: LimbPair, arms: LimbPair) -> bool:
    """Whether no bone is of an arm and of a leg, nor bears the arms and is of a leg."""
    leg_roots = {limb.path[0] for limb in legs.limbs}
    return not leg_roots & set(arms.common_ancestors(tree)) and not set(legs.bones()) & set(arms.bones())


def _posed_body(tree: BoneTree, legs: LimbPair, arms: LimbPair) -> Body | None:
    """Legs and arms as one body, or None if their proportions and directions do not match."""
    if not _are_apart(tree, legs, arms):
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
    cost = float(legs.cost + arms.cost + trunk_deviation**2 + arm_deviation**2)
    return Body(legs, arms, cost, posed=True, up=trunk, forward=np.zeros(3)) if cost < _MAX_COST else None


def _unposed_body(tree: BoneTree, legs: LimbPair, arms: LimbPair) -> Body | None:
    """Legs and arms as one body by names and lengths alone, or None if the names do not bear it out."""
    if not _are_apart(tree, legs, arms) or min(legs.name_score, arms.name_score) <= 0.0:
        return None
    lengths = [np.mean([limb.length(tree) for limb in pair.limbs]) for pair in (arms, legs)]
    deviation = float(np.log(lengths[0] / lengths[1] / _ARM_LENGTH) / _PROPORTION_SCALE)
    cost = _UNPOSED_COST + legs.cost + arms.cost + deviation**2
    if legs.name_score + arms.name_score < _MIN_NAME_SCORE:
        return None
    return Body(legs, arms, cost, posed=False, up=np.zeros(3), forward=np.zeros(3))


def _with_sides(tree: BoneTree, body: Body, names: NameEvidence) -> Body:
    """The body with the left limbs first: as most names say, else by where the toes point; never mixed."""
    legs, arms = body.legs, body.arms
    leg_names, arm_names = _side_score(tree, legs, names), _side_score(tree, arms, names)
    if not body.posed:
        return replace(body, legs=legs.swap_sides(leg_names < 0.0), arms=arms.swap_sides(arm_names < 0.0))
    forward, score = _facing_direction(tree, body)
    same = 1.0 if legs.lateral @ arms.lateral > 0.0 else -1.0
    facing = score if legs.lateral @ np.cross(body.up, forward) > 0.0 else -score
    swap = leg_names + same * arm_names + facing < 0.0
    return replace(body, legs=legs.swap_sides(swap), arms=arms.swap_sides(swap != (same < 0.0)), forward=forward)


def _side_score(tree: BoneTree, pair: LimbPair, names: NameEvidence) -> float:
    """The log-likelihood ratio by the names of two branches that the first one is the left limb."""
    first, second = (names.sides[tree.subtree(limb.path[0])] for limb in pair.limbs)
    agree, disagree = ((s * first > 0.0).sum() + (s * second < 0.0).sum() for s in (1.0, -1.0))
    return float(_SIDE_SCORE * (agree - disagree) / (agree + disagree + 1.0))


def _facing_direction(tree: BoneTree, body: Body) -> tuple[Array, float]:
    """The facing direction (3,), normal to the trunk, and how sure it is, as a log-likelihood ratio.

    It is where the toes point, or else the bend of knees and elbows.
    """
    up = body.up

    def level(v: Array) -> Array:
        flat: Array = v - (v @ up) / (up @ up) * up
        return flat

    feet = np.zeros(3)
    for limb in body.legs.limbs:
        if limb.bones_beyond():
            feet += level(tree.positions[limb.bones_beyond()[-1]] - tree.positions[limb.joints[2]])
    leg = body.legs.limbs[0].length(tree)
    if np.linalg.norm(feet) > 0.1 * leg:
        return feet, _TOES_SCORE
    bends = np.zeros(3)
    for pair, sign in ((body.legs, 1.0), (body.arms, -1.0)):
        for limb in pair.limbs:
            root, middle, end = tree.positions[list(limb.joints)]
            bends += sign * level(middle - (root + end) / 2.0)
    if np.linalg.norm(bends) > 0.01 * leg:
        return bends, _BENDS_SCORE
    return level(np.array([0.0, -1.0, 0.0])), 0.5 * _BENDS_SCORE
