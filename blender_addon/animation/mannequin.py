"""A dancer's body for the eye: a smooth mannequin of round limbs around the skeleton, drawn from no scanned body.

Round segments along the bones are fused by a voxel remesh and smoothed; each vertex then follows the bones whose
segments it came from, softened over its neighbours so that elbows and knees bend without a crease.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.skeleton import DEFAULT, INDEX, JOINTS, Skeleton

from ..context_access import scene_of

CORAL = (0.92, 0.36, 0.26)
TEAL = (0.04, 0.40, 0.45)
SOLE = 0.012
"""How far (m) the body reaches below the joint of the big toe."""

_VOXEL = 0.02  # m, for an adult of 1.7 m
_SMOOTHING = 5  # rounds over the mesh
_WEIGHT_ROUNDS, _COLOUR_ROUNDS = 12, 2
_SKIN = {"jaw", "head", "neck", "left_wrist", "right_wrist", "left_thumb", "right_thumb"}
_SHOES = {"left_ankle", "right_ankle", "left_foot", "right_foot"}


@dataclass(frozen=True)
class _Segment:
    """A round limb from `start` to `end` (3,) m with its `radii` m there, `depth` times as deep as it is wide."""

    joint: str
    start: Array
    end: Array
    radii: tuple[float, float]
    depth: float = 1.0


def add(
    context: bpy.types.Context, armature: bpy.types.Object, skeleton: Skeleton, colour: tuple[float, float, float]
) -> bpy.types.Object:
    """Give the armature a body of the skeleton's size in `colour` (linear red, green, blue)."""
    segments = list(_segments(skeleton))
    size = _size(skeleton)
    body = _fused(context, f"{armature.name} body", segments, _VOXEL * size)
    mesh = body.data
    assert isinstance(mesh, bpy.types.Mesh)
    points = _points(mesh)
    edges = np.empty(len(mesh.edges) * 2, np.int32)
    mesh.edges.foreach_get("vertices", edges)
    nearest = np.argmin([_distance(segment, points) for segment in segments], axis=0)
    joints = np.array([INDEX[segment.joint] for segment in segments])[nearest]
    owned = np.eye(len(JOINTS))[joints]
    _colour(mesh, _softened(owned, edges, _COLOUR_ROUNDS), colour)
    _skin(body, _softened(owned, edges, _WEIGHT_ROUNDS))
    for collection in armature.users_collection:
        collection.objects.link(body)
    body.parent = armature
    mesh.materials.append(_material(colour))
    modifier = body.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = armature
    body.hide_select = True
    return body


def paint(mesh: bpy.types.Mesh, colours: Array) -> None:
    """Give each of the mesh's points a colour (P, 3)."""
    shades = np.ones((len(colours), 4), np.float32)
    shades[:, :3] = colours
    attribute = mesh.color_attributes.new("colour", "FLOAT_COLOR", "POINT")
    assert isinstance(attribute, bpy.types.FloatColorAttribute)
    attribute.data.foreach_set("color", shades.ravel())
    mesh.color_attributes.active_color = attribute


def _material(colour: tuple[float, float, float]) -> bpy.types.Material:
    """What shows the colour where Blender does not look at the mesh's own: one for all dancers of that colour."""
    name = "Pas de Deux leader" if colour == CORAL else "Pas de Deux partner"
    material = bpy.data.materials.get(name) or bpy.data.materials.new(name)
    material.diffuse_color = (*colour, 1.0)
    return material


def _size(skeleton: Skeleton) -> float:
    """How large the dancer is beside an adult of 1.7 m, from the bones that carry the height."""
    bones = [INDEX[name] for name in ("left_knee", "left_ankle", "spine1", "spine2", "spine3", "neck")]
    length = [float(np.linalg.norm(body.offsets[bones], axis=-1).sum()) for body in (skeleton, DEFAULT)]
    return length[0] / length[1]


