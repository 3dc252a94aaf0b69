"""Sample an armature's pose in world space: by numpy forward kinematics from its F-curves, else from the depsgraph.

Rigs that only their own action moves take the fast way; with constraints, drivers, NLA strips or a parent, Blender
evaluates the pose frame by frame. Both sample the armature's bones in their order, then the tail of each leaf bone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import mathutils
import numpy as np

from rigs import Array, rotations
from rigs.retargeting import rotation_modes

from ...context_access import active_scene, armature_data
from ..control_bones import idle_constraints
from ..keys import fcurves, nla
from . import evaluation

_SCALE_TOLERANCE = 5e-5  # bone scales nearer to one than this are no scale
_UNIFORM_TOLERANCE = 1e-4  # an object whose axes' scales differ by less is scaled uniformly


@dataclass(frozen=True)
class SampledPose:
    """The world-space pose of N nodes over F frames.

    names: the bones' names, then "<bone> end site" for the tail of each leaf bone.
    world: (N, F, 4) rotations of the posed bones, not relative to rest; an end site has its bone's.
    positions: (N, F, 3) m, the bones' heads and the end sites.
    """

    names: tuple[str, ...]
    world: Array
    positions: Array

    def select(self, names: Sequence[str]) -> "SampledPose":
        """The pose of these nodes, in this order."""
        index = {name: node for node, name in enumerate(self.names)}
        nodes = [index[name] for name in names]
        return SampledPose(tuple(names), self.world[nodes], self.positions[nodes])


def sample_pose(context: bpy.types.Context, armature: bpy.types.Object, frames: range) -> SampledPose:
    """Sample the armature as the scene shows it, with constraints, drivers, NLA strips and its object transform.

    One that is hidden is sampled as it would show. Raises NotEvaluated for one that Blender does not pose now.
    """
    if (transforms := _transforms_from_fcurves(armature, frames)) is not None:
        return _forward_kinematics(armature, transforms)
    return _evaluated_pose(context, armature, frames)


@dataclass(frozen=True)
class _LocalTransforms:
    """Transforms of B bones and, last, of their object over F frames, each in its parent's space."""

    locations: Array  # (B + 1, F, 3)
    rotations: Array  # (B + 1, F, 4)
    scale: Array  # (F,), of the object


def _transforms_from_fcurves(armature: bpy.types.Object, frames: range) -> _LocalTransforms | None:
    """The transforms by the armature's F-curves; None where anything else may move it."""
    if _is_moved_by_others(armature):
        return None
    values = _current_values(armature, len(frames))
    if not _sample_into(values, _rows_by_path(armature), fcurves.action_fcurves(armature), frames):
        return None
    bone_scales, scale = values["scale"][:-1], values["scale"][-1]
    if np.abs(bone_scales - 1.0).max(initial=0.0) > _SCALE_TOLERANCE:
        return None
    if scale.min() <= 0.0 or np.ptp(scale, axis=-1).max() > _UNIFORM_TOLERANCE * scale.max():
        return None
    return _LocalTransforms(values["location"], _quaternions(armature, values), scale.mean(axis=-1))


def _is_moved_by_others(armature: bpy.types.Object) -> bool:
    """Whether a parent, constraint, driver, NLA strip or animated armature data moves the bones."""
    assert armature.pose is not None
    data = armature_data(armature)
    animation, data_animation = armature.animation_data, data.animation_data
    has_strips = animation and (any(True for _ in nla.played_strips(armature)) or _is_blended(animation))
    idle = idle_constraints(armature)
    constraints = (constraint.path_from_id() for bone in armature.pose.bones for constraint in bone.constraints)
    drivers = (driver.data_path.removesuffix(".influence") for driver in animation.drivers) if animation else ()
    return bool(
        armature.parent
        or armature.constraints
        or data.pose_position == "REST"
        or (data_animation and (data_animation.action or data_animation.drivers or data_animation.nla_tracks))
        or (animation and (has_strips or animation.use_tweak_mode))
        or any(path not in idle for path in (*constraints, *drivers))
        or _has_delta_transform(armature)
    )


def _is_blended(animation: bpy.types.AnimData) -> bool:
    """Whether NLA tracks let the assigned action play by a share, or not at all."""
    if not animation.nla_tracks:
        return False
    share = animation.action_influence < 1.0 or animation.action_blend_type != "REPLACE"
    return nla.has_solo_track(animation) or share or animation.action_extrapolation != "HOLD"


