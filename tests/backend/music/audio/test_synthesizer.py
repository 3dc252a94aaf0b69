"""Built-in drum sounds: each kind sounds like itself and like no other."""

from itertools import combinations

import numpy as np
import pytest

from backend.music.audio.synthesizer import drum_hit
from backend.music.piano_roll import DRUM_KINDS

RATE = 44_100
FIRST = {kind: numbers[0] for kind, numbers in DRUM_KINDS}
BANDS = 20.0 * 2.0 ** (np.arange(31) / 3)
"""Hz, edges of third-octave bands up to the limit of hearing."""


def spectrum(sound: np.ndarray) -> np.ndarray:
    """(30,) share of the energy in each third-octave band."""
    energy = np.abs(np.fft.rfft(sound, RATE)) ** 2
    bands = np.add.reduceat(energy, np.rint(BANDS).astype(int))[:-1]
    return bands / bands.sum()


def decay_time(sound: np.ndarray) -> float:
    """Seconds until nine tenths of the energy have passed."""
    energy = np.cumsum(sound.astype(float) ** 2)
    return float(np.searchsorted(energy, 0.9 * energy[-1])) / RATE


@pytest.mark.parametrize(("one", "other"), list(combinations(FIRST, 2)))
def test_two_kinds_of_drum_differ_in_spectrum_or_in_decay(one, other):
    first, second = (drum_hit(FIRST[kind], 1.0, RATE) for kind in (one, other))
    apart = 0.5 * np.abs(spectrum(first) - spectrum(second)).sum()
    lengths = sorted([decay_time(first), decay_time(second)])
    assert apart > 0.25 or lengths[1] > 3 * lengths[0]


def test_a_kick_is_low_and_falls_a_hat_is_high():
    kick, hat = (spectrum(drum_hit(FIRST[kind], 1.0, RATE)) for kind in ("kick", "closed hi-hat"))
    assert kick[BANDS[:-1] < 150].sum() > 0.9
    assert hat[BANDS[:-1] > 5000].sum() > 0.9
    crossings = np.flatnonzero(np.diff(np.signbit(drum_hit(36, 1.0, RATE)[RATE // 200 :])))
    assert np.diff(crossings)[:2].mean() < 0.8 * np.diff(crossings)[-8:].mean()


def test_lower_toms_sound_lower():
    def lowest(number: int) -> float:
        energy = np.abs(np.fft.rfft(drum_hit(number, 1.0, RATE), 4 * RATE)) ** 2
        return float(energy[: 4 * 600].argmax())

    toms = [lowest(number) for number in (41, 43, 45, 47, 48, 50)]
    assert toms == sorted(set(toms))


@pytest.mark.parametrize("number", [36, 38, 46])
def test_a_soft_hit_is_no_brighter_than_a_hard_one(number):
    soft, hard = (spectrum(drum_hit(number, velocity, RATE))[BANDS[:-1] > 1000].sum() for velocity in (0.1, 1.0))
    assert soft <= hard + 1e-6


def test_every_drum_number_has_a_deterministic_sound():
    for number in range(128):
        sound = drum_hit(number, 0.7, 22_050)
        assert 0.2 < np.abs(sound).max() < 1.0
        assert np.isfinite(sound).all()
        np.testing.assert_array_equal(sound, drum_hit(number, 0.7, 22_050))
