"""Clear the scenes' dancer fields of deleted objects, which the fields alone would keep in the file."""

from collections.abc import Iterator

import bpy

_FIELDS = ("leader", "partner", "source", "target", "partner_source", "partner_target")


def clear_deleted_dancers() -> None:
    """Clear every field that points to an object that is in no scene any more."""
    for group, field in _used_fields():
        obj = getattr(group, field)
        if not any(scene.objects.get(obj.name) == obj for scene in bpy.data.scenes):
            setattr(group, field, None)


def _used_fields() -> Iterator[tuple[bpy.types.PropertyGroup, str]]:
    """The scenes' property groups and their fields that point to an object."""
    for scene in bpy.data.scenes:
        settings = scene.pas_de_deux  # type: ignore[attr-defined]
        for group in (settings, settings.retargeting):
            for field in _FIELDS:
                if getattr(group, field, None) is not None and scene.library is None:
                    yield group, field


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _after_update(_: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    # Deleting an object changes what its collection, or the scene's own one, holds.
    if depsgraph.id_type_updated("COLLECTION") or depsgraph.id_type_updated("SCENE"):
        clear_deleted_dancers()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _after_load(*_: object) -> None:
    clear_deleted_dancers()


def register_handlers() -> None:
    """Clear the fields after each change of a scene's objects, and after loading, undo and redo."""
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
