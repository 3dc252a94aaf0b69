"""The voices of bass and melody: a few harmonics each, which ring out at their own pace as on a string or a tine."""

from dataclasses import dataclass

import numpy as np

from rigs import Array

_A4, _HERTZ = 69, 440.0
_MIDDLE = 261.6
"""Hz of middle C, for which a voice's ring is stated."""
_HEARD = 0.45
"""Of the rate: partials above would come back as other tones."""


@dataclass(frozen=True)
class SynthVoice:
    """How an instrument sounds.

    partials: how strong each harmonic is, struck at full force; softer blows have less of the higher ones.
    ring: s in which the first falls to 1/e at middle C; lower notes ring longer, higher partials shorter.
    attack, release: s of rising and of falling behind a note's end.
    level: of a note struck at full force.  width: how far an octave moves it to the right, 1 being all the way.
    """

    partials: tuple[float, ...]
    ring: float
    attack: float
    release: float
    level: float
    width: float = 0.0


BASS = SynthVoice((1.0, 0.62, 0.42, 0.26, 0.17, 0.1, 0.06), ring=0.55, attack=0.003, release=0.05, level=0.42)
MELODY = SynthVoice((1.0, 0.4, 0.2, 0.13, 0.05, 0.04), ring=1.1, attack=0.003, release=0.12, level=0.24, width=0.12)


def midi_to_hz(pitch: float) -> float:
    """The frequency of a MIDI pitch, equally tempered."""
    return _HERTZ * 2.0 ** ((pitch - _A4) / 12.0)


def pitched_note(voice: SynthVoice, pitch: int, velocity: float, seconds: float, rate: int) -> Array:
    """(N,) float32: a note held for so many seconds, as loud as at full force.

    force: 0 to 1, how bright it is.  rate: samples a second.
    """
    time = np.arange(max(1, round(seconds * rate)), dtype=np.float32) / np.float32(rate)
    first = midi_to_hz(pitch)
    ring = voice.ring * (_MIDDLE / first) ** 0.4
    sound = np.zeros(len(time), np.float32)
    for number, strength in enumerate(voice.partials, start=1):
        if number * first > _HEARD * rate:
            break
        bright = strength * velocity ** (0.35 * (number - 1))
        angle = (2 * np.pi * number * first * np.arange(len(time)) / rate) % (2 * np.pi)
        sound += bright * np.exp(-time * np.float32(number**0.6 / ring)) * np.sin(angle.astype(np.float32))
    sound *= np.minimum(time / voice.attack, 1.0, dtype=np.float32)
    return (voice.level / sum(voice.partials) * sound).astype(np.float32)
