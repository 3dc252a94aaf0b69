"""Seam smoothing: the jerk at seams between blocks that were generated one by one is spread out in time."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.motion import Motion

_FADE = 2.2
"""Frames over which a correction fades: the sixth root of the weight of its third differences beside its size."""
_CHUNK, _MARGIN = 48, 24
"""Frames that are solved at once, and of context to either side, which is much more than a correction reaches."""


def smooth_seams(motion: Motion, seams: Sequence[int], free: Array) -> Motion:
    """Smooth the seams of a motion: remove the excess jerk at them.

    seams: the first frames of blocks.  free: (F,) bool, frames that may change.
    World rotations are corrected instead of local ones, so that limbs need not make up for a change of the pelvis.
    """
    excess = _excess_jerk(motion.positions, seams)
    if not excess.any() or not free.any():
        return motion
    world = rotations.unroll(kinematics.global_rotations(motion.rotations))
    curves = np.concatenate([motion.root, world.reshape(len(motion), -1)], axis=1)
    curves = curves + _corrections(curves, excess, free)
    local = kinematics.local_rotations(rotations.normalize(curves[:, 3:].reshape(world.shape)))
    local = np.where(np.sum(local * motion.rotations, axis=-1, keepdims=True) >= 0.0, local, -local)
    root = np.where(free[:, None], curves[:, :3], motion.root)
    return replace(motion, root=root, rotations=np.where(free[:, None, None], local, motion.rotations))


def _excess_jerk(positions: Array, seams: Sequence[int]) -> Array:
    """Part of the jerk (F - 3,) between each frame and the third after it that is excess, 0 to 1.

    positions: (F, 29, 3) m.  1 at a seam whose mean squared jerk (m²) is at least that between the seams, 0 where it is
    at most half of that.
    """
    frames = len(positions)
    spans = [slice(max(seam - 3, 0), seam) for seam in seams if 0 < seam < frames]
    excess, across = np.zeros(max(frames - 3, 0)), np.zeros(max(frames - 3, 0), bool)
    for span in spans:
        across[span] = True
    if not across.any():
        return excess
    jerk = (np.diff(positions, n=3, axis=0) ** 2).sum(axis=-1).mean(axis=-1)
    usual = float(jerk[~across].mean()) if not across.all() else 0.0
    for span in spans:
        if len(jerk[span]):
            excess[span] = np.clip(2.0 * jerk[span].mean() / max(usual, 1e-12) - 1.0, 0.0, 1.0)
    return excess


def _corrections(curves: Array, excess: Array, free: Array) -> Array:
    """Smallest smooth corrections (F, n) of `curves` (F, n) that cancel their third differences at the seams.

    excess: (F - 3,) 0 to 1, the part of each to cancel.  free: (F,) bool, frames that may change.
    The penalty is on the third differences of the correction, not of the curves, whose details stay. Penalised least
    squares (Whittaker-Eilers smoother; Eilers 2003, "A perfect smoother").
    """
    corrections = np.zeros_like(curves)
    for start in range(0, len(curves), _CHUNK):
        first, last = max(start - _MARGIN, 0), min(start + _CHUNK + _MARGIN, len(curves))
        at = first + np.flatnonzero(excess[first : max(last - 3, first)])
        if len(at):
            jerk = excess[at, None] * (curves[at + 3] - 3.0 * curves[at + 2] + 3.0 * curves[at + 1] - curves[at])
            keep = slice(start, min(start + _CHUNK, last))
            solution = _response(free[first:last].tobytes())[:, at - first] @ jerk
            corrections[keep] = solution[keep.start - first :][:_CHUNK]
    return corrections


@lru_cache(maxsize=32)
def _response(free: bytes) -> Array:
    """Corrections of F frames for a unit third difference to cancel at each of them: (F, F - 3).

    free: F bools as bytes. Nearly all chunks of a long take share the same, hence the cache.
    """
    unknowns = np.flatnonzero(np.frombuffer(free, bool))
    third = np.diff(np.eye(len(free)), n=3, axis=0)
    response, part = np.zeros(third.T.shape), third[:, unknowns]
    response[unknowns] = -np.linalg.solve(part.T @ part + _FADE**-6 * np.eye(len(unknowns)), part.T)
    return response
