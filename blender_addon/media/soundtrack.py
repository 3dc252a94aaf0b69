"""A video's sound: a file of music or what the scene's own sequencer plays, beginning with the video's first frame."""

import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..background_job import Refused
from ..context_access import frame_rate, scene_of

Strips = Any
"""A sequencer's strips, which each Blender calls otherwise."""
_BITRATE = 192
"""kbit a second of the video's sound."""


def of(context: bpy.types.Context, music: str, frames: range, folder: Path) -> Path | None:
    """The sound for a video of these frames of the scene: the file `music`, or else what the scene plays.

    The scene's is written into `folder`. None where there is none. Raises Refused.
    """
    if music:
        path = Path(bpy.path.abspath(music)).absolute()
        expect_heard(path)
        return path
    return _mixed(context, frames, folder / "scene.wav") if _plays(scene_of(context)) else None


def expect_heard(path: Path) -> None:
    """Raise Refused unless Blender can play a file."""
    if not bpy.app.build_options.audaspace:
        raise Refused(f"{path.name}: this Blender was built without sound, leave the music out or use another one")
    if not path.is_file():
        raise Refused(f"{path.name}: no such file")
    sound = bpy.data.sounds.load(str(path))
    try:
        if sound.channels == "INVALID":
            raise Refused(f"{path.name}: a sound file expected that Blender can play, such as .wav")
    finally:
        bpy.data.sounds.remove(sound)


@contextmanager
def added(sound: Path | None) -> Iterator[None]:
    """Give what is rendered meanwhile a sound that begins with its first frame, as AAC."""
    sounds = set(bpy.data.sounds)

    def begin(scene: bpy.types.Scene, _: object = None) -> None:
        assert scene.render.ffmpeg is not None
        strips_of(scene).new_sound("music", str(sound), channel=1, frame_start=scene.frame_start)
        scene.render.ffmpeg.audio_codec, scene.render.ffmpeg.audio_bitrate = "AAC", _BITRATE
        scene.render.ffmpeg.audio_channels = "STEREO"

    if sound is None:
        yield
        return
    # The scene of a preview is there only while it is rendered.
    bpy.app.handlers.render_init.append(begin)
    try:
        yield
    finally:
        bpy.app.handlers.render_init.remove(begin)
        bpy.data.batch_remove(set(bpy.data.sounds) - sounds)


def strips_of(scene: bpy.types.Scene) -> Strips:
    """The strips of a scene's sequencer."""
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def _plays(scene: bpy.types.Scene) -> bool:
    """Whether there is anything to hear in a scene."""
    editor = scene.sequence_editor
    if editor is None or not bpy.app.build_options.audaspace:
        return False
    strips = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    return any(strip.type == "SOUND" and not strip.mute for strip in strips)


def _mixed(context: bpy.types.Context, frames: range, path: Path) -> Path:
    """Write what the scene plays in these frames as a WAV."""
    scene = scene_of(context)
    own = scene.frame_start, scene.frame_end
    # A scene begins at frame 0 at the earliest, dancers may be keyed before it.
    scene.frame_start, scene.frame_end = max(frames.start, 0), max(frames.stop - 1, 0)
    try:
        with context.temp_override(scene=scene):
            bpy.ops.sound.mixdown(filepath=str(path), check_existing=False, container="WAV", codec="PCM", format="S16")
    except RuntimeError as error:
        raise Refused(f"The scene's sound cannot be mixed: {str(error).strip().removeprefix('Error: ')}") from None
    finally:
        scene.frame_start, scene.frame_end = own
    if frames.start < 0:
        _delay(path, -frames.start / frame_rate(scene))
    return path


def _delay(path: Path, seconds: float) -> None:
    """Let a WAV begin with so much silence."""
    with wave.open(str(path), "rb") as file:
        form, played = file.getparams(), file.readframes(file.getnframes())
    with wave.open(str(path), "wb") as file:
        file.setparams(form)
        file.writeframes(bytes(round(seconds * form.framerate) * form.nchannels * form.sampwidth) + played)
