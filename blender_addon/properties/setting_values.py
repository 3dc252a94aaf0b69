"""The settings of a take: the scene's settings with which it was generated, read as JSON-able values and set again."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import bpy

from ..background_job import OperatorError
from ..context_access import active_scene
from .settings import scene_settings


def take_settings(
    context: bpy.types.Context, operator: str, names: Sequence[str], properties: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The settings of a take, for *Make Again*.

    operator: its name without "pasdedeux.", such as "redo_range".  properties: those that it is called with again.
    names: properties of `scene.pas_de_deux`, such as "model" or "music.energy", that are read now; armatures by name.
    """
    values = {name: _json_value(*_owner(context, name)) for name in names}
    return {"operator": operator, "properties": dict(properties or {}), "scene": values}


@contextmanager
def scene_values(context: bpy.types.Context, values: Mapping[str, Any]) -> Iterator[None]:
    """Set properties of `scene.pas_de_deux` to values of `take_settings`, and back afterwards.

    Names and choices that no longer exist are left out. Raises OperatorError for an armature that is gone.
    """
    known = {name: value for name, value in values.items() if _is_known(context, name)}
    present = {name: _blender_value(context, name, value) for name, value in known.items()}
    before = {name: getattr(*_owner(context, name)) for name in known}
    try:
        _assign(context, present)
        yield
    finally:
        _assign(context, before)


def _owner(context: bpy.types.Context, name: str) -> tuple[Any, str]:
    """The property group that has a property, and the property's own name."""
    owner: Any = scene_settings(context)
    *groups, name = name.split(".")
    for group in groups:
        owner = getattr(owner, group)
    return owner, name


def _is_known(context: bpy.types.Context, name: str) -> bool:
    try:
        owner, name = _owner(context, name)
    except AttributeError:
        return False
    return name in owner.bl_rna.properties


def _json_value(owner: Any, name: str) -> Any:
    value = getattr(owner, name)
    if isinstance(value, bpy.types.Object):
        return value.name
    return sorted(value) if isinstance(value, set) else value


def _blender_value(context: bpy.types.Context, name: str, value: Any) -> Any:
    owner, own_name = _owner(context, name)
    prop = owner.bl_rna.properties[own_name]
    if prop.type == "POINTER" and value is not None:
        obj = active_scene(context).objects.get(str(value))
        if obj is None:
            raise OperatorError(f"{value}, with which the take was generated, is no longer in the scene")
        return obj
    return set(value) if isinstance(value, list) else value


def _assign(context: bpy.types.Context, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        owner, own_name = _owner(context, name)
        try:
            setattr(owner, own_name, value)
        except TypeError:
            raise OperatorError(f"{value}, with which the take was generated, is no longer available") from None
