"""Dance pulse of music whose beats are known from its meter and tempo."""

from collections.abc import Sequence

import numpy as np
import pytest

from backend.music.pulse import dance_pulse
from backend.music.score import Meter, Score, part_from_note_array
from rigs import Array
from rigs.choreography.beat_tracking import BEATS_PER_PHRASE

SLOW = {30: 120, 40: 160, 58.5: 117, 59: 118, 90: 180, 116: 232}
FAST = {117: 117, 200: 200, 233: 233, 234: 117, 240: 120, 500: 125}
"""Notated beats a minute, and dance steps a minute."""
PICKUPS = [(1, 4), (1, 8), (3, 8), (3, 16), (6, 16)]


def music(tempi: float | Sequence[float], steps: int, *meters: Meter) -> Score:
    """Silence of so many sixteenths, in quarters a minute: one tempo for all, or one for each equally long part."""
    tempi = [tempi] if isinstance(tempi, int | float) else tempi
    lengths = np.repeat([15.0 / tempo for tempo in tempi], steps // len(tempi))
    none = part_from_note_array(np.zeros((0, 4), int), steps)
    return Score(none, none, none, np.concatenate([[0.0], np.cumsum(lengths)]), meters or (Meter(0),))


def tempo(seconds: Array) -> float:
    """Steps a minute."""
    return float(60.0 / np.median(np.diff(seconds)))


def test_in_bars_of_four_every_beat_is_a_step_and_two_bars_are_a_phrase() -> None:
    pulse = dance_pulse(music(120.0, 64))
    assert pulse.positions.tolist() == list(range(0, 65, 4))
    assert np.allclose(pulse.seconds, np.arange(17) / 2.0)
    assert pulse.counts.tolist() == [n % 8 for n in range(17)]


@pytest.mark.parametrize(("numerator", "beats"), [(2, 16), (3, 12), (5, 20)])
def test_in_other_bars_of_quarters_every_quarter_is_a_step_and_phrases_have_eight(numerator: int, beats: int) -> None:
    pulse = dance_pulse(music(150.0, 4 * beats, Meter(0, numerator)))
    assert pulse.positions.tolist() == list(range(0, 4 * beats + 1, 4))
    assert pulse.counts.tolist() == [n % 8 for n in range(beats + 1)]


def test_in_six_eight_a_step_is_three_quavers() -> None:
    pulse = dance_pulse(music(180.0, 48, Meter(0, 6, 8)))
    assert pulse.positions.tolist() == list(range(0, 49, 6))
    assert np.allclose(np.diff(pulse.seconds), 0.5)


@pytest.mark.parametrize(("numerator", "denominator"), PICKUPS)
def test_after_a_pickup_the_first_whole_bar_begins_a_phrase(numerator: int, denominator: int) -> None:
    pickup = 16 * numerator // denominator
    pulse = dance_pulse(music(130.0, pickup + 64, Meter(0, numerator, denominator), Meter(pickup)))
    assert pulse.counts[pulse.positions == pickup].tolist() == [0]
    assert np.allclose(np.diff(pulse.positions), 4.0)
    assert pulse.positions[0] == pickup % 4
    before = pulse.counts[pulse.positions < pickup]
    assert before.tolist() == list(range(BEATS_PER_PHRASE - len(before), BEATS_PER_PHRASE))


def test_a_pickup_to_six_eight_is_counted_in_its_beats() -> None:
    pulse = dance_pulse(music(200.0, 2 + 48, Meter(0, 1, 8), Meter(2, 6, 8)))
    assert pulse.positions.tolist() == list(range(2, 51, 6))
    assert pulse.counts[0] == 0


@pytest.mark.parametrize(("notated", "expected"), [*SLOW.items(), *FAST.items()])
def test_the_pulse_is_doubled_or_halved_to_a_danceable_tempo(notated: float, expected: float) -> None:
    pulse = dance_pulse(music(notated, 256))
    assert tempo(pulse.seconds) == pytest.approx(expected)
    assert pulse.counts[0] == 0
    assert (np.diff(pulse.counts) % BEATS_PER_PHRASE == 1).all()
    assert pulse.seconds[-1] == pytest.approx(256 * 15.0 / notated)


def test_a_slow_pickup_is_counted_back_from_the_bar_in_half_beats() -> None:
    pulse = dance_pulse(music(80.0, 4 + 64, Meter(0, 1, 4), Meter(4)))
    assert pulse.positions[:4].tolist() == [0.0, 2.0, 4.0, 6.0]
    assert pulse.counts[:4].tolist() == [6, 7, 0, 1]


def test_a_fast_pickup_of_one_beat_is_left_out_where_a_step_is_two() -> None:
    pulse = dance_pulse(music(240.0, 4 + 64, Meter(0, 1, 4), Meter(4)))
    assert pulse.positions[:3].tolist() == [4.0, 12.0, 20.0]
    assert pulse.counts[:3].tolist() == [0, 1, 2]


def test_steps_follow_changes_of_tempo() -> None:
    pulse = dance_pulse(music([120.0, 180.0, 150.0], 192))
    lengths = np.diff(pulse.seconds)
    assert np.allclose(lengths, np.repeat([60.0 / 120.0, 60.0 / 180.0, 60.0 / 150.0], 16))
    assert pulse.seconds[16] == pytest.approx(8.0)


def test_a_change_of_meter_begins_a_beat() -> None:
    pulse = dance_pulse(music(120.0, 32 + 24 + 16, Meter(0), Meter(32, 3, 4), Meter(56)))
    assert {32.0, 56.0} <= set(pulse.positions.tolist())
    assert np.allclose(np.diff(pulse.positions), 4.0)


def test_music_that_ends_within_a_beat_has_no_beat_at_its_end() -> None:
    assert dance_pulse(music(120.0, 30)).positions.tolist() == list(range(0, 29, 4))
    assert dance_pulse(music(120.0, 28, Meter(0, 7, 8))).positions.tolist() == list(range(0, 29, 4))
    assert dance_pulse(music(120.0, 42, Meter(0, 7, 8))).positions.tolist() == list(range(0, 41, 4))


def test_counts_are_interpolated_and_extrapolated() -> None:
    pulse = dance_pulse(music([120.0, 150.0], 64))
    assert pulse.beats_at(np.array([-0.5, 0.0, 0.25, 4.0, 4.1, 7.2, 7.6])).tolist() == pytest.approx(
        [-1.0, 0.0, 0.5, 8.0, 8.25, 16.0, 17.0]
    )
    assert pulse.counts_at(np.array([-0.5, 0.25, 4.1, 7.2])).tolist() == pytest.approx([7.0, 0.5, 0.25, 0.0])


def test_counts_in_a_pickup_lead_up_to_the_bar() -> None:
    pulse = dance_pulse(music(120.0, 3 + 64, Meter(0, 3, 16), Meter(3)))
    assert pulse.counts_at(np.array([0.0, 0.375]))[0] == pytest.approx(7.25)
    assert pulse.counts_at(np.array([0.0, 0.375]))[1] % BEATS_PER_PHRASE == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("written", "steps"), [(120.0, 2), (300.0, 4), (120.0, 3)])
def test_music_without_two_beats_is_refused(written: float, steps: int) -> None:
    with pytest.raises(ValueError, match=f"music of two beats or more expected, {steps} sixteenths found"):
        dance_pulse(music(written, steps))
