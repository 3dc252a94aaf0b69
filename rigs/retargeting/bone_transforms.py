"""Bone transforms: the rotations and locations of a rig's bones, as Blender keys them, from a posed humanoid.

Let a joint's world rotation be G, and G0 in the rig's rest pose; its bone has rotated by D = G G0^-1. With the bone's
rest rotation R its pose rotation is R^-1 Da^-1 D R, whatever its roll; Da is the rotation D of the nearest animated
ancestor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Humanoid
from rigs.characters.posed_humanoid import PosedHumanoid, bone_rotations, root_bone_positions
from rigs.characters.rig import Rig
from rigs.retargeting.key_reduction import PoseKeys
from rigs.retargeting.pose_samples import PoseSamples
from rigs.skeleton import HIPS

RootMode = Literal["hips", "bone", "object"]
"""Root motion: what carries a rig through the world, the hips alone, the root bone above them, or the object."""

Transform = tuple[Array, Array]
"""A rotation (F, 4) about the world's origin, and a translation (F, 3) m after it."""


@dataclass(frozen=True)
class RigMotion:
    """Animation of a rig's bones, ready to be keyed.

    rotations: each bone's pose rotations (F, 4), relative to rest and to its parent.
    locations: for the bones that also translate, (F, 3) in the bone's own axes and units.
    object_transform: the object's motion from where it is; None when it stays.
    keys: the bones' reduced keys; None to key every frame.
    samples: where the motion puts the bones in a few frames, to compare with what the keys show.
    """

    fps: float
    rotations: dict[str, Array]
    locations: dict[str, Array]
    object_transform: Transform | None = None
    keys: PoseKeys | None = None
    samples: PoseSamples | None = None


@dataclass(frozen=True)
class ControlBone:
    """Animation of a further bone such as an IK target: world rotation since rest (F, 4) and head position (F, 3) m.

    Without a head it only rotates.
    """

    bone: str
    rotation: Array
    head: Array | None


@dataclass(frozen=True)
class _AnimatedBone:
    """World rotation since rest (F, 4), head position (F, 3) m or None, and whether it inherits rotation."""

    rotation: Array
    head: Array | None
    inherits_rotation: bool = True


def bone_transforms(
    posed: PosedHumanoid,
    humanoid: Humanoid,
    *,
    root: RootMode = "hips",
    in_place: bool = False,
    controls: Sequence[ControlBone] = (),
) -> RigMotion:
    """Convert a posed humanoid to pose rotations and locations of its rig's bones.

    root: what carries the path along the floor and the heading.  in_place: remove the path, keep the heights.
    controls: further bones to animate, such as the IK targets of limbs that the rig solves itself.
    Raises ValueError if `root` is "bone" and the rig has no bone above the hips.
    """
    rig, identity = humanoid.rig, rotations.identity(len(posed.positions))
    stationary = (identity, np.zeros((len(identity), 3)))
    heads = root_bone_positions(humanoid, posed.world_rotations, posed.positions[:, HIPS].mean(axis=1))
    path = stationary[1]
    if in_place:
        path = (heads[humanoid.pelvis] - heads[humanoid.pelvis][0]) * np.array([1.0, 1.0, 0.0])
    since_rest = bone_rotations(humanoid, posed.world_rotations, posed.bend_rotations)
    animated = {}
    for k, node in enumerate(humanoid.driven):
        inherits_rotation = humanoid.rotation_parents[k] == humanoid.parents[k]
        animated[node] = _AnimatedBone(since_rest[:, k], heads[k] - path if k in heads else None, inherits_rotation)
    for control in controls:
        head = None if control.head is None else control.head - path
        animated[rig.index(control.bone)] = _AnimatedBone(control.rotation, head)
    root_motion = stationary
    if root != "hips":
        root_motion = _root_motion(humanoid, posed.world_rotations[:, 0], heads[humanoid.pelvis] - path)
    if root == "bone":
        bone = _root_bone(humanoid)
        turn, shift = root_motion
        animated[bone] = _AnimatedBone(turn, rotations.rotate(turn, rig.heads[bone]) + shift)
    _carry_connected(humanoid, animated, identity)
    base = root_motion if root == "object" else stationary
    nodes = sorted(animated)
    parents = {node: next((above for above in rig.ancestors(node) if above in animated), -1) for node in nodes}
    parent_rotations = [
        animated[parents[node]].rotation if parents[node] >= 0 and animated[node].inherits_rotation else base[0]
        for node in nodes
    ]
    rest = rig.rest_rotations[nodes]
    own_rotations = np.stack([animated[node].rotation for node in nodes], axis=1)
    relative = rotations.inverse_multiply(np.stack(parent_rotations, axis=1), own_rotations)
    pose_rotations = rotations.multiply(rotations.inverse(rest), rotations.multiply(relative, rest))
    result = RigMotion(posed.fps, {}, {}, root_motion if root == "object" else None)
    for n, node in enumerate(nodes):
        result.rotations[rig.names[node]] = pose_rotations[:, n]
        node_head = animated[node].head
        if node_head is not None:
            turn, shift = _parent_transform(rig, animated, parents, parents[node], base)
            displacement = node_head - rotations.rotate(turn, rig.heads[node]) - shift
            in_object_space = node in rig.object_space_locations
            axes = rotations.multiply(turn, rig.object_rotation if in_object_space else rig.rest_rotations[node])
            result.locations[rig.names[node]] = rotations.rotate(rotations.inverse(axes), displacement) / rig.unit_scale
    return result


