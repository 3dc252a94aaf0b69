"""Post-processing of a generated dancer: the order of its parts, and how fixed frames stay untouched.

Each part is a module: seam smoothing, body collision, hand snapping, foot skating cleanup, floor alignment.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

from rigs import Array, rotations
from rigs.constraints.arm_reach import move_wrists
from rigs.contacts import floor_height
from rigs.easing import smoothstep
from rigs.motion import Motion
from rigs.post_processing.body_collision import arm_separation, body_separation
from rigs.post_processing.floor_alignment import estimate_floor, level_offsets, lift_offsets
from rigs.post_processing.foot_skating import remove_foot_skating
from rigs.post_processing.hand_snapping import detect_near_holds, lean_offsets, wrist_offsets
from rigs.post_processing.seam_smoothing import smooth_seams

PARTS = ("seams", "bodies", "hands", "feet", "floor")
"""Parts of post-processing: smooth seams between blocks, resolve body collisions, snap hands that nearly hold, remove
foot skating, align to the floor."""
_FADE = 8
"""Frames over which corrections fade out towards fixed frames."""
_UP = np.array([0.0, 0.0, 1.0])


def post_process(
    partner: Motion,
    leader: Motion,
    parts: Collection[str] = PARTS,
    *,
    seams: Sequence[int] = (),
    fixed: Array | None = None,
) -> Motion:
    """Post-process a generated partner beside its leader.

    parts: those of `PARTS` to apply.  seams: the first frames of the generated blocks.
    fixed: (F,) bool, frames that stay exactly as they are; corrections fade out towards them.
    Raises ValueError for an unknown part, and for motions of different lengths or frame rates.
    """
    unknown = set(parts) - set(PARTS)
    if unknown:
        raise ValueError(f"parts: some of {', '.join(PARTS)} expected, {', '.join(sorted(unknown))} found")
    fixed = np.zeros(len(partner), bool) if fixed is None else np.asarray(fixed, bool)
    if len(leader) != len(partner) or len(fixed) != len(partner) or leader.fps != partner.fps:
        raise ValueError(
            f"leader, fixed: {len(partner)} frames at {partner.fps:g} fps expected as in the partner, "
            f"{len(leader)} at {leader.fps:g} fps and {len(fixed)} found"
        )
    weights = _correction_weights(fixed)
    smooth = smooth_seams(partner, seams, ~fixed) if "seams" in parts else partner
    corrected = _apply_constraints(smooth, leader, parts, weights)
    return partner if corrected is partner else _blend_to_fixed(smooth, corrected, weights)


def post_process_solo(dancer: Motion, floor: float | None = None) -> Motion:
    """Post-process a generated dancer without a leader: foot skating cleanup and floor alignment.

    floor: m, the height at which toes rest, without it that of the dancer's own feet.
    """
    positions, fps = dancer.positions, dancer.fps
    floor = floor_height(positions) if floor is None else floor
    level = replace(dancer, root=dancer.root + level_offsets(positions, floor, fps)[:, None] * _UP)
    planted = remove_foot_skating(level, floor=floor)
    return replace(planted, root=planted.root + lift_offsets(planted.positions, floor, fps)[:, None] * _UP)


def _apply_constraints(partner: Motion, leader: Motion, parts: Collection[str], weights: Array) -> Motion:
    """Partner with its constraints to the leader and the floor solved, from the pelvis outwards.

    weights: (F,) 0 to 1, the part of a correction that each frame takes.
    """
    fps, leader_positions, positions = partner.fps, leader.positions, partner.positions
    offset = np.zeros_like(partner.root)
    if "bodies" in parts:
        offset += weights[:, None] * body_separation(positions, leader_positions, fps)
    holds = detect_near_holds(positions + offset[:, None], leader_positions, fps) if "hands" in parts else []
    if holds:
        lean = lean_offsets(positions + offset[:, None], leader_positions, partner.skeleton, holds, fps)
        offset += weights[:, None] * lean
    floor = estimate_floor(partner, leader, weights == 0.0) if "floor" in parts else None
    if floor is not None:
        offset[:, 2] += weights * level_offsets(positions, floor, fps)
    corrected = replace(partner, root=partner.root + offset) if offset.any() else partner
    if "feet" in parts:
        corrected = remove_foot_skating(corrected, floor=floor)
    if floor is not None:
        lift = weights * lift_offsets(corrected.positions, floor, fps)
        corrected = replace(corrected, root=corrected.root + lift[:, None] * _UP) if lift.any() else corrected
    if holds:
        corrected = move_wrists(corrected, wrist_offsets(corrected.positions, leader_positions, holds, fps))
    if "bodies" in parts:
        corrected = move_wrists(corrected, arm_separation(corrected.positions, leader_positions, fps))
    return corrected


def _correction_weights(fixed: Array) -> Array:
    """Part of a correction (F,) that each frame takes: 0 where it is fixed, rising to 1 over `_FADE` frames."""
    fixed_frames = np.flatnonzero(fixed)
    if not len(fixed_frames):
        return np.ones(len(fixed))
    frames = np.arange(len(fixed))
    after = np.minimum(np.searchsorted(fixed_frames, frames), len(fixed_frames) - 1)
    distance = np.minimum(np.abs(fixed_frames[after] - frames), np.abs(fixed_frames[np.maximum(after - 1, 0)] - frames))
    return smoothstep(distance / (_FADE + 1))


def _blend_to_fixed(before: Motion, corrected: Motion, weights: Array) -> Motion:
    """Motion blended from `before` to `corrected` by `weights` (F,), exactly `before` where they are 0."""
    fixed, mixed = weights == 0.0, np.flatnonzero((weights > 0.0) & (weights < 1.0))
    same_sign = np.sum(corrected.rotations * before.rotations, axis=-1, keepdims=True) >= 0.0
    root, local = corrected.root.copy(), np.where(same_sign, corrected.rotations, -corrected.rotations)
    root[mixed] = before.root[mixed] + weights[mixed, None] * (corrected.root - before.root)[mixed]
    local[mixed] = rotations.slerp(before.rotations[mixed], local[mixed], weights[mixed, None])
    root[fixed], local[fixed] = before.root[fixed], before.rotations[fixed]
    return replace(corrected, root=root, rotations=local)
