"""Dancers as armatures of 29 bones named as the joints: created from a skeleton, keyed from a Motion, sampled to one.

A joint's rotation q is relative to its parent and is the identity in the T-pose, while a bone has a rest rotation R of
its own; so a pose bone's rotation is R^-1 q R, and the pelvis's location is R^-1 (root - rest). `read_rig` reads the
rest pose of any other armature.
"""

from collections.abc import Callable
from dataclasses import replace

import bpy
import numpy as np

from rigs import Array, kinematics, rotations
from rigs.bone_mapping.bone_hierarchy import topological_order
from rigs.characters.rig import Rig
from rigs.motion import Motion
from rigs.retargeting.key_reduction import KeyedCurve, PoseKeys, Tolerance
from rigs.retargeting.pose_reduction import KeyedMotion
from rigs.skeleton import JOINTS, PARENTS, Skeleton

from ..background_job import OperatorError
from ..context_access import active_scene, active_view_layer, armature_data, frame_rate
from .control_bones import CONTROL_BONES, control_channels, has_controls
from .joint_bones import build_bones
from .keys import keyframes
from .keys.channels import Channel, transform_channels
from .sampling.pose_sampling import sample_pose

_UNEVEN_SCALE = 1e-3  # relative difference between the axes' scales above which a body is distorted


_LENGTH_TOLERANCE = 1e-3  # m by which equally long bones may differ


class NotADancer(ValueError):
    """An object that is no armature with a dancer's bones; the text is one sentence."""


def create_armature(
    context: bpy.types.Context, name: str, skeleton: Skeleton, *, metres: float = 1.0
) -> bpy.types.Object:
    """Create an armature of the skeleton in its T-pose at the origin, facing -Y.

    metres: the metres in one Blender unit. Selection, active object and mode stay as they are.
    """
    armature = bpy.data.objects.new(name, bpy.data.armatures.new(name))
    build_bones(context, armature, skeleton.scale(1.0 / metres))
    _visible_collection(context).objects.link(armature)
    armature_data(armature).display_type = "STICK"
    armature.show_in_front = True
    active_view_layer(context).update()
    return armature


def _visible_collection(context: bpy.types.Context) -> bpy.types.Collection:
    """The active collection, or the scene's own if that one is hidden or linked: objects in it would not show."""
    layer = active_view_layer(context).active_layer_collection
    if layer is not None and layer.is_visible and layer.collection.library is None:
        return layer.collection
    return active_scene(context).collection


def is_dancer(obj: bpy.types.Object | None) -> bool:
    """Whether the object is an armature with a bone for each of the 29 joints."""
    if obj is None or not isinstance(obj.data, bpy.types.Armature):
        return False
    return all(joint in obj.data.bones for joint in JOINTS)


def require_dancer(obj: bpy.types.Object) -> None:
    """Raise ValueError, with what is missing, unless `is_dancer`."""
    bones = armature_data(obj).bones
    missing = [joint for joint in JOINTS if joint not in bones]
    if missing:
        raise NotADancer(
            f"{obj.name}: bones named as the 29 joints expected, {len(missing)} not found, the first is {missing[0]}"
        )


def has_skeleton(dancer: bpy.types.Object, skeleton: Skeleton, *, metres: float = 1.0) -> bool:
    """Whether an armature of the 29 joints has the skeleton's bone lengths.

    metres: the metres in one Blender unit. Raises ValueError for an object that is scaled non-uniformly.
    """
    heads = _rest_heads(dancer) * _object_transform(dancer, metres)[2]
    lengths, expected = (np.linalg.norm(offsets[1:], axis=-1) for offsets in (_offsets(heads), skeleton.offsets))
    return np.allclose(lengths, expected, atol=_LENGTH_TOLERANCE)


def require_local(data_block: bpy.types.ID) -> None:
    """Raise OperatorError for an object or armature that is linked from another file and so cannot be edited."""
    if data_block.library is not None:
        raise OperatorError(f"{data_block.name} is linked from another file: make it local, or a library override")


def create_motion_action(
    dancer: bpy.types.Object, motion: Motion | KeyedMotion, name: str, first: int, *, metres: float = 1.0
) -> bpy.types.Action:
    """Create an action that plays the motion in world space from frame `first`; it is not assigned.

    The dancer keeps its own bone lengths and object transform; see `motion_channels`. Raises ValueError.
    """
    return keyframes.create_action(dancer, name, motion_channels(dancer, motion, metres=metres), first)


