"""Motion of any humanoid rig: its bone map, sampling to a Motion, and keyframes for a retargeted motion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_map import REQUIRED, BoneMap, UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_io import BadMap
from rigs.characters import body_measures, to_motion
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.characters.rig import Rig
from rigs.motion import Motion
from rigs.retargeting import rotation_modes
from rigs.retargeting.bone_transforms import RigMotion, RootMode, bone_transforms
from rigs.retargeting.played_pose import sample_played_pose
from rigs.retargeting.pose_reduction import KeyedMotion, reduce_motion, reduce_pose
from rigs.retargeting.retarget import RetargetOptions

from ..background_job import OperatorError
from ..context_access import active_scene, extend_frame_range, frame_rate, metres_per_unit
from ..properties.bone_map import edited_bone_map
from . import armatures, rigify
from .armatures import NotADancer
from .control_bones import control_channels, joint_pose
from .interfering_transforms import animated_paths, interfering_transforms, is_away, rest_transforms
from .keys import keyframes, nla
from .keys.channels import Channel, Tolerance, rest_channel, transform_channels
from .sampling.pose_sampling import sample_pose
from .sampling.shown_bones import shown_bones

_PERSON = 0.8, 2.6  # m, heights of people


@dataclass(frozen=True)
class KeyingOptions:
    """How a motion is retargeted to a rig and keyed; the properties are documented in `retarget_settings`."""

    retargeting: RetargetOptions = field(default_factory=RetargetOptions)
    root: RootMode = "hips"
    in_place: bool = False
    limbs: rigify.Limbs = "FK"
    tolerance: Tolerance | None = None
    onto: keyframes.KeyframeTarget = "NEW"
    offset: int = 0


@dataclass(frozen=True)
class WrittenMotion:
    """The action of a motion that was keyed.

    rested: bones that were put to rest, as where they were without keys would have added to the motion.
    """

    action: bpy.types.Action
    rested: tuple[str, ...]


def rig_bone_map(obj: bpy.types.Object, rig: Rig | None = None) -> BoneMap:
    """Map the 29 joints to bones, as indices of the nodes of `rig`, else of `armatures.read_rig(obj)`.

    A map edited by hand, for this armature or another with its skeleton, comes before detection. Changes nothing.
    Raises NotADancer if a required joint has no bone, or the bones form no body.
    """
    rig = rig or armatures.read_rig(obj)
    try:
        mapping = edited_bone_map(obj, rig) or map_bones(rig.names, rig.parents, rig.heads)
    except UnmappableRig as error:
        raise NotADancer(f"{obj.name}: {error}") from None
    except BadMap as error:
        raise NotADancer(f"{obj.name}: {error} (Bone Map panel)") from None
    for joint in REQUIRED:
        if joint in mapping.missing:
            raise NotADancer(f"{obj.name}: no bone for {joint}; choose it in the Bone Map panel")
    return mapping


def body_metres(context: bpy.types.Context, obj: bpy.types.Object) -> float:
    """The metres in one Blender unit by which the rig is a person's size. Raises ValueError.

    It is the scene's unit if the rig is that large in it; else the one by which the rig is, without its object's scale,
    in a decimal unit, or at 1.7 m. Dancers who share a world must share one value: the leader's.
    """
    rig = armatures.read_rig(obj)
    height = body_measures.body_height(rig_bone_map(obj, rig).bones, rig.heads[:, None])
    unit = metres_per_unit(active_scene(context))
    decimal = 10.0 ** np.round(np.log10(1.7 / height)) if height > 0.0 else unit
    for metres in (unit, unit / rig.unit_scale, float(decimal)):
        if _PERSON[0] < height * metres < _PERSON[1]:
            return metres
    return 1.7 / height if height > 0.0 else unit


def target_body(target: bpy.types.Object, *, metres: float = 1.0) -> Humanoid:
    """The rig as a humanoid body for retargeting, by its bone map. Raises NotADancer.

    metres: the metres in one Blender unit.
    """
    rig = armatures.read_rig(target, metres=metres)
    return humanoid_from_rig(rig, rig_bone_map(target, rig))


def sample_rig_motion(
    context: bpy.types.Context, source: bpy.types.Object, frames: range, *, metres: float = 1.0
) -> Motion:
    """Sample the evaluated pose of any rig with a dancer's bones to a Motion at the scene's rate. Raises ValueError.

    metres: the metres in one Blender unit, by `body_metres`.
    """
    if armatures.is_dancer(source):
        return armatures.sample_motion(context, source, frames, metres=metres)
    rig = armatures.read_rig(source, metres=metres)
    bones = shown_bones(source, rig, rig_bone_map(source, rig).bones)
    sampled = sample_pose(context, source, frames).select(rig.names)
    world = rotations.multiply(sampled.world, rotations.inverse(rig.rest_rotations)[:, None])
    rate = frame_rate(active_scene(context))
    return to_motion.motion_from_bones(
        rate, bones, world, sampled.positions * metres, rig.heads, object_rotation=rig.object_rotation
    )


def bone_transformer(
    target: bpy.types.Object, body: Humanoid, options: KeyingOptions
) -> Callable[[PosedHumanoid], RigMotion]:
    """A function from a retargeted pose sequence to the target's bone transforms; it does not use bpy.

    With a tolerance it reduces the keys, too.
    """
    use_ik = options.limbs == "IK" and rigify.is_rigify(target)
    reduce = rig_key_reducer(target, body, options.tolerance)

    def transform(pose: PosedHumanoid) -> RigMotion:
        controls = rigify.ik_controls(pose, body) if use_ik else ()
        motion = bone_transforms(pose, body, root=options.root, in_place=options.in_place, controls=controls)
        motion = replace(motion, samples=sample_played_pose(body.rig, motion))
        return reduce(rigify.without_fk_limbs(motion) if use_ik else motion)

    return transform


def rig_key_reducer(
    target: bpy.types.Object, body: Humanoid, tolerance: Tolerance | None
) -> Callable[[RigMotion], RigMotion]:
    """A function that reduces the keys of the target's motions, where there is a tolerance; it does not use bpy."""
    assert target.pose is not None
    modes: dict[str, str] = {bone.name: bone.rotation_mode for bone in target.pose.bones}

    def reduce(motion: RigMotion) -> RigMotion:
        return motion if tolerance is None else replace(motion, keys=reduce_pose(body.rig, motion, modes, tolerance))

    return reduce


