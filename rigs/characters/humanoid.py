"""`Humanoid`: a rig's driven bones, the joint that drives each one, and its rest pose, for retargeting."""

import re
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_map import BoneMap
from rigs.characters.rest_tilt import rest_tilt
from rigs.characters.rig import Rig
from rigs.skeleton import ANKLES, CHILDREN, DEFAULT_SKELETON, HIPS, INDEX, LIMB_JOINTS, PARENTS, SIDES, outward_path

BONE_DIRECTIONS: Array = rotations.normalize(
    np.array([DEFAULT_SKELETON.offsets[children[0]] if children else (0.0, 0.0, 1.0) for children in CHILDREN])
)
"""Direction (29, 3) of each joint's bone in the T-pose."""

_UNROTATED_JOINTS = {*(j for j in range(29) if not CHILDREN[j]), INDEX["left_thumb"], INDEX["right_thumb"]}
"""Joints without a rotation of their own: leaves, and the knuckles, as a Motion has only the middle finger."""
_TWIST_NAME = re.compile(r"twist|roll", re.IGNORECASE)
_MIN_TWIST_COSINE = np.cos(np.radians(4.0))
"""Minimum cosine of the angle to the limb for a bone to share its twist."""
_TWIST_RANGE = (0.05, 0.95)
"""Fractions of the limb's length between which a bone shares its twist; nearer to the ends it is a joint corrector."""
_MIN_TOE_FRACTION = 0.6
"""Fraction of the way from ankle to ball beyond which a bone of the foot counts as a toe."""
_FLOOR_RANGE = (-0.05, 0.2)
"""Range of the lowest foot joint's height, in leg lengths, in which a rig is taken to rest on the given floor."""


@dataclass(frozen=True)
class TwistBone:
    """A twist bone: it takes part of a limb's twist.

    bone: its index among the driven bones.  joint: the limb's upper joint.  share: its position along the limb, 0 to 1.
    """

    bone: int
    joint: int
    share: float


@dataclass(frozen=True)
class Humanoid:
    """A rig as retargeting sees it. Its K driven bones are in topological order.

    driven: (K,) the rig's nodes.  joints: (K,) the joint whose rotation each one takes, or -1.
    parents: (K,) the index in `driven` of the nearest driven ancestor, or -1.  rotation_parents: the same, but -1 where
    the bone does not inherit rotation.
    pelvis: the pelvis's index in `driven`.  spine, neck: those of the bones that share the bend of the trunk and of the
    neck, from below; the last ones are the chest's and the head's.
    twist_bones: the bones that share a limb's twist.
    rest_rotations: (29, 4) world rotations of the joints at rest; the identity in our T-pose.
    rest_positions: (29, 3) m, the joints at rest.  carriers: (29,) index in `driven` of the bone that moves each joint.
    floor: m, the height of the floor on which the rig rests.
    tilt: (4,) the rotation from where the rig would stand to where it leans, lies or hangs at rest, see `rest_tilt`.
    The floor is the one under the rig as it would stand.
    """

    rig: Rig
    driven: tuple[int, ...]
    joints: tuple[int, ...]
    parents: tuple[int, ...]
    rotation_parents: tuple[int, ...]
    pelvis: int
    spine: tuple[int, ...]
    neck: tuple[int, ...]
    twist_bones: tuple[TwistBone, ...]
    rest_rotations: Array
    rest_positions: Array
    carriers: tuple[int, ...]
    floor: float
    tilt: Array = field(default_factory=rotations.identity)

    @property
    def leg_length(self) -> float:
        """Length of thigh and shin in m, the mean of both sides."""
        return leg_length(self.rest_positions)

    def rest_height(self, joint: str) -> float:
        """Height of an ankle, ball of the foot or toe above the floor at rest, in m; the lower side's."""
        joints = [INDEX[f"{side}_{joint}"] for side in SIDES]
        return float(self.heights_at_rest(self.rest_positions[joints]).min())

    def heights_at_rest(self, points: Array) -> Array:
        """Heights (n,) m above the floor of points (n, 3) of the rest pose, as the rig would stand."""
        return np.asarray(rotations.rotate(rotations.inverse(self.tilt), points)[:, 2] - self.floor)

    @cached_property
    def rest_heads(self) -> Array:
        """Heads of the driven bones at rest: (K, 3) m."""
        return np.asarray(self.rig.heads[list(self.driven)])


