"""Dancers as armatures: 29 bones named as the joints, made from a skeleton, keyed from a Motion and read back to one.

A joint's rotation q is relative to its parent and is the identity in the T-pose, while a bone has a rest rotation R of
its own; so a bone's pose is R^-1 q R, and the pelvis's location is R^-1 (root - rest).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.rig import Rig, in_order
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS, Skeleton

from .. import context_access
from ..context_access import layer_of, scene_of
from . import keyframes
from .pose_sampling import movement_of

_SHORTEST = 0.01  # m; Blender drops a bone without length
_LEAF = 0.6  # of its parent's length
_MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck"}  # where a joint with several children points to


class NotADancer(ValueError):
    """An object that is not an armature with the 29 joints; its text is one sentence."""


def add(context: bpy.types.Context, name: str, skeleton: Skeleton) -> bpy.types.Object:
    """Make an armature of the skeleton, in its T-pose at the origin facing -Y; it is left active and alone selected."""
    if context.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    data = _bones_of(armature)
    # The scene's own collection is never hidden, and only a visible object can be edited.
    scene_of(context).collection.objects.link(armature)
    bpy.ops.object.select_all(action="DESELECT")
    layer_of(context).objects.active = armature
    armature.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    _add_bones(data, skeleton)
    bpy.ops.object.mode_set(mode="OBJECT")
    home = context.collection
    if home is not None and home != scene_of(context).collection:
        home.objects.link(armature)
        scene_of(context).collection.objects.unlink(armature)
    data.display_type = "STICK"
    armature.show_in_front = True
    layer_of(context).update()
    return armature


def is_dancer(thing: bpy.types.Object | None) -> bool:
    """Whether it is an armature that has a bone for each of the 29 joints."""
    if thing is None or not isinstance(thing.data, bpy.types.Armature):
        return False
    return all(joint in thing.data.bones for joint in JOINTS)


def require_dancer(thing: bpy.types.Object) -> None:
    """Raise NotADancer, which says what is missing, unless `is_dancer`."""
    if not isinstance(thing.data, bpy.types.Armature):
        raise NotADancer(f"{thing.name}: a dancer's armature expected, found a {thing.type.lower()}")
    missing = [joint for joint in JOINTS if joint not in thing.data.bones]
    if missing:
        raise NotADancer(
            f"{thing.name}: bones named as the 29 joints expected, {len(missing)} not found, the first is {missing[0]}"
        )


def key(dancer: bpy.types.Object, motion: Motion, name: str, first: int) -> bpy.types.Action:
    """Make an action that moves the dancer as `motion` does in the world, from frame `first` on; assign it yourself.

    The dancer's own bones and its object's place are kept. Raises NotADancer.
    """
    require_dancer(dancer)
    place, turn, scale = _world(dancer)
    rest = _rest_rotations(dancer)
    root = rotations.rotate(rotations.inverse(turn), motion.root - place) / scale
    local = motion.rotations.copy()
    local[:, 0] = rotations.multiply(rotations.inverse(turn), local[:, 0])
    pose = rotations.near(rotations.multiply(rotations.multiply(rotations.inverse(rest), local), rest))
    location = rotations.rotate(rotations.inverse(rest[0]), root - _rest_heads(dancer)[0])
    path = 'pose.bones["{}"].{}'.format
    channels = [keyframes.Channel(path(JOINTS[0], "location"), location, JOINTS[0])]
    for j, joint in enumerate(JOINTS):
        channels.append(keyframes.Channel(path(joint, "rotation_quaternion"), pose[:, j], joint))
    return keyframes.create(dancer, name, channels, first)


def motion_of(context: bpy.types.Context, dancer: bpy.types.Object, frames: range) -> Motion:
    """Read the dancer's movement as it is seen in the scene, with constraints, edits and the object's own place.

    The result has the scene's frame rate and the dancer's bones at the object's scale. Raises NotADancer.
    """
    require_dancer(dancer)
    moved = movement_of(context, dancer, frames).of(JOINTS)
    world = rotations.multiply(moved.world, rotations.inverse(_rest_rotations(dancer))[:, None])
    skeleton = Skeleton(_offsets(_rest_heads(dancer) * _world(dancer)[2]))
    return Motion(
        context_access.frame_rate(scene_of(context)),
        skeleton,
        moved.places[0],
        np.ascontiguousarray(kinematics.local_rotations(world.swapaxes(0, 1))),
    )


def rig_of(thing: bpy.types.Object) -> Rig:
    """The bones of an armature as they rest in the world, where its object is now.

    A bone that a constraint ties wholly to another bone counts as that one's child, as in Rigify's rigs.
    Raises NotADancer for an object that is no armature, or is not equally large in x, y and z.
    """
    if not isinstance(thing.data, bpy.types.Armature):
        raise NotADancer(f"{thing.name}: an armature expected, found a {thing.type.lower()}")
    place, turn, scale = _world(thing)
    bones = list(thing.data.bones)
    index = {bone.name: b for b, bone in enumerate(bones)}
    parents = [_followed(thing, bone, index) for bone in bones]
    try:
        order = in_order(parents)
    except ValueError:  # constraints that tie bones in a circle
        parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
        order = in_order(parents)
    rank = {b: n for n, b in enumerate(order)}
    leaves = [b for b in order if not bones[b].children]
    heads = np.array([bones[b].head_local for b in order] + [bones[b].tail_local for b in leaves])
    turned = rotations.from_matrix(np.array([bones[b].matrix_local.to_3x3() for b in [*order, *leaves]]))
    return Rig(
        names=(*(bones[b].name for b in order), *(f"{bones[b].name} end site" for b in leaves)),
        parents=(*(rank[parents[b]] if parents[b] >= 0 else -1 for b in order), *(rank[b] for b in leaves)),
        heads=place + scale * rotations.rotate(turn, heads),
        turned=rotations.multiply(turn, turned),
        inherits=(*(bones[b].use_inherit_rotation for b in order), *(True for _ in leaves)),
        bones=len(bones),
        scale=scale,
        turn=turn,
        unaligned=frozenset(n for n, b in enumerate(order) if not bones[b].use_local_location),
    )


def _followed(thing: bpy.types.Object, bone: bpy.types.Bone, index: dict[str, int]) -> int:
    """The bone with which `bone` moves: the one a constraint ties it to, or its parent; -1 without either."""
    posed = thing.pose.bones[bone.name] if thing.pose else None
    for constraint in reversed(posed.constraints) if posed else ():
        if constraint.mute or constraint.influence < 1.0:
            continue
        if isinstance(constraint, bpy.types.CopyTransformsConstraint) and constraint.target == thing:
            return index.get(constraint.subtarget, -1)
        if isinstance(constraint, bpy.types.ArmatureConstraint):
            tied = max(constraint.targets, key=lambda target: target.weight, default=None)
            if tied is not None and tied.target == thing and tied.subtarget in index:
                return index[tied.subtarget]
    return index[bone.parent.name] if bone.parent else -1


@contextmanager
def undisturbed(context: bpy.types.Context) -> Iterator[None]:
    """Give back the selection, the active object and the mode as they were."""
    layer = layer_of(context)
    active, selected = layer.objects.active, list(context.selected_objects)
    mode = active.mode if active else "OBJECT"
    try:
        yield
    finally:
        # What was taken off the scene leaves the layer in the first call, and must not be walked over any more.
        layer.update()
        for thing in list(layer.objects):
            thing.select_set(thing in selected)
        layer.objects.active = active
        if active is not None and active.mode != mode:
            bpy.ops.object.mode_set(mode=mode)


def _bones_of(dancer: bpy.types.Object) -> bpy.types.Armature:
    assert isinstance(dancer.data, bpy.types.Armature)
    return dancer.data


def _add_bones(data: bpy.types.Armature, skeleton: Skeleton) -> None:
    heads = skeleton.rest_positions()
    tails = _tails(heads)
    for j, joint in enumerate(JOINTS):
        bone = data.edit_bones.new(joint)
        bone.head, bone.tail = heads[j].tolist(), tails[j].tolist()
        along = rotations.normalize(tails[j] - heads[j])
        bone.align_roll((0.0, 0.0, 1.0) if abs(along[1]) > 0.7 else (0.0, -1.0, 0.0))
        if PARENTS[j] >= 0:
            bone.parent = data.edit_bones[JOINTS[PARENTS[j]]]


def _tails(heads: Array) -> Array:
    """Where each bone ends (29, 3): at its main child; a leaf goes on in its parent's direction, the head upward."""
    tails = np.empty_like(heads)
    for j, joint in enumerate(JOINTS):
        if CHILDREN[j]:
            tails[j] = heads[INDEX[_MAIN_CHILD.get(joint, JOINTS[CHILDREN[j][0]])]]
        else:
            tails[j] = heads[j] + _LEAF * (heads[j] - heads[PARENTS[j]])
        if np.linalg.norm(tails[j] - heads[j]) < _SHORTEST:
            tails[j] = heads[j] + np.array([0.0, 0.0, _SHORTEST])
    return tails