def motion_channels(dancer: bpy.types.Object, keyed: Motion | KeyedMotion, *, metres: float = 1.0) -> list[Channel]:
    """The channels with which the dancer plays a motion in world space, its controls too, with a `KeyedMotion`'s keys.

    metres: the metres in one Blender unit. With bones in other rotation modes than quaternions, every frame is keyed.
    Raises ValueError.
    """
    require_dancer(dancer)
    assert dancer.pose is not None
    if isinstance(keyed, KeyedMotion) and any(dancer.pose.bones[j].rotation_mode != "QUATERNION" for j in JOINTS):
        keyed = keyed.motion
    keys: PoseKeys = keyed.keys if isinstance(keyed, KeyedMotion) else {}
    motion, played = (keyed.motion, keyed.played) if isinstance(keyed, KeyedMotion) else (keyed, keyed)
    location, rotation, scale = _object_transform(dancer, metres)
    rest = _rest_rotations(dancer)
    to_bone = rotations.inverse(rest)
    to_bone[0] = rotations.multiply(to_bone[0], rotations.inverse(rotation))

    def pelvis_location(root: Array) -> Array:
        head = rotations.rotate(rotations.inverse(rest[0]), _rest_heads(dancer)[0])
        return rotations.rotate(to_bone[0], root - location) / scale - head

    def pose_rotation(j: int, local: Array) -> Array:
        return rotations.multiply(rotations.multiply(to_bone[j], local), rest[j])

    control_tolerance = None
    if isinstance(keyed, KeyedMotion):
        # The joints' own errors come on top of the controls'.
        control_tolerance = Tolerance(keyed.tolerance.angle / 2.0, keyed.tolerance.distance / 2.0 / scale)
    # Both are affine in what they are given, so they map the slopes of reduced keys, too.
    start = motion.skeleton.rest_positions()[0]
    channels: list[Channel] = []
    for j, joint in enumerate(JOINTS):
        rotation_keys, location_keys = keys.get(joint, (None, None))
        reduced = (
            _map_curve(rotation_keys, lambda local, j=j: pose_rotation(j, local)),  # type: ignore[misc]
            _map_curve(location_keys, lambda shift: pelvis_location(start + shift)),
        )
        values, root = pose_rotation(j, motion.rotations[:, j]), pelvis_location(motion.root) if j == 0 else None
        channels += transform_channels(dancer.pose.bones[joint], values, root, reduced)
    return channels + control_channels(dancer, *object_space(dancer, played, metres), control_tolerance)


def object_space(dancer: bpy.types.Object, motion: Motion, metres: float = 1.0) -> tuple[Array, Array]:
    """A motion's root (F, 3) and joint rotations (F, 29, 4) in the dancer's object space and units."""
    location, rotation, scale = _object_transform(dancer, metres)
    local = motion.rotations.copy()
    local[:, 0] = rotations.multiply(rotations.inverse(rotation), local[:, 0])
    return rotations.rotate(rotations.inverse(rotation), motion.root - location) / scale, local


def _map_curve(curve: KeyedCurve | None, function: Callable[[Array], Array]) -> KeyedCurve | None:
    """The curve with an affine function applied to its values."""
    if curve is None:
        return None
    values = function(curve.values)
    return replace(curve, values=values, slopes=function(curve.values + curve.slopes) - values)


def sample_motion(
    context: bpy.types.Context, dancer: bpy.types.Object, frames: range, *, metres: float = 1.0
) -> Motion:
    """Sample the dancer's evaluated pose, with constraints, edits and object transform, to a Motion.

    metres: the metres in one Blender unit. The motion has the scene's frame rate and the dancer's bone offsets at the
    object's scale. Raises ValueError.
    """
    require_dancer(dancer)
    pose = sample_pose(context, dancer, frames).select(JOINTS)
    world = rotations.multiply(pose.world, rotations.inverse(_rest_rotations(dancer))[:, None])
    skeleton = Skeleton(_offsets(_rest_heads(dancer) * _object_transform(dancer, metres)[2]))
    return Motion(
        frame_rate(active_scene(context)),
        skeleton,
        pose.positions[0] * metres,
        np.ascontiguousarray(kinematics.local_rotations(world.swapaxes(0, 1))),
    )


