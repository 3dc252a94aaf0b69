"""Preview video of a duet: mannequins on a studio floor, filmed by a camera that keeps both in frame, as an MP4.

It is rendered by Workbench in a temporary scene that is built from Motions, so the user's scene stays unchanged.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from rigs import Array
from rigs.easing import smoothstep
from rigs.files.atomic_write import atomic_path
from rigs.motion import Motion, resample
from rigs.skeleton import INDEX

from ..animation import armatures, keyframes, mannequin
from ..animation.channels import Channel
from ..context_access import set_frame_rate
from . import camera_framing

SIZE = (848, 480)
"""Width and height (px) of a preview; without a GPU 20 s of it take two to three minutes to render."""
MAX_FPS = 30.0
"""Motions of a higher frame rate are resampled to this one."""

_LENS, _SENSOR = 55.0, 36.0  # mm
_TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
_FLOOR_RADIUS = 400.0  # m
_NEAR_FLOOR, _FAR_FLOOR, _GRID = (1.30, 1.24, 1.16), (0.95, 0.97, 1.02), (1.05, 0.98, 0.90)  # linear RGB
_FADE, _GRID_FADE = (2.5, 14.0), (0.5, 5.0)  # m from the dancers where the floor's and grid's fade starts and ends


def render_video(
    context: bpy.types.Context,
    motions: Sequence[Motion],
    path: Path,
    *,
    size: tuple[int, int] = SIZE,
    progress: Callable[[float, str], None] = lambda fraction, text: None,
) -> int:
    """Render the dancers to an H.264 video in an MP4 file and return the number of frames.

    motions: the leader and, if there is one, the partner, from the same start. The file is written whole or not at all.
    """
    motions = _same_rate_and_length(motions)
    frames = len(motions[0])
    with (
        _preview_scene(context, motions, size) as scene,
        _render_progress(scene, frames, progress),
        atomic_path(path, temporary=temporary_path(path)) as temporary,
    ):
        scene.render.filepath = str(temporary)
        bpy.ops.render.render(animation=True, scene=scene.name)
    return frames


def temporary_path(path: Path) -> Path:
    """The file to which a video is rendered before it is moved to `path`."""
    return path.with_name(f".{path.stem}.unfinished.mp4")


def _same_rate_and_length(motions: Sequence[Motion]) -> list[Motion]:
    """Resample the motions to one frame rate of at most MAX_FPS and to the longest one's length."""
    fps = min(MAX_FPS, max(motion.fps for motion in motions))
    seconds = max(motion.seconds for motion in motions)
    return [resample(motion, fps, int(np.floor(seconds * fps + 1e-6)) + 1) for motion in motions]


@contextmanager
def _preview_scene(
    context: bpy.types.Context, motions: Sequence[Motion], size: tuple[int, int]
) -> Iterator[bpy.types.Scene]:
    """A temporary scene with dancers, floor and camera, ready to render."""
    scene = bpy.data.scenes.new("Pas de Deux preview")
    images = set(bpy.data.images)
    try:
        with armatures.keep_selection(context):
            for motion, colour in zip(motions, (mannequin.CORAL, mannequin.TEAL), strict=False):
                _add_animated_dancer(context, scene, motion, colour)
        positions = np.stack([motion.positions for motion in motions], axis=1)
        middle = (positions[:, :, 0].min(axis=(0, 1)) + positions[:, :, 0].max(axis=(0, 1))) / 2.0
        for ground in (_floor_disc(middle), _floor_grid(middle)):
            ground.location.z = _floor_height(positions[:, 0])
            scene.collection.objects.link(ground)
        _set_render_settings(scene, motions[0].fps, len(motions[0]), size)
        _add_camera(scene, positions, motions[0].fps, size)
        yield scene
    finally:
        _remove_scene(scene)
        bpy.data.batch_remove({image for image in bpy.data.images if image not in images})


