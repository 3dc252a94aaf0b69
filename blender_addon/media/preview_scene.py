"""The picture of the pair: mannequins on a studio floor before a camera that keeps both in frame, written as an MP4.

Everything stands in a scene of its own, made from Motions and removed afterwards, so the user's scene stays as it is.
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

from .. import context_access
from ..animation import armatures, keyframes, mannequin
from . import camera_framing

SIZE = (848, 480)
"""Width and height of a preview: 20 s of it render in two to three minutes without a GPU."""
RATE = 30.0
"""Faster movement is shown at this rate."""

_LENS, _SENSOR = 55.0, 36.0  # mm
_TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
_FLOOR_RADIUS = 400.0  # m
_NEAR_FLOOR, _FAR_FLOOR, _GRID = (1.30, 1.24, 1.16), (0.95, 0.97, 1.02), (1.05, 0.98, 0.90)
_FADE, _GRID_FADE = (2.5, 14.0), (0.5, 5.0)  # m from the dancers: where the floor and its lines begin and end to fade


def render(
    context: bpy.types.Context,
    motions: Sequence[Motion],
    path: Path,
    *,
    size: tuple[int, int] = SIZE,
    progress: Callable[[float, str], None] = lambda fraction, what: None,
) -> int:
    """Write the dancers' movement to `path` as H.264 in an MP4 and return the number of frames.

    motions: the leader and, if there is one, the partner, on one clock. The file appears when it is whole.
    """
    motions = _on_one_clock(motions)
    frames = len(motions[0])
    with (
        _stage(context, motions, size) as scene,
        _reported(scene, frames, progress),
        atomic_path(path, temporary=unfinished(path)) as temporary,
    ):
        scene.render.filepath = str(temporary)
        bpy.ops.render.render(animation=True, scene=scene.name)
    return frames


def unfinished(path: Path) -> Path:
    """Where a video is written until it is whole."""
    return path.with_name(f".{path.stem}.unfinished.mp4")


def _on_one_clock(motions: Sequence[Motion]) -> list[Motion]:
    """The motions at one rate of at most RATE frames a second, each as long as the longest."""
    fps = min(RATE, max(motion.fps for motion in motions))
    seconds = max(motion.seconds for motion in motions)
    return [resample(motion, fps, int(np.floor(seconds * fps + 1e-6)) + 1) for motion in motions]


@contextmanager
def _stage(context: bpy.types.Context, motions: Sequence[Motion], size: tuple[int, int]) -> Iterator[bpy.types.Scene]:
    """A scene with the dancers, floor and camera, ready to render, that is gone afterwards."""
    scene = bpy.data.scenes.new("Pas de Deux preview")
    images = set(bpy.data.images)
    try:
        with armatures.undisturbed(context):
            for motion, colour in zip(motions, (mannequin.CORAL, mannequin.TEAL), strict=False):
                _perform(context, scene, motion, colour)
        positions = np.stack([motion.positions for motion in motions], axis=1)
        middle = (positions[:, :, 0].min(axis=(0, 1)) + positions[:, :, 0].max(axis=(0, 1))) / 2.0
        for ground in (_floor(middle), _grid(middle)):
            ground.location.z = _ground(positions[:, 0])
            scene.collection.objects.link(ground)
        _set_up_picture(scene, motions[0].fps, len(motions[0]), size)
        _film(scene, positions, motions[0].fps, size)
        yield scene
    finally:
        _discard(scene)
        bpy.data.batch_remove({image for image in bpy.data.images if image not in images})


def _perform(
    context: bpy.types.Context, scene: bpy.types.Scene, motion: Motion, colour: tuple[float, float, float]
) -> None:
    """Bring a dancer with a body on stage, keyed from frame 1."""
    dancer = armatures.add(context, "dancer", motion.skeleton)
    keyframes.assign(dancer, armatures.key(dancer, motion, "dance", 1))
    body = mannequin.add(context, dancer, motion.skeleton, colour)
    for thing in (dancer, body):
        for collection in thing.users_collection:
            collection.objects.unlink(thing)
        scene.collection.objects.link(thing)


def _film(scene: bpy.types.Scene, positions: Array, fps: float, size: tuple[int, int]) -> None:
    """Place and key the camera for joint positions (F, D, 29, 3)."""
    half = _SENSOR / 2.0 / _LENS
    view = camera_framing.frame(positions, fps, width=half, height=half * size[1] / size[0])
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    assert isinstance(camera.data, bpy.types.Camera)
    camera.data.lens, camera.data.sensor_width, camera.data.clip_end = _LENS, _SENSOR, 2.0 * _FLOOR_RADIUS
    scene.collection.objects.link(camera)
    scene.camera = camera
    right = np.cross(view.forward, view.up)
    assert scene.display is not None
    scene.display.light_direction = _light(0.45 * view.forward + 0.4 * right - np.array([0.0, 0.0, 1.0]))
    camera.rotation_euler = Matrix(np.stack([right, view.up, -view.forward], axis=-1).tolist()).to_euler()
    keyframes.assign(camera, keyframes.create(camera, "camera", [keyframes.Channel("location", view.eye, "camera")], 1))


def _light(way: Array) -> tuple[float, float, float]:
    """Workbench's light direction for light that goes `way` (3,) in the world: y and z swapped, some turned."""
    x, y, z = way / np.linalg.norm(way)
    return (-x, -z, y)


