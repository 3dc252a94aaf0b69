"""Sound in the Video Sequencer: a music strip in the scene, and the sound track of a rendered preview."""

import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..background_job import OperatorError
from ..context_access import active_scene, frame_rate

Strips = Any
"""The strips of a Video Sequencer, whose type differs between Blender versions."""
_AUDIO_BITRATE = 192  # kbit/s
_MUSIC_STRIP = "pas_de_deux"
"""Custom property of the strips that `add_music_strip` added: the key of its music."""
_MAX_CHANNEL = 128  # of a Video Sequencer


def sequencer_strips(scene: bpy.types.Scene) -> Strips:
    """The strips of a scene's Video Sequencer, which is created if there is none."""
    editor = scene.sequence_editor_create()
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def add_music_strip(
    context: bpy.types.Context, path: Path, first: int, report: Callable[[Any, str], None], *, key: str = "music"
) -> None:
    """Play a sound file from the frame `first` on the strip with this key, and mute the strips with other keys.

    The first strip also makes playback follow the sound, and the Sequencer show the scene.
    report: an operator's `report`.
    """
    if not bpy.app.build_options.audaspace:
        text = f"This Blender was built without sound: the music cannot be played here, but it is saved in {path}"
        report({"WARNING"}, text)
        return
    scene = active_scene(context)
    strips = sequencer_strips(scene)
    if not _music_strips(strips) and scene.sync_mode == "NONE":
        scene.sync_mode = "AUDIO_SYNC"
        report({"INFO"}, "Playback now follows the music: its Sync setting is Sync to Audio")
    _show_in_sequencer(scene)
    if show_music_strip(context, key):
        return
    used_channels = {strip.channel for strip in strips}
    channel = next((channel for channel in range(1, _MAX_CHANNEL + 1) if channel not in used_channels), None)
    if channel is None:
        report({"WARNING"}, f"The Sequencer has no free channel for {path.name}: delete strips that are not needed")
        return
    strip = strips.new_sound(path.stem, _stored_path(context, path), channel=channel, frame_start=first)
    strip[_MUSIC_STRIP] = key
    if path.is_relative_to(bpy.app.tempdir):
        # Blender deletes its temporary folder when it quits.
        strip.sound.pack()


def show_music_strip(context: bpy.types.Context, key: str) -> bool:
    """Unmute the music strip with this key, and mute the others.

    Whether there is such a strip; the animator may have moved it, changed it, or deleted it.
    """
    found = False
    for strip in _music_strips(sequencer_strips(active_scene(context))):
        strip.mute = strip[_MUSIC_STRIP] != key
        found |= not strip.mute
    return found


def plays_music(scene: bpy.types.Scene, key: str) -> bool:
    """Whether the music strip with this key is unmuted."""
    if scene.sequence_editor is None:
        return False
    return any(strip[_MUSIC_STRIP] == key and not strip.mute for strip in _music_strips(sequencer_strips(scene)))


def remove_music_strip(context: bpy.types.Context, key: str) -> None:
    """Remove the music strip with this key, and its sound if nothing else uses it."""
    strips = sequencer_strips(active_scene(context))
    for strip in _music_strips(strips):
        if strip[_MUSIC_STRIP] == key:
            sound = strip.sound
            strips.remove(strip)
            if sound is not None and sound.users == 0:
                bpy.data.sounds.remove(sound)


def video_sound(context: bpy.types.Context, music: str, frames: range, folder: Path) -> Path | None:
    """The sound file for a video of these scene frames: `music`, else a mixdown of the sequencer into `folder`.

    None if there is no sound. Raises OperatorError.
    """
    if music:
        path = Path(bpy.path.abspath(music)).absolute()
        require_playable(path)
        return path
    return _mixdown(context, frames, folder / "scene.wav") if _has_sound(active_scene(context)) else None