def _has_delta_transform(armature: bpy.types.Object) -> bool:
    """Whether the object's delta location, rotation or scale is not the identity."""
    delta_rotations = armature.delta_rotation_euler.to_quaternion(), armature.delta_rotation_quaternion
    delta_scale = armature.delta_scale - mathutils.Vector((1.0, 1.0, 1.0))
    return bool(
        armature.delta_location.length or delta_scale.length or any(rotation.angle for rotation in delta_rotations)
    )


def _rows_by_path(armature: bpy.types.Object) -> dict[str, int]:
    """The row of each bone and, last, of the object, by the data path of the property's owner."""
    names = [bpy.utils.escape_identifier(bone.name) for bone in armature_data(armature).bones]
    return {f'pose.bones["{name}"]': row for row, name in enumerate(names)} | {"": len(names)}


_WIDTHS = {"location": 3, "scale": 3, **rotation_modes.PROPERTY_WIDTHS}


def _current_values(armature: bpy.types.Object, frames: int) -> dict[str, Array]:
    """The current transform properties of bones and object, which hold where no F-curve is: (B + 1, F, n) each."""
    assert armature.pose is not None
    pose_order = _pose_bone_order(armature)
    values = {}
    for name, width in _WIDTHS.items():
        bones = np.empty((len(pose_order), width), np.float32)
        armature.pose.bones.foreach_get(name, bones.ravel())
        rows = np.concatenate([bones[pose_order], np.array(getattr(armature, name), np.float32)[None]])
        values[name] = np.repeat(rows[:, None], frames, axis=1)
    return values


def _pose_bone_order(armature: bpy.types.Object) -> list[int]:
    """The index of each of the armature's bones among the pose bones, whose order can differ."""
    assert armature.pose is not None
    index = {bone.name: n for n, bone in enumerate(armature.pose.bones)}
    return [index[bone.name] for bone in armature_data(armature).bones]


def _sample_into(values: dict[str, Array], rows: dict[str, int], curves: list[bpy.types.FCurve], frames: range) -> bool:
    """Sample the F-curves into `values`; False where one animates a delta transform or a rotation mode."""
    sampled = []
    for curve in curves:
        owner, _, name = curve.data_path.rpartition(".")
        if name.startswith("delta_") or name == "rotation_mode":
            return False
        if name in values and owner in rows and fcurves.is_evaluated(curve):
            sampled.append((curve, values[name][rows[owner], :, curve.array_index]))
    samples = fcurves.sample_fcurves([curve for curve, _ in sampled], frames)
    for (_, column), sample in zip(sampled, samples, strict=True):
        column[:] = sample
    return True


def _quaternions(armature: bpy.types.Object, values: dict[str, Array]) -> Array:
    """The rotations (B + 1, F, 4) as quaternions, from each bone's and the object's rotation mode."""
    assert armature.pose is not None
    bones = armature.pose.bones
    modes = [*(bones[n].rotation_mode for n in _pose_bone_order(armature)), armature.rotation_mode]
    quaternions = np.empty(values["rotation_quaternion"].shape)
    for mode in set(modes):
        rows = [row for row, row_mode in enumerate(modes) if row_mode == mode]
        quaternions[rows] = rotation_modes.to_quaternions(values[rotation_modes.rotation_property(mode)][rows], mode)
    return quaternions


def _forward_kinematics(armature: bpy.types.Object, transforms: _LocalTransforms) -> SampledPose:
    """The world-space pose by forward kinematics, one generation of bones at a time."""
    bones = list(armature_data(armature).bones)
    count, scale = len(bones), transforms.scale[:, None]
    rows = {bone.name: row for row, bone in enumerate(bones)}
    parents = np.array([rows[bone.parent.name] if bone.parent else count for bone in bones])
    rest = _rest_rotations(armature)
    local_rotations, local_heads = _parent_space(armature, transforms, rest, parents)
    local_heads *= scale
    positions = np.empty((count + 1, *transforms.locations.shape[1:]))
    world = np.empty((count + 1, *transforms.rotations.shape[1:]))
    positions[count], world[count] = transforms.locations[count], transforms.rotations[count]
    not_inheriting = np.array([bone.parent is not None and not bone.use_inherit_rotation for bone in bones])
    for row in _generations(parents):
        parent = parents[row]
        parent_world = world[parent]
        positions[row] = positions[parent] + rotations.rotate(parent_world, local_heads[row])
        free = not_inheriting[row]
        parent_world[free] = rotations.multiply(world[count], rest[parent[free], None])
        world[row] = rotations.multiply(parent_world, local_rotations[row])
    return _with_tails(armature, world[:-1], positions[:-1], scale)