def _segments(skeleton: Skeleton) -> Iterator[_Segment]:
    rest = skeleton.rest_positions()
    size = _size(skeleton)

    def at(joint: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Array:
        return rest[INDEX[joint]] + size * np.array([x, y, z])

    def limb(joint: str, start: Array, end: Array, first: float, last: float, depth: float = 1.0) -> _Segment:
        return _Segment(joint, start, end, (first * size, last * size), depth)

    yield limb("pelvis", at("left_hip", -0.01, 0.01, 0.03), at("right_hip", 0.01, 0.01, 0.03), 0.098, 0.098)
    yield limb("pelvis", at("pelvis", 0, 0, -0.03), at("spine1"), 0.118, 0.104, 0.85)
    yield limb("spine1", at("spine1"), at("spine2"), 0.104, 0.11, 0.8)
    yield limb("spine2", at("spine2"), at("spine3", 0, 0, 0.02), 0.115, 0.13, 0.78)
    yield limb("spine3", at("spine3", 0, 0, 0.0), at("spine3", 0, 0, 0.1), 0.135, 0.125, 0.78)
    yield limb("neck", at("neck", 0, 0.005, -0.04), at("jaw", 0, 0.012, 0.04), 0.064, 0.054)
    yield limb("jaw", at("jaw", 0, 0.014, 0.085), at("jaw", 0, 0.006, 0.125), 0.084, 0.088)
    yield limb("jaw", at("jaw", 0, -0.036, 0.022), at("jaw", 0, -0.036, 0.085), 0.05, 0.068)
    yield limb("jaw", at("jaw", 0, -0.105, 0.06), at("jaw", 0, -0.098, 0.085), 0.016, 0.012)
    for side, out in (("left_", 1.0), ("right_", -1.0)):
        yield limb(side + "collar", at(side + "collar", -0.03 * out, 0, -0.02), at(side + "shoulder"), 0.075, 0.064)
        yield limb(side + "shoulder", at(side + "shoulder"), at(side + "elbow"), 0.059, 0.042)
        yield limb(side + "elbow", at(side + "elbow"), at(side + "wrist"), 0.044, 0.029)
        yield limb(side + "wrist", at(side + "wrist"), at(side + "thumb"), 0.026, 0.027, 1.6)
        yield limb(side + "thumb", at(side + "thumb"), at(side + "middle"), 0.027, 0.018, 1.7)
        palm = at(side + "thumb") - at(side + "wrist")
        root = at(side + "wrist") + 0.25 * palm + size * np.array([0.0, -0.02, -0.006])
        tip = at(side + "wrist") + 0.95 * palm + size * np.array([0.0, -0.062, -0.012])
        yield limb(side + "wrist", root, tip, 0.022, 0.017)
        yield limb(side + "hip", at(side + "hip", 0, 0, 0.0), at(side + "knee"), 0.094, 0.058)
        yield limb(side + "knee", at(side + "knee"), at(side + "ankle"), 0.058, 0.037)
        yield limb(side + "knee", at(side + "knee", 0, 0.022, -0.07), at(side + "knee", 0, 0.016, -0.2), 0.046, 0.036)
        yield limb(side + "ankle", at(side + "ankle", 0, 0.02, -0.03), at(side + "foot", 0, 0, 0.02), 0.043, 0.042)
        yield limb(side + "foot", at(side + "foot", 0, 0.01, 0.014), at(side + "bigtoe", 0, 0.0, 0.016), 0.042, 0.03)


def _fused(context: bpy.types.Context, name: str, segments: list[_Segment], voxel: float) -> bpy.types.Object:
    """One closed, smooth mesh around all segments."""
    corners: list[Array] = []
    faces: list[Array] = []
    count = 0
    for segment in segments:
        points, quads = _surface(segment)
        corners.append(points)
        faces.append(quads + count)
        count += len(points)
    rough = bpy.data.meshes.new(name)
    rough.from_pydata(np.concatenate(corners).tolist(), [], np.concatenate(faces).tolist())
    body = bpy.data.objects.new(name, rough)
    remesh = body.modifiers.new("Fuse", "REMESH")
    assert isinstance(remesh, bpy.types.RemeshModifier)
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", voxel, True
    smooth = body.modifiers.new("Smooth", "SMOOTH")
    assert isinstance(smooth, bpy.types.SmoothModifier)
    smooth.factor, smooth.iterations = 0.5, _SMOOTHING
    collection = scene_of(context).collection
    collection.objects.link(body)
    depsgraph = context.evaluated_depsgraph_get()
    body.data = bpy.data.meshes.new_from_object(body.evaluated_get(depsgraph))
    collection.objects.unlink(body)
    body.modifiers.clear()
    bpy.data.meshes.remove(rough)
    body.data.name = name
    return body


def _surface(segment: _Segment, around: int = 24, caps: int = 7) -> tuple[Array, Array]:
    """A capsule around two spheres: its points (P, 3) m and quads (Q, 4)."""
    axis = segment.end - segment.start
    length = float(np.linalg.norm(axis))
    rise = np.linspace(-np.pi / 2, 0.0, caps)
    low, high = segment.radii
    radius = np.concatenate([low * np.cos(rise), high * np.cos(rise[::-1])])
    along = np.concatenate([low * np.sin(rise), length - high * np.sin(rise[::-1])])
    angle = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)
    rings = np.empty((len(radius), around, 3))
    rings[..., 0] = radius[:, None] * np.cos(angle)
    rings[..., 1] = radius[:, None] * np.sin(angle) * segment.depth
    rings[..., 2] = along[:, None]
    points = segment.start + rotations.rotate(_frame(axis), rings.reshape(-1, 3))
    index = np.arange(len(points)).reshape(-1, around)
    sides = np.stack([index[:-1], np.roll(index[:-1], -1, 1), np.roll(index[1:], -1, 1), index[1:]], -1).reshape(-1, 4)
    return points, sides


