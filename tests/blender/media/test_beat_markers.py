"""Beats as timeline markers, of scores and of generated dances."""

from itertools import pairwise
from pathlib import Path

import bpy
import pytest
from bl_ext.user_default.pas_de_deux.media import beat_markers
from conftest import Server
from music_pieces import BEAT, make_score, markers, music_settings

from backend.music.score import Meter


def test_beats_are_marked_and_bars_numbered_as_in_the_song(reachable_server: Server, midi_file: Path) -> None:
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 30, 1.001
    music_settings().bars = " 3 - 4 "
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    names = ["3", "", "", "", "4", "", "", ""]
    assert markers() == [(1 + round(n * BEAT * 30 / 1.001), name) for n, name in enumerate(names)]


@pytest.mark.parametrize(
    ("meters", "steps", "expected"),
    [
        ((Meter(0, 1, 4), Meter(4, 3, 4)), 28, {"1": 0.0, "2": 0.5, "3": 2.0}),
        ((Meter(0, 6, 8),), 24, {"1": 0.0, "2": 1.5}),
        ((Meter(0, 2, 2),), 32, {"1": 0.0, "2": 2.0}),
    ],
)
def test_beats_follow_the_meter(meters: tuple[Meter, ...], steps: int, expected: dict[str, float]) -> None:
    beats = beat_markers.beats_of_score(make_score(meters=meters, steps=steps))
    assert {name: seconds for name, seconds in beats if name} == pytest.approx(expected)
    between = {round(float(b - a), 6) for (_, a), (_, b) in pairwise(beats)}
    assert between == {{8: 0.75, 4: 0.5, 2: 1.0}[meters[-1].denominator]}


def test_the_animators_markers_stay_and_earlier_beats_go(reachable_server: Server, midi_file: Path) -> None:
    scene = bpy.context.scene
    scene.timeline_markers.new("1", frame=500)
    music_settings().bars = "1-3"
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    moved = scene.timeline_markers["2"]
    moved.frame = 51
    music_settings().bars = "1-2"
    bpy.ops.pasdedeux.generate_dance(filepath=str(midi_file))
    beats = [(1 + round(n * BEAT * 24), {0: "1", 4: "2"}.get(n, "")) for n in range(8)]
    assert markers() == sorted([*beats, (51, "2"), (500, "1")])
