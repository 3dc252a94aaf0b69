"""Videos that previews wrote: a pair to render, frames of a video, and the colours of dancers in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from motions import swaying_motion

from rigs import Array, files

SIZE = (320, 180)
"""Width and height (px) of the tests' videos."""
SceneState = Callable[[], dict[str, Any]]
"""A description of all that a user could see changed in a scene."""


def import_pair(folder: Path) -> None:
    """Two seconds of a pair, as leader and partner."""
    files.write(folder / "duet.npz", (swaying_motion(), swaying_motion(x=0.9)))
    bpy.ops.pasdedeux.import_mocap(filepath=str(folder / "duet.npz"))
    duet = bpy.context.scene.pas_de_deux
    duet.leader, duet.partner = bpy.data.objects["duet 1"], bpy.data.objects["duet 2"]


def frame_of(video: Path, frame: int, scratch: Path) -> tuple[Array, int]:
    """A frame of a video as Blender's own sequencer plays it (H, W, 3), and the number of frames."""
    scene = bpy.data.scenes.new("player")
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strip = strips.new_movie(name="video", filepath=str(video), channel=1, frame_start=1)
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.frame_set(frame)
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(scratch / f"{frame}.png")
    scene.frame_start = scene.frame_end = frame
    with bpy.context.temp_override(scene=scene):
        bpy.ops.render.render(write_still=True, scene=scene.name)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(SIZE[0] * SIZE[1] * 4, np.float32)
    image.pixels.foreach_get(pixels)
    length = strip.frame_final_duration
    bpy.data.images.remove(image)
    bpy.data.scenes.remove(scene)
    return pixels.reshape(SIZE[1], SIZE[0], 4)[..., :3], length


def coral(picture: Array) -> Array:
    return (picture[..., 0] > 1.5 * picture[..., 2]) & (picture[..., 0] > 1.3 * picture[..., 1])


def teal(picture: Array) -> Array:
    return (picture[..., 2] > 1.3 * picture[..., 0]) & (picture[..., 1] > 1.3 * picture[..., 0])


def green(picture: Array) -> Array:
    return (picture[..., 1] > 1.4 * picture[..., 0]) & (picture[..., 1] > 1.4 * picture[..., 2])


def render_preview(video: Path, *, unchanged: SceneState = dict, size: tuple[int, int] = SIZE) -> tuple[Array, int]:
    """The first frame of a preview, and the number of frames; `unchanged` describes what it may not change."""
    before = unchanged()
    assert bpy.ops.pasdedeux.render_preview(filepath=str(video), size=size) == {"FINISHED"}
    assert unchanged() == before
    return frame_of(video, 1, video.parent)