def humanoid_from_rig(rig: Rig, bone_map: BoneMap) -> Humanoid:
    """Build the humanoid of a rig from its bone map."""
    bones = bone_map.bones
    joint_of_node = {bones[j]: j for j in range(29) if 0 <= bones[j] < rig.bone_count and j not in _UNROTATED_JOINTS}
    hip_ancestors = {above for hip in HIPS for above in rig.ancestors(bones[hip])} - {bones[0]}
    # bones between pelvis and legs follow the pelvis
    joint_of_node = {node: j for node, j in joint_of_node.items() if node not in hip_ancestors}
    spine = tuple(node for node in _spine_to_chest(rig, bones, bone_map.spine) if node not in hip_ancestors)
    neck = _chain_to_last(rig, bone_map.neck)
    twist_nodes = _find_twist_bones(rig, bones)
    for node in (*spine, *neck, *(node for node, _, _ in twist_nodes)):
        joint_of_node.setdefault(node, -1)
    for side in SIDES:
        for node in _sibling_toes(rig, bones, side):
            joint_of_node.setdefault(node, INDEX[f"{side}_foot"])
    joint_of_node |= dict.fromkeys(_detached_roots(rig, joint_of_node, bones[0]), 0)
    driven = tuple(sorted(joint_of_node))
    index_of_node = {node: k for k, node in enumerate(driven)}
    rest_positions, mapped, tilt = _joint_rest_positions(rig, bones)
    ground = 0.0
    if tilt is None:
        tilt, standing = rotations.identity(), rest_positions
    else:
        standing, origin = (rotations.rotate(rotations.inverse(tilt), x) for x in (rest_positions, rig.object_location))
        ground = float(origin[2])
    parents = [_nearest_driven_ancestor(rig, node, index_of_node) for node in driven]
    inherits = [_inherits_rotation(rig, node, driven[k]) for node, k in zip(driven, parents, strict=True)]
    return Humanoid(
        rig=rig,
        driven=driven,
        joints=tuple(joint_of_node[node] for node in driven),
        parents=tuple(parents),
        rotation_parents=tuple(k if inherited else -1 for k, inherited in zip(parents, inherits, strict=True)),
        pelvis=index_of_node[bones[0]],
        spine=tuple(index_of_node[node] for node in spine),
        neck=tuple(index_of_node[node] for node in neck),
        twist_bones=tuple(TwistBone(index_of_node[node], joint, share) for node, joint, share in twist_nodes),
        rest_rotations=rotations.multiply(tilt, _joint_rest_rotations(standing)),
        rest_positions=rest_positions,
        carriers=_carrier_bones(rig, bones, index_of_node, mapped),
        floor=_rest_floor_height(standing, ground),
        tilt=tilt,
    )


def leg_length(positions: Array) -> float:
    """Length of thigh and shin in m, the mean of both sides, from joint positions (29, 3)."""
    chains = [[INDEX[f"{side}_{joint}"] for joint in ("hip", "knee", "ankle")] for side in SIDES]
    return float(sum(np.linalg.norm(np.diff(positions[chain], axis=0), axis=-1).sum() for chain in chains) / 2.0)


