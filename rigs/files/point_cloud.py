"""Bring captured joint positions to Blender's axes and metres, whatever axes and unit the file is in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rigs import Array, rotations
from rigs.files import ReadOptions, Source
from rigs.files.axes import to_z_up
from rigs.files.conventions import Conventions, Stated, detect_conventions
from rigs.skeleton import ANKLES, HIPS, JOINTS, both_sides

CAMERA_UP = "-Y"
"""Up axis of a camera: x right, y down, z away."""
_CAMERA = Stated(up=CAMERA_UP, metres=1.0)
_KNEES, _BALLS, _SHOULDERS = both_sides("knee"), both_sides("foot"), both_sides("shoulder")
_BACKWARDS = -0.2, -0.02
"""Mean cosine of the feet's direction with the body's front, and bend of the knees in lengths of the leg, below which
both point backwards."""


def detect_cloud_conventions(
    name: str, joints: Sequence[Array], fps: float, options: ReadOptions, stated: Stated = _CAMERA
) -> Conventions:
    """Detect the up axis, the unit and the handedness of a file of joint positions, by default a camera's in metres.

    joints: for each dancer (F, up to 29, 3) positions in the file's axes and unit, in the order of `JOINTS`; nan for
    joints that the file lacks.
    """
    padded = [
        np.pad(body, ((0, 0), (0, len(JOINTS) - body.shape[1]), (0, 0)), constant_values=np.nan) for body in joints
    ]
    bodies = np.concatenate(padded)
    if not np.ptp(np.nan_to_num(bodies), axis=1).any():
        return Conventions(CAMERA_UP, CAMERA_UP, 1.0)  # where its joints are fitted, a body in one point is refused
    conventions = detect_conventions(name, bodies, fps, stated, options)
    if not _is_mirrored(bodies):
        return conventions
    warning = f"{name}: knees and feet point backwards, as in left-handed axes; read with its sides reversed"
    return replace(conventions, mirrored=True, warnings=(*conventions.warnings, warning))


def to_blender_axes(positions: Array, conventions: Conventions) -> Array:
    """Positions (..., 3) of a file in metres, in Blender's axes."""
    converted = to_z_up(positions * conventions.metres, conventions.up)
    return converted * [-1.0, 1.0, 1.0] if conventions.mirrored else converted


def cloud_source(source: Source, conventions: Conventions) -> Source:
    """The source with the detected conventions; for a camera's Y down, files that match it have Y up."""
    return replace(source, units=conventions.metres, up="Y" if conventions.up == CAMERA_UP else conventions.up)


def _is_mirrored(joints: Array) -> bool:
    """Whether left and right are reversed in `joints` (F, 29, 3): knees bend and feet point to the body's back."""
    shoulders, hips, knees, ankles = (joints[:, pair] for pair in (_SHOULDERS, HIPS, _KNEES, ANKLES))
    trunk = shoulders.mean(axis=1) - hips.mean(axis=1)
    left = sum(rotations.normalize(pair[:, 0] - pair[:, 1]) for pair in (shoulders, hips))
    front = rotations.normalize(np.cross(left, trunk))[:, None]
    feet = np.sum(rotations.normalize(joints[:, _BALLS] - ankles) * front, axis=-1).mean()
    bend = np.sum((knees - (hips + ankles) / 2.0) * front, axis=-1) / np.linalg.norm(hips - ankles, axis=-1)
    return bool(feet < _BACKWARDS[0] and bend.mean() < _BACKWARDS[1])
