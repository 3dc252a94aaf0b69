"""Mannequin mesh for a dancer: capsules along the bones, voxel-remeshed, smoothed and skinned; from no scanned body.

Each vertex is weighted to the bone of its nearest capsule, and the weights are smoothed over neighbouring vertices so
that elbows and knees bend without a crease.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import mathutils
import numpy as np

from rigs import Array, rotations
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS, Skeleton

from ..context_access import active_scene

CORAL = (0.92, 0.36, 0.26)
TEAL = (0.04, 0.40, 0.45)
BODY_MARK = "pas_de_deux_body"
"""Custom property of mannequins, by which one that a deleted dancer leaves behind is found."""
SOLE = 0.012
"""Thickness (m) of the mesh below the big-toe joint."""

_MATERIALS = ("Pas de Deux leader", "Pas de Deux partner")
_VOXEL = 0.02  # m, for an adult of 1.7 m
_SMOOTH_ITERATIONS = 5  # of the Smooth modifier
_WEIGHT_ITERATIONS, _COLOUR_ITERATIONS = 12, 2  # of smoothing skin weights and vertex colours
_SKIN = {"jaw", "head", "neck", "left_wrist", "right_wrist", "left_thumb", "right_thumb"}
_SHOES = {"left_ankle", "right_ankle", "left_foot", "right_foot"}


@dataclass(frozen=True)
class _Capsule:
    """A capsule from `start` to `end` (3,) m with the `radii` m at both ends, `depth` times as deep as wide."""

    joint: str
    start: Array
    end: Array
    radii: tuple[float, float]
    depth: float = 1.0


def add_mannequin(
    context: bpy.types.Context,
    armature: bpy.types.Object,
    skeleton: Skeleton,
    colour: tuple[float, float, float],
    *,
    metres: float = 1.0,
) -> bpy.types.Object:
    """Add a mannequin of the skeleton's size, skinned to the armature, in `colour` (linear RGB).

    metres: the metres in one Blender unit.
    """
    capsules = list(_capsules(skeleton))
    size = _relative_size(skeleton)
    body = _remesh_capsules(context, f"{armature.name} body", capsules, _VOXEL * size)
    mesh = body.data
    assert isinstance(mesh, bpy.types.Mesh)
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    edges = np.empty(len(mesh.edges) * 2, np.int32)
    mesh.edges.foreach_get("vertices", edges)
    nearest = np.argmin([_distance(capsule, vertices) for capsule in capsules], axis=0)
    joints = np.array([INDEX[capsule.joint] for capsule in capsules])[nearest]
    rigid = np.eye(len(JOINTS))[joints]
    _colour(mesh, _smooth_weights(rigid, edges, _COLOUR_ITERATIONS), colour)
    _add_vertex_groups(body, _smooth_weights(rigid, edges, _WEIGHT_ITERATIONS))
    mesh.transform(mathutils.Matrix.Scale(1.0 / metres, 4))
    for collection in armature.users_collection:
        collection.objects.link(body)
    body.parent = armature
    mesh.materials.append(_material(colour))
    modifier = body.modifiers.new("Armature", "ARMATURE")
    assert isinstance(modifier, bpy.types.ArmatureModifier)
    modifier.object = armature
    body.hide_select = True
    body[BODY_MARK] = True
    return body


def is_mannequin(obj: bpy.types.Object) -> bool:
    """Whether the object is a mesh that `add_mannequin` added, or a copy of one."""
    return obj.type == "MESH" and any(slot.material and slot.material.name in _MATERIALS for slot in obj.material_slots)


def set_vertex_colours(mesh: bpy.types.Mesh, colours: Array) -> None:
    """Add a colour attribute with a linear RGB colour (P, 3) for each vertex."""
    rgba = np.ones((len(colours), 4), np.float32)
    rgba[:, :3] = colours
    attribute = mesh.color_attributes.new("colour", "FLOAT_COLOR", "POINT")
    assert isinstance(attribute, bpy.types.FloatColorAttribute)
    attribute.data.foreach_set("color", rgba.ravel())
    mesh.color_attributes.active_color = attribute


def _material(colour: tuple[float, float, float]) -> bpy.types.Material:
    """The material with that viewport colour, for shading that ignores the colour attribute; shared by all dancers."""
    name = _MATERIALS[0 if colour == CORAL else 1]
    material = bpy.data.materials.get(name) or bpy.data.materials.new(name)
    material.diffuse_color = (*colour, 1.0)
    return material


def _relative_size(skeleton: Skeleton) -> float:
    """The dancer's size relative to the default skeleton (1.7 m), from the bones that make up the height."""
    bones = [INDEX[name] for name in ("left_knee", "left_ankle", "spine1", "spine2", "spine3", "neck")]
    lengths = [float(np.linalg.norm(body.offsets[bones], axis=-1).sum()) for body in (skeleton, DEFAULT_SKELETON)]
    return lengths[0] / lengths[1]


