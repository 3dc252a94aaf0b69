"""The user's own scene, prepared to render a preview of it: its own characters, or mannequins before a chosen camera.

It changes the scene for good, so it works on a copy of the .blend file that is opened in another process.
"""

from collections.abc import Iterator, Sequence

import bpy
import numpy as np

from rigs import Array
from rigs.motion import Motion

from ..animation import armatures, mannequin
from ..animation.keys import keyframes
from ..context_access import active_scene, active_view_layer
from . import camera_framing, studio
from .preview_scene import COLOURS
from .studio_floor import add_studio_floor
from .video_output import set_video_output

_MAX_RADIUS = 1.0  # m that a character's mesh may extend beyond its joints to count for the camera
_ALBEDO = 0.6  # share of the studio floor's brightness that a surface can have where light bounces
_COLOUR_STEP = 0.02  # between the colours of faces that have materials of their own
_GREY = (0.8, 0.8, 0.8)  # the viewport colour of a material that nobody has changed


def prepare_scene(
    context: bpy.types.Context,
    actors: Sequence[bpy.types.Object],
    motions: Sequence[Motion],
    frames: range,
    size: tuple[int, int],
    *,
    metres: float,
    filmed: Sequence[Motion],
    body_radius: float,
    follow: bool,
    own_characters: bool,
    solid: bool,
) -> None:
    """Prepare the scene to render these frames of the actors, who move as in `motions`, in `metres` a Blender unit.

    follow: add a camera that keeps bodies of `body_radius` m that move as in `filmed` in frame.
    own_characters: without, everything but mannequins is hidden.  solid: render by Workbench, else as the scene is set
    up.  An actor without a mesh that renders becomes a mannequin.
    """
    scene = active_scene(context)
    positions = np.stack([motion.positions for motion in filmed], axis=1)
    _hold_output(scene, active_view_layer(context))
    scene.frame_start, scene.frame_end = frames.start, frames.stop - 1
    set_video_output(scene, size)
    if not own_characters:
        for obj in scene.objects:
            obj.hide_render = True
    scene.frame_set(frames.start)
    meshes = [_meshes_of(context, actor) for actor in actors]
    has_ground = _has_ground(context, positions[:, :, 0] / metres, {mesh for each in meshes for mesh in each})
    for actor_meshes, motion, colour in zip(meshes, motions, COLOURS, strict=False):
        if not actor_meshes:
            _add_mannequin(context, motion, colour, frames.start, metres)
    if follow:
        shot = studio.frame_dancers(positions, motions[0].fps, size, body_radius=body_radius)
        studio.add_camera(scene, shot, frames.start, metres=metres)
        scene.frame_set(frames.start)
    assert scene.camera is not None
    axes = np.array(scene.camera.matrix_world.to_3x3().normalized())
    ground = () if has_ground else add_studio_floor(scene, positions, metres=metres)
    if solid:
        studio.set_studio_shading(scene, "TEXTURE")
        studio.set_light(scene, forward=-axes[:, 2], right=axes[:, 0])
        if ground:
            studio.set_background(scene)
    elif not any(obj.type == "LIGHT" for obj in _rendered_objects(context)):
        studio.add_sun(scene, forward=-axes[:, 2], right=axes[:, 0])
    _show_colours(context, ground, 1.0 if solid else _ALBEDO)


def _hold_output(scene: bpy.types.Scene, layer: bpy.types.ViewLayer) -> None:
    """Keep the scene from writing other files, showing strips in place of the scene, and switching the camera."""
    scene.render.use_compositing = scene.render.use_multiview = False
    scene.sequence_editor_clear()
    scene.render.use_sequencer = True  # else Blender leaves out the sound
    scene.frame_step = 1
    for other in scene.view_layers:
        other.use = other == layer


def _rendered_objects(context: bpy.types.Context) -> set[bpy.types.Object]:
    """The objects of the view layer that are neither hidden in renders nor in a collection that is."""

    def visit(layer_collection: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
        if layer_collection.collection.hide_render:
            return
        if not layer_collection.exclude:
            yield from (obj for obj in layer_collection.collection.objects if not obj.hide_render)
        for child in layer_collection.children:
            yield from visit(child)

    return set(visit(active_view_layer(context).layer_collection))


def _meshes_of(context: bpy.types.Context, dancer: bpy.types.Object) -> list[bpy.types.Object]:
    """The dancer's meshes that render: deformed by it or by a rig constrained to it, or parented to either."""
    rigs = {dancer} | {
        obj
        for obj in active_scene(context).objects
        if obj.type == "ARMATURE"
        and obj.pose
        and any(
            getattr(constraint, "target", None) == dancer for bone in obj.pose.bones for constraint in bone.constraints
        )
    }
    return [obj for obj in _rendered_objects(context) if obj.type == "MESH" and _is_moved_by(obj, rigs)]


def _is_moved_by(obj: bpy.types.Object, rigs: set[bpy.types.Object]) -> bool:
    ancestor: bpy.types.Object | None = obj
    while ancestor is not None:
        if ancestor in rigs or any(getattr(modifier, "object", None) in rigs for modifier in ancestor.modifiers):
            return True
        ancestor = ancestor.parent
    return False


def _add_mannequin(
    context: bpy.types.Context, motion: Motion, colour: tuple[float, float, float], first: int, metres: float
) -> None:
    """Add a mannequin that plays the motion from the frame `first`."""
    dancer = armatures.create_armature(context, "mannequin", motion.skeleton, metres=metres)
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, "dance", first, metres=metres))
    body = mannequin.add_mannequin(context, dancer, motion.skeleton, colour, metres=metres)
    for obj in (dancer, body):
        for collection in obj.users_collection:
            collection.objects.unlink(obj)
        active_scene(context).collection.objects.link(obj)


