"""Operators that show the whole dance of leader and partner: in the 3D Viewport, and by a camera that follows them."""

import bpy
import numpy as np
from mathutils import Matrix

from rigs import Array

from ...animation import dancers, source_checks
from ...animation.keys import keyframes
from ...animation.keys.channels import Channel, Tolerance
from ...background_job import OperatorError, OperatorReturn, error_message
from ...context_access import active_scene, active_view_layer, frame_rate, window_manager
from ...media import camera_framing, viewport_framing

_MAX_FRAMES = 200
"""Frames of the dance that are looked at to frame it in a viewport."""
_RADIUS = 0.16  # m around a joint
_LENS, _SENSOR = 50.0, 36.0  # mm
_TOLERANCE = 0.005  # m by which the reduced keys of a camera may leave its path


class PASDEDEUX_OT_frame_pair(bpy.types.Operator):
    """Move the 3D Viewport so that it shows the leader and the partner over their whole dance"""

    bl_idname = "pasdedeux.frame_pair"
    bl_label = "Frame Pair"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        try:
            area, space = _viewport(context)
            positions, metres = _joint_positions(context, _MAX_FRAMES)
        except (OperatorError, ValueError) as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        reach = _RADIUS * np.array([[-1.0, -1.0, -1.0], [1.0, 1.0, 1.0]])
        points = (positions.reshape(-1, 1, 3) + reach).reshape(-1, 3) / metres
        viewport_framing.frame_points(space, points, _free_size(area))
        area.tag_redraw()
        return {"FINISHED"}


class PASDEDEUX_OT_add_follow_camera(bpy.types.Operator):
    """Add a camera that follows the leader and the partner smoothly and keeps both in frame"""

    bl_idname = "pasdedeux.add_follow_camera"
    bl_label = "Add Follow Camera"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        try:
            pair = dancers.scene_dancers(context)
            positions, metres = _joint_positions(context)
            frames = dancers.frames_of(active_scene(context), *pair)
        except (OperatorError, ValueError) as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        for warning in (*dancers.missing_dancers(context), *source_checks.range_warnings(pair)):
            self.report({"WARNING"}, warning)
        scene = active_scene(context)
        camera = _add_camera(context, positions, frames.start, metres)
        if scene.camera is None:
            scene.camera = camera
        else:
            self.report({"INFO"}, f"{camera.name} added; {scene.camera.name} stays the scene's camera")
        return {"FINISHED"}


def _joint_positions(context: bpy.types.Context, max_frames: int | None = None) -> tuple[Array, float]:
    """The joints (F, D, 29, 3) m of leader and partner over their dance, and the metres in one Blender unit.

    max_frames: look at about so many frames, evenly spaced. Raises OperatorError or ValueError.
    """
    active_view_layer(context).update()
    pair = dancers.scene_dancers(context)
    frames = dancers.frames_of(active_scene(context), *pair)
    step = max(1, len(frames) // max_frames) if max_frames else 1
    sampled = dancers.sample_dancers(context, pair, frames[::step])
    return np.stack([motion.positions for motion in sampled.motions], axis=1), sampled.metres


def _add_camera(context: bpy.types.Context, positions: Array, first: int, metres: float) -> bpy.types.Object:
    """Add a camera whose location is keyed from the frame `first`, with few keys, to follow positions (F, D, 29, 3)."""
    scene = active_scene(context)
    half = _SENSOR / 2.0 / _LENS
    shape = np.array([scene.render.resolution_x, scene.render.resolution_y], float)
    shape *= (scene.render.pixel_aspect_x, scene.render.pixel_aspect_y)
    width, height = half * shape / shape.max()
    path = camera_framing.frame_dancers(positions, frame_rate(scene), width=width, height=height)
    data = bpy.data.cameras.new("Follow Camera")
    data.lens, data.sensor_width = _LENS, _SENSOR
    camera = bpy.data.objects.new("Follow Camera", data)
    scene.collection.objects.link(camera)
    right = np.cross(path.forward, path.up)
    camera.rotation_euler = Matrix(np.stack([right, path.up, -path.forward], axis=-1).tolist()).to_euler()
    reach = float(np.linalg.norm(path.eye[:, None, None] - positions, axis=-1).max())
    data.clip_start, data.clip_end = 0.1 / metres, max(data.clip_end, 10.0 * reach / metres)
    data.display_size = 0.5 / metres
    channels = [Channel("location", path.eye / metres, "Object Transforms")]
    tolerance = Tolerance(0.0, _TOLERANCE / metres)
    keyframes.write_keyframes(camera, channels, name=camera.name, first=first, tolerance=tolerance)
    return camera


def _viewport(context: bpy.types.Context) -> tuple[bpy.types.Area, bpy.types.SpaceView3D]:
    """The context's 3D Viewport, else the largest one of all windows. Raises OperatorError."""
    windows = window_manager(context).windows
    areas = [context.area] if context.area else []
    areas += sorted(
        (area for window in windows for area in window.screen.areas), key=lambda area: -area.width * area.height
    )
    for area in areas:
        space = area.spaces.active
        if isinstance(space, bpy.types.SpaceView3D):
            return area, space
    raise OperatorError("Open a 3D Viewport to frame the pair in")


def _free_size(area: bpy.types.Area) -> tuple[int, int, int, int]:
    """Width and height of the area's view, and the widths of the sidebars that cover it at its left and right (px)."""
    regions = {region.type: region for region in area.regions}
    window = regions["WINDOW"]
    sides = []
    for name in ("TOOLS", "UI"):
        region = regions.get(name)
        covers = region is not None and region.x < window.x + window.width and region.x + region.width > window.x
        sides.append(region.width if region is not None and covers and region.width > 1 else 0)
    width, height = max(window.width, 1), max(window.height, 1)
    left, right = sides if sum(sides) < width / 2 else (0, 0)
    return width, height, left, right


CLASSES = (PASDEDEUX_OT_frame_pair, PASDEDEUX_OT_add_follow_camera)
