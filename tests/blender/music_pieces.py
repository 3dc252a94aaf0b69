"""Test music, and readings of the scene and of files that the music tests share."""

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from motions import sequencer_strips, strip_frames

from backend.music.score import Meter, Score, part_from_note_array

SceneState = Callable[[], dict[str, Any]]
BEAT = 0.5
"""s of a quarter note in the test music."""
needs_sound = pytest.mark.skipif(not bpy.app.build_options.audaspace, reason="this Blender was built without sound")


def make_score(bars: int = 4, meters: tuple[Meter, ...] = (Meter(0),), steps: int = 0) -> Score:
    """Music at 120 beats a minute: a drum on each quarter, a low note on each half and a high one on each eighth."""
    steps = steps or 16 * bars
    drums = [(36 if step % 8 == 0 else 38, 100, step, step + 1) for step in range(0, steps, 4)]
    bass = [(40, 90, step, step + 6) for step in range(0, steps, 8)]
    melody = [(60 + step % 12, 80, step, step + 2) for step in range(0, steps, 2)]
    parts = (part_from_note_array(np.array(notes), steps) for notes in (drums, bass, melody))
    return Score(*parts, np.arange(steps + 1) * BEAT / 4, meters)


def music_settings() -> Any:
    return bpy.context.scene.pas_de_deux.music


def markers() -> list[tuple[int, str]]:
    return sorted((marker.frame, marker.name) for marker in bpy.context.scene.timeline_markers)


def strips() -> list[Any]:
    return sequencer_strips(bpy.context.scene)


def strip_starts() -> list[tuple[str, int]]:
    """The file name and the first frame of each strip."""
    return sorted((Path(bpy.path.abspath(strip.sound.filepath)).name, strip_frames(strip)[0]) for strip in strips())


def file_names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def wav_seconds(file: Path) -> float:
    with wave.open(str(file), "rb") as sound:
        return sound.getnframes() / sound.getframerate()


def assert_error(scene_state: SceneState, operator: str, message: str, **options: Any) -> None:
    """An operator reports one sentence as its error and leaves the scene unchanged."""
    before = scene_state()
    with pytest.raises(RuntimeError, match=message) as error:
        getattr(bpy.ops.pasdedeux, operator)(**options)
    assert len(str(error.value).strip().splitlines()) == 1
    assert scene_state() == before
