"""Pas de Deux in Blender: bring in one dancer's mocap, generate the partner, dance to music, look at the pair."""

import atexit

import bpy

from . import (
    bone_maps,
    dancers,
    jobs,
    local_backend,
    mocap,
    music,
    music_options,
    panels,
    partner,
    preferences,
    preview,
    retarget,
    retarget_options,
    settings,
    takes,
)

_CLASSES: tuple[type, ...] = (
    *preferences.CLASSES,
    *retarget_options.CLASSES,
    *music_options.CLASSES,
    *settings.CLASSES,
    *jobs.CLASSES,
    *bone_maps.CLASSES,
    *dancers.CLASSES,
    *mocap.CLASSES,
    *partner.CLASSES,
    *music.CLASSES,
    *retarget.CLASSES,
    *takes.CLASSES,
    *preview.CLASSES,
    *local_backend.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pas_de_deux = bpy.props.PointerProperty(type=settings.PASDEDEUX_PG_settings)  # type: ignore[attr-defined,func-returns-value]
    bpy.types.Armature.pas_de_deux = bpy.props.PointerProperty(type=bone_maps.PASDEDEUX_PG_bone_map)  # type: ignore[attr-defined,func-returns-value]
    atexit.register(local_backend.stop)


def unregister() -> None:
    jobs.stop()
    local_backend.stop()
    atexit.unregister(local_backend.stop)
    del bpy.types.Armature.pas_de_deux  # type: ignore[attr-defined]
    del bpy.types.Scene.pas_de_deux  # type: ignore[attr-defined]
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
