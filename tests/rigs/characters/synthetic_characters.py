"""Synthetic characters for tests: our T-pose with other rest poses, bone rolls, sizes, object transforms and bones."""

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_hierarchy import topological_order
from rigs.bone_mapping.bone_map import BoneMap
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.characters.rig import Rig
from rigs.retargeting.bone_transforms import RigMotion
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS

Bones = dict[str, tuple[str | None, Array]]
"""Each bone's parent and the position of its head, (3,) m."""


def t_pose_bones(scale: float = 1.0) -> Bones:
    """The 24 joints that have children, as bones; tips are left out."""
    heads = DEFAULT_SKELETON.scale(scale).rest_positions()
    return {
        name: (JOINTS[PARENTS[j]] if PARENTS[j] >= 0 else None, heads[j])
        for j, name in enumerate(JOINTS)
        if j in PARENTS
    } | {name: (JOINTS[PARENTS[INDEX[name]]], heads[INDEX[name]]) for name in ("head", "left_bigtoe", "right_bigtoe")}


def rotate_branch(bones: Bones, bone: str, axis: Array, degrees: float) -> Bones:
    """The bones with everything below `bone` rotated about its head."""
    turn = rotations.from_axis_angle(rotations.normalize(np.asarray(axis, float)), np.radians(degrees))
    pivot = bones[bone][1]
    return {
        name: (parent, pivot + rotations.rotate(turn, head - pivot) if _is_descendant(bones, name, bone) else head)
        for name, (parent, head) in bones.items()
    }


def a_pose_bones(bones: Bones) -> Bones:
    """The bones with the arms lowered by 50 degrees and the elbows slightly bent."""
    for side, sign in (("left", 1.0), ("right", -1.0)):
        bones = rotate_branch(bones, f"{side}_shoulder", np.array([0.0, 1.0, 0.0]), 50.0 * sign)
        bones = rotate_branch(bones, f"{side}_elbow", np.array([0.0, 0.0, -1.0]), 15.0 * sign)
    return bones


def make_rig(
    bones: Bones,
    *,
    seed: int | None = None,
    turn: float = 0.0,
    move: Array | None = None,
    scale: float = 1.0,
    tilt: Array | None = None,
    tilts_object: bool = False,
) -> Rig:
    """A rig of the bones, with random bone axes if there is a seed, its object rotated and moved.

    tilt: (4,) a rotation of the rest pose, or of the object, about the origin, before it is turned and moved.
    """
    names = list(bones)
    parents = [names.index(parent) if parent else -1 for parent, _ in bones.values()]
    order = topological_order(parents)
    rng = np.random.default_rng(seed)
    turned = rotations.identity(len(names))
    if seed is not None:
        turned = rotations.normalize(rng.normal(size=(len(names), 4)))
    placed = rotations.about_z(turn)
    object_rotation = placed
    if tilt is not None:
        placed = rotations.multiply(placed, tilt)
        object_rotation = placed if tilts_object else object_rotation
    heads = rotations.rotate(placed, np.array([bones[names[n]][1] for n in order]))
    return Rig(
        names=tuple(names[n] for n in order),
        parents=tuple(order.index(parents[n]) if parents[n] >= 0 else -1 for n in order),
        heads=heads + (np.zeros(3) if move is None else move),
        rest_rotations=rotations.multiply(placed, turned),
        inherits_rotation=(True,) * len(names),
        bone_count=len(names),
        unit_scale=scale,
        object_rotation=object_rotation,
        object_location=np.zeros(3) if move is None else move,
    )


def bone_map_of(character: Rig) -> BoneMap:
    """The bone map of a character."""
    return map_bones(character.names, character.parents, character.heads)


def posed_heads(character: Rig, motion: RigMotion) -> dict[str, Array]:
    """Posed heads of the bones (F, 3) m by matrices, as Blender evaluates an armature: rest, location, rotation."""
    frames = len(next(iter(motion.rotations.values())))
    rest = np.tile(np.eye(4), (len(character.names), 1, 1))
    rest[:, :3, :3] = rotations.to_matrix(character.rest_rotations) * character.unit_scale
    rest[:, :3, 3] = character.heads
    carried = np.tile(np.eye(4), (frames, 1, 1))
    if motion.object_transform is not None:
        turn, shift = motion.object_transform
        carried[:, :3, :3], carried[:, :3, 3] = rotations.to_matrix(turn), shift
    posed = np.empty((len(character.names), frames, 4, 4))
    for node, (name, parent) in enumerate(zip(character.names, character.parents, strict=True)):
        basis = np.tile(np.eye(4), (frames, 1, 1))
        if name in motion.rotations:
            basis[:, :3, :3] = rotations.to_matrix(motion.rotations[name])
        if name in motion.locations and node not in character.connected:
            basis[:, :3, 3] = motion.locations[name]
        if parent < 0:
            posed[node] = carried @ rest[node] @ basis
        else:
            posed[node] = posed[parent] @ np.linalg.inv(rest[parent]) @ rest[node] @ basis
            if not character.inherits_rotation[node]:
                posed[node, :, :3, :3] = (carried @ rest[node] @ basis)[:, :3, :3]
    return {name: posed[node, :, :3, 3] for node, name in enumerate(character.names)}


def _is_descendant(bones: Bones, name: str, above: str) -> bool:
    parent = bones[name][0]
    while parent is not None and parent != above:
        parent = bones[parent][0]
    return parent == above