def require_playable(path: Path) -> None:
    """Raise OperatorError unless Blender can play a sound file."""
    if not bpy.app.build_options.audaspace:
        raise OperatorError(
            f"{path.name}: this Blender was built without sound, leave the music out or use another one"
        )
    if not path.is_file():
        raise OperatorError(f"{path.name}: no such file")
    sound = bpy.data.sounds.load(str(path))
    try:
        if sound.channels == "INVALID":
            raise OperatorError(f"{path.name}: a sound file expected that Blender can play, such as .wav")
    finally:
        bpy.data.sounds.remove(sound)


@contextmanager
def sound_track(path: Path | None) -> Iterator[None]:
    """Add a sound file, from the first frame and as AAC, to the scene that is rendered meanwhile."""
    sounds = set(bpy.data.sounds)

    def on_render_init(scene: bpy.types.Scene, _: object = None) -> None:
        assert scene.render.ffmpeg is not None
        sequencer_strips(scene).new_sound("music", str(path), channel=1, frame_start=scene.frame_start)
        scene.render.ffmpeg.audio_codec, scene.render.ffmpeg.audio_bitrate = "AAC", _AUDIO_BITRATE
        scene.render.ffmpeg.audio_channels = "STEREO"

    if path is None:
        yield
        return
    # The temporary preview scene exists only while it is rendered.
    bpy.app.handlers.render_init.append(on_render_init)
    try:
        yield
    finally:
        bpy.app.handlers.render_init.remove(on_render_init)
        bpy.data.batch_remove(set(bpy.data.sounds) - sounds)


def _has_sound(scene: bpy.types.Scene) -> bool:
    """Whether the scene's sequencer has an unmuted sound strip."""
    editor = scene.sequence_editor
    if editor is None or not bpy.app.build_options.audaspace:
        return False
    strips = editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all
    return any(strip.type == "SOUND" and not strip.mute for strip in strips)


def _mixdown(context: bpy.types.Context, frames: range, path: Path) -> Path:
    """Mix the scene's sound of these frames down to a WAV file. Raises OperatorError."""
    scene = active_scene(context)
    frame_start, frame_end = scene.frame_start, scene.frame_end
    # A scene's frame range starts at 0 at the earliest, while keyframes may lie before.
    scene.frame_start, scene.frame_end = max(frames.start, 0), max(frames.stop - 1, 0)
    try:
        with context.temp_override(scene=scene):
            bpy.ops.sound.mixdown(filepath=str(path), check_existing=False, container="WAV", codec="PCM", format="S16")
    except RuntimeError as error:
        reason = str(error).strip().removeprefix("Error: ")
        raise OperatorError(f"The scene's sound cannot be mixed down: {reason}") from None
    finally:
        scene.frame_start, scene.frame_end = frame_start, frame_end
    if frames.start < 0:
        _prepend_silence(path, -frames.start / frame_rate(scene))
    return path


def _prepend_silence(path: Path, seconds: float) -> None:
    """Prepend silence to a WAV file."""
    with wave.open(str(path), "rb") as file:
        params, samples = file.getparams(), file.readframes(file.getnframes())
    silence = bytes(round(seconds * params.framerate) * params.nchannels * params.sampwidth)
    with wave.open(str(path), "wb") as file:
        file.setparams(params)
        file.writeframes(silence + samples)


def _show_in_sequencer(scene: bpy.types.Scene) -> None:
    """Let Sequencers that show no scene show this one, as they do by themselves before Blender 5.0."""
    for workspace in bpy.data.workspaces:
        if getattr(workspace, "sequencer_scene", scene) is None:
            workspace.sequencer_scene = scene  # type: ignore[attr-defined]


def _music_strips(strips: Strips) -> list[Any]:
    """The strips that `add_music_strip` added."""
    return [strip for strip in strips if strip.get(_MUSIC_STRIP)]


def _stored_path(context: bpy.types.Context, path: Path) -> str:
    """The file path as the preferences want paths stored: relative to the .blend file, or absolute."""
    assert context.preferences is not None
    if not (bpy.data.filepath and context.preferences.filepaths.use_relative_paths):
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # another drive
        return str(path)
