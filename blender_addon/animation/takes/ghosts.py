"""The ghost: a translucent copy of a take's dancers that dances another take, beside them or in their place.

It is never rendered and cannot be selected. Its objects lie in a collection of their own that carries the take's
identifier, and are removed with it.
"""

from collections.abc import Iterator

import bpy
from mathutils import Vector

from ...background_job import OperatorError
from ...context_access import active_scene, is_in_scene
from ...properties.take_list import GHOST, PASDEDEUX_PG_take
from . import take_list as takes

_COLOUR = (0.35, 0.55, 0.95, 0.35)
_MATERIAL = "Pas de Deux ghost"


def is_ghost(obj: bpy.types.Object) -> bool:
    """Whether an object belongs to a ghost."""
    return obj.get(GHOST) is not None


def ghost_take(scene: bpy.types.Scene) -> str:
    """The identifier of the take that the scene's ghost dances; empty without a ghost."""
    collection = _ghost_collection(scene)
    return str(collection[GHOST]) if collection else ""


def add_ghost(context: bpy.types.Context, entry: PASDEDEUX_PG_take, offset: tuple[float, float, float]) -> None:
    """Let a ghost dance the take, its dancers moved by `offset` (scene units), in place of an earlier ghost.

    Raises OperatorError before anything changes.
    """
    parts = takes.take_parts(entry)
    scene = active_scene(context)
    if not parts:
        raise OperatorError(f"{entry.label} has no action that a ghost could dance")
    for part in parts:
        if part.dancer is None or not is_in_scene(scene, part.dancer):
            raise OperatorError(f"The dancer of {entry.label} is no longer in the scene: show the take first")
    remove_ghost(context)
    collection = bpy.data.collections.new("Ghost")
    collection[GHOST] = entry.uid
    collection.hide_render = True
    scene.collection.children.link(collection)
    for part in parts:
        assert part.dancer is not None
        _add_copy(collection, part.dancer, part, offset)


def remove_ghost(context: bpy.types.Context) -> bool:
    """Remove the scene's ghost with all that was copied for it; whether there was one."""
    collection = _ghost_collection(active_scene(context))
    if collection is None:
        return False
    objects = [obj for obj in collection.all_objects if is_ghost(obj)]
    meshes = [obj.data for obj in objects if obj.data is not None and obj.data.get(GHOST)]
    bpy.data.batch_remove([*objects, collection])
    bpy.data.batch_remove([mesh for mesh in meshes if mesh.users == 0])
    material = bpy.data.materials.get(_MATERIAL)
    if material is not None and material.users == 0:
        bpy.data.materials.remove(material)
    return True


def _ghost_collection(scene: bpy.types.Scene) -> bpy.types.Collection | None:
    return next((child for child in scene.collection.children if child.get(GHOST)), None)


def _add_copy(
    collection: bpy.types.Collection,
    dancer: bpy.types.Object,
    part: takes.TakePart,
    offset: tuple[float, float, float],
) -> None:
    """Copy a dancer with its bodies into the ghost's collection, and let it dance the part's action."""
    bodies = list(_bodies(dancer))
    copies = {obj: obj.copy() for obj in (dancer, *bodies)}
    for obj, copy in copies.items():
        copy.name = f"{obj.name} ghost"
        copy[GHOST] = True
        copy.hide_render = copy.hide_select = True
        copy.color = _COLOUR
        copy.show_in_front = False
        collection.objects.link(copy)
        if obj.parent in copies:
            copy.parent = copies[obj.parent]
        else:
            # A skinned body that is no child of its armature moves along with it.
            copy.delta_location = obj.delta_location + _in_parent(obj, offset)
        _retarget_references(copy, copies)
    for body in bodies:
        _make_translucent(copies[body])
    takes.assign_part(copies[dancer], part)


def _in_parent(obj: bpy.types.Object, offset: tuple[float, float, float]) -> Vector:
    """An offset in the world, in the space of the object's parent."""
    if obj.parent is None:
        return Vector(offset)
    return obj.parent.matrix_world.to_3x3().inverted_safe() @ Vector(offset)


def _bodies(dancer: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """The visible meshes that a dancer moves: those that it deforms, and those parented to it."""
    children = set(dancer.children_recursive)
    for obj in bpy.data.objects:
        if obj.type != "MESH" or not obj.users_collection or obj.hide_viewport or is_ghost(obj):
            continue
        deformed = any(isinstance(m, bpy.types.ArmatureModifier) and m.object == dancer for m in obj.modifiers)
        if deformed or obj in children:
            yield obj


def _retarget_references(copy: bpy.types.Object, copies: dict[bpy.types.Object, bpy.types.Object]) -> None:
    """Let modifiers, constraints and drivers of a copy refer to the other copies instead of their originals."""
    owners: list[object] = [*copy.modifiers, *copy.constraints]
    for bone in copy.pose.bones if copy.pose else ():
        for constraint in bone.constraints:
            owners.append(constraint)
            owners += getattr(constraint, "targets", ())
    for curve in copy.animation_data.drivers if copy.animation_data else ():
        if curve.driver:
            owners += [target for variable in curve.driver.variables for target in variable.targets]
    for owner in owners:
        for name in ("object", "target", "pole_target", "id"):
            original = getattr(owner, name, None)
            if isinstance(original, bpy.types.Object) and original in copies:
                setattr(owner, name, copies[original])


def _make_translucent(body: bpy.types.Object) -> None:
    """Give a body the ghost's material, on the object alone; a mesh without materials is copied for it."""
    assert isinstance(body.data, bpy.types.Mesh)
    if not body.material_slots:
        body.data = body.data.copy()
        body.data[GHOST] = True
        body.data.materials.append(None)
    for slot in body.material_slots:
        slot.link = "OBJECT"
        slot.material = _material()


def _material() -> bpy.types.Material:
    material = bpy.data.materials.get(_MATERIAL) or bpy.data.materials.new(_MATERIAL)
    material.diffuse_color = _COLOUR
    return material
