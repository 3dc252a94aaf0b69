"""The music of takes: its sound strip and beat markers, which belong to a take and are shown and removed with it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from ..context_access import active_scene
from ..properties.settings import scene_settings
from ..properties.take_list import PASDEDEUX_PG_take
from .beat_markers import Beat, mark_beats
from .sequencer import add_music_strip, plays_music, remove_music_strip, show_music_strip

Report = Callable[[Any, str], None]
"""An operator's `report`."""


@dataclass(frozen=True)
class TakeMusic:
    """A take's sound file, its first frame in the scene, its beats, and the key of its strip."""

    sound: Path
    first: int
    beats: Sequence[Beat]
    key: str


def keep_music(
    context: bpy.types.Context, entry: PASDEDEUX_PG_take, sound: Path, first: int, beats: Sequence[Beat], report: Report
) -> None:
    """Store the music in a take and play it: its strip beside those of other takes, which are muted, and its beats.

    Takes with the same sound share a strip.
    """
    others = [music for other in scene_settings(context).take_list if (music := take_music(other))]
    key = next((music.key for music in others if (music.sound, music.first) == (sound, first)), entry.uid)
    entry.music = json.dumps({"sound": _relative(sound), "first": first, "beats": list(beats), "strip": key})
    mark_beats(context, beats, first)
    add_music_strip(context, sound, first, report, key=key)


def show_music(context: bpy.types.Context, entry: PASDEDEUX_PG_take, report: Report) -> None:
    """Play a take's music in place of other takes': a strip that the animator deleted is added again from its file."""
    music = take_music(entry)
    if music is None:
        return
    mark_beats(context, music.beats, music.first)
    if show_music_strip(context, music.key):
        return
    if music.sound.is_file():
        add_music_strip(context, music.sound, music.first, report, key=music.key)
    else:
        report({"WARNING"}, f"{music.sound.name} is no longer in {music.sound.parent}: the take has no sound")


def is_heard(scene: bpy.types.Scene, entry: PASDEDEUX_PG_take) -> bool:
    """Whether the take's music plays."""
    music = take_music(entry)
    return music is not None and plays_music(scene, music.key)


def remove_music(context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
    """Remove a take's strip, and its beat markers if they are shown, unless another take has the same music.

    The files stay.
    """
    music = take_music(entry)
    if music is None:
        return
    others = [take_music(other) for other in scene_settings(context).take_list if other.uid != entry.uid]
    if any(other is not None and other.key == music.key for other in others):
        return
    if is_heard(active_scene(context), entry):
        mark_beats(context, (), music.first)
    remove_music_strip(context, music.key)


def take_music(entry: PASDEDEUX_PG_take) -> TakeMusic | None:
    """The take's music; None for one without."""
    if not entry.music:
        return None
    stored = json.loads(entry.music)
    sound = Path(bpy.path.abspath(stored["sound"])).absolute()
    beats = [(name, seconds) for name, seconds in stored["beats"]]
    return TakeMusic(sound, stored["first"], beats, stored["strip"])


def _relative(path: Path) -> str:
    """The path relative to the saved .blend file's folder where it lies in it, so that both can be moved together."""
    if bpy.data.filepath and path.is_relative_to(Path(bpy.data.filepath).parent):
        return "//" + path.relative_to(Path(bpy.data.filepath).parent).as_posix()
    return str(path)