def read_rig(obj: bpy.types.Object, *, metres: float = 1.0) -> Rig:
    """Read an armature's rest pose in world space, with its object's current transform.

    metres: the metres in one Blender unit. A bone that a constraint binds to another bone with full influence counts as
    that bone's child, as in Rigify's rigs; our own controls are left out. Raises ValueError for an object that is no
    armature, has no bones, or is scaled non-uniformly.
    """
    controls = CONTROL_BONES if has_controls(obj) else frozenset()
    bones = [bone for bone in armature_data(obj).bones if bone.name not in controls]
    if not bones:
        raise ValueError(f"{obj.name}: an armature with a dancer's bones expected, one without bones found")
    location, rotation, scale = _object_transform(obj, metres)
    index = {bone.name: b for b, bone in enumerate(bones)}
    parents = [effective_parent(obj, bone, index) for bone in bones]
    try:
        order = topological_order(parents)
    except ValueError:  # constraints that bind bones in a circle
        parents = [index[bone.parent.name] if bone.parent else -1 for bone in bones]
        order = topological_order(parents)
    rank = {b: n for n, b in enumerate(order)}
    leaves = [b for b in order if not bones[b].children]
    heads = np.array([bones[b].head_local for b in order] + [bones[b].tail_local for b in leaves])
    rest = rotations.from_matrix(np.array([bones[b].matrix_local.to_3x3() for b in [*order, *leaves]]))
    return Rig(
        names=(*(bones[b].name for b in order), *(f"{bones[b].name} end site" for b in leaves)),
        parents=(*(rank[parents[b]] if parents[b] >= 0 else -1 for b in order), *(rank[b] for b in leaves)),
        heads=location + scale * rotations.rotate(rotation, heads),
        rest_rotations=rotations.multiply(rotation, rest),
        inherits_rotation=(*(bones[b].use_inherit_rotation for b in order), *(True for _ in leaves)),
        bone_count=len(bones),
        unit_scale=scale,
        object_rotation=rotation,
        object_location=location,
        object_space_locations=frozenset(n for n, b in enumerate(order) if not bones[b].use_local_location),
        connected=frozenset(n for n, b in enumerate(order) if bones[b].parent and bones[b].use_connect),
    )


def effective_parent(obj: bpy.types.Object, bone: bpy.types.Bone, index: dict[str, int]) -> int:
    """The index of the bone that moves `bone`: a binding constraint's target, else the parent; -1 without either."""
    pose_bone = obj.pose.bones[bone.name] if obj.pose else None
    for constraint in reversed(pose_bone.constraints) if pose_bone else ():
        if constraint.mute or constraint.influence < 1.0:
            continue
        if isinstance(constraint, bpy.types.CopyTransformsConstraint) and constraint.target == obj:
            return index.get(constraint.subtarget, -1)
        if isinstance(constraint, bpy.types.ArmatureConstraint):
            target = max(constraint.targets, key=lambda target: target.weight, default=None)
            if target is not None and target.target == obj and target.subtarget in index:
                return index[target.subtarget]
    return index[bone.parent.name] if bone.parent else -1


def _rest_heads(dancer: bpy.types.Object) -> Array:
    """The joints' rest positions (29, 3) in object space and the object's units."""
    bones = armature_data(dancer).bones
    return np.array([bones[joint].head_local for joint in JOINTS])


def _rest_rotations(dancer: bpy.types.Object) -> Array:
    """The bones' rest rotations (29, 4) in object space."""
    bones = armature_data(dancer).bones
    return rotations.from_matrix(np.array([bones[joint].matrix_local.to_3x3() for joint in JOINTS]))


def _offsets(heads: Array) -> Array:
    """Bone offsets (29, 3) from rest positions; the pelvis's is its position."""
    offsets = heads - heads[list(PARENTS)]
    offsets[0] = heads[0]
    return offsets


def _object_transform(obj: bpy.types.Object, metres: float) -> tuple[Array, Array, float]:
    """The object's world location (3,) m, rotation (4,) and uniform scale in m. Raises NotADancer for another scale.

    metres: the metres in one Blender unit.
    """
    matrix = np.array(obj.matrix_world)
    scales = np.linalg.norm(matrix[:3, :3], axis=0)
    if np.linalg.det(matrix[:3, :3]) <= 0.0 or np.ptp(scales) > _UNEVEN_SCALE * scales.max():
        raise NotADancer(_uneven_scale(obj))
    scale = float(scales.mean())
    return matrix[:3, 3] * metres, rotations.from_matrix(matrix[:3, :3] / scale), scale * metres


def _uneven_scale(obj: bpy.types.Object) -> str:
    """One sentence on the scale that is not the same along x, y and z: the object's own or one of its parents'."""
    scaled: bpy.types.Object | None = obj
    while scaled is not None:
        scales = np.array(scaled.scale)
        if scales.min() <= 0.0 or np.ptp(scales) > _UNEVEN_SCALE * scales.max():
            owner = "it" if scaled == obj else f"its parent {scaled.name}"
            values = ", ".join(f"{value:.3g}" for value in scales)
            return f"{obj.name}: {owner} is scaled by {values}: give its Scale one positive value for X, Y and Z"
        scaled = scaled.parent
    return f"{obj.name}: the same scale in x, y and z expected, its parents or constraints skew it"
