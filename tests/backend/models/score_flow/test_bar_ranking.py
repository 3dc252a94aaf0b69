"""Re-ranking of bars by how well they fit a dance."""

from dataclasses import replace

import numpy as np
import pytest

from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, ROWS, VELOCITY_DIM, Bars
from backend.models.score_flow.bar_ranking import (
    BarRanker,
    DanceProfile,
    apply_dynamics,
    dance_correlation,
    dance_profile,
    half_beat_loudness,
    half_beat_steps,
    motion_energy,
    onset_strength,
    pearson_correlation,
)
from backend.models.score_flow.conditions import BarTensors
from backend.models.score_flow.dance_features import BarGrid
from backend.music.score import Note, Score, part_from_notes
from rigs import Array
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance

SNARE = 2
DENSITY = np.array([[2.0, 1.0]] * 3)


@pytest.fixture(scope="module")
def dancer() -> Motion:
    return sample_dance()


def bars(*steps: list[int], row: int = SNARE, velocity: float = 0.8) -> BarTensors:
    """Bars in which one row begins at these steps."""
    onset, loud = np.zeros((len(steps), 16, ROWS)), np.zeros((len(steps), 16, VELOCITY_DIM))
    for bar, places in enumerate(steps):
        onset[bar, places, row] = 1.0
        loud[bar, places, row if row < DRUM_ROWS else DRUM_ROWS] = velocity
    return BarTensors(onset, np.zeros((len(steps), 16, PITCHED_ROWS)), loud)


def silent(steps: int) -> Score:
    rest = part_from_notes([], steps)
    return Score(rest, rest, rest, np.arange(steps + 1) / 11.0)


def test_motion_energy_is_the_log_of_speed(dancer: Motion) -> None:
    seconds = np.arange(0.0, dancer.seconds / 2.0, 0.25)
    slow, fast = motion_energy([dancer], seconds), motion_energy([replace(dancer, fps=2.0 * dancer.fps)], seconds / 2.0)
    assert np.allclose(np.exp(fast) - 0.05, 2.0 * (np.exp(slow) - 0.05))


def test_half_a_dance_beat_depends_on_the_tempo() -> None:
    assert [half_beat_steps(np.arange(33) * 15.0 / tempo) for tempo in (85.0, 170.0, 240.0)] == [1, 2, 4]


def test_onset_strength_sums_velocities() -> None:
    one = bars([0, 5])
    assert onset_strength(one)[0, [0, 1, 5]].tolist() == pytest.approx([0.8, 0.0, 0.8])
    chord = bars([0], row=DRUM_ROWS + 3)
    chord.onset[0, 0, DRUM_ROWS + 7] = 1.0
    assert float(onset_strength(chord)[0, 0]) == pytest.approx(1.6)
    assert half_beat_loudness(onset_strength(one), 4)[0].tolist() == pytest.approx(
        np.log1p([0.8, 0.8, 0.0, 0.0]).tolist()
    )


def test_correlation_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    loud, energy = rng.standard_normal((3, 40)), rng.standard_normal(40)
    assert pearson_correlation(loud, energy).tolist() == pytest.approx(
        [np.corrcoef(row, energy)[0, 1] for row in loud], abs=1e-5
    )
    assert float(pearson_correlation(np.ones(4), rng.standard_normal(4))) == 0.0


