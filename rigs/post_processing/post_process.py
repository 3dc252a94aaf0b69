"""What makes a generated dancer whole: no seams, out of the leader's body, hand in hand, and on its feet.

Each part is a module of its own; here is their order, and how they leave alone the frames that must stay.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.bone_mapping.bone_mapper import BoneMap, map_bones
from rigs.characters.humanoid import Humanoid, humanoid_from_rig
from rigs.characters.posed_humanoid import PosedHumanoid
from rigs.characters.rig import Rig
from rigs.constraints.arm_reach import move_wrists
from rigs.constraints.foot_planting import plant_feet
from rigs.contacts import floor_height, foot_contacts
from rigs.easing import smoothstep
from rigs.motion import Motion
from rigs.post_processing.body_collision import arm_separation, body_separation
from rigs.post_processing.floor_alignment import estimate_floor, level_offsets, lift_offsets, rest_toe_height
from rigs.post_processing.hand_snapping import detect_near_holds, lean_offsets, wrist_offsets
from rigs.post_processing.seam_smoothing import smooth_seams
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton

PARTS = ("seams", "bodies", "hands", "feet", "floor")
"""What can be finished: jumps between blocks, bodies in each other, hands that nearly hold, feet that slide, and what
floats or sinks."""
_STILL = 0.25
"""m/s along the floor up to which a low foot is held to rest."""
_FADE = 8
"""Frames over which corrections fade towards frames that must stay."""
_BALLS = [INDEX["left_foot"], INDEX["right_foot"]]
_UP = np.array([0.0, 0.0, 1.0])


def post_process(
    partner: Motion,
    leader: Motion,
    parts: Collection[str] = PARTS,
    *,
    seams: Sequence[int] = (),
    fixed: Array | None = None,
) -> Motion:
    """The generated partner finished beside its leader.

    parts: those of `PARTS` that are wanted.  seams: the frames with which generated blocks begin.
    fixed: (F,) bool, the frames that stay exactly as they are; what is done fades out towards them.
    Raises ValueError for a part that there is not, or movements of different lengths or rates.
    """
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ValueError(f"parts: some of {', '.join(PARTS)} expected, {', '.join(sorted(unknown))} found")
    fixed = np.zeros(len(partner), bool) if fixed is None else np.asarray(fixed, bool)
    if len(leader) != len(partner) or len(fixed) != len(partner) or leader.fps != partner.fps:
        raise ValueError(
            f"finished: leader and fixed of {len(partner)} frames at {partner.fps:g} fps expected as the partner's, "
            f"{len(leader)} at {leader.fps:g} fps and {len(fixed)} found"
        )
    share = _correction_weights(fixed)
    whole = smooth_seams(partner, seams, ~fixed) if "seams" in parts else partner
    done = _apply_constraints(whole, leader, parts, share)
    return partner if done is partner else _blend_to_fixed(whole, done, share)


def post_process_solo(dancer: Motion, floor: float | None = None) -> Motion:
    """The generated dancer finished where nobody leads it: its resting feet planted, and on the floor.

    floor: m, the height at which toes rest; without it, that of its own feet.
    """
    ours, fps = dancer.positions, dancer.fps
    floor = floor_height(ours) if floor is None else floor
    level = replace(dancer, root=dancer.root + level_offsets(ours, floor, fps)[:, None] * _UP)
    done = remove_foot_skating(level, floor=floor)
    return replace(done, root=done.root + lift_offsets(done.positions, floor, fps)[:, None] * _UP)


def _apply_constraints(partner: Motion, leader: Motion, parts: Collection[str], share: Array) -> Motion:
    """The partner where it belongs beside the leader and on the floor, from the pelvis outwards.

    share: (F,) 0 to 1, how far each frame may be carried.
    """
    fps, led, ours = partner.fps, leader.positions, partner.positions
    carried = np.zeros_like(partner.root)
    if "bodies" in parts:
        carried += share[:, None] * body_separation(ours, led, fps)
    found = detect_near_holds(ours + carried[:, None], led, fps) if "hands" in parts else []
    if found:
        carried += share[:, None] * lean_offsets(ours + carried[:, None], led, partner.skeleton, found, fps)
    floor = estimate_floor(partner, leader, share == 0.0) if "floor" in parts else None
    if floor is not None:
        carried[:, 2] += share * level_offsets(ours, floor, fps)
    done = replace(partner, root=partner.root + carried) if carried.any() else partner
    if "feet" in parts:
        done = remove_foot_skating(done, floor=floor)
    if floor is not None:
        lift = share * lift_offsets(done.positions, floor, fps)
        done = replace(done, root=done.root + lift[:, None] * _UP) if lift.any() else done
    if found:
        done = move_wrists(done, wrist_offsets(done.positions, led, found, fps))
    return move_wrists(done, arm_separation(done.positions, led, fps)) if "bodies" in parts else done


def remove_foot_skating(motion: Motion, *, speed: float = _STILL, floor: float | None = None) -> Motion:
    """The movement with its resting feet planted, the rest of the body as it is but for the height of the pelvis.

    still: m/s, up to which a low foot counts as resting.  floor: m, the height at which toes rest, where it is known.
    """
    world = kinematics.global_rotations(motion.rotations)
    positions = kinematics.joint_positions(motion.root, world, motion.skeleton.offsets)
    ground = floor_height(positions) if floor is None else floor
    figure = PosedHumanoid(
        fps=motion.fps,
        positions=positions,
        world_rotations=world,
        bend_rotations={},
        foot_contacts=foot_contacts(positions, motion.fps, speed=speed),
        toe_paths=np.broadcast_to(positions[:, _BALLS, :2].mean(axis=0), (len(motion), 2, 2)),
        floor=ground - rest_toe_height(motion.skeleton),
    )
    done = plant_feet(figure, _body(motion.skeleton))
    return replace(motion, root=done.positions[:, 0], rotations=rotations.unroll(kinematics.local_rotations(done.world_rotations)))


def _correction_weights(fixed: Array) -> Array:
    """How much of a correction each frame takes (F,): none where it is fixed, all `_FADE` frames from there."""
    at = np.flatnonzero(fixed)
    if not len(at):
        return np.ones(len(fixed))
    frames = np.arange(len(fixed))
    after = np.minimum(np.searchsorted(at, frames), len(at) - 1)
    nearest = np.minimum(np.abs(at[after] - frames), np.abs(at[np.maximum(after - 1, 0)] - frames))
    return smoothstep(nearest / (_FADE + 1))


def _blend_to_fixed(before: Motion, done: Motion, share: Array) -> Motion:
    """What was `done`, gone over into what was `before` where its `share` (F,) is less than the whole."""
    fixed, mixed = share == 0.0, np.flatnonzero((share > 0.0) & (share < 1.0))
    near = np.sum(done.rotations * before.rotations, axis=-1, keepdims=True) >= 0.0
    root, turned = done.root.copy(), np.where(near, done.rotations, -done.rotations)
    root[mixed] = before.root[mixed] + share[mixed, None] * (done.root - before.root)[mixed]
    turned[mixed] = rotations.slerp(before.rotations[mixed], turned[mixed], share[mixed, None])
    root[fixed], turned[fixed] = before.root[fixed], before.rotations[fixed]
    return replace(done, root=root, rotations=turned)


def _body(skeleton: Skeleton) -> Humanoid:
    """Our own skeleton as a rig, whose rest pose is the T-pose itself."""
    rig = Rig(JOINTS, PARENTS, skeleton.rest_positions(), rotations.identity(29), (True,) * 29, 29)
    return replace(humanoid_from_rig(rig, _mapping()), rest_rotations=rotations.identity(29))


@cache
def _mapping() -> BoneMap:
    """The map of our own joints, the same for every skeleton."""
    return map_bones(JOINTS, PARENTS, DEFAULT_SKELETON.rest_positions())
