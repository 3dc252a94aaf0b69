"""Preview video of a duet: mannequins on a studio floor, filmed by a camera that keeps both in frame, as an MP4.

It is rendered by Workbench in a temporary scene that is built from Motions, so the user's scene stays unchanged.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from rigs import Array
from rigs.motion import Motion, resample

from ..animation import armatures, mannequin
from ..animation.keys import keyframes
from ..context_access import set_frame_rate
from . import studio
from .studio_floor import add_studio_floor
from .video_output import Progress, render_to_file, set_video_output

SIZE = (848, 480)
"""Width and height (px) of a preview; without a GPU 20 s of it take two to three minutes to render."""
MAX_FPS = 30.0
"""Motions of a higher frame rate are resampled to this one."""
COLOURS = (mannequin.CORAL, mannequin.TEAL)
"""The colours of the leader's and the partner's mannequin."""


def render_video(
    context: bpy.types.Context,
    motions: Sequence[Motion],
    path: Path,
    *,
    size: tuple[int, int] = SIZE,
    progress: Progress = lambda fraction, text: None,
    filmed: Sequence[Motion] = (),
) -> int:
    """Render the dancers to an H.264 video in an MP4 file and return the number of frames. Raises OperatorError.

    motions: the leader and, if there is one, the partner, from the same start.
    filmed: motions that the camera keeps in frame, for videos of several takes from one camera; else the dancers'.
    The file is written whole or not at all.
    """
    motions = _same_rate_and_length(motions)
    positions = np.stack([motion.positions for motion in _same_rate_and_length(filmed or motions)], axis=1)
    with _preview_scene(context, motions, positions, size) as scene:
        return render_to_file(scene, path, progress)


def _same_rate_and_length(motions: Sequence[Motion]) -> list[Motion]:
    """Resample the motions to one frame rate of at most MAX_FPS and to the longest one's length."""
    fps = min(MAX_FPS, max(motion.fps for motion in motions))
    seconds = max(motion.seconds for motion in motions)
    return [resample(motion, fps, int(np.floor(seconds * fps + 1e-6)) + 1) for motion in motions]


@contextmanager
def _preview_scene(
    context: bpy.types.Context, motions: Sequence[Motion], positions: Array, size: tuple[int, int]
) -> Iterator[bpy.types.Scene]:
    """A temporary scene with dancers, floor, and a camera that films joint positions (F, D, 29, 3), ready to render."""
    scene = bpy.data.scenes.new("Pas de Deux preview")
    images = set(bpy.data.images)
    try:
        for motion, colour in zip(motions, COLOURS, strict=False):
            _add_animated_dancer(context, scene, motion, colour)
        add_studio_floor(scene, positions)
        scene.frame_start, scene.frame_end = 1, len(motions[0])
        set_frame_rate(scene, motions[0].fps)
        set_video_output(scene, size)
        studio.set_studio_shading(scene, "VERTEX")
        shot = studio.frame_dancers(positions, motions[0].fps, size)
        studio.add_camera(scene, shot, 1)
        studio.set_light(scene, forward=shot.path.forward, right=shot.path.right)
        yield scene
    finally:
        _remove_scene(scene)
        bpy.data.batch_remove({image for image in bpy.data.images if image not in images})


def _add_animated_dancer(
    context: bpy.types.Context, scene: bpy.types.Scene, motion: Motion, colour: tuple[float, float, float]
) -> None:
    """Add a dancer with a mannequin to the scene, animated from frame 1."""
    dancer = armatures.create_armature(context, "dancer", motion.skeleton)
    keyframes.assign_action(dancer, armatures.create_motion_action(dancer, motion, "dance", 1))
    body = mannequin.add_mannequin(context, dancer, motion.skeleton, colour)
    for obj in (dancer, body):
        for collection in obj.users_collection:
            collection.objects.unlink(obj)
        scene.collection.objects.link(obj)


def _remove_scene(scene: bpy.types.Scene) -> None:
    """Remove the scene with its objects, their data, actions and unused materials."""
    objects = list(scene.objects)
    data = [obj.data for obj in objects if obj.data is not None]
    actions = [obj.animation_data.action for obj in objects if obj.animation_data and obj.animation_data.action]
    materials = [material for mesh in data if isinstance(mesh, bpy.types.Mesh) for material in mesh.materials]
    bpy.data.scenes.remove(scene)
    bpy.data.batch_remove([*objects, *data, *actions])
    bpy.data.batch_remove({material for material in materials if material and material.users == 0})
