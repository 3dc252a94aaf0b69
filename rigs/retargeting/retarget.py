"""Retargeting: transfer a `Motion` to the bones of any rig, whole clips at once.

    humanoid = humanoid_from_rig(rig, bone_map)      # the rig with its bones' joints
    posed = retarget(motion, humanoid)               # the motion on that body, joint by joint, feet planted
    result = bone_transforms(posed, humanoid)        # rotations and locations for the rig's bones

Rest poses are aligned by calculation, in `humanoid_from_rig`. The target's joints take over the world rotations of the
source's joints, corrected for differences of build.
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.humanoid import BONE_DIRECTIONS, Humanoid, leg_length
from rigs.characters.posed_humanoid import PosedHumanoid, joint_positions
from rigs.constraints.foot_planting import plant_feet
from rigs.constraints.hand_holds import approach_for_holds, detect_hand_holds, join_hands
from rigs.contacts import PLANTED_SPEED, floor_height, foot_contacts
from rigs.motion import Motion
from rigs.skeleton import ANKLES, BALLS, CHILDREN, HIPS, INDEX, LIMB_JOINTS, SIDES

_UP = np.array([0.0, 0.0, 1.0])

_SPINE = [INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
_CHEST, _NECK, _JAW = (INDEX[name] for name in ("spine3", "neck", "jaw"))
_POSTURE_JOINTS = (
    (_SPINE[1], _SPINE[0], _CHEST, 1 / 3),
    (_SPINE[2], _SPINE[0], _CHEST, 2 / 3),
    (_NECK, _CHEST, _JAW, 0.5),
    *((INDEX[f"{side}_collar"], _CHEST, _CHEST, 0.0) for side in SIDES),
)
"""Joints whose mean rotation is part of the build: (joint, start, end, fraction) relative to which it is measured."""
_MIN_CONTACT_FRAMES = 5
"""Frames of contact from which a median is taken."""
_FLOOR_TOLERANCE = 0.1
"""m: a floor of the capture this close to z = 0 is taken as 0."""


@dataclass(frozen=True)
class RetargetOptions:
    """Post-processing after the transfer.

    plant_feet: lock planted feet by IK and keep soles above the floor.  keep_hand_holds: joined hands stay joined.
    """

    plant_feet: bool = True
    keep_hand_holds: bool = True


def retarget(motion: Motion, humanoid: Humanoid, options: RetargetOptions = RetargetOptions()) -> PosedHumanoid:
    """Retarget one dancer's motion to another body."""
    posed = transfer_motion(motion, humanoid)
    return plant_feet(posed, humanoid) if options.plant_feet else posed


