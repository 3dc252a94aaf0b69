"""Frame points in a 3D Viewport: the view's rotation stays, its location and distance change."""

import bpy
import numpy as np

from rigs import Array

_VIEWPORT_SENSOR = 72.0  # mm, the sensor width by which the viewport's focal length counts
_FILL = 0.92  # of the free width or height


def frame_points(space: bpy.types.SpaceView3D, points: Array, size: tuple[int, int, int, int]) -> None:
    """Move the view so that it shows all points (P, 3), in Blender units.

    size: width and height of the region, and the widths of the sidebars that cover it at its left and right, in px.
    A view through the camera becomes a perspective view.
    """
    width, height, left, right = size
    view = space.region_3d
    assert view is not None
    if view.view_perspective == "CAMERA":
        view.view_perspective = "PERSP"
    axes = np.array(view.view_rotation.to_matrix())  # columns: right, up and towards the viewer
    in_view = points @ axes
    depth = in_view[:, 2].mean()
    towards = in_view[:, 2] - depth if view.view_perspective == "PERSP" else np.zeros(len(points))
    # Half extents of the region at a distance of 1, of which the longer one has the sensor's width.
    half = _VIEWPORT_SENSOR / 2.0 / space.lens / max(width, height) * np.array([width, height])
    free = half * np.array([[2.0 * left / width - 1.0, -1.0], [1.0 - 2.0 * right / width, 1.0]])
    low, high = free.mean(axis=0) + _FILL * (free - free.mean(axis=0))
    # A point at x, z towards the viewer, shows at (x - eye) / (distance - z), which must be from low to high.
    least = (in_view[:, :2] + low * towards[:, None]).min(axis=0)
    greatest = (in_view[:, :2] + high * towards[:, None]).max(axis=0)
    distance = float(((greatest - least) / (high - low)).max())
    eye = (least - low * distance + greatest - high * distance) / 2.0
    view.view_location = (axes @ [*eye, depth]).tolist()
    view.view_distance = distance
    space.clip_end = max(space.clip_end, 4.0 * distance)
