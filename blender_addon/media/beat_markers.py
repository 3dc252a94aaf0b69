"""Beats of a score as timeline markers; the markers of the next score replace them, and all others stay."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

import bpy
import numpy as np

from backend.music.score import Meter, Score
from rigs import Array

from ..context_access import active_scene, frame_rate
from ..properties.settings import scene_settings

_STEPS_PER_WHOLE_NOTE = 16
_EIGHTHS_PER_COMPOUND_BEAT = 3  # in meters such as 6/8

Beat = tuple[str, float]
"""The name of a beat's marker, and its time in s from the start of the music."""


def beats_of_score(score: Score, first_bar: int = 1) -> list[Beat]:
    """The beats of a score; the first beat of each bar is named by the bar's number, counted from `first_bar`."""
    return [
        (str(bar) if beat == 0 else "", float(seconds))
        for bar, steps in enumerate(_beat_steps(score), start=first_bar)
        for beat, seconds in enumerate(np.interp(steps, np.arange(score.steps + 1), score.seconds - score.seconds[0]))
    ]


def mark_beats(context: bpy.types.Context, beats: Sequence[Beat], first: int) -> None:
    """Add a timeline marker for each beat of music that starts at the frame `first`, in place of earlier ones.

    An earlier marker that the user has moved, renamed or bound to a camera stays.
    """
    scene, previous_beats = active_scene(context), scene_settings(context).music.beats
    previous = Counter((beat.name, beat.frame) for beat in previous_beats)
    for marker in list(scene.timeline_markers):
        key = (marker.name, marker.frame)
        if previous[key] and marker.camera is None:
            previous[key] -= 1
            scene.timeline_markers.remove(marker)
    previous_beats.clear()
    for name, seconds in beats:
        marker = scene.timeline_markers.new(name, frame=first + round(seconds * frame_rate(scene)))
        beat = previous_beats.add()
        beat.name, beat.frame = marker.name, marker.frame


def _beat_steps(score: Score) -> Iterator[Array]:
    """The beats of each bar in turn, in fractional steps of the score."""
    for start, end in pairwise([*score.bars.tolist(), score.steps]):
        meter = next(meter for meter in reversed(score.meters) if meter.step <= start)
        yield np.arange(start, end, _steps_per_beat(meter))


def _steps_per_beat(meter: Meter) -> float:
    is_compound = meter.denominator >= 8 and meter.numerator % _EIGHTHS_PER_COMPOUND_BEAT == 0
    return _STEPS_PER_WHOLE_NOTE / meter.denominator * (_EIGHTHS_PER_COMPOUND_BEAT if is_compound else 1)
