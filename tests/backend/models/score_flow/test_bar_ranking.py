"""Music that answers a dance: by what it is measured, and that of several bars the one is taken that answers best."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, ROWS, VELOCITY_DIM, Bars
from backend.models.score_flow.bar_ranking import (
    BarRanker,
    DanceProfile,
    apply_dynamics,
    dance_correlation,
    dance_profile,
    half_beat_steps,
    loudness,
    motion_energy,
    onset_strength,
    pearson_correlation,
)
from backend.models.score_flow.bar_vae import BarTensors
from backend.models.score_flow.beat_grid import BarGrid
from backend.music.score import Note, Score, part_from_notes
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance

SNARE = 2
USUAL = torch.tensor([[2.0, 1.0]] * 3)


@pytest.fixture(scope="module")
def dancer() -> Motion:
    return sample_dance()


def bars(*steps: list[int], row: int = SNARE, hard: float = 0.8) -> BarTensors:
    """Bars in which one row begins at these steps."""
    onset, loud = torch.zeros(len(steps), 16, ROWS), torch.zeros(len(steps), 16, VELOCITY_DIM)
    for bar, places in enumerate(steps):
        onset[bar, places, row] = 1.0
        loud[bar, places, row if row < DRUM_ROWS else DRUM_ROWS] = hard
    return BarTensors(onset, torch.zeros(len(steps), 16, PITCHED_ROWS), loud)


def silent(steps: int) -> Score:
    rest = part_from_notes([], steps)
    return Score(rest, rest, rest, np.arange(steps + 1) / 11.0)


def test_who_moves_twice_as_fast_is_livelier_by_that_much(dancer: Motion) -> None:
    seconds = np.arange(0.0, dancer.seconds / 2.0, 0.25)
    slow, fast = motion_energy([dancer], seconds), motion_energy([replace(dancer, fps=2.0 * dancer.fps)], seconds / 2.0)
    assert np.allclose(np.exp(fast) - 0.05, 2.0 * (np.exp(slow) - 0.05))


def test_half_a_step_is_two_sixteenths_of_music_as_fast_as_steps_and_one_of_slower() -> None:
    assert [half_beat_steps(np.arange(33) * 15.0 / tempo) for tempo in (85.0, 170.0, 240.0)] == [1, 2, 4]


def test_a_note_is_as_loud_as_it_is_struck_and_chords_are_louder() -> None:
    one = bars([0, 5])
    assert onset_strength(one)[0, [0, 1, 5]].tolist() == pytest.approx([0.8, 0.0, 0.8])
    chord = bars([0], row=DRUM_ROWS + 3)
    chord.onset[0, 0, DRUM_ROWS + 7] = 1.0
    assert float(onset_strength(chord)[0, 0]) == pytest.approx(1.6)
    assert loudness(onset_strength(one), 4)[0].tolist() == pytest.approx(np.log1p([0.8, 0.8, 0.0, 0.0]).tolist())


def test_correlation_is_that_of_numpy() -> None:
    torch.manual_seed(0)
    loud, lively = torch.randn(3, 40), torch.randn(40)
    assert pearson_correlation(loud, lively).tolist() == pytest.approx(
        [np.corrcoef(row, lively)[0, 1] for row in loud.numpy()], abs=1e-5
    )
    assert float(pearson_correlation(torch.ones(4), torch.randn(4))) == 0.0


def test_beyond_a_dance_nothing_is_asked(dancer: Motion) -> None:
    step = dancer.seconds / 40.0
    found = dance_profile([dancer], BarGrid(np.arange(65) * step, 0))
    assert found.energy.shape == (4, 16 // found.half_beat)
    assert found.energy[:2].abs().min() > 0.0
    assert not found.energy[3].any()
    assert not found.foot_speed[3].any()


def chosen(tried: BarTensors, lively: torch.Tensor, feet: torch.Tensor) -> int:
    usual = USUAL.clone()
    usual[0] = torch.tensor([float(np.log(4.1)), 1.0])
    choice = BarRanker(DanceProfile(lively, 1, feet), usual, torch.tensor([1.0, 0.0, 0.0]), 1)
    return int(choice.select(tried)[0])


def test_the_bar_is_taken_that_is_loud_where_the_dancers_are_lively() -> None:
    lively = torch.zeros(1, 16)
    lively[0, 8:] = 1.0
    tried = bars([0, 1, 2, 3], [8, 10, 12, 14], [0, 4, 8, 12])
    assert chosen(tried, lively, torch.zeros(1, 16)) == 1
    assert chosen(tried, -lively, torch.zeros(1, 16)) == 0


def test_snares_come_where_the_feet_rest() -> None:
    feet = torch.ones(1, 16)
    feet[0, ::4] = -0.9
    tried = bars([1, 5, 9, 13], [2, 6, 10, 14], [0, 4, 8, 12])
    assert chosen(tried, torch.zeros(1, 16), feet) == 2


def test_as_many_notes_are_taken_as_songs_have() -> None:
    tried = bars(list(range(16)), [0, 4, 8, 12], [0])
    assert chosen(tried, torch.zeros(1, 16), torch.zeros(1, 16)) == 1


def test_drums_go_on_as_they_began() -> None:
    choice = BarRanker(DanceProfile(torch.zeros(2, 16), 1, torch.zeros(2, 16)), USUAL, torch.tensor([1.0, 0.0, 0.0]), 1)
    choice.select(bars([0, 3, 6, 10]))
    assert choice.select(bars([1, 4, 8, 12], [0, 3, 6, 11], [0, 2, 8, 10])).tolist() == [1]


def test_music_swells_over_lively_bars_and_not_without_end() -> None:
    lively = torch.full((6, 16), -1.0)
    lively[3:] = 1.0
    dance = DanceProfile(lively, 1, torch.zeros(6, 16))
    loud = np.full((6, 16, VELOCITY_DIM), 0.5)
    made = apply_dynamics(
        Bars(np.zeros((6, 16, ROWS), bool), np.zeros((6, 16, PITCHED_ROWS), bool), loud), dance
    ).velocity
    assert made[1].max() < 0.4 < 0.6 < made[4].min() <= made.max() <= 1.0
    assert np.abs(np.diff(made[..., 0].ravel())).max() < 0.05


def test_each_take_goes_on_with_its_own_bar_and_parts_that_are_not_heard_do_not_count() -> None:
    lively = torch.zeros(2, 16)
    lively[:, :8] = 1.0
    choice = BarRanker(DanceProfile(lively, 1, torch.zeros(2, 16)), USUAL, torch.tensor([1.0, 0.0, 0.0]), 2)
    good, bad = [0, 2, 4, 6], [9, 11, 13, 15]
    assert choice.select(bars(good, bad, bad, good)).tolist() == [0, 3]
    assert choice.select(bars(bad, bad, bad, good)).tolist()[1] == 3
    assert choice.best_take() == 1
    heard = choice.loudness.clone()
    other = BarRanker(DanceProfile(lively, 1, torch.zeros(2, 16)), USUAL, torch.tensor([0.0, 1.0, 0.0]), 2)
    other.select(bars(good, bad, bad, good))
    assert heard.any()
    assert not other.loudness.any()


def test_music_made_of_the_dance_answers_it_and_reversed_it_does_not(dancer: Motion) -> None:
    score = silent(int(11.0 * dancer.seconds))
    lively = motion_energy([dancer], score.seconds)
    rank = np.rint(20.0 + 100.0 * lively.argsort().argsort() / len(lively)).astype(int)
    drums = part_from_notes([Note(38, int(hard), step, step + 1) for step, hard in enumerate(rank)], score.steps)
    turned = part_from_notes([Note(38, int(140 - hard), step, step + 1) for step, hard in enumerate(rank)], score.steps)
    assert dance_correlation(replace(score, drums=drums), [dancer]) > 0.8
    assert dance_correlation(replace(score, drums=turned), [dancer]) < -0.7
    assert dance_correlation(score, [dancer]) == 0.0
