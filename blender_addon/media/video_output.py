"""Render a scene to an H.264 video in an MP4 file, with a mark that tells it from files of others."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from rigs.files.atomic_write import atomic_path

from ..background_job import OperatorError

Progress = Callable[[float, str], None]
"""A callback for a fraction from 0 to 1, and a text that says what is being done."""

_LABEL = b"Pas de Deux preview"
_MARK = (8 + len(_LABEL)).to_bytes(4, "big") + b"free" + _LABEL
"""A box at the end of the file that players skip (ISO 14496-12, 8.1.2)."""
_LITTLE_SPACE = 1 << 22  # bytes free on a disk on which writing a video has failed


def is_preview(path: Path) -> bool:
    """Whether a file is a preview video that was written here and not changed by others since."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_MARK), os.SEEK_END)
            return file.read() == _MARK
    except OSError:
        return False


def temporary_path(path: Path) -> Path:
    """The file to which a video is rendered before it is moved to `path`."""
    stem = path.stem.replace("#", "_")  # by which Blender means the frame's number
    return path.with_name(f".{stem}.unfinished.mp4")


def set_video_output(scene: bpy.types.Scene, size: tuple[int, int]) -> None:
    """Set the resolution and H.264 output without sound."""
    # H.264 halves the resolution of colour.
    scene.render.resolution_x, scene.render.resolution_y = (pixels - pixels % 2 for pixels in size)
    scene.render.resolution_percentage = 100
    scene.render.use_border = False
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "VIDEO"
    image.file_format = "FFMPEG"
    image.color_mode = "RGB"
    ffmpeg = scene.render.ffmpeg
    assert ffmpeg is not None
    ffmpeg.format, ffmpeg.codec, ffmpeg.audio_codec = "MPEG4", "H264", "NONE"
    ffmpeg.constant_rate_factor, ffmpeg.gopsize = "HIGH", 30


def render_to_file(scene: bpy.types.Scene, path: Path, progress: Progress) -> int:
    """Render the scene's frame range to a video and return the number of frames. Raises OperatorError.

    The file is written whole or not at all.
    """
    frames = scene.frame_end - scene.frame_start + 1
    temporary = temporary_path(path)
    try:
        with atomic_path(path, temporary=temporary), _count_frames(scene, frames, progress) as rendered:
            temporary.touch()
            scene.render.filepath = _literal(temporary)
            bpy.ops.render.render(animation=True, scene=scene.name)
            if len(rendered) < frames or not _is_whole(temporary):
                raise OperatorError(_failure(path))
            with temporary.open("ab") as file:
                file.write(_MARK)
    except OSError as error:
        raise OperatorError(f"{path}: the video cannot be written ({error.strerror})") from None
    except RuntimeError as error:
        raise OperatorError(_failure(path, str(error))) from None
    return frames


def _literal(path: Path) -> str:
    """A render path that Blender takes as it is, though braces name variables in it since 4.5."""
    return str(path) if bpy.app.version < (4, 5) else str(path).replace("{", "{{").replace("}", "}}")


def _is_whole(path: Path) -> bool:
    """Whether the boxes of an MP4 fill it, with the index that is written last; Blender reports no full disk."""
    kinds, place, size = set(), 0, path.stat().st_size
    with path.open("rb") as file:
        while place + 8 <= size:
            file.seek(place)
            header = file.read(16)
            length = int.from_bytes(header[:4], "big")
            if length == 1:  # a box of more than 4 GB
                length = int.from_bytes(header[8:], "big")
            kinds.add(header[4:8])
            place += max(length, 8)
    return place == size and {b"mdat", b"moov"} <= kinds


def _failure(path: Path, reason: str = "") -> str:
    """One sentence on a video that Blender has not written."""
    if shutil.disk_usage(path.parent).free < _LITTLE_SPACE:
        return f"{path.name}: the video cannot be written, the disk of {path.parent} is full"
    reason = " ".join(reason.removeprefix("Error: ").split())
    return f"{path.name}: Blender could not write the video" + (f" ({reason})" if reason else "")


@contextmanager
def _count_frames(scene: bpy.types.Scene, frames: int, progress: Progress) -> Iterator[list[int]]:
    """The frames rendered so far; `progress` is called after each."""
    rendered: list[int] = []

    def on_render_write(written: bpy.types.Scene, _: object = None) -> None:
        rendered.append(written.frame_current)
        progress(len(rendered) / frames, f"rendering frame {len(rendered)} of {frames}")

    bpy.app.handlers.render_write.append(on_render_write)
    try:
        yield rendered
    finally:
        bpy.app.handlers.render_write.remove(on_render_write)
