"""Non-optional access to a context's scene, view layer and window manager and to armatures; a scene's frame rate."""

from collections.abc import Iterable
from typing import TypeVar

import bpy

DataBlock = TypeVar("DataBlock", bound=bpy.types.ID)

EXTENSION_PACKAGE = __package__ or ""
"""The extension's top-level package, the key of its preferences and user folder, unlike a sub-package's."""


def active_scene(context: bpy.types.Context) -> bpy.types.Scene:
    """The context's scene, which an operator always has."""
    assert context.scene is not None
    return context.scene


def active_view_layer(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """The context's view layer, which an operator always has."""
    assert context.view_layer is not None
    return context.view_layer


def is_in_scene(scene: bpy.types.Scene, obj: bpy.types.Object) -> bool:
    """Whether an object is in a scene, beside which one linked from another file may have the same name."""
    namesake = scene.objects.get(obj.name)
    return namesake == obj or (namesake is not None and any(other == obj for other in scene.objects))


def window_manager(context: bpy.types.Context) -> bpy.types.WindowManager:
    """The context's window manager, which an operator always has."""
    assert context.window_manager is not None
    return context.window_manager


def armature_data(obj: bpy.types.Object) -> bpy.types.Armature:
    """The armature of an object. Raises ValueError for another object."""
    if not isinstance(obj.data, bpy.types.Armature):
        raise ValueError(f"{obj.name}: an armature expected, found a {obj.type.lower()}")
    return obj.data


def find_again(data_blocks: Iterable[DataBlock], identifier: int) -> DataBlock | None:
    """The data-block with this `session_uid`, which stays through renaming and undo steps; None if it is gone."""
    return next((block for block in data_blocks if block.session_uid == identifier), None)


def frame_rate(scene: bpy.types.Scene) -> float:
    """The scene's frames per second."""
    return scene.render.fps / scene.render.fps_base


def set_frame_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Set the frame rate, which Blender stores as a whole number divided by a base near 1."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps


def metres_per_unit(scene: bpy.types.Scene) -> float:
    """The metres in one Blender unit: the scene's Unit Scale, which counts with Unit System None, too."""
    return scene.unit_settings.scale_length if scene.unit_settings else 1.0


def extend_frame_range(scene: bpy.types.Scene, last: int) -> None:
    """Move the scene's end frame to `last` unless it is later already."""
    scene.frame_end = max(scene.frame_end, last)
