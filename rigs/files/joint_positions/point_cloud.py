"""Bring captured joint positions to Blender's axes and metres, whatever axes and unit the file is in."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rigs import Array
from rigs.files import ReadOptions, Source
from rigs.files.conventions.axes import to_z_up
from rigs.files.conventions.conventions import Conventions, Stated, detect_conventions
from rigs.files.conventions.handedness import MIRRORED, is_mirrored
from rigs.skeleton import JOINTS

CAMERA_UP = "-Y"
"""Up axis of a camera: x right, y down, z away."""
_CAMERA = Stated(up=CAMERA_UP, metres=1.0)


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
    if not is_mirrored(bodies):
        return conventions
    return replace(conventions, mirrored=True, warnings=(*conventions.warnings, f"{name}: {MIRRORED}"))


def to_blender_axes(positions: Array, conventions: Conventions) -> Array:
    """Positions (..., 3) of a file in metres, in Blender's axes."""
    converted = to_z_up(positions * conventions.metres, conventions.up)
    return converted * [-1.0, 1.0, 1.0] if conventions.mirrored else converted


def cloud_source(source: Source, conventions: Conventions) -> Source:
    """The source with the detected conventions; for a camera's Y down, files that match it have Y up."""
    return replace(source, units=conventions.metres, up="Y" if conventions.up == CAMERA_UP else conventions.up)