def test_the_profile_is_neutral_beyond_the_dance(dancer: Motion) -> None:
    step = dancer.seconds / 40.0
    profile = dance_profile([dancer], BarGrid(np.arange(65) * step, 0))
    assert profile.energy.shape == (4, 16 // profile.half_beat)
    assert np.abs(profile.energy[:2]).min() > 0.0
    assert not profile.energy[3].any()
    assert not profile.foot_speed[3].any()


def selected(candidates: BarTensors, energy: Array, foot_speed: Array) -> int:
    density = DENSITY.copy()
    density[0] = np.array([float(np.log(4.1)), 1.0])
    ranker = BarRanker(DanceProfile(energy, 1, foot_speed), density, np.array([1.0, 0.0, 0.0]), 1)
    return int(ranker.select(candidates)[0])


def test_the_bar_that_is_loud_where_the_dancers_are_fast_is_selected() -> None:
    energy = np.zeros((1, 16))
    energy[0, 8:] = 1.0
    candidates = bars([0, 1, 2, 3], [8, 10, 12, 14], [0, 4, 8, 12])
    assert selected(candidates, energy, np.zeros((1, 16))) == 1
    assert selected(candidates, -energy, np.zeros((1, 16))) == 0


def test_snares_come_where_the_feet_rest() -> None:
    foot_speed = np.ones((1, 16))
    foot_speed[0, ::4] = -0.9
    candidates = bars([1, 5, 9, 13], [2, 6, 10, 14], [0, 4, 8, 12])
    assert selected(candidates, np.zeros((1, 16)), foot_speed) == 2


def test_a_bar_with_the_note_density_of_songs_is_selected() -> None:
    candidates = bars(list(range(16)), [0, 4, 8, 12], [0])
    assert selected(candidates, np.zeros((1, 16)), np.zeros((1, 16))) == 1


def test_drums_that_repeat_the_bar_before_are_selected() -> None:
    ranker = BarRanker(DanceProfile(np.zeros((2, 16)), 1, np.zeros((2, 16))), DENSITY, np.array([1.0, 0.0, 0.0]), 1)
    ranker.select(bars([0, 3, 6, 10]))
    assert ranker.select(bars([1, 4, 8, 12], [0, 3, 6, 11], [0, 2, 8, 10])).tolist() == [1]


def test_dynamics_follow_energy_within_bounds() -> None:
    energy = np.full((6, 16), -1.0)
    energy[3:] = 1.0
    dance = DanceProfile(energy, 1, np.zeros((6, 16)))
    loud = np.full((6, 16, VELOCITY_DIM), 0.5)
    velocity = apply_dynamics(
        Bars(np.zeros((6, 16, ROWS), bool), np.zeros((6, 16, PITCHED_ROWS), bool), loud), dance
    ).velocity
    assert velocity[1].max() < 0.4 < 0.6 < velocity[4].min() <= velocity.max() <= 1.0
    assert np.abs(np.diff(velocity[..., 0].ravel())).max() < 0.05


def test_takes_are_ranked_apart_and_silent_parts_do_not_count() -> None:
    energy = np.zeros((2, 16))
    energy[:, :8] = 1.0
    ranker = BarRanker(DanceProfile(energy, 1, np.zeros((2, 16))), DENSITY, np.array([1.0, 0.0, 0.0]), 2)
    good, bad = [0, 2, 4, 6], [9, 11, 13, 15]
    assert ranker.select(bars(good, bad, bad, good)).tolist() == [0, 3]
    assert ranker.select(bars(bad, bad, bad, good)).tolist()[1] == 3
    assert ranker.best_take() == 1
    loud = ranker.loudness.copy()
    other = BarRanker(DanceProfile(energy, 1, np.zeros((2, 16))), DENSITY, np.array([0.0, 1.0, 0.0]), 2)
    other.select(bars(good, bad, bad, good))
    assert loud.any()
    assert not other.loudness.any()


def test_music_made_from_the_dance_correlates_with_it(dancer: Motion) -> None:
    score = silent(int(11.0 * dancer.seconds))
    energy = motion_energy([dancer], score.seconds)
    rank = np.rint(20.0 + 100.0 * energy.argsort().argsort() / len(energy)).astype(int)
    drums, reversed_drums = (
        part_from_notes([Note(38, int(hit), step, step + 1) for step, hit in enumerate(velocities)], score.steps)
        for velocities in (rank, 140 - rank)
    )
    assert dance_correlation(replace(score, drums=drums), [dancer]) > 0.8
    assert dance_correlation(replace(score, drums=reversed_drums), [dancer]) < -0.7
    assert dance_correlation(score, [dancer]) == 0.0
