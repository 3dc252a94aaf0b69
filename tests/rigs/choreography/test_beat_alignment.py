"""A dance brought into time with its music, against dances whose beats are known."""

import numpy as np
import pytest

from rigs import Array, rotations
from rigs.choreography.beat_alignment import CYCLES, align_to_beats, rhythm_curve, speed_rhythm
from rigs.contacts import FEET
from rigs.motion import Motion, interpolate
from rigs.skeleton import DEFAULT_SKELETON, INDEX

FPS = 30.0
BEAT = 0.4
"""s from step to step."""
CLOCK = INDEX["left_thumb"]
"""The joint that turns by a milliradian a frame: from it can be told which moment of the dance a frame shows."""


def stepping(seconds: float = 20.0, beat: float = BEAT, rise: float = 0.25) -> Motion:
    """A dancer whose left and right leg swing in turns, each step fastest in the middle of a beat and at rest on it.

    rise: of the whole dance: its legs swing by so many radians.
    """
    frames = round(seconds * FPS)
    count = np.arange(frames) / FPS / beat
    eased = np.floor(count) + 0.5 - 0.5 * np.cos(np.pi * (count % 1.0))
    turning = np.zeros((frames, 29, 3))
    turning[:, INDEX["left_hip"], 0] = rise * np.sin(np.pi * eased / 2.0) ** 2
    turning[:, INDEX["right_hip"], 0] = rise * np.sin(np.pi * eased / 2.0 + np.pi / 2.0) ** 2
    turning[:, CLOCK, 0] = 1e-3 * np.arange(frames)
    root = np.tile(DEFAULT_SKELETON.offsets[0], (frames, 1))
    return Motion(FPS, DEFAULT_SKELETON, root, rotations.from_rotation_vector(turning))


def shown(dance: Motion) -> Array:
    """Which frame of `stepping` each frame of a dance is (F,)."""
    return 1e3 * rotations.to_rotation_vector(dance.rotations[:, CLOCK])[:, 0]


def counts(dance: Motion, late: float = 0.0) -> Array:
    """Where the music is in its phrase of eight, which begins so many s after the dance."""
    return ((np.arange(len(dance)) / FPS - late) / BEAT) % 8.0


def shifted(dance: Motion, seconds: float) -> Motion:
    """The dance so much later; its first pose is held."""
    return interpolate(dance, FPS, np.arange(len(dance)) - FPS * seconds)


def test_the_clock_tells_the_frames() -> None:
    dance = stepping(5.0)
    assert np.allclose(shown(dance), np.arange(150), atol=1e-6)
    assert np.allclose(shown(interpolate(dance, FPS, np.arange(100) + 3.25)), np.arange(100) + 3.25, atol=1e-6)


def test_the_rhythm_tells_when_in_a_beat_feet_are_fastest_and_how_much() -> None:
    dance = stepping()
    beat, change, *_ = speed_rhythm(dance.positions, counts(dance), FPS)
    assert abs(beat) > 0.5
    assert np.angle(beat) / (2 * np.pi) % 1.0 == pytest.approx(0.5, abs=0.03)
    assert abs(change) < 0.1 * abs(beat)
    later = speed_rhythm(dance.positions, counts(dance, late=0.1 * BEAT), FPS)
    assert np.angle(later[0]) / (2 * np.pi) % 1.0 == pytest.approx(0.4, abs=0.03)


def test_the_rhythm_is_the_fourier_coefficient_of_a_known_speed() -> None:
    """A dancer who is carried by 1 + 0.6 cos(angle - 1) m/s has a coefficient of 0.6 at an angle of 1."""
    angle = 2 * np.pi * np.arange(1200) / FPS / BEAT / 4.0
    way = np.cumsum(1.0 + 0.6 * np.cos(angle - 1.0)) / FPS
    positions = np.zeros((1200, 29, 3))
    positions[..., 0] = way[:, None]
    coefficient = speed_rhythm(positions, (angle / (2 * np.pi) * 4.0) % 8.0, FPS)[CYCLES.index(4)]
    assert abs(coefficient) == pytest.approx(0.6, rel=0.05)
    assert np.angle(coefficient) == pytest.approx(1.0, abs=0.1)


