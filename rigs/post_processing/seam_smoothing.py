"""Seams between blocks of movement that were made one after the other: what jumps there is spread around them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.motion import Motion

_FADE = 2.2
"""Frames over which a correction fades: the sixth root of what its third differences cost beside itself."""
_CHUNK, _MARGIN = 48, 24
"""Frames that are solved at once, and how far to either side they see: much farther than a correction reaches."""


def smooth_seams(motion: Motion, seams: Sequence[int], free: Array) -> Motion:
    """The movement with the jerk at its seams taken away, the frames that are not free as they are.

    seams: the frames with which blocks begin.  free: (F,) bool.
    World rotations are corrected, not joints', so that an error of the pelvis is not made up for by every limb.
    """
    world = kinematics.global_rotations(motion.rotations)
    rough = _excess_jerk(kinematics.joint_positions(motion.root, world, motion.skeleton.offsets), seams)
    if not rough.any() or not free.any():
        return motion
    world = rotations.unroll(world)
    course = np.concatenate([motion.root, world.reshape(len(motion), -1)], axis=1)
    course = course + _corrections(course, rough, free)
    turned = rotations.normalize(course[:, 3:].reshape(world.shape))
    local = kinematics.local_rotations(turned)
    local = np.where(np.sum(local * motion.rotations, axis=-1, keepdims=True) >= 0.0, local, -local)
    return replace(
        motion,
        root=np.where(free[:, None], course[:, :3], motion.root),
        rotations=np.where(free[:, None, None], local, motion.rotations),
    )


def _excess_jerk(positions: Array, seams: Sequence[int]) -> Array:
    """The part of the jerk (F - 3,) from each frame to the third after it that is to go, 0 to 1.

    All of it goes at a seam that is as rough (m²) as it is between the seams, nothing at one that is half as rough:
    what a block does in its midst is its own, what it does where it meets the next is half an accident.
    """
    frames = len(positions)
    near = [slice(max(seam - 3, 0), seam) for seam in seams if 0 < seam < frames]
    part, across = np.zeros(max(frames - 3, 0)), np.zeros(max(frames - 3, 0), bool)
    for here in near:
        across[here] = True
    if not across.any():
        return part
    jerk = (np.diff(positions, n=3, axis=0) ** 2).sum(axis=-1).mean(axis=-1)
    usual = float(jerk[~across].mean()) if not across.all() else 0.0
    for here in near:
        if len(jerk[here]):
            part[here] = np.clip(2.0 * jerk[here].mean() / max(usual, 1e-12) - 1.0, 0.0, 1.0)
    return part


def _corrections(course: Array, rough: Array, free: Array) -> Array:
    """The least and smoothest corrections (F, n) of a course (F, n) that take away its third differences at the seams.

    rough: (F - 3,) 0 to 1, which part of each.  free: (F,) bool, where there may be a correction.
    Elsewhere the correction's own third differences are kept small, not those of the course, whose details stay.
    Penalised least squares as Eilers 2003 ("A perfect smoother") writes them.
    """
    found = np.zeros_like(course)
    for start in range(0, len(course), _CHUNK):
        first, last = max(start - _MARGIN, 0), min(start + _CHUNK + _MARGIN, len(course))
        at = first + np.flatnonzero(rough[first : max(last - 3, first)])
        if len(at):
            jerk = rough[at, None] * (course[at + 3] - 3.0 * course[at + 2] + 3.0 * course[at + 1] - course[at])
            keep = slice(start, min(start + _CHUNK, last))
            found[keep] = (_response(free[first:last].tobytes())[:, at - first] @ jerk)[keep.start - first :][:_CHUNK]
    return found


@lru_cache(maxsize=32)
def _response(free: bytes) -> Array:
    """The corrections of F frames for each of their third differences that is to go: (F, F - 3).

    free: F bools.  In a long take nearly all stretches have the same.
    """
    unknown = np.flatnonzero(np.frombuffer(free, bool))
    third = np.diff(np.eye(len(free)), n=3, axis=0)
    response, part = np.zeros(third.T.shape), third[:, unknown]
    response[unknown] = -np.linalg.solve(part.T @ part + _FADE**-6 * np.eye(len(unknown)), part.T)
    return response