def _capsules(skeleton: Skeleton) -> Iterator[_Capsule]:
    """The capsules of trunk, head and limbs, in the rest pose."""
    rest = skeleton.rest_positions()
    size = _relative_size(skeleton)

    def at(joint: str, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Array:
        return rest[INDEX[joint]] + size * np.array([x, y, z])

    def limb(joint: str, start: Array, end: Array, first: float, last: float, depth: float = 1.0) -> _Capsule:
        return _Capsule(joint, start, end, (first * size, last * size), depth)

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


def _remesh_capsules(context: bpy.types.Context, name: str, capsules: list[_Capsule], voxel: float) -> bpy.types.Object:
    """One closed, smooth mesh around all capsules, by Remesh and Smooth modifiers."""
    vertices: list[Array] = []
    faces: list[Array] = []
    count = 0
    for capsule in capsules:
        points, quads = _capsule_mesh(capsule)
        vertices.append(points)
        faces.append(quads + count)
        count += len(points)
    rough = bpy.data.meshes.new(name)
    _fill_mesh(rough, np.concatenate(vertices), np.concatenate(faces))
    body = bpy.data.objects.new(name, rough)
    remesh = body.modifiers.new("Remesh", "REMESH")
    assert isinstance(remesh, bpy.types.RemeshModifier)
    remesh.mode, remesh.voxel_size, remesh.use_smooth_shade = "VOXEL", voxel, True
    smooth = body.modifiers.new("Smooth", "SMOOTH")
    assert isinstance(smooth, bpy.types.SmoothModifier)
    smooth.factor, smooth.iterations = 0.5, _SMOOTH_ITERATIONS
    collection = active_scene(context).collection
    collection.objects.link(body)
    depsgraph = context.evaluated_depsgraph_get()
    body.data = bpy.data.meshes.new_from_object(body.evaluated_get(depsgraph))
    collection.objects.unlink(body)
    body.modifiers.clear()
    bpy.data.meshes.remove(rough)
    body.data.name = name
    return body


def _fill_mesh(mesh: bpy.types.Mesh, vertices: Array, quads: Array) -> None:
    """Give an empty mesh vertices (P, 3) and quads (Q, 4); in bulk, several times as fast as Mesh.from_pydata."""
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(quads.size)
    mesh.polygons.add(len(quads))
    mesh.polygons.foreach_set("loop_start", np.arange(0, quads.size, 4, dtype=np.int32))
    mesh.polygons.foreach_set("vertices", quads.astype(np.int32).ravel())
    mesh.update(calc_edges=True)


def _capsule_mesh(capsule: _Capsule, segments: int = 24, cap_rings: int = 7) -> tuple[Array, Array]:
    """Vertices (P, 3) m and quads (Q, 4) of a capsule."""
    axis = capsule.end - capsule.start
    length = float(np.linalg.norm(axis))
    latitude = np.linspace(-np.pi / 2, 0.0, cap_rings)
    start_radius, end_radius = capsule.radii
    radius = np.concatenate([start_radius * np.cos(latitude), end_radius * np.cos(latitude[::-1])])
    height = np.concatenate([start_radius * np.sin(latitude), length - end_radius * np.sin(latitude[::-1])])
    angle = np.linspace(0.0, 2.0 * np.pi, segments, endpoint=False)
    rings = np.empty((len(radius), segments, 3))
    rings[..., 0] = radius[:, None] * np.cos(angle)
    rings[..., 1] = radius[:, None] * np.sin(angle) * capsule.depth
    rings[..., 2] = height[:, None]
    # The shortest rotation of z onto the axis; the capsule's depth lies along the rotated y.
    onto_axis = rotations.between(np.array([0.0, 0.0, 1.0]), axis)
    points = capsule.start + rotations.rotate(onto_axis, rings.reshape(-1, 3))
    index = np.arange(len(points)).reshape(-1, segments)
    quads = np.stack([index[:-1], np.roll(index[:-1], -1, 1), np.roll(index[1:], -1, 1), index[1:]], -1).reshape(-1, 4)
    return points, quads


def _distance(capsule: _Capsule, points: Array) -> Array:
    """Signed distance (P,) m of points (P, 3) to the capsule; negative inside."""
    axis = capsule.end - capsule.start
    t = np.clip((points - capsule.start) @ axis / max(float(axis @ axis), 1e-9), 0.0, 1.0)
    radius = capsule.radii[0] * (1.0 - t) + capsule.radii[1] * t
    return np.linalg.norm(points - capsule.start - t[:, None] * axis, axis=-1) - radius


def _smooth_weights(weights: Array, edges: Array, iterations: int) -> Array:
    """Laplacian smoothing of vertex weights (P, 29): averaged with the neighbouring vertices', `iterations` times."""
    a, b = np.concatenate([edges[0::2], edges[1::2]]), np.concatenate([edges[1::2], edges[0::2]])
    neighbours = np.maximum(np.bincount(a, minlength=len(weights)), 1)[:, None]
    used = np.flatnonzero(weights.any(axis=0))
    columns = weights[:, used]
    for _ in range(iterations):
        sums = np.stack([np.bincount(a, column[b], len(weights)) for column in columns.T], axis=-1)
        columns = 0.5 * columns + 0.5 * sums / neighbours
    smoothed = np.zeros_like(weights)
    smoothed[:, used] = columns
    return smoothed


def _add_vertex_groups(body: bpy.types.Object, weights: Array) -> None:
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
    set_vertex_colours(mesh, weights @ palette)