def _rest_rotations(armature: bpy.types.Object) -> Array:
    """The bones' rest rotations (B + 1, 4) in object space; the object's own, last, is the identity."""
    matrices = np.array([np.array(bone.matrix_local)[:3, :3] for bone in armature_data(armature).bones])
    return np.concatenate([rotations.from_matrix(matrices), rotations.IDENTITY[None]])


def _parent_space(
    armature: bpy.types.Object, transforms: _LocalTransforms, rest: Array, parents: Array
) -> tuple[Array, Array]:
    """Each bone's posed rotation (B, F, 4) and head (B, F, 3) in the space of its parent bone."""
    bones = list(armature_data(armature).bones)
    heads = np.array([bone.head_local for bone in bones] + [[0.0, 0.0, 0.0]])
    to_parent = rotations.inverse(rest[parents])
    rest_local = rotations.multiply(to_parent, rest[:-1])
    offsets = rotations.rotate(to_parent, heads[:-1] - heads[parents])
    uses_local_location = np.array([bone.use_local_location for bone in bones])
    is_unconnected = np.array([not (bone.parent and bone.use_connect) for bone in bones])
    axes = np.where(uses_local_location[:, None], rest_local, rotations.IDENTITY)
    shift = rotations.rotate(axes[:, None], transforms.locations[:-1] * is_unconnected[:, None, None])
    return rotations.multiply(rest_local[:, None], transforms.rotations[:-1]), offsets[:, None] + shift


def _generations(parents: Array) -> Iterator[Array]:
    """The rows of the bones without a parent, then of their children, and so on."""
    row = np.flatnonzero(parents == len(parents))
    while len(row):
        yield row
        row = np.flatnonzero(np.isin(parents, row))


def _evaluated_pose(context: bpy.types.Context, armature: bpy.types.Object, frames: range) -> SampledPose:
    """The world-space pose by Blender's depsgraph, frame by frame; the scene's current frame is restored."""
    evaluation.require_pose(armature)
    pose_matrices, object_matrices = evaluated_matrices(context, armature, frames)
    order = _pose_bone_order(armature)
    matrices = object_matrices @ pose_matrices[:, order].transpose(1, 0, 3, 2)  # Blender's are column-major
    lengths = np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)
    world = rotations.from_matrix(matrices[..., :3, :3] / lengths)
    return _with_tails(armature, world, matrices[..., :3, 3], lengths[..., 0, 1:2])


def _set_time(scene: bpy.types.Scene, frame: int) -> None:
    """Set the scene to where the keys of this frame play, which Time Stretching moves."""
    time = frame * scene.render.frame_map_new / scene.render.frame_map_old
    scene.frame_set(int(np.floor(time)), subframe=float(time - np.floor(time)))


def _with_tails(armature: bpy.types.Object, world: Array, heads: Array, scale: Array) -> SampledPose:
    """Add the leaf bones' tails to bones (B, F, 4), (B, F, 3) that are `scale` (B or 1, F, 1) times their length."""
    bones = list(armature_data(armature).bones)
    leaves = [row for row, bone in enumerate(bones) if not bone.children]
    vectors = np.array([[0.0, bone.length, 0.0] for bone in bones])[:, None] * scale
    tails = heads[leaves] + rotations.rotate(world[leaves], vectors[leaves])
    names = (*(bone.name for bone in bones), *(f"{bones[row].name} end site" for row in leaves))
    return SampledPose(names, np.concatenate([world, world[leaves]]), np.concatenate([heads, tails]))


def evaluated_matrices(
    context: bpy.types.Context, armature: bpy.types.Object, frames: Sequence[int]
) -> tuple[Array, Array]:
    """The pose bones' matrices (F, B, 4, 4) in object space, column-major, and the object's (F, 4, 4), row-major."""
    scene = active_scene(context)
    assert armature.pose is not None
    pose_matrices = np.empty((len(frames), len(armature.pose.bones), 4, 4), np.float32)
    object_matrices = np.empty((len(frames), 4, 4))
    current = scene.frame_current, scene.frame_subframe
    with evaluation.evaluate_hidden(context, [armature]):
        try:
            for f, frame in enumerate(frames):
                _set_time(scene, frame)
                evaluated = armature.evaluated_get(context.evaluated_depsgraph_get())
                assert evaluated.pose is not None
                evaluated.pose.bones.foreach_get("matrix", pose_matrices[f].ravel())
                object_matrices[f] = evaluated.matrix_world
        finally:
            scene.frame_set(current[0], subframe=current[1])
    return pose_matrices, object_matrices
