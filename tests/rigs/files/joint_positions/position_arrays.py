"""Made-up arrays of joint positions in camera axes for tests."""

from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, INDEX


def to_camera(positions: Array) -> Array:
    """Camera axes (x right, y down, z away) of positions in Blender's."""
    return np.stack([positions[..., 0], -positions[..., 2], positions[..., 1]], axis=-1)


def swaying(facing: float, place: float, frames: int = 60) -> Motion:
    """A dancer at x = `place` who is turned by `facing` and waves gently."""
    wave = 0.3 * np.sin(np.arange(frames) / 10.0)
    turned = rotations.identity(frames, 29)
    turned[:, 0] = rotations.about_z(facing + wave)
    for name, axis in (("left_elbow", (0, 0, -1)), ("right_elbow", (0, 0, 1))):
        turned[:, INDEX[name]] = rotations.from_axis_angle(np.array(axis, float), 0.8 + wave)
    root = np.repeat(DEFAULT_SKELETON.offsets[:1], frames, axis=0)
    root[:, 0] = place
    root[:, 2] += 0.003 * wave  # nobody's pelvis stays in one place
    return Motion(30.0, DEFAULT_SKELETON, root, turned)


def save(path: Path, array: Array) -> Path:
    np.save(path, array)
    return path
