"""Where a camera stands so that every dancer stays whole in every frame, from joint positions alone."""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.smoothing import gaussian_average

_BODY = 0.16  # m of flesh around a joint
_ELEVATION = np.radians(11.0)
_AZIMUTHS = np.radians(np.arange(0.0, 360.0, 15.0))
_FOLLOW = 1.6  # s over which the camera evens out the pair's travel


@dataclass(frozen=True)
class View:
    """A camera that keeps its direction and gently follows.

    eye: (F, 3) m, its place in each frame.  forward, up: (3,) unit vectors.
    """

    eye: Array
    forward: Array
    up: Array


def frame(dancers: Array, fps: float, *, width: float, height: float) -> View:
    """Choose a view of the dancers from the side where they hide each other least and fill the picture best.

    dancers: (F, D, 29, 3) m, Z up.  width, height: the picture's half extents at a distance of 1.
    """
    target = _path(dancers, fps)
    around = (dancers - target[:, None, None]).reshape(len(dancers), -1, 3)
    views = [(_distance(around, azimuth, width, height), azimuth) for azimuth in _AZIMUTHS]
    nearest = min(distance for distance, _ in views)
    _, distance, azimuth = max(
        (_separation(dancers, azimuth) + _frontness(dancers, azimuth) - 0.6 * distance / nearest, distance, azimuth)
        for distance, azimuth in views
    )
    forward, _, up = _axes(azimuth)
    return View(target - distance * forward, forward, up)


def _path(dancers: Array, fps: float) -> Array:
    """The point (F, 3) that the camera looks at: the middle of the pair, evened out over time, at a steady height."""
    low, high = dancers.min(axis=(1, 2)), dancers.max(axis=(1, 2))
    middle = (low + high) / 2.0
    middle[:, 2] = (np.percentile(low[:, 2], 2) + np.percentile(high[:, 2], 98)) / 2.0
    return gaussian_average(middle, _FOLLOW * fps)


def _axes(azimuth: float) -> tuple[Array, Array, Array]:
    """Forward, right and up (3,) of a camera that stands at `azimuth` from -y, counter-clockwise, and looks in."""
    level = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    forward = np.cos(_ELEVATION) * level - np.array([0.0, 0.0, np.sin(_ELEVATION)])
    right = np.array([level[1], -level[0], 0.0])
    return forward, right, np.cross(right, forward)


def _distance(around: Array, azimuth: float, width: float, height: float) -> float:
    """How far (m) the camera must stand off so that all points (F, P, 3) about its target fit the picture."""
    forward, right, up = _axes(azimuth)
    depth = around @ forward
    aside = (np.abs(around @ right) + _BODY) / width - depth
    above = (np.abs(around @ up) + _BODY) / height - depth
    return float(max(aside.max(), above.max()))


def _separation(dancers: Array, azimuth: float) -> float:
    """The share of frames in which the two dancers' trunks stand clear of each other: 0 to 1."""
    if dancers.shape[1] < 2:
        return 0.0
    _, right, _ = _axes(azimuth)
    aside = np.diff(dancers[:, :2, 0] @ right, axis=1)[:, 0]
    return float(np.clip(np.abs(aside) / 0.5, 0.0, 1.0).mean())


def _frontness(dancers: Array, azimuth: float) -> float:
    """How much the dancers turn their faces to the camera rather than their backs: -0.15 to 0.15."""
    forward, _, _ = _axes(azimuth)
    left = dancers[:, :, 16] - dancers[:, :, 17]
    facing = np.stack([left[..., 1], -left[..., 0]], axis=-1)
    facing /= np.linalg.norm(facing, axis=-1, keepdims=True) + 1e-9
    return float(-0.15 * (facing @ forward[:2]).mean())
