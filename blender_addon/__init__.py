"""Pas de Deux in Blender: bring in one dancer's mocap, generate the partner, dance to music, look at the pair."""

import atexit

import bpy

from . import background_job, panels
from .animation import dancers
from .operators import (
    backend_process,
    bone_map,
    dance_and_music,
    generate_partner,
    import_mocap,
    render_preview,
    retarget,
    retarget_files,
)
from .properties import music_settings, preferences, retarget_settings, settings

_CLASSES: tuple[type, ...] = (
    *preferences.CLASSES,
    *retarget_settings.CLASSES,
    *music_settings.CLASSES,
    *settings.CLASSES,
    *background_job.CLASSES,
    *bone_map.CLASSES,
    *dancers.CLASSES,
    *import_mocap.CLASSES,
    *generate_partner.CLASSES,
    *dance_and_music.CLASSES,
    *retarget.CLASSES,
    *retarget_files.CLASSES,
    *render_preview.CLASSES,
    *backend_process.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pas_de_deux = bpy.props.PointerProperty(type=settings.PASDEDEUX_PG_settings)  # type: ignore[attr-defined,func-returns-value]
    bpy.types.Armature.pas_de_deux = bpy.props.PointerProperty(type=bone_map.PASDEDEUX_PG_bone_map)  # type: ignore[attr-defined,func-returns-value]
    atexit.register(backend_process.stop)


def unregister() -> None:
    background_job.stop_running_job()
    backend_process.stop()
    atexit.unregister(backend_process.stop)
    del bpy.types.Armature.pas_de_deux  # type: ignore[attr-defined]
    del bpy.types.Scene.pas_de_deux  # type: ignore[attr-defined]
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
