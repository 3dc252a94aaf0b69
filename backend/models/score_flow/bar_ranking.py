"""Re-ranking of sampled bars by how well they fit the dance: loud where the dancers move fast, in time with their feet.

`training/pairs.py` pairs music with dances by the same correlation of loudness and motion energy.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backend.models.common.energy import STILL_SPEED
from backend.models.score_flow.bar_features import BAR_STEPS, DRUM_ROWS, PART_SLICES, VOICE_SIZES, Bars
from backend.models.score_flow.conditions import BarTensors
from backend.models.score_flow.dance_features import BarGrid, window_times
from backend.music.music_features import log_loudness
from backend.music.piano_roll import DRUM_KINDS
from backend.music.pulse import MIN_TEMPO, dance_pulse
from backend.music.score import STEPS_PER_BEAT, Score
from rigs import Array
from rigs.contacts import foot_speed
from rigs.motion import Motion

DENSITY_WEIGHT = 0.1
"""Penalty for a note density one standard deviation off that of songs; a correlation of 1 with the dance scores 1."""
FOOT_WEIGHT = 1.0
"""Penalty for kick and snare where the feet move at twice their mean speed."""
GROOVE_WEIGHT = 1.0
"""Score of drums that repeat the bar before exactly."""
DYNAMICS = 0.3
"""Log velocity gain for a bar whose motion energy is one standard deviation above the mean."""
_MAX_LOG_GAIN = 0.5
_HALVES = 2
_KICK_AND_SNARE = [n for n, (name, _) in enumerate(DRUM_KINDS) if name in ("kick", "snare")]
_EPSILON = 1e-6


def motion_energy(dancers: Sequence[Motion], seconds: Array) -> Array:
    """Motion energy (N,) between moments (N + 1,) s: log of the mean joint speed in m/s of all dancers."""
    return np.log(np.mean([_mean_speed(dancer, seconds) for dancer in dancers], axis=0) + STILL_SPEED)


def _mean_speed(dancer: Motion, seconds: Array) -> Array:
    """Mean joint speed (N,) in m/s between moments (N + 1,) s."""
    steps = np.linalg.norm(np.diff(dancer.positions, axis=0), axis=-1).mean(axis=-1)
    path = np.concatenate([[0.0], np.cumsum(steps)])
    return np.diff(np.interp(seconds * dancer.fps, np.arange(len(path)), path)) / np.maximum(np.diff(seconds), 1e-3)


@dataclass(frozen=True)
class DanceProfile:
    """Motion energy and foot speed of a dance over B bars of music, for their re-ranking.

    energy: (B, N) motion energy in each half beat of each bar, less its mean.
    half_beat: sixteenths in half a dance beat.
    foot_speed: (B, 16) speed of the feet at each sixteenth, relative to their mean, less 1.
    """

    energy: Array
    half_beat: int
    foot_speed: Array


def dance_profile(dancers: Sequence[Motion], grid: BarGrid) -> DanceProfile:
    """Profile of a dance over the bars of a grid; 0, the mean, where bars reach beyond the dance."""
    half_beat, end = half_beat_steps(grid.seconds), min(dancer.seconds for dancer in dancers)
    times = window_times(grid.seconds, grid.bar_starts)[:, BAR_STEPS:]
    inside = (times >= 0.0) & (times <= end)
    inside_halves = inside[:, :-1:half_beat] & inside[:, half_beat::half_beat]
    energy = np.stack([motion_energy(dancers, seconds[::half_beat]) for seconds in times])
    feet = np.mean([_foot_speed(dancer, times[:, :-1]) for dancer in dancers], axis=0)
    relative_feet = _subtract_mean(feet, inside[:, :-1]) / max(float(feet.mean()), STILL_SPEED)
    return DanceProfile(
        np.asarray(_subtract_mean(energy, inside_halves), np.float32),
        half_beat,
        np.asarray(relative_feet, np.float32),
    )


def velocity_gain(dance: DanceProfile) -> Array:
    """Gain (B, 16) of velocities in each sixteenth: dynamics that follow the motion energy averaged over a bar."""
    energy = np.repeat(dance.energy.ravel(), dance.half_beat)
    window, size = np.ones(BAR_STEPS + 1), len(energy)
    first = BAR_STEPS // 2  # of the full convolution, where the window is centred on the first step
    smooth, count = (np.convolve(part, window)[first : first + size] for part in (energy, np.ones(size)))
    log_gain = DYNAMICS * smooth / count / max(float(energy.std(ddof=1)), _EPSILON)
    return np.exp(np.clip(log_gain, -_MAX_LOG_GAIN, _MAX_LOG_GAIN)).reshape(-1, BAR_STEPS).astype(np.float32)


def apply_dynamics(bars: Bars, dance: DanceProfile) -> Bars:
    """Scale the velocities of bars by `velocity_gain`."""
    return replace(bars, velocity=np.clip(bars.velocity * velocity_gain(dance)[..., None], 0.0, 1.0))


def _subtract_mean(values: Array, is_known: Array) -> Array:
    """Values less the mean of the known ones, and 0 where they are unknown."""
    return np.where(is_known, values - values[is_known].mean() if is_known.any() else 0.0, 0.0)


def _foot_speed(dancer: Motion, seconds: Array) -> Array:
    """Mean speed in m/s of a dancer's feet at moments (...) s."""
    if len(dancer) < 2:
        return np.zeros_like(seconds)
    speeds = foot_speed(dancer.positions, dancer.fps)
    return np.interp(seconds * dancer.fps, np.arange(len(speeds)), speeds)