def _set_up_picture(scene: bpy.types.Scene, fps: float, frames: int, size: tuple[int, int]) -> None:
    """Workbench as a studio, and an H.264 file."""
    scene.frame_start, scene.frame_end = 1, frames
    context_access.set_frame_rate(scene, fps)
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
    film = scene.render.ffmpeg
    assert film is not None
    film.format, film.codec, film.audio_codec = "MPEG4", "H264", "NONE"
    film.constant_rate_factor, film.gopsize = "HIGH", 30


def _ground(positions: Array) -> float:
    """The height (m) of the floor that looks right under a dancer of positions (F, 29, 3).

    Recorded toes hover and sink by centimetres; the lower foot should rest on the floor in most frames.
    """
    return float(np.percentile(positions[:, _TOES, 2].min(axis=1), 30)) - mannequin.SOLE


def _floor(middle: Array) -> bpy.types.Object:
    """A disc that is light around the dancers and fades into the distance."""
    radii = np.concatenate([[0.0], np.linspace(0.5, 20.0, 40), [40.0, 100.0, _FLOOR_RADIUS]])
    around = 96
    angle = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    points = np.zeros((len(radii), around, 3))
    points[..., 0] = middle[0] + radii[:, None] * np.cos(angle)
    points[..., 1] = middle[1] + radii[:, None] * np.sin(angle)
    index = np.arange(points[..., 0].size).reshape(-1, around)
    inner, outer = index[:-1], index[1:]
    quads = np.stack([inner, outer, np.roll(outer, -1, 1), np.roll(inner, -1, 1)], axis=-1).reshape(-1, 4)
    return _painted("floor", points.reshape(-1, 3), quads, _floor_colour(np.repeat(radii, around)))


def _grid(middle: Array, reach: int = 6, width: float = 0.012) -> bpy.types.Object:
    """Thin lines a metre apart that fade with the floor, just above it."""
    steps = np.arange(-reach, reach + 1.0)
    corners: list[Array] = []
    quads: list[Array] = []
    cuts = np.arange(-reach, reach + 0.5, 0.5)
    for turned in (False, True):
        for line in steps:
            strip = np.zeros((len(cuts), 2, 3))
            strip[..., 0] = line + width * np.array([-0.5, 0.5])
            strip[..., 1] = cuts[:, None]
            strip[..., 2] = 0.002
            if turned:
                strip = strip[:, ::-1, [1, 0, 2]]
            index = np.arange(len(cuts) * 2).reshape(-1, 2) + sum(len(points) for points in corners)
            quads.append(np.stack([index[:-1, 0], index[:-1, 1], index[1:, 1], index[1:, 0]], axis=-1))
            corners.append(strip.reshape(-1, 3))
    points = np.concatenate(corners)
    distance = np.linalg.norm(points[:, :2], axis=-1)
    points[:, :2] += np.round(middle[:2])
    return _painted("grid", points, np.concatenate(quads), _grid_colour(distance))


def _floor_colour(distance: Array) -> Array:
    """The floor's colour (P, 3) at a distance from its middle (P,) m."""
    return _blend(_NEAR_FLOOR, np.asarray(_FAR_FLOOR), distance, _FADE)


def _grid_colour(distance: Array) -> Array:
    """The lines' colour (P, 3), which becomes the floor's."""
    return _blend(_GRID, _floor_colour(distance), distance, _GRID_FADE)


def _blend(near: tuple[float, float, float], far: Array, distance: Array, span: tuple[float, float]) -> Array:
    t = np.clip((distance - span[0]) / (span[1] - span[0]), 0.0, 1.0)[:, None]
    t = smoothstep(t)
    return np.asarray(near) * (1.0 - t) + far * t


def _painted(name: str, points: Array, faces: Array, colours: Array) -> bpy.types.Object:
    """A mesh of points (P, 3) m with a colour (P, 3) at each."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points.tolist(), [], faces.tolist())
    mannequin.paint(mesh, colours)
    return bpy.data.objects.new(name, mesh)


@contextmanager
def _reported(scene: bpy.types.Scene, frames: int, progress: Callable[[float, str], None]) -> Iterator[None]:
    """Call `progress` as each frame of the scene is drawn."""

    def drawn(rendered: bpy.types.Scene, _: object = None) -> None:
        done = rendered.frame_current
        progress(done / frames, f"drawing frame {done} of {frames}")

    bpy.app.handlers.render_post.append(drawn)
    try:
        yield
    finally:
        bpy.app.handlers.render_post.remove(drawn)


def _discard(scene: bpy.types.Scene) -> None:
    """Remove the scene with all that was made for it."""
    things = list(scene.objects)
    data = [thing.data for thing in things if thing.data is not None]
    actions = [thing.animation_data.action for thing in things if thing.animation_data and thing.animation_data.action]
    materials = [material for mesh in data if isinstance(mesh, bpy.types.Mesh) for material in mesh.materials]
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([*things, *data, *actions])
    bpy.data.batch_remove({material for material in materials if material and material.users == 0})
