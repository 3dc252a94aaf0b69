"""Quantization of positions to the sixteenth grid, swing ratio and grid offset, and notes in seconds."""

import numpy as np
import pytest

from backend.music.quantization import (
    STRAIGHT,
    TimedNote,
    estimate_swing,
    grid_offset,
    quantize,
    step_times,
    swung_positions,
    timed_notes,
)
from backend.music.score import Meter, Note, Score, part_from_notes

DOWNBEATS = np.array([0, 4, 20, 36])
"""A pickup of one beat and bars of 4/4."""


@pytest.mark.parametrize("swing", [STRAIGHT, 0.6, 2 / 3])
def test_played_steps_are_quantized_back_to_themselves(swing: float) -> None:
    steps = np.arange(40)
    positions = swung_positions(steps, DOWNBEATS, swing)
    assert quantize(positions, DOWNBEATS, swing).tolist() == steps.tolist()
    assert quantize(positions + 0.15, DOWNBEATS, swing).tolist() == steps.tolist()


def test_swing_moves_the_off_beat_eighth_only() -> None:
    assert swung_positions(np.arange(9), np.array([0]), 0.6).tolist() == [0, 1, 2.4, 3, 4, 5, 6.4, 7, 8]


@pytest.mark.parametrize("swing", [STRAIGHT, 280 / 480, 320 / 480])
def test_the_swing_ratio_is_estimated_from_eighths(swing: float) -> None:
    eighths = np.array([4 * beat + offset for beat in range(16) for offset in (0.0, 4 * swing)])
    assert estimate_swing(eighths, np.array([0, 16, 32, 48])) == pytest.approx(swing, abs=1e-6)


@pytest.mark.parametrize("offset", [-0.3, 0.2, 0.45])
def test_a_common_offset_from_the_grid_is_measured(offset: float) -> None:
    jitter = 0.05 * np.random.default_rng(0).standard_normal(200)
    assert grid_offset(np.arange(200) + offset + jitter) == pytest.approx(offset, abs=0.02)
    assert grid_offset(np.random.default_rng(0).random(200) * 50.0) == 0.0


def test_notes_have_the_times_of_tempo_and_swing() -> None:
    rest = part_from_notes([], 8)
    melody = part_from_notes([Note(60, 90, 0, 2), Note(62, 80, 2, 4), Note(64, 70, 4, 8)], 8)
    seconds = 5.0 + np.concatenate([np.arange(5) / 8.0, 0.5 + np.arange(1, 5) / 4.0])
    score = Score(rest, rest, melody, seconds, (Meter(0),), swing=0.625)
    assert step_times(score, np.array([0, 2, 4, 6])).tolist() == pytest.approx([0.0, 0.3125, 0.5, 1.125])
    assert timed_notes(score, melody) == [
        TimedNote(60, 90, 0.0, 0.3125),
        TimedNote(62, 80, 0.3125, 0.5),
        TimedNote(64, 70, 0.5, 1.5),
    ]
    assert score.duration == pytest.approx(1.5)