def test_a_rhythm_swings_by_its_parts_at_its_angles() -> None:
    at = np.linspace(0.0, 8.0, 50)
    rhythmic = np.array([0.0, 0.6 * np.exp(1.0j), 0.0, 0.2])
    expected = 0.6 * np.cos(2 * np.pi * at / 2.0 - 1.0) + 0.2 * np.cos(2 * np.pi * at / 8.0)
    assert np.allclose(rhythm_curve(at, rhythmic), expected)


def test_a_dance_to_no_beat_of_the_music_has_hardly_a_rhythm() -> None:
    dance = stepping(beat=0.4 * 1.17)
    assert np.abs(speed_rhythm(dance.positions, counts(dance), FPS)).max() < 0.1


@pytest.mark.parametrize("late", [0.18, 0.12, -0.12, -0.18])
def test_a_dance_beside_the_beat_comes_back_into_time(late: float) -> None:
    """So far that it is nearer to its own beat than to the next, as beats 0.4 s apart are all alike."""
    dance = stepping()
    wanted = speed_rhythm(dance.positions, counts(dance), FPS) * [1.0, 0.0, 0.0, 0.0]
    astray = interpolate(dance, FPS, np.arange(len(dance)) - FPS * late)
    back = align_to_beats(astray, counts(dance), wanted)
    assert len(back) == len(dance)
    away = shown(back)[150:-60] - np.arange(150, len(dance) - 60)
    off = np.abs((away / FPS + BEAT / 2.0) % BEAT - BEAT / 2.0)
    assert off.max() < 0.04
    assert np.abs(away).max() < FPS * 0.4


def test_by_the_phrase_a_dance_comes_back_to_where_it_was() -> None:
    """Half a beat late, where of eight steps one is told from the others by how far it travels."""
    dance = phrased()
    wanted = speed_rhythm(dance.positions, counts(dance), FPS)
    back = align_to_beats(shifted(dance, 0.2), counts(dance), wanted)
    away = shown(back)[150:-60] - np.arange(150, len(dance) - 60)
    assert np.abs(away).max() < FPS * 0.05


def phrased() -> Motion:
    """`stepping`, but of each eight steps the first travels four times as far."""
    dance = stepping()
    count = np.arange(len(dance)) / FPS / BEAT
    long = np.where(count % 8.0 < 1.0, 0.5 - 0.5 * np.cos(np.pi * (count % 1.0)), 1.0)
    root = dance.root.copy()
    root[:, 0] += 0.3 * (np.floor(count / 8.0) + long)
    return Motion(FPS, dance.skeleton, root, dance.rotations)


@pytest.mark.parametrize("late", [0.2, -0.2])
def test_nothing_gets_faster_or_slower_by_more_than_a_tenth(late: float) -> None:
    dance = phrased()
    wanted = speed_rhythm(dance.positions, counts(dance), FPS)
    back = align_to_beats(shifted(dance, late), counts(dance), 5.0 * wanted)
    rates = np.diff(shown(back)[8:-8])
    assert rates.max() < 1.1
    assert rates[rates > 0.0].min() > 0.9


def test_a_dance_in_time_hardly_changes() -> None:
    dance = phrased()
    wanted = speed_rhythm(dance.positions, counts(dance), FPS)
    kept = align_to_beats(dance, counts(dance), wanted)
    assert np.abs(shown(kept) - np.arange(len(dance))).max() < 1.0
    assert np.abs(kept.positions[:, FEET] - dance.positions[:, FEET]).max() < 0.05


def test_dancers_who_keep_no_time_leave_a_dance_as_it_is() -> None:
    dance = stepping(5.0)
    kept = align_to_beats(shifted(dance, 0.15), counts(dance), np.zeros(4, complex))
    assert np.allclose(kept.positions, shifted(dance, 0.15).positions, atol=1e-9)


@pytest.mark.parametrize("frames", [2, 3, 30])
def test_short_dances_keep_their_length(frames: int) -> None:
    dance = stepping(2.0)[:frames]
    assert len(align_to_beats(dance, counts(dance), np.ones(4, complex))) == frames


def test_one_who_stands_stays_as_they_are() -> None:
    still = stepping(4.0, rise=0.0)
    still = Motion(FPS, DEFAULT_SKELETON, still.root, np.broadcast_to(still.rotations[:1], still.rotations.shape))
    assert np.allclose(align_to_beats(still, counts(still), np.ones(4, complex)).positions, still.positions)