def _frame(axis: Array) -> Array:
    """Turns z onto the axis; the section's depth is what shows the less of front and top."""
    return rotations.between(np.array([0.0, 0.0, 1.0]), axis)


def _distance(segment: _Segment, points: Array) -> Array:
    """How far the points (P, 3) lie outside the segment (P,), m; negative inside."""
    axis = segment.end - segment.start
    t = np.clip((points - segment.start) @ axis / max(float(axis @ axis), 1e-9), 0.0, 1.0)
    radius = segment.radii[0] * (1.0 - t) + segment.radii[1] * t
    return np.linalg.norm(points - segment.start - t[:, None] * axis, axis=-1) - radius


def _softened(owned: Array, edges: Array, rounds: int) -> Array:
    """Weights (P, 29) averaged with those of each vertex's neighbours, `rounds` times."""
    a, b = np.concatenate([edges[0::2], edges[1::2]]), np.concatenate([edges[1::2], edges[0::2]])
    neighbours = np.maximum(np.bincount(a, minlength=len(owned)), 1)[:, None]
    used = np.flatnonzero(owned.any(axis=0))
    weights = owned[:, used]
    for _ in range(rounds):
        sums = np.stack([np.bincount(a, column[b], len(owned)) for column in weights.T], axis=-1)
        weights = 0.5 * weights + 0.5 * sums / neighbours
    full = np.zeros_like(owned)
    full[:, used] = weights
    return full


def _skin(body: bpy.types.Object, weights: Array) -> None:
    for j in np.flatnonzero(weights.any(axis=0)):
        group = body.vertex_groups.new(name=JOINTS[j])
        for vertex in np.flatnonzero(weights[:, j] > 0.01):
            group.add([int(vertex)], float(weights[vertex, j]), "REPLACE")


def _colour(mesh: bpy.types.Mesh, weights: Array, colour: tuple[float, float, float]) -> None:
    base = np.array(colour)
    palette = np.tile(base, (len(JOINTS), 1))
    for joint in _SKIN:
        palette[INDEX[joint]] = base * 0.35 + 0.62
    for joint in _SHOES:
        palette[INDEX[joint]] = base * 0.30
    paint(mesh, weights @ palette)


def _points(mesh: bpy.types.Mesh) -> Array:
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)