def _add_animated_dancer(
    context: bpy.types.Context, scene: bpy.types.Scene, motion: Motion, colour: tuple[float, float, float]
) -> None:
    """Add a dancer with a mannequin to the scene, animated from frame 1."""
    dancer = armatures.create_armature(context, "dancer", motion.skeleton)
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, "dance", 1))
    body = mannequin.add_mannequin(context, dancer, motion.skeleton, colour)
    for obj in (dancer, body):
        for collection in obj.users_collection:
            collection.objects.unlink(obj)
        scene.collection.objects.link(obj)


def _add_camera(scene: bpy.types.Scene, positions: Array, fps: float, size: tuple[int, int]) -> None:
    """Add a camera and a light direction that frame joint positions (F, D, 29, 3) m; the camera's location is keyed."""
    half_width = _SENSOR / 2.0 / _LENS
    view = camera_framing.frame_dancers(positions, fps, width=half_width, height=half_width * size[1] / size[0])
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    assert isinstance(camera.data, bpy.types.Camera)
    camera.data.lens, camera.data.sensor_width, camera.data.clip_end = _LENS, _SENSOR, 2.0 * _FLOOR_RADIUS
    scene.collection.objects.link(camera)
    scene.camera = camera
    right = np.cross(view.forward, view.up)
    assert scene.display is not None
    scene.display.light_direction = _workbench_light(0.45 * view.forward + 0.4 * right - np.array([0.0, 0.0, 1.0]))
    camera.rotation_euler = Matrix(np.stack([right, view.up, -view.forward], axis=-1).tolist()).to_euler()
    channel = Channel("location", view.eye, "camera")
    keyframes.assign_action(camera, keyframes.create_action(camera, "camera", [channel], 1))


def _workbench_light(direction: Array) -> tuple[float, float, float]:
    """Workbench's light direction, which has y and z swapped and signs flipped, for light along `direction` (3,)."""
    x, y, z = direction / np.linalg.norm(direction)
    return (-x, -z, y)


def _set_render_settings(scene: bpy.types.Scene, fps: float, frames: int, size: tuple[int, int]) -> None:
    """Set frame range, resolution, Workbench shading and H.264 output."""
    scene.frame_start, scene.frame_end = 1, frames
    set_frame_rate(scene, fps)
    scene.render.resolution_x, scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.render.engine = "BLENDER_WORKBENCH"  # type: ignore[assignment]
    assert scene.view_settings is not None
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]
    assert scene.display is not None
    scene.display.render_aa = "FXAA"
    shading = scene.display.shading
    assert shading is not None
    shading.light, shading.studio_light, shading.color_type = "STUDIO", "paint.sl", "VERTEX"
    shading.show_shadows, shading.shadow_intensity = True, 0.35
    shading.show_cavity, shading.cavity_type = True, "SCREEN"
    shading.curvature_ridge_factor, shading.curvature_valley_factor = 0.5, 0.8
    shading.show_object_outline = False
    shading.show_specular_highlight = True
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    ffmpeg = scene.render.ffmpeg
    assert ffmpeg is not None
    ffmpeg.format, ffmpeg.codec, ffmpeg.audio_codec = "MPEG4", "H264", "NONE"
    ffmpeg.constant_rate_factor, ffmpeg.gopsize = "HIGH", 30


def _floor_height(positions: Array) -> float:
    """The height (m) of the floor below a dancer's joint positions (F, 29, 3).

    Captured toes hover and sink by centimetres, so it is a percentile of the lower foot's height over the frames.
    """
    return float(np.percentile(positions[:, _TOES, 2].min(axis=1), 30)) - mannequin.SOLE


