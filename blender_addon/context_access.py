"""What an operator always has around it: the scene, the view layer and the windows, and the scene's frame rate."""

import bpy

EXTENSION = __package__ or ""
"""The extension's own package, as preferences and user folders know it; a sub-package's `__package__` is not it."""


def scene_of(context: bpy.types.Context) -> bpy.types.Scene:
    """The scene that the animator looks at."""
    assert context.scene is not None
    return context.scene


def layer_of(context: bpy.types.Context) -> bpy.types.ViewLayer:
    """The view layer that the animator looks at."""
    assert context.view_layer is not None
    return context.view_layer


def manager_of(context: bpy.types.Context) -> bpy.types.WindowManager:
    """All windows."""
    assert context.window_manager is not None
    return context.window_manager


def frame_rate(scene: bpy.types.Scene) -> float:
    """Frames a second."""
    return scene.render.fps / scene.render.fps_base


def set_frame_rate(scene: bpy.types.Scene, fps: float) -> None:
    """Make it `fps` frames a second, which Blender keeps as a whole number over a base near 1."""
    scene.render.fps = max(1, round(fps))
    scene.render.fps_base = scene.render.fps / fps