def half_beat_steps(seconds: Array) -> int:
    """Sixteenths in half a dance beat of music with step times (S + 1,) s."""
    tempo = 60.0 / (STEPS_PER_BEAT * float(np.median(np.diff(seconds))))
    return 4 if tempo >= 2.0 * MIN_TEMPO else 2 if tempo >= MIN_TEMPO else 1


def onset_strength(notes: BarTensors) -> Array:
    """Onset strength (B, 16): summed velocity of all onsets in each step, 1 for a single note at full velocity."""
    drums, *voices = np.split(notes.onset, np.cumsum([DRUM_ROWS, *VOICE_SIZES])[:-1], axis=-1)
    strength = (drums * notes.velocity[..., :DRUM_ROWS]).sum(axis=-1)
    for voice, rows in enumerate(voices):
        strength = strength + rows.sum(axis=-1) * notes.velocity[..., DRUM_ROWS + voice]
    return strength


def half_beat_loudness(strength: Array, half_beat: int) -> Array:
    """Log loudness (B, 16 / half_beat) of bars with onset strength (B, 16), per half beat."""
    return np.log1p(strength.reshape(*strength.shape[:-1], -1, half_beat).sum(axis=-1))


def pearson_correlation(loud: Array, energy: Array) -> Array:
    """Pearson correlation (...) of loudness (..., N) and motion energy (N,); 0 where either is constant."""
    loud, energy = loud - loud.mean(axis=-1, keepdims=True), energy - energy.mean()
    scale = np.linalg.norm(loud, axis=-1) * np.linalg.norm(energy)
    return np.asarray((loud @ energy) / np.maximum(scale, _EPSILON))