def _chain_to_last(rig: Rig, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """The last of `nodes`, after its ancestors among them."""
    ancestors = rig.ancestors(nodes[-1]) if nodes else []
    return tuple(node for node in nodes if node in ancestors or node == nodes[-1])


def _spine_to_chest(rig: Rig, bones: tuple[int, ...], spine: tuple[int, ...]) -> tuple[int, ...]:
    """The spine's bones, extended up to the common ancestor of neck and arms where the bone map ends below it."""
    spine = _chain_to_last(rig, spine)
    tops = [bone for name in ("neck", "left_shoulder", "right_shoulder") if (bone := bones[INDEX[name]]) >= 0]
    from_chest = [node for node in rig.ancestors(tops[0]) if all(node in rig.ancestors(top) for top in tops)]
    if spine and spine[-1] in from_chest:
        spine += tuple(reversed(from_chest[: from_chest.index(spine[-1])]))
    return spine


def _nearest_driven_ancestor(rig: Rig, node: int, index_of_node: dict[int, int]) -> int:
    """The index of the nearest driven ancestor of `node`, or -1."""
    return next((index_of_node[above] for above in rig.ancestors(node) if above in index_of_node), -1)


def _inherits_rotation(rig: Rig, node: int, ancestor: int) -> bool:
    """Whether `node` inherits the rotation of `ancestor` through all bones between."""
    path = rig.ancestors(node)
    return all(rig.inherits_rotation[n] for n in (node, *path[: path.index(ancestor)])) if ancestor in path else True


def _detached_roots(rig: Rig, driven: dict[int, int], pelvis: int) -> list[int]:
    """Roots of driven bones that are not connected to the pelvis: they must follow it."""
    pelvis_ancestors = set(rig.ancestors(pelvis))
    paths = [[node, *rig.ancestors(node)] for node in driven.keys() - pelvis_ancestors]
    roots = {path[-1] for path in paths if pelvis not in path and driven.keys().isdisjoint(path[1:])}
    return sorted(roots - driven.keys() - pelvis_ancestors)


def _sibling_toes(rig: Rig, bones: tuple[int, ...], side: str) -> list[int]:
    """Toe bones beside the one in the bone map."""
    ankle, toe = (bones[INDEX[f"{side}_{joint}"]] for joint in ("ankle", "foot"))
    if min(ankle, toe) < 0 or rig.parents[toe] != ankle:
        return []
    foot = rig.heads[toe] - rig.heads[ankle]
    siblings = [node for node in range(rig.bone_count) if rig.parents[node] == ankle and node not in bones]
    return [node for node in siblings if (rig.heads[node] - rig.heads[ankle]) @ foot > _MIN_TOE_FRACTION * foot @ foot]


def _find_twist_bones(rig: Rig, bones: tuple[int, ...]) -> list[tuple[int, int, float]]:
    """The nodes that share the twist of a limb, the limb's upper joint, and their position along it.

    They lie between the limb's two joints, or are siblings of the lower one with "twist" or "roll" in their names.
    """
    twist_nodes = []
    for side in SIDES:
        for upper, lower in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
            joint = INDEX[f"{side}_{upper}"]
            start, end = bones[joint], bones[INDEX[f"{side}_{lower}"]]
            if min(start, end) < 0:
                continue
            segment = rig.heads[end] - rig.heads[start]
            between = [node for node in rig.ancestors(end) if start in rig.ancestors(node)]
            unmapped = [node for node in range(rig.bone_count) if node not in (*bones, *between)]
            siblings = [node for node in unmapped if rig.parents[node] in (start, *between)]
            for node in [*reversed(between), *(n for n in siblings if _TWIST_NAME.search(rig.names[n]))]:
                offset = rig.heads[node] - rig.heads[start]
                share = float(offset @ segment / (segment @ segment))
                straight = offset @ segment > _MIN_TWIST_COSINE * np.linalg.norm(offset) * np.linalg.norm(segment)
                if straight and _TWIST_RANGE[0] < share < _TWIST_RANGE[1]:
                    twist_nodes.append((node, joint, share))
            if between and any(node == between[0] for node, _, _ in twist_nodes):
                twist_nodes.append((start, joint, 0.0))
    return twist_nodes


def _joint_rest_positions(rig: Rig, bones: tuple[int, ...]) -> tuple[Array, Array, Array | None]:
    """The joints at rest (29, 3) m, which of them the rig has (29,), and its tilt (4,), or None if it stands upright.

    The joints that it lacks follow from average proportions.
    """
    mapped = np.array(bones) >= 0
    positions = np.zeros((29, 3))
    positions[mapped] = rig.heads[[bone for bone in bones if bone >= 0]]
    size = leg_length(positions) / leg_length(DEFAULT_SKELETON.rest_positions())
    tilt = rest_tilt(positions, rig.object_rotation)
    facing = rotations.about_z(_heading(positions))
    if tilt is not None:
        standing = rotations.rotate(rotations.inverse(tilt), positions)
        facing = rotations.multiply(tilt, rotations.about_z(_heading(standing)))
    for j in np.flatnonzero(~mapped):
        parent = PARENTS[j]
        path = outward_path(j, mapped)
        lengths = np.linalg.norm(DEFAULT_SKELETON.offsets[path], axis=-1)
        if mapped[path[-1]]:
            positions[j] = positions[parent] + (positions[path[-1]] - positions[parent]) * lengths[0] / lengths.sum()
        else:
            positions[j] = positions[parent] + size * rotations.rotate(facing, DEFAULT_SKELETON.offsets[j])
    return positions, mapped, tilt


def _carrier_bones(rig: Rig, bones: tuple[int, ...], index_of_node: dict[int, int], mapped: Array) -> tuple[int, ...]:
    """For each joint the index of the driven bone that moves it."""
    carriers = [index_of_node[bones[0]]] * 29
    for j, parent in enumerate(PARENTS):
        if j and mapped[j]:
            carriers[j] = _nearest_driven_ancestor(rig, bones[j], index_of_node)
        elif j:
            carriers[j] = index_of_node.get(bones[parent], carriers[parent])
    return tuple(carriers)


def _heading(positions: Array) -> float:
    """The heading, the angle about Z from -Y, of a body with joint positions (29, 3)."""
    left = positions[HIPS[0]] - positions[HIPS[1]]
    return float(np.arctan2(left[1], left[0]))


def _joint_rest_rotations(positions: Array) -> Array:
    """World rotations (29, 4) of the joints in an upright rest pose (29, 3).

    Trunk, head and feet rest as in our T-pose, turned to the heading of body or foot; limbs are swung from there, by
    the shortest rotation, onto their bones.
    """
    rest_rotations = rotations.identity(29)
    facing = rotations.about_z(_heading(positions))
    for j, parent in enumerate(PARENTS):
        if j in ANKLES:
            foot = positions[CHILDREN[j][0]] - positions[j]
            rest_rotations[j] = rotations.about_z(np.arctan2(foot[0], -foot[1]))
        elif j in LIMB_JOINTS:
            bone = positions[CHILDREN[j][0]] - positions[j]
            rest_rotations[j] = rotations.swing(rest_rotations[parent], BONE_DIRECTIONS[j], bone)
        else:
            rest_rotations[j] = rest_rotations[parent] if parent >= 0 else facing
    return rest_rotations


def _rest_floor_height(positions: Array, ground: float) -> float:
    """The height in m of the floor under an upright rest pose (29, 3): the ground's, unless the feet are not near it.

    ground: m, the height of the world's floor; for a tilted rig of its object's origin.
    """
    feet = [INDEX[f"{side}_{joint}"] for side in SIDES for joint in ("ankle", "foot", "bigtoe")]
    lowest, leg = positions[feet, 2].min(), leg_length(positions)
    return ground if _FLOOR_RANGE[0] * leg < lowest - ground < _FLOOR_RANGE[1] * leg else float(lowest)
