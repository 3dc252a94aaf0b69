"""Pas de Deux, a Blender extension: import mocap, generate partners and dances, compose music, render previews."""

import atexit

import bpy

from . import background_job, panels
from .animation import deleted_dancers, preview_dancer
from .operators import (
    add_dancer,
    cancel,
    compose_music,
    dismiss_notices,
    generate_dance,
    import_mocap,
    map_bones,
    retarget,
    retarget_batch,
)
from .operators.backend import process as backend_process
from .operators.backend import status as backend_status
from .operators.editing import add_controls, bake_edits, correction_layer, release_bones
from .operators.pair import frame_pair, import_duet, retarget_pair
from .operators.partner import generate_partner, redo_range
from .operators.preview import render_preview
from .operators.takes import compare as take_compare
from .operators.takes import delete as take_delete
from .operators.takes import make_again as take_again
from .operators.takes import show as take_show
from .properties import (
    bone_map,
    held_bones,
    music_settings,
    notices,
    preferences,
    preview_settings,
    retarget_settings,
    settings,
    take_list,
)

_CLASSES: tuple[type, ...] = (
    *preferences.CLASSES,
    *retarget_settings.CLASSES,
    *music_settings.CLASSES,
    *preview_settings.CLASSES,
    *take_list.CLASSES,
    *notices.CLASSES,
    *held_bones.CLASSES,
    *settings.CLASSES,
    *bone_map.CLASSES,
    *cancel.CLASSES,
    *dismiss_notices.CLASSES,
    *map_bones.CLASSES,
    *add_dancer.CLASSES,
    *import_mocap.CLASSES,
    *import_duet.CLASSES,
    *generate_partner.CLASSES,
    *redo_range.CLASSES,
    *generate_dance.CLASSES,
    *compose_music.CLASSES,
    *take_show.CLASSES,
    *take_delete.CLASSES,
    *take_again.CLASSES,
    *take_compare.CLASSES,
    *retarget.CLASSES,
    *retarget_batch.CLASSES,
    *add_controls.CLASSES,
    *bake_edits.CLASSES,
    *correction_layer.CLASSES,
    *release_bones.CLASSES,
    *retarget_pair.CLASSES,
    *frame_pair.CLASSES,
    *render_preview.CLASSES,
    *backend_process.CLASSES,
    *panels.CLASSES,
)


def register() -> None:
    """Register all classes, and the property groups of scenes, armatures and objects."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.pas_de_deux = bpy.props.PointerProperty(type=settings.PASDEDEUX_PG_settings)  # type: ignore[attr-defined,func-returns-value]
    bone_map.register_bone_maps()
    background_job.register_handlers()
    preview_dancer.register_handlers()
    deleted_dancers.register_handlers()
    backend_status.register_timer()
    atexit.register(backend_process.stop_backend)


def unregister() -> None:
    """Stop running jobs and the backend, and remove all that `register` added."""
    background_job.stop_running_jobs()
    background_job.unregister_handlers()
    preview_dancer.unregister_handlers()
    deleted_dancers.unregister_handlers()
    backend_status.unregister_timer()
    backend_process.stop_backend()
    atexit.unregister(backend_process.stop_backend)
    bone_map.unregister_bone_maps()
    del bpy.types.Scene.pas_de_deux  # type: ignore[attr-defined]
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
