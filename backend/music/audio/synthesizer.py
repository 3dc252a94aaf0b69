"""Built-in synthesizer: additive voices for bass and melody, a drum kit of decaying sines and filtered noise.

Velocities are 0 to 1 here and change the timbre: softer notes are duller. Loudness is the mixer's business.
"""

from dataclasses import dataclass

import numpy as np

from backend.music.piano_roll import drum_kind
from rigs import Array

OPEN_HATS = (26, 46)
"""Drum numbers that ring until a hi-hat is hit again."""
HATS = (22, 42, 44, *OPEN_HATS)
_DROP_SECONDS = 0.03
"""s in which the pitch of a drum drops to 1/e."""
_SILENT_AFTER = 8.0
"""Decay times after which a drum is silent."""
_NOISE_EXPONENT = 0.4
"""Exponent of the noise level over velocity: softer hits are duller."""
_FILTER_ORDER = 4
"""Order of the noise band's slopes: 24 dB an octave."""
_A4_PITCH, _A4_HZ = 69, 440.0
_MIDDLE_C_HZ = 261.6
"""Hz of middle C, for which a voice's decay is given."""
_MAX_PARTIAL = 0.45
"""Of the sample rate: partials above it are left out, as they would alias."""


@dataclass(frozen=True)
class SynthVoice:
    """A pitched instrument: additive synthesis of decaying harmonics, as of a string or a tine.

    partials: level of each harmonic at full velocity; softer notes have less of the higher ones.
    decay: s in which the first harmonic decays to 1/e at middle C; lower notes ring longer, higher partials shorter.
    attack, release: s of rising, and of falling after a note's end.
    level: of a note at full velocity.  width: stereo pan an octave to the right, 1 being all the way.
    """

    partials: tuple[float, ...]
    decay: float
    attack: float
    release: float
    level: float
    width: float = 0.0


BASS = SynthVoice((1.0, 0.62, 0.42, 0.26, 0.17, 0.1, 0.06), decay=0.55, attack=0.003, release=0.05, level=0.42)
MELODY = SynthVoice((1.0, 0.4, 0.2, 0.13, 0.05, 0.04), decay=1.1, attack=0.003, release=0.12, level=0.24, width=0.12)


@dataclass(frozen=True)
class DecayingSine:
    """A sine that decays to 1/e in `decay` s; its frequency drops to `hertz` from `drop` times as high."""

    hertz: float
    decay: float
    level: float = 1.0
    drop: float = 1.0


@dataclass(frozen=True)
class NoiseBand:
    """Band-pass filtered noise, `low` to `high` Hz, that rises in `attack` s and decays to 1/e in `decay` s."""

    low: float
    high: float
    decay: float
    level: float = 1.0
    attack: float = 0.0


@dataclass(frozen=True)
class DrumSound:
    """A drum: sines and noise bands scaled to a peak; hits: s at which they sound, several in a clap."""

    peak: float
    sines: tuple[DecayingSine, ...] = ()
    noise: tuple[NoiseBand, ...] = ()
    hits: tuple[float, ...] = (0.0,)


_KIT = {
    "kick": DrumSound(0.9, (DecayingSine(47, 0.16, drop=3.6),), (NoiseBand(1500, 6000, 0.004, 0.25),)),
    "stick and clap": DrumSound(
        0.45, (DecayingSine(1650, 0.012), DecayingSine(420, 0.015, 0.6)), (NoiseBand(2000, 7000, 0.012, 0.5),)
    ),
    "snare": DrumSound(
        0.6, (DecayingSine(182, 0.07, 0.7, 1.3), DecayingSine(328, 0.04, 0.4)), (NoiseBand(1300, 9500, 0.085),)
    ),
    "low tom": DrumSound(
        0.6, (DecayingSine(92, 0.2, drop=1.7), DecayingSine(149, 0.09, 0.45)), (NoiseBand(800, 4000, 0.012, 0.15),)
    ),
    "high tom": DrumSound(
        0.55, (DecayingSine(165, 0.15, drop=1.6), DecayingSine(265, 0.07, 0.4)), (NoiseBand(1000, 5000, 0.012, 0.15),)
    ),
    "closed hi-hat": DrumSound(0.24, (), (NoiseBand(7000, 16000, 0.022),)),
    "open hi-hat": DrumSound(0.24, (), (NoiseBand(6200, 16000, 0.24),)),
    "crash": DrumSound(0.42, (), (NoiseBand(2600, 14000, 0.55), NoiseBand(400, 2600, 0.12, 0.35))),
    "ride": DrumSound(
        0.26,
        (
            DecayingSine(3170, 0.35, 0.5),
            DecayingSine(4430, 0.4, 0.4),
            DecayingSine(5870, 0.3, 0.35),
            DecayingSine(822, 0.1, 0.3),
        ),
        (NoiseBand(5200, 13000, 0.22, 0.8),),
    ),
    "hand drum": DrumSound(
        0.5, (DecayingSine(262, 0.09, drop=1.25), DecayingSine(530, 0.03, 0.4)), (NoiseBand(700, 3500, 0.014, 0.35),)
    ),
    "bell and block": DrumSound(
        0.32, (DecayingSine(845, 0.07), DecayingSine(1263, 0.055, 0.8), DecayingSine(2510, 0.03, 0.3))
    ),
    "shaken, and all else": DrumSound(0.25, (), (NoiseBand(3300, 8500, 0.03, attack=0.02),)),
}
_VARIANTS = {
    # by drum number: frequency and decay time relative to its kind
    41: (0.78, 1.2),
    43: (0.9, 1.1),
    45: (1.15, 1.0),
    47: (0.85, 1.1),
    50: (1.25, 0.9),
    44: (0.85, 0.7),
    57: (0.9, 1.1),
    55: (1.3, 0.45),
    52: (0.8, 0.8),
    53: (1.15, 1.3),
    60: (1.55, 0.6),
    61: (1.15, 0.8),
    62: (1.3, 0.45),
    64: (0.75, 1.2),
    65: (1.3, 1.2),
    66: (0.95, 1.3),
    86: (0.5, 0.8),
    87: (0.38, 2.5),
    56: (0.67, 1.2),
    68: (0.75, 1.0),
    75: (2.9, 0.4),
    76: (1.1, 0.35),
    77: (0.8, 0.4),
    80: (5.2, 0.7),
    81: (5.2, 6.0),
    54: (1.25, 2.0),
    69: (0.8, 1.2),
}
_CLAP = 39
_HAND_CLAP = DrumSound(0.5, (), (NoiseBand(750, 3600, 0.04),), hits=(0.0, 0.011, 0.022))


