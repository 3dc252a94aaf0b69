"""Two videos side by side in one, each with its name at the bottom, put together by the Video Sequencer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy

from ..context_access import set_frame_rate
from .sequencer import Strips, sequencer_strips
from .video_output import Progress, render_to_file, set_video_output

_TEXT_HEIGHT, _TEXT_MARGIN = 0.034, 0.03  # of the picture's height
_TEXT_COLOUR, _LINE_COLOUR = (0.10, 0.10, 0.12, 1.0), (1.0, 1.0, 1.0)
_LINE_WIDTH = 4  # px


def half_size(size: tuple[int, int]) -> tuple[int, int]:
    """The width and height of one of two videos that fill a picture of `size` pixels."""
    half = size[0] // 2
    return half - half % 2, size[1] - size[1] % 2


def join_videos(
    videos: Sequence[Path],
    names: Sequence[str],
    path: Path,
    *,
    frames: int,
    fps: float,
    size: tuple[int, int],
    progress: Progress,
) -> int:
    """Join two videos of `frames` frames, each half of `size` pixels wide, in an MP4; the number of frames.

    Raises OperatorError.
    """
    scene = bpy.data.scenes.new("Pas de Deux side by side")
    width, height = half_size(size)
    set_video_output(scene, (2 * width, height))
    set_frame_rate(scene, fps)
    scene.frame_start, scene.frame_end = 1, frames
    assert scene.view_settings is not None
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment]
    strips = sequencer_strips(scene)
    for n, (video, name) in enumerate(zip(videos, names, strict=True)):
        strip = strips.new_movie(name, str(video), channel=2 + n, frame_start=1, fit_method="ORIGINAL")
        strip.blend_type = "ALPHA_OVER"
        strip.transform.offset_x = (n - 0.5) * width
        _add_text(strips, name, 5 + n, frames, (0.25 + 0.5 * n, _TEXT_MARGIN), _TEXT_HEIGHT * height)
    line = _add_effect(strips, "COLOR", 4, frames)
    line.color, line.transform.scale_x = _LINE_COLOUR, _LINE_WIDTH / (2 * width)
    return render_to_file(scene, path, progress)


def _add_text(
    strips: Strips, text: str, channel: int, frames: int, location: tuple[float, float], height: float
) -> None:
    """Add a line of text, centred above `location` in fractions of the picture, `height` pixels high."""
    strip = _add_effect(strips, "TEXT", channel, frames)
    strip.text, strip.font_size, strip.color, strip.location = text, height, _TEXT_COLOUR, location
    strip.use_shadow = False
    if hasattr(strip, "anchor_x"):
        strip.anchor_x, strip.anchor_y = "CENTER", "BOTTOM"
    else:
        strip.align_x, strip.align_y = "CENTER", "BOTTOM"


def _add_effect(strips: Strips, kind: str, channel: int, frames: int) -> Any:
    """Add an effect strip above the videos, over all frames."""
    takes_length = "length" in strips.bl_rna.functions["new_effect"].parameters
    duration = {"length": frames} if takes_length else {"frame_end": 1 + frames}
    strip = strips.new_effect(name=kind, type=kind, channel=channel, frame_start=1, **duration)
    strip.blend_type = "ALPHA_OVER"
    return strip
