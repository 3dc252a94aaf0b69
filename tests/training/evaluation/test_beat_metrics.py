"""Beats of movement: where they are, and how well they are answered."""

import numpy as np
import pytest

from rigs import Array
from training.evaluation.beat_metrics import beat_alignment, estimate_pulse, kinetic_beats


def swaying(period: float, frames: int = 300) -> Array:
    """All joints to and fro, at rest twice in `period` frames: a little after the whole and half periods."""
    positions = np.zeros((frames, 29, 3))
    positions[..., 0] = np.cos(2 * np.pi * (np.arange(frames) - 0.2) / period)[:, None]
    return positions


def test_beats_are_where_a_sway_turns() -> None:
    found = kinetic_beats(swaying(60.0))
    expected = np.arange(30, 290, 30)
    assert len(found) == len(expected)
    assert np.abs(found - expected).max() <= 1


def test_one_who_stands_has_no_beats_and_answers_none() -> None:
    still = np.zeros((100, 29, 3))
    assert len(kinetic_beats(still)) == 0
    track = beat_alignment(np.array([10, 50]), kinetic_beats(still), 100)
    assert np.nanmean(track) == 0.0


def test_an_answer_falls_off_with_the_frames_it_is_late() -> None:
    asked = np.array([10, 50, 90])
    track = beat_alignment(asked, np.array([10, 53, 96]), 120)
    np.testing.assert_allclose(track[asked], np.exp(-np.array([0.0, 9.0, 36.0]) / 18.0))
    assert np.isnan(np.delete(track, asked)).all()


def test_the_pulse_of_beats_on_a_grid_is_that_grid() -> None:
    beats = np.array([7, 22, 37, 67, 82, 112])
    found = estimate_pulse(beats, 120, 30.0)
    assert set(beats) <= set(found)
    assert np.diff(found).mean() == pytest.approx(15.0, abs=0.2)
