"""Music in a scene's time: its beats as markers on the timeline, and its sound as a strip in the sequencer.

Both are of one piece: those of the next take their place, and whatever else is there stays.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np

from backend.music.score import Meter, Score
from rigs import Array

from ..context_access import frame_rate, scene_of
from ..properties import settings
from . import soundtrack

_OURS = "pas_de_deux"
"""The property of a strip that says who put it there."""
_CHANNELS = 128
"""How many channels a sequencer has."""
_WHOLE = 16
"""Steps in a whole note."""
_COMPOUND = 3
"""Quavers in a beat of such meters as 6/8."""

Beat = tuple[str, float]
"""What a beat's marker is called, and when it falls, in s behind the music's beginning."""


def beats_of(score: Score, number: int = 1) -> list[Beat]:
    """The beats of a score: the first of each bar is called by the bar's number, of which the first is `number`."""
    return [
        (str(bar) if beat == 0 else "", float(seconds))
        for bar, steps in enumerate(_beats_of_bars(score), start=number)
        for beat, seconds in enumerate(np.interp(steps, np.arange(score.steps + 1), score.seconds - score.seconds[0]))
    ]


def mark(context: bpy.types.Context, beats: Sequence[Beat], first: int) -> None:
    """Put a marker on the frame of each beat of music that begins at the frame `first`.

    A marker of an earlier piece that was moved, renamed or given a camera is the animator's own, and stays.
    """
    scene, kept = scene_of(context), settings.of(context).music.beats
    ours = Counter((beat.name, beat.frame) for beat in kept)
    for marker in list(scene.timeline_markers):
        place = (marker.name, marker.frame)
        if ours[place] and marker.camera is None:
            ours[place] -= 1
            scene.timeline_markers.remove(marker)
    kept.clear()
    for name, seconds in beats:
        marker = scene.timeline_markers.new(name, frame=first + round(seconds * frame_rate(scene)))
        beat = kept.add()
        beat.name, beat.frame = marker.name, marker.frame


def sound(context: bpy.types.Context, path: Path, first: int) -> str:
    """Let a sound file begin at the frame `first`; what speaks against its being heard, in a sentence, or nothing."""
    if not bpy.app.build_options.audaspace:
        return f"This Blender was built without sound: the music is not heard here, but it is in {path}"
    strips = soundtrack.strips_of(scene_of(context))
    _remove_ours(strips)
    taken = {strip.channel for strip in strips}
    channel = next((channel for channel in range(1, _CHANNELS) if channel not in taken), _CHANNELS)
    strip = strips.new_sound(path.stem, _as_kept(context, path), channel=channel, frame_start=first)
    strip[_OURS] = True
    if path.is_relative_to(bpy.app.tempdir):
        # Blender's folder goes when Blender ends.
        strip.sound.pack()
    return ""


def _beats_of_bars(score: Score) -> Iterator[Array]:
    """The steps, with fractions, of each bar's beats."""
    for begin, end in pairwise([*score.bars.tolist(), score.steps]):
        meter = next(meter for meter in reversed(score.meters) if meter.step <= begin)
        yield np.arange(begin, end, _beat_of(meter))


def _beat_of(meter: Meter) -> float:
    """Steps in a beat."""
    compound = meter.denominator >= 8 and meter.numerator % _COMPOUND == 0
    return _WHOLE / meter.denominator * (_COMPOUND if compound else 1)


def _remove_ours(strips: soundtrack.Strips) -> None:
    """Remove the strip of an earlier piece, and its sound where nothing else plays it."""
    for strip in [strip for strip in strips if strip.get(_OURS)]:
        played = strip.sound
        strips.remove(strip)
        if played is not None and played.users == 0:
            bpy.data.sounds.remove(played)


def _as_kept(context: bpy.types.Context, path: Path) -> str:
    """A file's place as the animator wants places kept: from the .blend file, or from the root."""
    assert context.preferences is not None
    if not (bpy.data.filepath and context.preferences.filepaths.use_relative_paths):
        return str(path)
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # another drive
        return str(path)