def _carry_connected(humanoid: Humanoid, animated: dict[int, _AnimatedBone], identity: Array) -> None:
    """Move connected bones, which have no locations, by those of the nearest bone above that is not connected."""
    rig, carriers = humanoid.rig, set[int]()
    for node, bone in list(animated.items()):
        if bone.head is None or node not in rig.connected:
            continue
        carrier = next((above for above in rig.ancestors(node) if above not in rig.connected), -1)
        if carrier < 0 or carrier in carriers:
            continue
        carriers.add(carrier)
        rotation = animated[carrier].rotation if carrier in animated else identity
        offset = rotations.rotate(rotation, rig.heads[node] - rig.heads[carrier])
        animated[carrier] = _AnimatedBone(rotation, bone.head - offset)
        animated[node] = replace(bone, head=None)


def _root_motion(humanoid: Humanoid, pelvis: Array, head: Array) -> Transform:
    """Root motion: the pelvis's heading and path along the floor, as a transform of the rest pose.

    pelvis: (F, 4) its world rotation.  head: (F, 3) m, its bone's head.
    """
    standing = rotations.inverse_multiply(humanoid.tilt, humanoid.rest_rotations[0])
    angle = np.unwrap(rotations.heading(pelvis)) - rotations.heading(standing)
    turn = rotations.about_z(angle)
    shift = head - rotations.rotate(turn, humanoid.rest_heads[humanoid.pelvis])
    return turn, shift * np.array([1.0, 1.0, 0.0])


def _root_bone(humanoid: Humanoid) -> int:
    """The root bone above the hips. Raises ValueError where the hips are the root themselves."""
    ancestors = humanoid.rig.ancestors(humanoid.driven[humanoid.pelvis])
    if not ancestors:
        raise ValueError("a bone above the hips expected to carry the movement, found none: choose hips or object")
    return ancestors[-1]


def _parent_transform(
    rig: Rig, animated: Mapping[int, _AnimatedBone], parents: Mapping[int, int], node: int, base: Transform
) -> Transform:
    """The world transform since rest that an animated bone passes on to its children."""
    if node < 0:
        return base
    bone = animated[node]
    head = bone.head
    if head is None:
        turn, shift = _parent_transform(rig, animated, parents, parents[node], base)
        head = rotations.rotate(turn, rig.heads[node]) + shift
    return bone.rotation, head - rotations.rotate(bone.rotation, rig.heads[node])