def midi_to_hz(pitch: float) -> float:
    """Frequency in Hz of a MIDI pitch in equal temperament."""
    return _A4_HZ * 2.0 ** ((pitch - _A4_PITCH) / 12.0)


def pitched_note(voice: SynthVoice, pitch: int, velocity: float, seconds: float, rate: int) -> Array:
    """Synthesize a sustained note (N,) float32 at the level of full velocity; rate: samples a second."""
    time = np.arange(max(1, round(seconds * rate)), dtype=np.float32) / np.float32(rate)
    fundamental = midi_to_hz(pitch)
    decay = voice.decay * (_MIDDLE_C_HZ / fundamental) ** 0.4
    sound = np.zeros(len(time), np.float32)
    for number, level in enumerate(voice.partials, start=1):
        if number * fundamental > _MAX_PARTIAL * rate:
            break
        amplitude = level * velocity ** (0.35 * (number - 1))
        phase = (2 * np.pi * number * fundamental * np.arange(len(time)) / rate) % (2 * np.pi)
        sound += amplitude * np.exp(-time * np.float32(number**0.6 / decay)) * np.sin(phase.astype(np.float32))
    sound *= np.minimum(time / voice.attack, 1.0, dtype=np.float32)
    return (voice.level / sum(voice.partials) * sound).astype(np.float32)


def drum_hit(number: int, velocity: float, rate: int) -> Array:
    """Synthesize a General MIDI drum (N,) float32 until it is silent, normalized to the peak of its kind.

    rate: samples a second. Deterministic: the noise is seeded by the number.
    """
    drum = _HAND_CLAP if number == _CLAP else _KIT[drum_kind(number)]
    pitch_factor, decay_factor = _VARIANTS.get(number, (1.0, 1.0))
    longest = decay_factor * max([sine.decay for sine in drum.sines] + [band.decay for band in drum.noise])
    hit = np.zeros(round((_SILENT_AFTER * longest + _DROP_SECONDS) * rate))
    seconds = np.arange(len(hit)) / rate
    for sine in drum.sines:
        hit += _sine(sine, seconds, pitch_factor, decay_factor)
    random = np.random.default_rng(number)
    for band in drum.noise:
        hit += velocity**_NOISE_EXPONENT * _noise(band, seconds, pitch_factor, decay_factor, random)
    sound = np.zeros(len(hit) + round(drum.hits[-1] * rate))
    for onset in drum.hits:
        begin = round(onset * rate)
        sound[begin : begin + len(hit)] += hit
    return (drum.peak / np.abs(sound).max() * sound).astype(np.float32)


def _sine(sine: DecayingSine, seconds: Array, pitch_factor: float, decay_factor: float) -> Array:
    cycles = seconds + (sine.drop - 1.0) * _DROP_SECONDS * (1.0 - np.exp(-seconds / _DROP_SECONDS))
    envelope = np.exp(-seconds / (sine.decay * decay_factor))
    return sine.level * envelope * np.sin(2 * np.pi * sine.hertz * pitch_factor * cycles)


def _noise(
    band: NoiseBand, seconds: Array, pitch_factor: float, decay_factor: float, random: np.random.Generator
) -> Array:
    spectrum = np.fft.rfft(random.standard_normal(len(seconds)))
    hertz = np.fft.rfftfreq(len(seconds), seconds[1])
    low_pass = 1.0 / (1.0 + (hertz / (band.high * pitch_factor)) ** (2 * _FILTER_ORDER))
    high_pass = 1.0 / (1.0 + (band.low * pitch_factor / np.maximum(hertz, 1.0)) ** (2 * _FILTER_ORDER))
    noise = np.fft.irfft(spectrum * np.sqrt(low_pass * high_pass), len(seconds))
    noise /= noise.std()
    attack = np.minimum(seconds / band.attack, 1.0) if band.attack else 1.0
    return band.level * attack * np.exp(-seconds / (band.decay * decay_factor)) * noise
