"""An armature's movement in the world: worked out from its F-curves where nothing else moves it, else looked at.

A fast way for the many rigs that only their own keys move, and Blender's own evaluation, frame by frame, for others.
Both know as nodes the armature's bones in its own order and after them the tail of each bone without children.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import bpy
import mathutils
import numpy as np

from rigs import Array, rotations
from rigs.retargeting import rotation_modes

from ..context_access import scene_of
from . import fcurves

_SAME_SIZE = 5e-5  # a bone whose scale is nearer to one than this has its rest size
_EVEN = 1e-4  # an object whose sides' scales differ by less is scaled evenly


@dataclass(frozen=True)
class Movement:
    """A movement of N nodes over F frames, in the world.

    names: the nodes': the bones', then for each bone without children "<bone> end site".
    world: (N, F, 4) rotations of the bones as they are posed, not from their rest; an end site has its bone's.
    places: (N, F, 3) m, where the bones' heads and the end sites are.
    """

    names: tuple[str, ...]
    world: Array
    places: Array

    def of(self, names: Sequence[str]) -> "Movement":
        """The movement of these nodes, in this order."""
        index = {name: node for node, name in enumerate(self.names)}
        nodes = [index[name] for name in names]
        return Movement(tuple(names), self.world[nodes], self.places[nodes])


def movement_of(context: bpy.types.Context, armature: bpy.types.Object, frames: range) -> Movement:
    """Read how the armature moves in the scene, with constraints, drivers, strips and the object's own place."""
    if (channels := _plain_channels(armature, frames)) is not None:
        return _posed(armature, channels)
    return _looked_at(context, armature, frames)


@dataclass(frozen=True)
class _Channels:
    """What B bones and, last, their object do over F frames, each in its parent's space."""

    places: Array  # (B + 1, F, 3)
    turns: Array  # (B + 1, F, 4)
    scale: Array  # (F,), the object's


def _plain_channels(armature: bpy.types.Object, frames: range) -> _Channels | None:
    """All that moves the armature; None where something other than curves of its own action may do so."""
    if _moved_by_others(armature):
        return None
    values = _settings(armature, len(frames))
    if not _fill_in(values, _owners(armature), fcurves.curves_of(armature), frames):
        return None
    sizes, scale = values["scale"][:-1], values["scale"][-1]
    if np.abs(sizes - 1.0).max(initial=0.0) > _SAME_SIZE:
        return None
    if scale.min() <= 0.0 or np.ptp(scale, axis=-1).max() > _EVEN * scale.max():
        return None
    return _Channels(values["location"], _turns(armature, values), scale.mean(axis=-1))


def _moved_by_others(armature: bpy.types.Object) -> bool:
    assert isinstance(armature.data, bpy.types.Armature)
    assert armature.pose is not None
    animation, bones_animation = armature.animation_data, armature.data.animation_data
    return bool(
        armature.parent
        or armature.constraints
        or armature.data.pose_position == "REST"
        or (bones_animation and (bones_animation.action or bones_animation.drivers or bones_animation.nla_tracks))
        or (animation and (animation.drivers or animation.nla_tracks or animation.use_tweak_mode))
        or any(bone.constraints for bone in armature.pose.bones)
        or _has_deltas(armature)
    )


def _has_deltas(armature: bpy.types.Object) -> bool:
    """Whether the object has a second place, turn or size on top of its own."""
    turns = armature.delta_rotation_euler.to_quaternion(), armature.delta_rotation_quaternion
    bigger = armature.delta_scale - mathutils.Vector((1.0, 1.0, 1.0))
    return bool(armature.delta_location.length or bigger.length or any(turn.angle for turn in turns))


def _owners(armature: bpy.types.Object) -> dict[str, int]:
    """The row of each bone, and last of the object, by what stands before the property in a curve's data path."""
    assert isinstance(armature.data, bpy.types.Armature)
    names = [bpy.utils.escape_identifier(bone.name) for bone in armature.data.bones]
    return {f'pose.bones["{name}"]': row for row, name in enumerate(names)} | {"": len(names)}


