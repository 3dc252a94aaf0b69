"""Retargeting: a `Motion` onto the bones of any rig, whole clips at once.

    body = body_of(rig, mapping)         # the rig as a dancer
    figure = retarget(motion, body)      # the movement on that body, joint by joint, feet on the floor
    result = pose(figure, body)          # `posing`: rotations and locations for the rig's bones

Rest poses are aligned by calculation, in `body_of`. What a source's joints do in the world, freed of what is only its
build, the same joints of the other body do.
"""

from dataclasses import dataclass

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.characters.humanoid import ANKLES, BONE_DIRECTIONS, HIPS, SIDES, Humanoid, leg_length
from rigs.characters.posed_humanoid import PosedHumanoid, joint_positions
from rigs.constraints.foot_planting import plant_feet
from rigs.constraints.hand_holds import approach_for_holds, detect_hand_holds, join_hands
from rigs.contacts import PLANTED_SPEED, floor_height, foot_contacts
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, INDEX, JOINTS

_UP = np.array([0.0, 0.0, 1.0])
_LIMB_JOINTS = [j for j, name in enumerate(JOINTS) if name.endswith(("_hip", "_knee", "_shoulder", "_elbow", "_wrist"))]
_TOES = [INDEX[f"{side}_foot"] for side in SIDES]
_SPINE = [INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3")]
_CHEST, _NECK, _JAW = (INDEX[name] for name in ("spine3", "neck", "jaw"))
_POSTURE_JOINTS = (
    # a joint, and the two between which it lies in turning, at which share of the way
    (_SPINE[1], _SPINE[0], _CHEST, 1 / 3),
    (_SPINE[2], _SPINE[0], _CHEST, 2 / 3),
    (_NECK, _CHEST, _JAW, 0.5),
    *((INDEX[f"{side}_collar"], _CHEST, _CHEST, 0.0) for side in SIDES),
)
_MIN_CONTACT_FRAMES = 5
"""Frames with a foot flat on the floor from which their median tells how its sole lies."""
_FLOOR_TOLERANCE = 0.1
"""m: a capture whose floor is no further than this from z = 0 is meant to stand there."""


@dataclass(frozen=True)
class RetargetOptions:
    """What is done to a movement on its new body.

    feet: planted feet stay planted, and nothing sinks below the floor.  hands: hands that hold go on holding.
    """

    plant_feet: bool = True
    keep_hand_holds: bool = True


def retarget(motion: Motion, humanoid: Humanoid, options: RetargetOptions = RetargetOptions()) -> PosedHumanoid:
    """One dancer's movement on another body."""
    posed = transfer_motion(motion, humanoid)
    return plant_feet(posed, humanoid) if options.plant_feet else posed


def retarget_pair(
    motions: tuple[Motion, Motion], humanoids: tuple[Humanoid, Humanoid], options: RetargetOptions = RetargetOptions()
) -> tuple[PosedHumanoid, PosedHumanoid]:
    """Two dancers' movement, of one frame rate and length, on two other bodies.

    Both go their ways along the floor by one scale, the mean of their legs', so that they stay with each other.
    """
    legs = [
        body.leg_length / leg_length(m.skeleton.rest_positions()) for m, body in zip(motions, humanoids, strict=True)
    ]
    first, second = (
        transfer_motion(m, body, path_scale=sum(legs) / 2.0) for m, body in zip(motions, humanoids, strict=True)
    )
    found = (
        detect_hand_holds(motions[0].positions, motions[1].positions, motions[0].fps) if options.keep_hand_holds else []
    )
    if found:
        first, second = approach_for_holds((first, second), humanoids, found)
    if options.plant_feet:
        first, second = plant_feet(first, humanoids[0]), plant_feet(second, humanoids[1])
    return join_hands((first, second), humanoids, found) if found else (first, second)


def transfer_motion(motion: Motion, humanoid: Humanoid, *, path_scale: float | None = None) -> PosedHumanoid:
    """The movement on another body: its limbs point where the source's do, its trunk, head and feet turn as they do.

    The way along the floor is scaled by `stride`, without it by the length of the legs; heights are scaled by the legs.
    """
    source = motion.positions
    contacts = foot_contacts(source, motion.fps, speed=PLANTED_SPEED)
    world = _align_world_rotations(motion, contacts)
    bend_rotations = _distribute_bends(motion, world, humanoid)
    leg_scale = humanoid.leg_length / leg_length(motion.skeleton.rest_positions())
    source_floor = floor_height(source)
    floor = 0.0 if abs(source_floor) < _FLOOR_TOLERANCE else source_floor
    ankle_contacts, ankles = contacts[:, [0, 2]], source[:, ANKLES, 2]
    ankle_height = (
        float(np.median(ankles[ankle_contacts])) if ankle_contacts.sum() >= _MIN_CONTACT_FRAMES else float(ankles.min())
    )
    hips = source[:, HIPS].mean(axis=1)
    height = floor + humanoid.rest_height("ankle") + leg_scale * (hips[:, 2] - ankle_height)
    hips = np.concatenate([hips[:, :2] * (path_scale or leg_scale), height[:, None]], axis=1)
    toe_paths = source[:, _TOES, :2] * (path_scale or leg_scale)
    return PosedHumanoid(
        motion.fps,
        joint_positions(humanoid, world, bend_rotations, hips),
        world,
        bend_rotations,
        contacts,
        toe_paths,
        floor,
    )


def _align_world_rotations(motion: Motion, contacts: Array) -> Array:
    """The joints' world rotations (F, 29, 4), freed of what is only the source's build.

    An aimed joint's axis lies exactly along the source's bone, a sole that rests is level. How collarbones, the middle
    of the spine and the neck lean all the time is the build's, how they move is the dance's.
    """
    world = kinematics.global_rotations(motion.rotations)
    offsets = motion.skeleton.offsets
    aligned = world.copy()
    corrections = rotations.between(BONE_DIRECTIONS[_LIMB_JOINTS], offsets[[CHILDREN[j][0] for j in _LIMB_JOINTS]])
    aligned[:, _LIMB_JOINTS] = rotations.multiply(world[:, _LIMB_JOINTS], corrections)
    joints, starts, ends, fractions = (list(column) for column in zip(*_POSTURE_JOINTS, strict=True))
    base = rotations.slerp(world[:, starts], world[:, ends], np.array(fractions))
    relative = rotations.inverse_multiply(base, world[:, joints])
    aligned[:, joints] = rotations.multiply(base, rotations.multiply(relative, rotations.inverse(_mean(relative))))
    for side, flat in enumerate((contacts[:, 0] & contacts[:, 1], contacts[:, 2] & contacts[:, 3])):
        foot = offsets[_TOES[side]]
        outward = rotations.about_z(np.arctan2(foot[0], -foot[1]))
        for j in (ANKLES[side], _TOES[side]):
            level = rotations.identity()
            if flat.sum() >= _MIN_CONTACT_FRAMES:
                normals = rotations.rotate(rotations.inverse(world[flat, j]), _UP)
                level = rotations.between(_UP, np.median(normals, axis=0))
            aligned[:, j] = rotations.multiply(world[:, j], rotations.multiply(level, outward))
    return aligned


def _distribute_bends(motion: Motion, world: Array, humanoid: Humanoid) -> dict[int, Array]:
    """How far the bones that share the bend of trunk and neck have turned since rest, (F, 4) each."""
    bend_rotations: dict[int, Array] = {}
    to_rest = rotations.inverse(humanoid.rest_rotations[0])
    if humanoid.spine:
        offsets = motion.skeleton.offsets[[*_SPINE[1:], _NECK]]
        knots = _segment_midpoints(np.linalg.norm(offsets, axis=-1))
        points = np.stack(
            [humanoid.rest_positions[0], *humanoid.rest_heads[list(humanoid.spine)], humanoid.rest_positions[_NECK]]
        )
        fractions = _segment_midpoints(np.linalg.norm(np.diff(points, axis=0), axis=-1))[1:]
        fractions[-1] = 1.0
        for k, u in zip(humanoid.spine, fractions, strict=True):
            bend_rotations[k] = rotations.multiply(_interpolate_rotations(world[:, _SPINE], knots, u), to_rest)
    else:
        pelvis = rotations.multiply(world[:, 0], to_rest)
        trunk = motion.positions[:, _NECK] - motion.positions[:, HIPS].mean(axis=1)
        rest = humanoid.rest_positions[_NECK] - humanoid.rest_positions[HIPS].mean(axis=0)
        swing = rotations.between(rotations.rotate(pelvis, rest), trunk)
        bend_rotations[humanoid.pelvis] = rotations.multiply(swing, pelvis)
    neck_bones = [k for k in humanoid.neck if humanoid.joints[k] != _JAW]
    for n, k in enumerate(neck_bones):
        bend = _interpolate_rotations(
            world[:, [_CHEST, _NECK, _JAW]], np.array([0.0, 0.5, 1.0]), (n + 0.5) / len(neck_bones)
        )
        bend_rotations[k] = rotations.multiply(bend, to_rest)
    return bend_rotations


def _interpolate_rotations(world: Array, knots: Array, at: float) -> Array:
    """The rotation (F, 4) at `at` on the way through the rotations `world` (F, n, 4), which lie at `knots` (n,)."""
    at = float(np.clip(at, knots[0], knots[-1]))
    n = int(np.clip(np.searchsorted(knots, at) - 1, 0, len(knots) - 2))
    t = (at - knots[n]) / (knots[n + 1] - knots[n])
    return rotations.slerp(world[:, n], world[:, n + 1], t)


def _segment_midpoints(lengths: Array) -> Array:
    """The middles of segments of these lengths (n,) on their way, from 0 to 1."""
    return np.asarray((np.cumsum(lengths) - lengths / 2.0) / max(float(lengths.sum()), 1e-9))


def _mean(q: Array) -> Array:
    """The rotations (n, 4) nearest to all of `q` (F, n, 4) (Markley et al. 2007)."""
    return np.linalg.eigh(np.einsum("fna,fnb->nab", q, q))[1][..., -1]
