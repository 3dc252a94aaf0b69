"""Forward kinematics of a `RigMotion`: where its bones are in the world, in all frames or in a few that tell most."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from rigs import Array, rotations
from rigs.characters.rig import Rig
from rigs.retargeting.bone_transforms import RigMotion, Transform
from rigs.retargeting.pose_samples import PoseSamples, choose_frames


def sample_played_pose(rig: Rig, motion: RigMotion, frames: tuple[int, ...] | None = None) -> PoseSamples:
    """The pose of a motion's bones in some frames, by default those of `choose_frames`."""
    if frames is None:
        frames = choose_frames(_speed(motion))
    chosen = list(frames)
    transform = motion.object_transform
    few = replace(
        motion,
        rotations={bone: values[chosen] for bone, values in motion.rotations.items()},
        locations={bone: values[chosen] for bone, values in motion.locations.items()},
        object_transform=None if transform is None else (transform[0][chosen], transform[1][chosen]),
        keys=None,
    )
    parents = animated_parents(rig, few)
    transforms = world_transforms(rig, few, parents)
    index = {node: n for n, node in enumerate(parents)}
    turn, shift = base_transform(few)
    return PoseSamples(
        frames=frames,
        bones=tuple(rig.names[node] for node in parents),
        parents=tuple(index.get(parent, -1) for parent in parents.values()),
        rotations=np.stack([transforms[node][0] for node in parents], axis=1),
        heads=np.stack([transforms[node][1] for node in parents], axis=1),
        object_rotations=rotations.multiply(turn, rig.object_rotation),
        object_locations=rotations.rotate(turn, rig.object_location) + shift,
        rest_rotations=rig.rest_rotations[list(parents)],
        rest_heads=rig.heads[list(parents)],
        inherit_rotation=np.array([rig.inherits_rotation[node] for node in parents]),
        unit_scale=rig.unit_scale,
    )


def _speed(motion: RigMotion) -> Array:
    """How far the bones turn together from the frame before (F,), as the sum of versines of half the angles."""
    values = np.stack(list(motion.rotations.values()))
    cosines = np.einsum("nfi,nfi->nf", values[:, 1:], values[:, :-1])
    return np.concatenate([[0.0], (1.0 - np.abs(cosines)).sum(axis=0)])


def animated_parents(rig: Rig, motion: RigMotion) -> dict[int, int]:
    """The animated nodes in topological order, each with its nearest animated ancestor, or -1."""
    nodes = dict.fromkeys(sorted(rig.index(bone) for bone in motion.rotations))
    return {node: next((above for above in rig.ancestors(node) if above in nodes), -1) for node in nodes}


def base_transform(motion: RigMotion) -> Transform:
    """The object's transform, which bones without a parent inherit."""
    if motion.object_transform is not None:
        return motion.object_transform
    frames = len(next(iter(motion.rotations.values())))
    return rotations.identity(frames), np.zeros((frames, 3))


def world_transforms(rig: Rig, motion: RigMotion, parents: Mapping[int, int]) -> dict[int, Transform]:
    """For each animated node its world rotation since rest (F, 4) and its head (F, 3) m: `bone_transforms` undone."""
    base = base_transform(motion)
    transforms: dict[int, Transform] = {}
    for node, parent in parents.items():
        name, rest = rig.names[node], rig.rest_rotations[node]
        turn, head = carry(rig, node, parent, transforms, base)
        if name in motion.locations:
            axes = rotations.multiply(turn, location_axes(rig, node))
            head = head + rotations.rotate(axes, motion.locations[name] * rig.unit_scale)
        local = rotations.multiply(rest, rotations.multiply(motion.rotations[name], rotations.inverse(rest)))
        transforms[node] = rotations.multiply(turn if rig.inherits_rotation[node] else base[0], local), head
    return transforms


def carry(rig: Rig, node: int, parent: int, transforms: Mapping[int, Transform], base: Transform) -> Transform:
    """The world rotation since rest of a node's parent, and where that carries the node's head."""
    if parent < 0:
        return base[0], rotations.rotate(base[0], rig.heads[node]) + base[1]
    turn, head = transforms[parent]
    return turn, head + rotations.rotate(turn, rig.heads[node] - rig.heads[parent])


def location_axes(rig: Rig, node: int) -> Array:
    """The axes at rest along which a bone's location is given."""
    return rig.object_rotation if node in rig.object_space_locations else rig.rest_rotations[node]