def reduce_channels(
    target: bpy.types.Object, channels: Sequence[Channel], tolerance: Tolerance, *, metres: float = 1.0
) -> list[Channel]:
    """Reduce the keys of bones' rotations, and of their locations, so that all stay within the tolerance in the world.

    metres: the metres in one Blender unit. Channels of other properties, and of bones that do not rotate, stay as they
    are.
    """
    assert target.pose is not None
    rig = armatures.read_rig(target, metres=metres)
    owners = {bone.path_from_id(): bone for bone in target.pose.bones if bone.name in rig.names}
    modes: dict[str, str] = {bone.name: bone.rotation_mode for bone in owners.values()}
    motion = RigMotion(1.0, {}, {})
    for channel in channels:
        owner, _, name = channel.path.rpartition(".")
        if owner in owners:
            bone = owners[owner].name
            if name == "location":
                motion.locations[bone] = channel.columns.T
            elif name == rotation_modes.rotation_property(modes[bone]):
                motion.rotations[bone] = rotation_modes.to_quaternions(channel.columns.T, modes[bone])
    if not motion.rotations:
        return list(channels)
    keys = reduce_pose(rig, motion, modes, tolerance)
    reduced = []
    for channel in channels:
        owner, _, name = channel.path.rpartition(".")
        rotation, location = keys.get(owners[owner].name, (None, None)) if owner in owners else (None, None)
        curve = location if name == "location" else None
        if rotation is not None and rotation.mode and name == rotation_modes.rotation_property(rotation.mode):
            # Of the values that are one rotation, those of the channel join what is keyed before and after.
            ends = np.concatenate([rotation.values, rotation.values + rotation.slopes])
            values, ends = np.split(rotation_modes.continue_from(ends, channel.columns[:, 0], rotation.mode), 2)
            curve = replace(rotation, values=values, slopes=ends - values)
        reduced.append(replace(channel, reduced=curve))
    return reduced


