"""Beat metrics of a dance: kinematic beats, beat align score (BAS) and beat echo degree (BED)."""

import numpy as np

from rigs import Array
from rigs.smoothing import gaussian_average
from training.evaluation.confidence_intervals import nan_mean

SPEED_SIGMA = 5.0
"""Frames: standard deviation of the Gaussian that smooths a dancer's speed before its minima are taken, at 30 fps."""
ALIGNMENT_SIGMA = 3.0
"""Frames: standard deviation of the Gaussian that weighs the distance between two beats, at 30 fps."""
_PERIODS = (0.28, 0.75)
"""s: the shortest and the longest beat of a dance."""


def kinetic_beats(positions: Array, sigma: float = SPEED_SIGMA) -> Array:
    """Kinematic beats of a dance: the strict local minima of the joints' mean speed after Gaussian smoothing.

    positions: (F, 29, 3) m at 30 fps.  sigma: frames, of the Gaussian.
    Returns (B,) frames. Dance beats as Li et al. 2021 (AI Choreographer, AIST++) define them.
    """
    speed = np.linalg.norm(np.diff(positions, axis=0), axis=-1).mean(axis=-1)
    smooth = gaussian_average(speed, sigma, reach=int(4.0 * sigma + 0.5), pad="symmetric")
    return np.flatnonzero((smooth[1:-1] < smooth[:-2]) & (smooth[1:-1] < smooth[2:])) + 1


def beat_alignment(reference_beats: Array, dance_beats: Array, frames: int) -> Array:
    """Per-frame beat alignment: exp(-d² / (2 sigma²)) at each reference beat, d frames from the nearest dance beat.

    reference_beats: (B,), dance_beats: (C,) frames.  Returns (F,), nan in frames without a reference beat; a dance
    without beats scores 0. The mean is what `beat_align_score` and `beat_echo_degree` give.
    """
    track = np.full(frames, np.nan)
    track[reference_beats] = 0.0
    if len(dance_beats) and len(reference_beats):
        distance = np.abs(reference_beats[:, None] - dance_beats[None]).min(axis=1)
        track[reference_beats] = np.exp(-(distance**2) / (2.0 * ALIGNMENT_SIGMA**2))
    return track


def beat_align_score(music_beats: Array, positions: Array) -> float:
    """Beat align score (BAS) of a dance (F, 29, 3) m to its music's beats (B,) frames: 0 to 1, nan without a beat.

    Siyao et al. 2022 (Bailando, 4.1) and 2024 (Duolando, 5.1): the mean over the music's beats, where AI Choreographer
    takes it over the dance's. It is compared with the real dance's value: more is not better.
    """
    return nan_mean(beat_alignment(music_beats, kinetic_beats(positions), len(positions)))


def beat_echo_degree(leader: Array, partner: Array) -> float:
    """Beat echo degree (BED) of a partner: how near a beat of the partner is to each of the leader's beats, 0 to 1.

    leader, partner: (F, 29, 3) m.  Siyao et al. 2024 (Duolando, 5.1). It is compared with the real partner's value.
    """
    return nan_mean(beat_alignment(kinetic_beats(leader), kinetic_beats(partner), len(partner)))


def estimate_pulse(beats: Array, frames: int, fps: float) -> Array:
    """Steady pulse that fits a dancer's own beats (B,) best, where there is no music: beat frames (C,).

    Of all beat periods it has the greatest mean resultant length of the beats' phases (Mardia and Jupp 2000, 2.3).
    """
    if len(beats) < 2:
        return np.zeros(0, dtype=int)
    periods = fps * np.arange(_PERIODS[0], _PERIODS[1], 0.002)
    resultant = np.exp(2j * np.pi * beats[None] / periods[:, None]).mean(axis=1)
    best = int(np.argmax(np.abs(resultant)))
    phase = np.angle(resultant[best]) / (2.0 * np.pi) % 1.0
    pulse = np.round(np.arange(phase * periods[best], frames, periods[best])).astype(int)
    return pulse[pulse < frames]
