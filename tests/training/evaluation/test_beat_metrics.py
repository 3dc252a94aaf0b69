"""Beat metrics against closed forms and the definitions of the published ones."""

import numpy as np
import pytest

from rigs import Array
from training.evaluation.beat_metrics import (
    beat_align_score,
    beat_alignment,
    beat_echo_degree,
    estimate_pulse,
    kinetic_beats,
)


def swaying(period: float, frames: int = 300, shift: float = 0.2) -> Array:
    """All joints to and fro, at rest twice in `period` frames: `shift` frames after the whole and half periods."""
    positions = np.zeros((frames, 29, 3))
    positions[..., 0] = np.cos(2 * np.pi * (np.arange(frames) - shift) / period)[:, None]
    return positions


def test_beats_are_where_a_sway_turns() -> None:
    beats = kinetic_beats(swaying(60.0))
    expected = np.arange(30, 290, 30)
    assert len(beats) == len(expected)
    assert np.abs(beats - expected).max() <= 1


def test_a_dancer_who_stands_has_no_beats_and_aligns_with_none() -> None:
    still = np.zeros((100, 29, 3))
    assert len(kinetic_beats(still)) == 0
    assert beat_align_score(np.array([10, 50]), still) == 0.0
    assert np.isnan(beat_align_score(np.zeros(0, int), swaying(60.0)))


def test_alignment_falls_off_with_the_frames_between_two_beats() -> None:
    music_beats = np.array([10, 50, 90])
    track = beat_alignment(music_beats, np.array([10, 53, 96]), 120)
    np.testing.assert_allclose(track[music_beats], np.exp(-np.array([0.0, 9.0, 36.0]) / 18.0))
    assert np.isnan(np.delete(track, music_beats)).all()


def test_beat_align_score_of_a_dance_on_the_beat_is_one() -> None:
    dance = swaying(60.0)
    on_the_beat = kinetic_beats(dance)
    assert beat_align_score(on_the_beat, dance) == 1.0
    assert beat_align_score(on_the_beat[::2], dance) == 1.0  # a dancer may have more beats than the music
    assert beat_align_score(on_the_beat + 3, dance) == pytest.approx(np.exp(-0.5))


def test_beat_echo_degree_is_one_of_the_same_beats_and_falls_with_a_delay() -> None:
    leader = swaying(60.0)
    assert beat_echo_degree(leader, 2.0 * leader) == 1.0
    assert beat_echo_degree(leader, swaying(60.0, shift=6.2)) == pytest.approx(np.exp(-2.0))


def test_the_pulse_of_beats_on_a_grid_is_that_grid() -> None:
    beats = np.array([7, 22, 37, 67, 82, 112])
    pulse = estimate_pulse(beats, 120, 30.0)
    assert set(beats) <= set(pulse)
    assert np.diff(pulse).mean() == pytest.approx(15.0, abs=0.2)