def reduce_dancer_keys(motion: Motion, tolerance: Tolerance | None) -> Motion | KeyedMotion:
    """Reduce a motion's keys for an armature of the 29 joints, where there is a tolerance; it does not use bpy."""
    if tolerance is None:
        return motion
    keyed = reduce_motion(motion, tolerance)
    keyed.played  # noqa: B018  # for the dancer's controls, cached here, off the main thread
    return keyed


def write_rig_motion(
    context: bpy.types.Context,
    target: bpy.types.Object,
    motion: RigMotion,
    name: str,
    first: int,
    options: KeyingOptions,
    *,
    metres: float = 1.0,
) -> WrittenMotion:
    """Key the target's bones, and a Rigify rig's IK/FK switches, from frame `first`; extend the scene's frame range.

    Other transforms that would add to the motion, see `interfering_transforms`, rest meanwhile: a new action has no
    keys of them.  metres: the metres in one Blender unit, as for `target_body`.
    """
    channels = rig_channels(target, motion, options.limbs, metres=metres)
    frames = len(channels[0].values)
    # Bones with reduced keys stand where they should under the object as it moves exactly.
    tolerance = options.tolerance if motion.keys is None else None
    with nla.beneath_corrections(target):
        keyed = {channel.path for channel in channels}
        stale = interfering_transforms(target, motion, keyed)
        moved = [bone for path, (bone, rest) in stale.items() if is_away(target, path, rest)]
        animated = animated_paths(target, in_strips=True)
        if options.onto == "NEW":
            animated = animated_paths(target, in_strips=True) - animated_paths(target, in_strips=False)
        channels += [rest_channel(path, bone, frames, rest) for path, (bone, rest) in stale.items() if path in animated]
        action = keyframes.write_keyframes(
            target, channels, name=name, first=first, onto=options.onto, tolerance=tolerance, stale=stale
        )
        rest_transforms(target, stale)
    extend_frame_range(active_scene(context), first + frames - 1)
    return WrittenMotion(action, tuple(dict.fromkeys(moved)))


def rig_channels(
    target: bpy.types.Object, motion: RigMotion, limbs: rigify.Limbs, *, metres: float = 1.0
) -> list[Channel]:
    """The channels with which the target plays the motion: its bones, a Rigify rig's IK/FK switches, our controls."""
    assert target.pose is not None
    channels: list[Channel] = []
    for bone, quaternions in motion.rotations.items():
        reduced = (motion.keys or {}).get(bone, (None, None))
        channels += transform_channels(target.pose.bones[bone], quaternions, motion.locations.get(bone), reduced)
    if motion.object_transform is not None:
        channels += transform_channels(target, *_object_motion(target, *motion.object_transform, metres))
    frames = len(next(iter(motion.rotations.values())))
    if rigify.is_rigify(target):
        for bone, switch, value in rigify.ik_fk_switches(target, limbs):
            path = f'pose.bones["{bone}"]["{switch}"]'
            channels.append(Channel(path, np.full((frames, 1), value), bone))
    if armatures.is_dancer(target):
        channels += control_channels(target, *joint_pose(target, motion), _control_tolerance(target, motion, metres))
    return channels


def _control_tolerance(target: bpy.types.Object, motion: RigMotion, metres: float) -> Tolerance | None:
    """The tolerance of a dancer's controls, which the errors of its bones come on top of; None to key every frame."""
    scale = target.matrix_world.median_scale * metres
    return None if motion.keys is None else Tolerance().scale(0.5, 0.5 / scale)


def _object_motion(target: bpy.types.Object, rotation: Array, translation: Array, metres: float) -> tuple[Array, Array]:
    """The object's rotation (F, 4) and location (F, 3), moved from its current world transform.

    rotation: (F, 4) and translation: (F, 3) m in the world.
    """
    if target.parent is not None:
        raise OperatorError(
            f"{target.name} is parented to {target.parent.name}: clear its parent, or set Root Motion to Hips"
        )
    matrix = np.array(target.matrix_world)
    current = rotations.from_matrix(matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0))
    return rotations.multiply(rotation, current), rotations.rotate(rotation, matrix[:3, 3]) + translation / metres
