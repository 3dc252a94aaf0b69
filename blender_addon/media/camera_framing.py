"""Automatic camera framing: a camera path that keeps every dancer in frame, from joint positions alone."""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.smoothing import gaussian_average

BODY_RADIUS = 0.16
"""Radius (m) of a body around its joints."""
_ELEVATION = np.radians(11.0)
_AZIMUTHS = np.radians(np.arange(0.0, 360.0, 15.0))
_SMOOTHING = 1.6  # s, standard deviation of the Gaussian that smooths the camera's path


@dataclass(frozen=True)
class CameraPath:
    """A camera of constant direction that follows the dancers.

    eye: (F, 3) m, its position.  forward, up: (3,) unit vectors.
    """

    eye: Array
    forward: Array
    up: Array

    @property
    def right(self) -> Array:
        """The unit vector (3,) to the camera's right."""
        return np.cross(self.forward, self.up)


def frame_dancers(
    dancers: Array, fps: float, *, width: float, height: float, body_radius: float = BODY_RADIUS
) -> CameraPath:
    """Choose the azimuth from which the dancers occlude each other least and fill the frame best.

    dancers: (F, D, 29, 3) m, Z up.  width, height: half extents of the frame at a distance of 1.
    body_radius: m by which a body extends beyond its joints.
    """
    target = _target_path(dancers, fps)
    relative = (dancers - target[:, None, None]).reshape(len(dancers), -1, 3)
    candidates = [(_fitting_distance(relative, azimuth, width, height, body_radius), azimuth) for azimuth in _AZIMUTHS]
    nearest = min(distance for distance, _ in candidates)
    _, distance, azimuth = max(
        (_separation(dancers, azimuth) + _frontness(dancers, azimuth) - 0.6 * distance / nearest, distance, azimuth)
        for distance, azimuth in candidates
    )
    forward, _, up = _axes(azimuth)
    return CameraPath(target - distance * forward, forward, up)


def _target_path(dancers: Array, fps: float) -> Array:
    """The point (F, 3) that the camera looks at: the dancers' middle, Gaussian-smoothed, at constant height."""
    low, high = dancers.min(axis=(1, 2)), dancers.max(axis=(1, 2))
    middle = (low + high) / 2.0
    middle[:, 2] = (np.percentile(low[:, 2], 2) + np.percentile(high[:, 2], 98)) / 2.0
    return gaussian_average(middle, _SMOOTHING * fps)


def _axes(azimuth: float) -> tuple[Array, Array, Array]:
    """Forward, right and up (3,) of a camera at `azimuth` from -y, counter-clockwise, that looks inwards."""
    level = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    forward = np.cos(_ELEVATION) * level - np.array([0.0, 0.0, np.sin(_ELEVATION)])
    right = np.array([level[1], -level[0], 0.0])
    return forward, right, np.cross(right, forward)


def _fitting_distance(relative: Array, azimuth: float, width: float, height: float, body_radius: float) -> float:
    """The distance (m) from its target at which all points (F, P, 3), relative to it, fit the frame."""
    forward, right, up = _axes(azimuth)
    depth = relative @ forward
    horizontal = (np.abs(relative @ right) + body_radius) / width - depth
    vertical = (np.abs(relative @ up) + body_radius) / height - depth
    return float(max(horizontal.max(), vertical.max()))


def _separation(dancers: Array, azimuth: float) -> float:
    """How far apart the two pelvises appear, on average: from 0 in line to 1 at half a metre and more."""
    if dancers.shape[1] < 2:
        return 0.0
    _, right, _ = _axes(azimuth)
    gap = np.diff(dancers[:, :2, 0] @ right, axis=1)[:, 0]
    return float(np.clip(np.abs(gap) / 0.5, 0.0, 1.0).mean())


def _frontness(dancers: Array, azimuth: float) -> float:
    """How much the dancers face the camera: -0.15 (backs) to 0.15 (fronts)."""
    forward, _, _ = _axes(azimuth)
    left = dancers[:, :, 16] - dancers[:, :, 17]
    facing = np.stack([left[..., 1], -left[..., 0]], axis=-1)
    facing /= np.linalg.norm(facing, axis=-1, keepdims=True) + 1e-9
    return float(-0.15 * (facing @ forward[:2]).mean())