def body_radius(
    context: bpy.types.Context, actors: Sequence[bpy.types.Object], motions: Sequence[Motion], metres: float
) -> float:
    """The distance (m) by which the actors' meshes extend beyond their joints in the current, first frame."""
    depsgraph = context.evaluated_depsgraph_get()
    radius = camera_framing.BODY_RADIUS
    for actor, motion in zip(actors, motions, strict=True):
        joints = motion.positions[0]
        for obj in _meshes_of(context, actor):
            evaluated = obj.evaluated_get(depsgraph)
            if not evaluated.is_evaluated:
                continue  # it is hidden in viewports, and so not posed now, but renders
            points = _world_vertices(evaluated) * metres
            if len(points):
                distances = np.linalg.norm(points[:, None] - joints, axis=-1).min(axis=1)
                radius = max(radius, min(float(distances.max()), _MAX_RADIUS))
    return radius


def _world_vertices(evaluated: bpy.types.Object, most: int = 2000) -> Array:
    """At most `most` vertices (P, 3) of an evaluated object, in world space."""
    mesh = evaluated.to_mesh()
    vertices = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", vertices.ravel())
    evaluated.to_mesh_clear()
    matrix = np.array(evaluated.matrix_world)
    return vertices[:: max(1, len(vertices) // most)] @ matrix[:3, :3].T + matrix[:3, 3]


def _has_ground(context: bpy.types.Context, pelvises: Array, characters: set[bpy.types.Object]) -> bool:
    """Whether a mesh that is none of the characters' lies below the middle of the pelvises (F, D, 3)."""
    middle = (pelvises.min(axis=(0, 1)) + pelvises.max(axis=(0, 1))) / 2.0
    for obj in _rendered_objects(context) - characters:
        if obj.type != "MESH" or obj.find_armature() is not None:
            continue
        corners = np.array([obj.matrix_world @ type(obj.location)(corner) for corner in obj.bound_box])
        low, high = corners.min(axis=0), corners.max(axis=0)
        if (low[:2] <= middle[:2]).all() and (middle[:2] <= high[:2]).all() and low[2] < middle[2]:
            return True
    return False


def _show_colours(context: bpy.types.Context, ground: Sequence[bpy.types.Object], brightness: float) -> None:
    """Let Workbench show the materials' base colours, and all engines the vertex colours of mannequins and ground.

    brightness: of the ground.
    """
    for obj in _rendered_objects(context):
        if obj in ground or mannequin.is_mannequin(obj):
            assert isinstance(obj.data, bpy.types.Mesh)
            _materials_from_vertex_colours(obj.data, brightness if obj in ground else 1.0)
    for material in bpy.data.materials:
        _set_viewport_colour(material)


def _materials_from_vertex_colours(mesh: bpy.types.Mesh, brightness: float) -> None:
    """Replace the mesh's materials by one for each of the colours of its faces, times `brightness`."""
    attribute = mesh.color_attributes.active_color
    if not isinstance(attribute, bpy.types.FloatColorAttribute) or mesh.library is not None:
        return
    colours = np.empty((len(mesh.vertices), 4), np.float32)
    attribute.data.foreach_get("color", colours.ravel())
    first_vertices = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", first_vertices)
    vertices = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertices)
    faces = np.round(colours[vertices[first_vertices], :3] / _COLOUR_STEP).astype(int)
    palette, indices = np.unique(faces, axis=0, return_inverse=True)
    mesh.materials.clear()
    for colour in palette * _COLOUR_STEP * brightness:
        material = bpy.data.materials.new("colour")
        material.diffuse_color = (*colour, 1.0)
        for node in material.node_tree.nodes if material.node_tree else ():
            if node.type == "BSDF_PRINCIPLED":
                node.inputs["Base Color"].default_value = material.diffuse_color
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", indices.ravel().astype(np.int32))


def _set_viewport_colour(material: bpy.types.Material) -> None:
    """Set an untouched viewport colour to the base colour of the material's Principled BSDF."""
    tree = material.node_tree if material.use_nodes else None
    if material.library is not None or tree is None or not np.allclose(material.diffuse_color[:3], _GREY, atol=1e-4):
        return
    for node in tree.nodes:
        if node.type == "BSDF_PRINCIPLED" and not node.inputs["Base Color"].is_linked:
            material.diffuse_color = node.inputs["Base Color"].default_value
            return