def _rest_heads(dancer: bpy.types.Object) -> Array:
    """The joints in rest (29, 3), in the object's space and units."""
    bones = _bones_of(dancer).bones
    return np.array([bones[joint].head_local for joint in JOINTS])


def _rest_rotations(dancer: bpy.types.Object) -> Array:
    """The bones' rest rotations (29, 4) in the object's space."""
    bones = _bones_of(dancer).bones
    return rotations.from_matrix(np.array([bones[joint].matrix_local.to_3x3() for joint in JOINTS]))


def _offsets(heads: Array) -> Array:
    offsets = heads - heads[list(PARENTS)]
    offsets[0] = heads[0]
    return offsets


def _world(dancer: bpy.types.Object) -> tuple[Array, Array, float]:
    """The object's place (3,) m, turn (4,) and scale in the world."""
    matrix = np.array(dancer.matrix_world)
    scale = _uniform_scale(dancer, matrix)
    return matrix[:3, 3], rotations.from_matrix(matrix[:3, :3] / scale), scale


def _uniform_scale(dancer: bpy.types.Object, matrix: Array) -> float:
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    if np.linalg.det(matrix[:3, :3]) <= 0.0 or np.ptp(lengths) > 1e-3 * lengths.max():
        raise NotADancer(f"{dancer.name}: the same scale in x, y and z expected, apply the object's scale first")
    return float(lengths.mean())