_WIDTHS = {"location": 3, "scale": 3, **rotation_modes.WIDTHS}


def _settings(armature: bpy.types.Object, frames: int) -> dict[str, Array]:
    """What bones and object are set to where no curve moves them: (B + 1, F, n) for each property."""
    assert armature.pose is not None
    posed = _posed_order(armature)
    values = {}
    for name, width in _WIDTHS.items():
        bones = np.empty((len(posed), width), np.float32)
        armature.pose.bones.foreach_get(name, bones.ravel())
        rows = np.concatenate([bones[posed], np.array(getattr(armature, name), np.float32)[None]])
        values[name] = np.repeat(rows[:, None], frames, axis=1)
    return values


def _posed_order(armature: bpy.types.Object) -> list[int]:
    """For each bone of the armature its place among the pose's bones, which can have another order."""
    assert isinstance(armature.data, bpy.types.Armature)
    assert armature.pose is not None
    places = {bone.name: place for place, bone in enumerate(armature.pose.bones)}
    return [places[bone.name] for bone in armature.data.bones]


def _fill_in(values: dict[str, Array], owners: dict[str, int], curves: list[bpy.types.FCurve], frames: range) -> bool:
    """Put the curves' values into `values`; False where a curve moves what `values` does not know."""
    moving = []
    for curve in curves:
        before, _, name = curve.data_path.rpartition(".")
        if name.startswith("delta_") or name == "rotation_mode":
            return False
        if name in values and before in owners and fcurves.is_heard(curve):
            moving.append((curve, values[name][owners[before], :, curve.array_index]))
    for (_, place), sampled in zip(moving, fcurves.sample([curve for curve, _ in moving], frames), strict=True):
        place[:] = sampled
    return True


def _turns(armature: bpy.types.Object, values: dict[str, Array]) -> Array:
    """The rotations (B + 1, F, 4) in whichever form each bone and the object keep theirs."""
    assert armature.pose is not None
    posed = armature.pose.bones
    modes = [*(posed[place].rotation_mode for place in _posed_order(armature)), armature.rotation_mode]
    turns = np.empty(values["rotation_quaternion"].shape)
    for mode in set(modes):
        rows = [row for row, of_row in enumerate(modes) if of_row == mode]
        turns[rows] = rotation_modes.to_quaternions(values[rotation_modes.property_of(mode)][rows], mode)
    return turns


def _posed(armature: bpy.types.Object, channels: _Channels) -> Movement:
    """Where the channels bring every node, by forward kinematics, all bones of one generation at once."""
    assert isinstance(armature.data, bpy.types.Armature)
    bones = list(armature.data.bones)
    count, scale = len(bones), channels.scale[:, None]
    rows = {bone.name: row for row, bone in enumerate(bones)}
    parents = np.array([rows[bone.parent.name] if bone.parent else count for bone in bones])
    rest = _rest(armature)
    turned, stepped = _from_parents(armature, channels, rest, parents)
    stepped *= scale
    places = np.empty((count + 1, *channels.places.shape[1:]))
    world = np.empty((count + 1, *channels.turns.shape[1:]))
    places[count], world[count] = channels.places[count], channels.turns[count]
    aloof = np.array([bone.parent is not None and not bone.use_inherit_rotation for bone in bones])
    for row in _generations(parents):
        above = parents[row]
        before = world[above]
        places[row] = places[above] + rotations.rotate(before, stepped[row])
        before[aloof[row]] = rotations.multiply(world[count], rest[above[aloof[row]], None])
        world[row] = rotations.multiply(before, turned[row])
    return _with_tails(armature, world[:-1], places[:-1], scale)


