"""A small drum kit from nothing but tones that fall and ring out, and bands of noise: a sound for every drum number."""

from dataclasses import dataclass

import numpy as np

from backend.music.piano_roll import DRUM_KINDS
from rigs import Array

OPEN_HATS = (26, 46)
"""What rings on until a hi-hat is struck again."""
HATS = (22, 42, 44, *OPEN_HATS)
_FALL = 0.03
"""s in which a drum's tone falls, and a blow's click is over."""
_RUNG_OUT = 8.0
"""Rings (s to 1/e) after which nothing is heard."""
_MUFFLED = 0.4
"""How fast noise loses strength where a drum is struck less hard: soft blows sound dull."""
_SLOPE = 4
"""Steepness of a band's edges; 24 dB an octave."""


@dataclass(frozen=True)
class DecayingSine:
    """A sine that rings for `ring` s (to 1/e) at `hertz`, `level` strong, and begins `fall` times as high."""

    hertz: float
    ring: float
    level: float = 1.0
    fall: float = 1.0


@dataclass(frozen=True)
class NoiseBand:
    """Noise between two frequencies in Hz that rings for `ring` s, `level` strong; it swells for `swell` s."""

    low: float
    high: float
    ring: float
    level: float = 1.0
    swell: float = 0.0


@dataclass(frozen=True)
class DrumSound:
    """What sounds together, the peak of it at full force, and the s at which it is struck: a clap is several."""

    peak: float
    tones: tuple[DecayingSine, ...] = ()
    noise: tuple[NoiseBand, ...] = ()
    strokes: tuple[float, ...] = (0.0,)


_KIT = {
    "kick": DrumSound(0.9, (DecayingSine(47, 0.16, fall=3.6),), (NoiseBand(1500, 6000, 0.004, 0.25),)),
    "stick and clap": DrumSound(
        0.45, (DecayingSine(1650, 0.012), DecayingSine(420, 0.015, 0.6)), (NoiseBand(2000, 7000, 0.012, 0.5),)
    ),
    "snare": DrumSound(
        0.6, (DecayingSine(182, 0.07, 0.7, 1.3), DecayingSine(328, 0.04, 0.4)), (NoiseBand(1300, 9500, 0.085),)
    ),
    "low tom": DrumSound(
        0.6, (DecayingSine(92, 0.2, fall=1.7), DecayingSine(149, 0.09, 0.45)), (NoiseBand(800, 4000, 0.012, 0.15),)
    ),
    "high tom": DrumSound(
        0.55, (DecayingSine(165, 0.15, fall=1.6), DecayingSine(265, 0.07, 0.4)), (NoiseBand(1000, 5000, 0.012, 0.15),)
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
        0.5, (DecayingSine(262, 0.09, fall=1.25), DecayingSine(530, 0.03, 0.4)), (NoiseBand(700, 3500, 0.014, 0.35),)
    ),
    "bell and block": DrumSound(
        0.32, (DecayingSine(845, 0.07), DecayingSine(1263, 0.055, 0.8), DecayingSine(2510, 0.03, 0.3))
    ),
    "shaken, and all else": DrumSound(0.25, (), (NoiseBand(3300, 8500, 0.03, swell=0.02),)),
}
_TUNED = {
    # how much higher than its kind a drum sounds, and how much longer
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
_HANDS = DrumSound(0.5, (), (NoiseBand(750, 3600, 0.04),), strokes=(0.0, 0.011, 0.022))
_KINDS = {number: kind for kind, numbers in DRUM_KINDS for number in numbers}


def drum_hit(number: int, velocity: float, rate: int) -> Array:
    """(N,) float32: what a General MIDI drum sounds like, from the blow until it has rung out; its peak is its kind's.

    force: 0 to 1, how bright it is: a soft blow is dull.  rate: samples a second.
    The same blow sounds the same every time.
    """
    drum = _HANDS if number == _CLAP else _KIT[drum_kind(number)]
    height, ringing = _TUNED.get(number, (1.0, 1.0))
    longest = ringing * max([tone.ring for tone in drum.tones] + [hiss.ring for hiss in drum.noise])
    blow = np.zeros(round((_RUNG_OUT * longest + _FALL) * rate))
    seconds = np.arange(len(blow)) / rate
    for tone in drum.tones:
        blow += _tone(tone, seconds, height, ringing)
    random = np.random.default_rng(number)
    for hiss in drum.noise:
        blow += velocity**_MUFFLED * _hiss(hiss, seconds, height, ringing, random)
    sound = np.zeros(len(blow) + round(drum.strokes[-1] * rate))
    for stroke in drum.strokes:
        begin = round(stroke * rate)
        sound[begin : begin + len(blow)] += blow
    return (drum.peak / np.abs(sound).max() * sound).astype(np.float32)


def drum_kind(number: int) -> str:
    """The kind of drum, one of `layout.DRUMS`, that a General MIDI number is."""
    return _KINDS.get(number, DRUM_KINDS[-1][0])


def _tone(tone: DecayingSine, seconds: Array, height: float, ringing: float) -> Array:
    cycles = seconds + (tone.fall - 1.0) * _FALL * (1.0 - np.exp(-seconds / _FALL))
    return tone.level * np.exp(-seconds / (tone.ring * ringing)) * np.sin(2 * np.pi * tone.hertz * height * cycles)


def _hiss(hiss: NoiseBand, seconds: Array, height: float, ringing: float, random: np.random.Generator) -> Array:
    spectrum = np.fft.rfft(random.standard_normal(len(seconds)))
    hertz = np.fft.rfftfreq(len(seconds), seconds[1])
    below = 1.0 / (1.0 + (hertz / (hiss.high * height)) ** (2 * _SLOPE))
    above = 1.0 / (1.0 + (hiss.low * height / np.maximum(hertz, 1.0)) ** (2 * _SLOPE))
    noise = np.fft.irfft(spectrum * np.sqrt(below * above), len(seconds))
    noise /= noise.std()
    swell = np.minimum(seconds / hiss.swell, 1.0) if hiss.swell else 1.0
    return hiss.level * swell * np.exp(-seconds / (hiss.ring * ringing)) * noise
