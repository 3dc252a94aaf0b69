"""Clear up after deleted dancers: the scenes' fields, which alone would keep them in the file, and their mannequins."""

from collections.abc import Iterator

import bpy

from ..context_access import is_in_scene
from .mannequin import BODY_MARK

_FIELDS = ("leader", "partner", "source", "target", "partner_source", "partner_target")
_TAKE_FIELDS = ("dancer", "partner")


def clear_deleted_dancers() -> None:
    """Clear every field that points to an object that is in no scene any more."""
    known: dict[bpy.types.Object, bool] = {}  # as many takes have the same dancer
    for group, field in _used_fields():
        obj = getattr(group, field)
        if obj not in known:
            known[obj] = _is_in_a_scene(obj)
        if not known[obj]:
            setattr(group, field, None)


def remove_left_mannequins() -> None:
    """Remove the mannequins of deleted dancers, which nobody could select."""
    for body in list(_left_mannequins()):
        mesh = body.data
        bpy.data.objects.remove(body)
        if isinstance(mesh, bpy.types.Mesh) and mesh.users == 0:
            bpy.data.meshes.remove(mesh)


def _left_mannequins() -> Iterator[bpy.types.Object]:
    """Our mannequins that follow no armature of any scene; one without an Armature modifier is the user's own now."""
    for obj in bpy.data.objects:
        if obj.get(BODY_MARK) and obj.library is None:
            armatures = [mod.object for mod in obj.modifiers if isinstance(mod, bpy.types.ArmatureModifier)]
            if armatures and not any(map(_is_in_a_scene, [*armatures, obj.parent])):
                yield obj


def _is_in_a_scene(obj: bpy.types.Object | None) -> bool:
    return obj is not None and any(is_in_scene(scene, obj) for scene in bpy.data.scenes)


def _used_fields() -> Iterator[tuple[bpy.types.PropertyGroup, str]]:
    """The scenes' property groups and their fields that point to an object."""
    for scene in bpy.data.scenes:
        settings = scene.pas_de_deux  # type: ignore[attr-defined]
        if scene.library is not None:
            continue
        for group, fields in (
            (settings, _FIELDS),
            (settings.retargeting, _FIELDS),
            *((take, _TAKE_FIELDS) for take in settings.take_list),
        ):
            for field in fields:
                if getattr(group, field, None) is not None:
                    yield group, field


def _clear_up() -> None:
    """Clear the fields, and remove mannequins as soon as Blender is done with what deleted their dancers."""
    clear_deleted_dancers()
    timers = bpy.app.timers
    if any(True for _ in _left_mannequins()) and not timers.is_registered(remove_left_mannequins):
        timers.register(remove_left_mannequins, first_interval=0.0)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _after_update(_: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    # Deleting an object changes what its collection, or the scene's own one, holds.
    if depsgraph.id_type_updated("COLLECTION") or depsgraph.id_type_updated("SCENE"):
        _clear_up()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _after_load(*_: object) -> None:
    _clear_up()


def register_handlers() -> None:
    """Clear up after each change of a scene's objects, and after loading, undo and redo."""
    handlers = bpy.app.handlers
    handlers.depsgraph_update_post.append(_after_update)
    for loaded in (handlers.load_post, handlers.undo_post, handlers.redo_post):
        loaded.append(_after_load)


def unregister_handlers() -> None:
    """Remove what `register_handlers` added."""
    handlers = bpy.app.handlers
    handlers.depsgraph_update_post.remove(_after_update)
    for loaded in (handlers.load_post, handlers.undo_post, handlers.redo_post):
        loaded.remove(_after_load)
    if bpy.app.timers.is_registered(remove_left_mannequins):
        bpy.app.timers.unregister(remove_left_mannequins)