def retarget_pair(
    motions: tuple[Motion, Motion], humanoids: tuple[Humanoid, Humanoid], options: RetargetOptions = RetargetOptions()
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """Retarget a pair's motions, of one frame rate and length, to two bodies.

    The paths of both along the floor are scaled by the mean of their leg-length ratios, so that they stay together.
    """
    pairs = list(zip(motions, humanoids, strict=True))
    leg_scales = [humanoid.leg_length / leg_length(motion.skeleton.rest_positions()) for motion, humanoid in pairs]
    path_scale = sum(leg_scales) / 2.0
    first, second = (transfer_motion(motion, humanoid, path_scale=path_scale) for motion, humanoid in pairs)
    source, other = motions
    holds = detect_hand_holds(source.positions, other.positions, source.fps) if options.keep_hand_holds else []
    if holds:
        first, second = approach_for_holds((first, second), humanoids, holds)
    if options.plant_feet:
        first, second = plant_feet(first, humanoids[0]), plant_feet(second, humanoids[1])
    return join_hands((first, second), humanoids, holds) if holds else (first, second)


def transfer_motion(motion: Motion, humanoid: Humanoid, *, path_scale: float | None = None) -> PosedHumanoid:
    """Transfer a motion to another body: limbs take over the source's directions; trunk, head and feet its rotations.

    The path along the floor is scaled by `path_scale`, by default the ratio of leg lengths; heights by that ratio.
    """
    source = motion.positions
    contacts = foot_contacts(source, motion.fps, speed=PLANTED_SPEED)
    world = _align_world_rotations(motion, contacts)
    bend_rotations = _distribute_bends(motion, world, humanoid)
    leg_scale = humanoid.leg_length / leg_length(motion.skeleton.rest_positions())
    source_floor = floor_height(source)
    floor = 0.0 if abs(source_floor) < _FLOOR_TOLERANCE else source_floor
    ankle_contacts, ankles = contacts[:, [0, 2]], source[:, ANKLES, 2]
    resting = ankle_contacts.sum() >= _MIN_CONTACT_FRAMES
    ankle_height = float(np.median(ankles[ankle_contacts]) if resting else ankles.min())
    hips = source[:, HIPS].mean(axis=1)
    height = floor + humanoid.rest_height("ankle") + leg_scale * (hips[:, 2] - ankle_height)
    hips = np.concatenate([hips[:, :2] * (path_scale or leg_scale), height[:, None]], axis=1)
    toe_paths = source[:, BALLS, :2] * (path_scale or leg_scale)
    positions = joint_positions(humanoid, world, bend_rotations, hips)
    return PosedHumanoid(motion.fps, positions, world, bend_rotations, contacts, toe_paths, floor)


def _align_world_rotations(motion: Motion, contacts: Array) -> Array:
    """The joints' world rotations (F, 29, 4), corrected for the source's build.

    A limb joint's axis points exactly along the source's bone, a foot in contact is level. The mean rotations of
    collars, mid spine and neck count as build and are removed; their variation is kept.
    """
    world = kinematics.global_rotations(motion.rotations)
    offsets = motion.skeleton.offsets
    aligned = world.copy()
    corrections = rotations.between(BONE_DIRECTIONS[LIMB_JOINTS], offsets[[CHILDREN[j][0] for j in LIMB_JOINTS]])
    aligned[:, LIMB_JOINTS] = rotations.multiply(world[:, LIMB_JOINTS], corrections)
    joints, starts, ends, fractions = (list(column) for column in zip(*_POSTURE_JOINTS, strict=True))
    base = rotations.slerp(world[:, starts], world[:, ends], np.array(fractions))
    relative = rotations.inverse_multiply(base, world[:, joints])
    variation = rotations.multiply(relative, rotations.inverse(rotations.mean(relative)))
    aligned[:, joints] = rotations.multiply(base, variation)
    for side, flat in enumerate((contacts[:, 0] & contacts[:, 1], contacts[:, 2] & contacts[:, 3])):
        foot = offsets[BALLS[side]]
        outward = rotations.about_z(np.arctan2(foot[0], -foot[1]))
        for j in (ANKLES[side], BALLS[side]):
            level = rotations.identity()
            if flat.sum() >= _MIN_CONTACT_FRAMES:
                normals = rotations.rotate(rotations.inverse(world[flat, j]), _UP)
                level = rotations.between(_UP, np.median(normals, axis=0))
            aligned[:, j] = rotations.multiply(world[:, j], rotations.multiply(level, outward))
    return aligned


def _distribute_bends(motion: Motion, world: Array, humanoid: Humanoid) -> dict[int, Array]:
    """Distribute the bend of trunk and neck over all bones there: world rotations since rest (F, 4) of each."""
    bend_rotations: dict[int, Array] = {}
    to_rest = rotations.inverse(humanoid.rest_rotations[0])
    if humanoid.spine:
        offsets = motion.skeleton.offsets[[*_SPINE[1:], _NECK]]
        knots = _segment_midpoints(np.linalg.norm(offsets, axis=-1))
        ends = humanoid.rest_positions[[0, _NECK]]
        points = np.stack([ends[0], *humanoid.rest_heads[list(humanoid.spine)], ends[1]])
        fractions = _segment_midpoints(np.linalg.norm(np.diff(points, axis=0), axis=-1))[1:]
        fractions[-1] = 1.0
        for k, u in zip(humanoid.spine, fractions, strict=True):
            bend_rotations[k] = rotations.multiply(_interpolate_rotations(world[:, _SPINE], knots, u), to_rest)
    else:
        pelvis = rotations.multiply(world[:, 0], to_rest)
        trunk = motion.positions[:, _NECK] - motion.positions[:, HIPS].mean(axis=1)
        rest = humanoid.rest_positions[_NECK] - humanoid.rest_positions[HIPS].mean(axis=0)
        bend_rotations[humanoid.pelvis] = rotations.swing(pelvis, rest, trunk)
    neck_bones = [k for k in humanoid.neck if humanoid.joints[k] != _JAW]
    for n, k in enumerate(neck_bones):
        knots = np.array([0.0, 0.5, 1.0])
        bend = _interpolate_rotations(world[:, [_CHEST, _NECK, _JAW]], knots, (n + 0.5) / len(neck_bones))
        bend_rotations[k] = rotations.multiply(bend, to_rest)
    return bend_rotations


def _interpolate_rotations(world: Array, knots: Array, at: float) -> Array:
    """Interpolate the rotations `world` (F, n, 4) at `knots` (n,) to the rotation (F, 4) at `at`."""
    at = float(np.clip(at, knots[0], knots[-1]))
    n = int(np.clip(np.searchsorted(knots, at) - 1, 0, len(knots) - 2))
    t = (at - knots[n]) / (knots[n + 1] - knots[n])
    return rotations.slerp(world[:, n], world[:, n + 1], t)


def _segment_midpoints(lengths: Array) -> Array:
    """The midpoints of segments of these lengths (n,), as fractions of the total length."""
    return np.asarray((np.cumsum(lengths) - lengths / 2.0) / max(float(lengths.sum()), 1e-9))
