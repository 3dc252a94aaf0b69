"""The studio of a preview: Workbench's shading, its light from beside the camera, and the camera that films dancers."""

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from rigs import Array

from ..animation.keys import keyframes
from ..animation.keys.channels import Channel
from . import camera_framing
from .studio_floor import FAR_FLOOR, FLOOR_RADIUS

_LENS, _SENSOR = 55.0, 36.0  # mm
_SUN_STRENGTH, _WORLD = 3.0, (0.35, 0.36, 0.38)  # W/m2, linear RGB
_HALF_HEIGHT = _SENSOR / 2.0 / _LENS * 480.0 / 848.0
"""Largest half height of the frame at a distance of 1, at which the floor's far end stays above the frame."""


@dataclass(frozen=True)
class CameraShot:
    """A camera's path through the scene and its lens (mm)."""

    path: camera_framing.CameraPath
    lens: float


def frame_dancers(
    positions: Array, fps: float, size: tuple[int, int], *, body_radius: float = camera_framing.BODY_RADIUS
) -> CameraShot:
    """The camera that frames joint positions (F, D, 29, 3) m in a picture of `size` pixels.

    body_radius: m by which the bodies extend beyond their joints.
    """
    half_width = min(_SENSOR / 2.0 / _LENS, _HALF_HEIGHT * size[0] / size[1])
    path = camera_framing.frame_dancers(
        positions, fps, width=half_width, height=half_width * size[1] / size[0], body_radius=body_radius
    )
    return CameraShot(path, _SENSOR / 2.0 / half_width)


def add_camera(scene: bpy.types.Scene, shot: CameraShot, first: int, *, metres: float = 1.0) -> None:
    """Make a camera the scene's, its location keyed from the frame `first`; metres: those in one Blender unit."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    assert isinstance(camera.data, bpy.types.Camera)
    camera.data.lens, camera.data.sensor_width, camera.data.sensor_fit = shot.lens, _SENSOR, "HORIZONTAL"
    camera.data.clip_start, camera.data.clip_end = 0.1 / metres, 2.0 * FLOOR_RADIUS / metres
    scene.collection.objects.link(camera)
    scene.camera = camera
    axes = np.stack([shot.path.right, shot.path.up, -shot.path.forward], axis=-1)
    camera.rotation_euler = Matrix(axes.tolist()).to_euler()
    channel = Channel("location", shot.path.eye / metres, "camera")
    keyframes.assign_action(camera, keyframes.create_action(camera, "camera", [channel], first))


def set_light(scene: bpy.types.Scene, *, forward: Array, right: Array) -> None:
    """Set Workbench's light to come from beside a camera with these directions (3,)."""
    assert scene.display is not None
    scene.display.light_direction = _workbench_light(_light_direction(forward, right))


def add_sun(scene: bpy.types.Scene, *, forward: Array, right: Array) -> None:
    """Add a sun to a scene without lights, from beside a camera with these directions (3,); and a world if need be."""
    data = bpy.data.lights.new("sun", "SUN")
    assert isinstance(data, bpy.types.SunLight)
    data.energy = _SUN_STRENGTH
    sun = bpy.data.objects.new("sun", data)
    sun.rotation_euler = Vector(_light_direction(forward, right).tolist()).to_track_quat("-Z", "Y").to_euler()
    scene.collection.objects.link(sun)
    if scene.world is None:
        scene.world = bpy.data.worlds.new("studio")
        scene.world.color = _WORLD


def set_studio_shading(scene: bpy.types.Scene, colours: str) -> None:
    """Set Workbench with studio light, shadows and cavities; colours: Workbench's "VERTEX", "TEXTURE" or "MATERIAL"."""
    scene.render.engine = "BLENDER_WORKBENCH"  # type: ignore[assignment]
    assert scene.view_settings is not None
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]
    assert scene.display is not None
    scene.display.render_aa = "FXAA"
    shading = scene.display.shading
    assert shading is not None
    shading.light, shading.studio_light, shading.color_type = "STUDIO", "paint.sl", colours  # type: ignore[assignment]
    shading.show_shadows, shading.shadow_intensity = True, 0.35
    shading.show_cavity, shading.cavity_type = True, "SCREEN"
    shading.curvature_ridge_factor, shading.curvature_valley_factor = 0.5, 0.8
    shading.show_object_outline = False
    shading.show_specular_highlight = True


def set_background(scene: bpy.types.Scene) -> None:
    """Give the scene a world in the colour of the studio floor's far end, for cameras that see beyond it."""
    scene.world = bpy.data.worlds.new("studio")
    scene.world.color = FAR_FLOOR


def _light_direction(forward: Array, right: Array) -> Array:
    """The direction (3,) of light with which shadows fall away from the camera, to its right."""
    return 0.45 * forward + 0.4 * right - np.array([0.0, 0.0, 1.0])


def _workbench_light(direction: Array) -> tuple[float, float, float]:
    """Workbench's light direction, which has y and z swapped and signs flipped, for light along `direction` (3,)."""
    x, y, z = direction / np.linalg.norm(direction)
    return (-x, -z, y)