def _rest(armature: bpy.types.Object) -> Array:
    """The rest rotations (B + 1, 4) in the object's space; the object's own, last, is none."""
    assert isinstance(armature.data, bpy.types.Armature)
    matrices = np.array([np.array(bone.matrix_local)[:3, :3] for bone in armature.data.bones])
    return np.concatenate([rotations.from_matrix(matrices), rotations.IDENTITY[None]])


def _from_parents(armature: bpy.types.Object, channels: _Channels, rest: Array, parents: Array) -> tuple[Array, Array]:
    """Each bone's rotation (B, F, 4) and the place of its head (B, F, 3) as its parent bone sees them."""
    assert isinstance(armature.data, bpy.types.Armature)
    bones = list(armature.data.bones)
    heads = np.array([bone.head_local for bone in bones] + [[0.0, 0.0, 0.0]])
    back = rotations.inverse(rest[parents])
    at_rest = rotations.multiply(back, rest[:-1])
    steps = rotations.rotate(back, heads[:-1] - heads[parents])
    local = np.array([bone.use_local_location for bone in bones])
    free = np.array([not (bone.parent and bone.use_connect) for bone in bones])
    by = np.where(local[:, None], at_rest, rotations.IDENTITY)
    moved = rotations.rotate(by[:, None], channels.places[:-1] * free[:, None, None])
    return rotations.multiply(at_rest[:, None], channels.turns[:-1]), steps[:, None] + moved


def _generations(parents: Array) -> Iterator[Array]:
    """The rows of the bones without a parent, then of their children, and so on."""
    row = np.flatnonzero(parents == len(parents))
    while len(row):
        yield row
        row = np.flatnonzero(np.isin(parents, row))


def _looked_at(context: bpy.types.Context, armature: bpy.types.Object, frames: range) -> Movement:
    """Where Blender's evaluation shows every node, frame by frame; the scene's current frame is given back."""
    assert isinstance(armature.data, bpy.types.Armature)
    posed, placed = _evaluated_matrices(context, armature, frames)
    order = _posed_order(armature)
    matrices = placed @ posed[:, order].transpose(1, 0, 3, 2)  # Blender lays matrices out by columns
    lengths = np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)
    world = rotations.from_matrix(matrices[..., :3, :3] / lengths)
    return _with_tails(armature, world, matrices[..., :3, 3], lengths[..., 0, 1:2])


def _with_tails(armature: bpy.types.Object, world: Array, heads: Array, scale: Array) -> Movement:
    """The movement of bones (B, F, 4), (B, F, 3) that are `scale` (B or 1, F, 1) times their length."""
    assert isinstance(armature.data, bpy.types.Armature)
    bones = list(armature.data.bones)
    leaves = [row for row, bone in enumerate(bones) if not bone.children]
    along = np.array([[0.0, bone.length, 0.0] for bone in bones])[:, None] * scale
    tails = heads[leaves] + rotations.rotate(world[leaves], along[leaves])
    names = (*(bone.name for bone in bones), *(f"{bones[row].name} end site" for row in leaves))
    return Movement(names, np.concatenate([world, world[leaves]]), np.concatenate([heads, tails]))


def _evaluated_matrices(context: bpy.types.Context, armature: bpy.types.Object, frames: range) -> tuple[Array, Array]:
    """The matrices (F, B, 4, 4) of the pose's bones in the object, by columns, and (F, 4, 4) of the object, by rows."""
    scene = scene_of(context)
    assert armature.pose is not None
    posed = np.empty((len(frames), len(armature.pose.bones), 4, 4), np.float32)
    placed = np.empty((len(frames), 4, 4))
    shown = scene.frame_current, scene.frame_subframe
    try:
        for f, frame in enumerate(frames):
            scene.frame_set(frame)
            evaluated = armature.evaluated_get(context.evaluated_depsgraph_get())
            assert evaluated.pose is not None
            evaluated.pose.bones.foreach_get("matrix", posed[f].ravel())
            placed[f] = evaluated.matrix_world
    finally:
        scene.frame_set(shown[0], subframe=shown[1])
    return posed, placed