class BarRanker:
    """Greedy re-ranking: selects, for each of several takes, the best of the candidates for its next bar.

    Bars score by the correlation of loudness and motion energy, kick and snare at resting feet, a note density like
    that of songs, and drums that repeat the bar before.

    density: (3, 2) mean and standard deviation of log notes a bar of each part, see `ScoreFlow`.
    plays: (3,) 1 for parts that play, 0 for others.
    """

    def __init__(self, dance: DanceProfile, density: Array, plays: Array, takes: int) -> None:
        self.dance, self.density, self.plays = dance, density, plays
        self.row_mask = np.repeat(plays, [rows.stop - rows.start for rows in PART_SLICES.values()])
        self.loudness = np.zeros((takes, 0), np.float32)
        # Notes by part, kicks and snares, foot speed at these, and similarity of each bar's drums to the bar before.
        self.sums = np.zeros((takes, len(PART_SLICES) + 3), np.float32)
        self.drums = np.zeros((takes, BAR_STEPS, DRUM_ROWS), np.float32)
        self.gain = velocity_gain(dance)
        self.bars = 0

    def select(self, candidates: BarTensors) -> Array:
        """Select the next bar of each take: (T,) indices of candidates, of which each take has K in a row."""
        takes, dance = len(self.loudness), self.dance
        onset = candidates.onset * self.row_mask
        strength = onset_strength(candidates._replace(onset=onset)) * self.gain[self.bars]
        loud = half_beat_loudness(strength, dance.half_beat).reshape(takes, len(strength) // takes, -1)
        beats = onset[..., _KICK_AND_SNARE].sum(axis=-1)
        notes = [onset[..., rows].sum(axis=(1, 2)) for rows in PART_SLICES.values()]
        drums = onset[..., :DRUM_ROWS]
        repetition = _dice(drums, np.repeat(self.drums, len(drums) // takes, axis=0))
        sums = np.stack([*notes, beats.sum(axis=1), beats @ dance.foot_speed[self.bars], repetition], axis=-1)
        loud = np.concatenate([np.repeat(self.loudness[:, None], loud.shape[1], axis=1), loud], axis=-1)
        sums = self.sums[:, None] + sums.reshape(takes, len(strength) // takes, -1)
        self.bars += 1
        best = self.scores(loud, sums).argmax(axis=1)
        take = np.arange(takes)
        self.loudness, self.sums = loud[take, best], sums[take, best]
        selected: Array = take * loud.shape[1] + best
        self.drums = drums[selected]
        return selected

    def scores(self, loud: Array, sums: Array) -> Array:
        """Scores (...) of the bars so far, from their loudness (..., M) and sums (..., 6)."""
        energy = self.dance.energy[: self.bars].ravel()
        log_notes = np.log(sums[..., :3] / self.bars + 0.1)
        deviation = np.abs(log_notes - self.density[:, 0]) / np.maximum(self.density[:, 1], 1e-3)
        foot_speed = sums[..., 4] / np.maximum(sums[..., 3], 1.0)
        groove = sums[..., 5] / self.bars
        return (
            pearson_correlation(loud, energy)
            - DENSITY_WEIGHT * (deviation * self.plays).sum(axis=-1)
            - FOOT_WEIGHT * foot_speed
            + GROOVE_WEIGHT * groove
        )

    def best_take(self) -> int:
        """Index of the take with the highest score."""
        return int(self.scores(self.loudness, self.sums).argmax())


def _dice(one: Array, other: Array) -> Array:
    """Dice coefficient (B,) of the notes of bars (B, 16, R)."""
    return np.asarray(
        2.0 * (one * other).sum(axis=(1, 2)) / np.maximum(one.sum(axis=(1, 2)) + other.sum(axis=(1, 2)), 1.0)
    )


def dance_correlation(score: Score, dancers: Sequence[Motion]) -> float:
    """Correlation of a score's loudness with the motion energy of a dance, over half beats of the dance pulse.

    Raises ValueError for music of less than two beats.
    """
    beats = dance_pulse(score).positions
    halves = np.interp(np.arange(_HALVES * (len(beats) - 1) + 1) / _HALVES, np.arange(len(beats)), beats)
    seconds = np.interp(halves, np.arange(score.steps + 1.0), score.seconds)
    seconds = seconds[: max(np.searchsorted(seconds, min(dancer.seconds for dancer in dancers)), 3)]
    loud, energy = log_loudness(score, halves[: len(seconds)]), motion_energy(dancers, seconds)
    return float(pearson_correlation(loud, energy))
