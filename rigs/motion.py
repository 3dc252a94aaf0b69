"""`Motion`, the movement of one dancer, and its edits: resample, interpolate, mirror, rotate, translate, join."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.skeleton import MIRROR_JOINTS, Skeleton


@dataclass(frozen=True)
class Motion:
    """Movement of one dancer in Blender's space: right-handed, Z up, metres.

    fps: frames per second.
    skeleton: the dancer's own bone offsets.
    root: (F, 3) m, the pelvis.
    rotations: (F, 29, 4) unit quaternions w, x, y, z relative to the parent; all identity is the T-pose facing -Y.
    """

    fps: float
    skeleton: Skeleton
    root: Array
    rotations: Array

    def __post_init__(self) -> None:
        frames = len(self.root)
        for name, array, shape in (
            ("root", self.root, (frames, 3)),
            ("rotations", self.rotations, (frames, 29, 4)),
            ("skeleton.offsets", self.skeleton.offsets, (29, 3)),
        ):
            if array.shape != shape:
                raise ValueError(f"{name}: shape {shape} expected, {array.shape} found")
        if not self.fps > 0.0:
            raise ValueError(f"fps: a positive number expected, {self.fps} found")

    def __len__(self) -> int:
        return len(self.root)

    def __getitem__(self, frames: slice) -> "Motion":
        """Motion of a slice of the frames."""
        return replace(self, root=self.root[frames], rotations=self.rotations[frames])

    @cached_property
    def positions(self) -> Array:
        """Joint positions (F, 29, 3) m."""
        return kinematics.fk(self.root, self.rotations, self.skeleton.offsets)

    @property
    def seconds(self) -> float:
        """Duration in s from the first frame to the last."""
        return (len(self) - 1) / self.fps


def resample(motion: Motion, fps: float, frames: int | None = None) -> Motion:
    """Resample a motion to another frame rate: rotations by slerp, the root linearly.

    Frame 0 keeps its time. Without `frames` there are just enough frames to reach the time of the last one; past that
    time the last pose is held.
    """
    if frames is None:
        frames = int(np.ceil(motion.seconds * fps - 1e-6)) + 1
    if fps == motion.fps and frames == len(motion):
        return motion
    return interpolate(motion, fps, np.arange(frames) * (motion.fps / fps))


def interpolate(motion: Motion, fps: float, at: Array) -> Motion:
    """Motion at `fps` interpolated at the fractional frames `at` (N,) of another.

    Rotations by slerp, the root linearly; outside the motion its first and last pose are held.
    """
    at = np.clip(at, 0, len(motion) - 1)
    before = np.minimum(np.floor(at + 1e-9).astype(int), len(motion) - 1)
    after = np.minimum(before + 1, len(motion) - 1)
    t = np.clip(at - before, 0.0, 1.0)
    root = motion.root[before] * (1.0 - t)[:, None] + motion.root[after] * t[:, None]
    local = rotations.slerp(motion.rotations[before], motion.rotations[after], t[:, None])
    return Motion(fps, motion.skeleton, root, local)


def mirror(motion: Motion) -> Motion:
    """Mirror a motion on the plane x = 0: left and right joints change places."""
    flip = np.array([-1.0, 1.0, 1.0])
    swapped = list(MIRROR_JOINTS)
    mirrored = motion.rotations[:, swapped] * np.array([1.0, 1.0, -1.0, -1.0])
    skeleton = Skeleton(motion.skeleton.offsets[swapped] * flip)
    return Motion(motion.fps, skeleton, motion.root * flip, mirrored)


def rotate_about_z(motion: Motion, angle: float) -> Motion:
    """Rotate a motion about the world's vertical axis by `angle` radians."""
    q = rotations.about_z(angle)
    local = motion.rotations.copy()
    local[:, 0] = rotations.multiply(q, local[:, 0])
    return replace(motion, root=rotations.rotate(q, motion.root), rotations=local)


def translate(motion: Motion, offset: Array) -> Motion:
    """Translate a motion by `offset` (3,) m."""
    return replace(motion, root=motion.root + np.asarray(offset))


def concatenate(first: Motion, second: Motion) -> Motion:
    """Concatenate two motions of one frame rate, on the skeleton of the first."""
    if first.fps != second.fps:
        raise ValueError(f"fps: {first.fps} expected, {second.fps} found")
    root, local = np.concatenate([first.root, second.root]), np.concatenate([first.rotations, second.rotations])
    return replace(first, root=root, rotations=local)