def _floor_disc(middle: Array) -> bpy.types.Object:
    """A disc that is bright around `middle` (3,) m and fades into the distance."""
    radii = np.concatenate([[0.0], np.linspace(0.5, 20.0, 40), [40.0, 100.0, _FLOOR_RADIUS]])
    segments = 96
    angle = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    points = np.zeros((len(radii), segments, 3))
    points[..., 0] = middle[0] + radii[:, None] * np.cos(angle)
    points[..., 1] = middle[1] + radii[:, None] * np.sin(angle)
    index = np.arange(points[..., 0].size).reshape(-1, segments)
    inner, outer = index[:-1], index[1:]
    quads = np.stack([inner, outer, np.roll(outer, -1, 1), np.roll(inner, -1, 1)], axis=-1).reshape(-1, 4)
    return _coloured_mesh("floor", points.reshape(-1, 3), quads, _floor_colour(np.repeat(radii, segments)))


def _floor_grid(middle: Array, reach: int = 6, width: float = 0.012) -> bpy.types.Object:
    """Thin lines a metre apart, up to `reach` m from `middle` (3,), just above the floor and fading with it."""
    steps = np.arange(-reach, reach + 1.0)
    vertices: list[Array] = []
    quads: list[Array] = []
    cuts = np.arange(-reach, reach + 0.5, 0.5)
    for transposed in (False, True):
        for line in steps:
            strip = np.zeros((len(cuts), 2, 3))
            strip[..., 0] = line + width * np.array([-0.5, 0.5])
            strip[..., 1] = cuts[:, None]
            strip[..., 2] = 0.002
            if transposed:
                strip = strip[:, ::-1, [1, 0, 2]]
            index = np.arange(len(cuts) * 2).reshape(-1, 2) + sum(len(points) for points in vertices)
            quads.append(np.stack([index[:-1, 0], index[:-1, 1], index[1:, 1], index[1:, 0]], axis=-1))
            vertices.append(strip.reshape(-1, 3))
    points = np.concatenate(vertices)
    distance = np.linalg.norm(points[:, :2], axis=-1)
    points[:, :2] += np.round(middle[:2])
    return _coloured_mesh("grid", points, np.concatenate(quads), _grid_colour(distance))


def _floor_colour(distance: Array) -> Array:
    """The floor's colour (P, 3) at distances (P,) m from its middle."""
    return _blend(_NEAR_FLOOR, np.asarray(_FAR_FLOOR), distance, _FADE)


def _grid_colour(distance: Array) -> Array:
    """The grid's colour (P, 3), which fades into the floor's."""
    return _blend(_GRID, _floor_colour(distance), distance, _GRID_FADE)


def _blend(near: tuple[float, float, float], far: Array, distance: Array, span: tuple[float, float]) -> Array:
    t = np.clip((distance - span[0]) / (span[1] - span[0]), 0.0, 1.0)[:, None]
    t = smoothstep(t)
    return np.asarray(near) * (1.0 - t) + far * t


def _coloured_mesh(name: str, points: Array, faces: Array, colours: Array) -> bpy.types.Object:
    """A mesh object of vertices (P, 3) m and faces, with vertex colours (P, 3)."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], faces.tolist())
    mannequin.set_vertex_colours(mesh, colours)
    return bpy.data.objects.new(name, mesh)


@contextmanager
def _render_progress(scene: bpy.types.Scene, frames: int, progress: Callable[[float, str], None]) -> Iterator[None]:
    """Call `progress` after each rendered frame."""

    def on_render_post(rendered: bpy.types.Scene, _: object = None) -> None:
        frame = rendered.frame_current
        progress(frame / frames, f"rendering frame {frame} of {frames}")

    bpy.app.handlers.render_post.append(on_render_post)
    try:
        yield
    finally:
        bpy.app.handlers.render_post.remove(on_render_post)


def _remove_scene(scene: bpy.types.Scene) -> None:
    """Remove the scene with its objects, their data, actions and unused materials."""
    objects = list(scene.objects)
    data = [obj.data for obj in objects if obj.data is not None]
    actions = [obj.animation_data.action for obj in objects if obj.animation_data and obj.animation_data.action]
    materials = [material for mesh in data if isinstance(mesh, bpy.types.Mesh) for material in mesh.materials]
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([*objects, *data, *actions])
    bpy.data.batch_remove({material for material in materials if material and material.users == 0})
