"""The studio floor of a preview: a bright disc that fades into the distance, and a grid of metres."""

import bpy
import numpy as np

from rigs import Array
from rigs.easing import smoothstep
from rigs.skeleton import INDEX

from ..animation import mannequin

FLOOR_RADIUS = 400.0  # m
FAR_FLOOR = (0.95, 0.97, 1.02)  # linear RGB

_TOES = [INDEX[name] for name in ("left_foot", "left_bigtoe", "right_foot", "right_bigtoe")]
_NEAR_FLOOR, _GRID = (1.30, 1.24, 1.16), (1.05, 0.98, 0.90)  # linear RGB
_FADE, _GRID_FADE = (2.5, 14.0), (0.5, 5.0)  # m from the dancers where the floor's and grid's fade starts and ends


def add_studio_floor(
    scene: bpy.types.Scene, positions: Array, *, metres: float = 1.0
) -> tuple[bpy.types.Object, bpy.types.Object]:
    """Add a floor below dancers' joint positions (F, D, 29, 3) m to the scene, and return its disc and its grid.

    metres: the metres in one Blender unit.
    """
    middle = (positions[:, :, 0].min(axis=(0, 1)) + positions[:, :, 0].max(axis=(0, 1))) / 2.0
    disc, grid = _floor_disc(middle), _floor_grid(middle)
    for ground in (disc, grid):
        ground.location.z = _floor_height(positions[:, 0]) / metres
        ground.scale = (1.0 / metres,) * 3
        scene.collection.objects.link(ground)
    return disc, grid


def _floor_height(positions: Array) -> float:
    """The height (m) of the floor below a dancer's joint positions (F, 29, 3).

    Captured toes hover and sink by centimetres, so it is a percentile of the lower foot's height over the frames.
    """
    return float(np.percentile(positions[:, _TOES, 2].min(axis=1), 30)) - mannequin.SOLE


def _floor_disc(middle: Array) -> bpy.types.Object:
    """A disc that is bright around `middle` (3,) m and fades into the distance."""
    radii = np.concatenate([[0.0], np.linspace(0.5, 20.0, 40), [40.0, 100.0, FLOOR_RADIUS]])
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
    return _blend(_NEAR_FLOOR, np.asarray(FAR_FLOOR), distance, _FADE)


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
