"""How music answers a dance: loud where the dancers are lively, quiet where they rest, half step by half step.

It is what `training/pairs.py` lays music beside dance by, and what the composer chooses its bars by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    BASS_ROWS,
    CHORD_ROWS,
    DRUM_ROWS,
    PART_SLICES,
    TUNE_ROWS,
    Bars,
)
from backend.models.score_flow.bar_vae import BarTensors
from backend.models.score_flow.beat_grid import BarGrid
from backend.models.score_flow.dance_features import window_times
from backend.music.piano_roll import DRUM_KINDS
from backend.music.pulse import MIN_TEMPO, dance_pulse
from backend.music.score import STEPS_PER_BEAT, Score
from rigs import Array
from rigs.contacts import FEET
from rigs.motion import Motion

_STILL = 0.05
"""m/s that count for a dancer who stands, so that the log of a speed is one."""
DENSITY_WEIGHT = 0.1
"""What a deviation from the usual number of notes costs, beside a correlation of 1 with the dance."""
FOOT_WEIGHT = 1.0
"""What kick and snare cost where the feet move at twice their usual speed, beside the same."""
GROOVE_WEIGHT = 1.0
"""What drums are worth that are the same in each bar, beside the same."""
DYNAMICS = 0.3
"""Of the logarithm of how hard notes are struck, what a deviation of liveliness over a bar adds."""
_MOST = 0.5
"""Of that logarithm what is added at most."""
_HALVES = 2
_ON_BEATS = [n for n, (name, _) in enumerate(DRUM_KINDS) if name in ("kick", "snare")]
_LEAST = 1e-6


def motion_energy(dancers: Sequence[Motion], seconds: Array) -> Array:
    """(N,) how lively dancers are between moments (N + 1,) s: the log of their joints' mean speed in m/s."""
    return np.log(np.mean([_speed(dancer, seconds) for dancer in dancers], axis=0) + _STILL)


def _speed(dancer: Motion, seconds: Array) -> Array:
    steps = np.linalg.norm(np.diff(dancer.positions, axis=0), axis=-1).mean(axis=-1)
    far = np.concatenate([[0.0], np.cumsum(steps)])
    return np.diff(np.interp(seconds * dancer.fps, np.arange(len(far)), far)) / np.maximum(np.diff(seconds), 1e-3)


@dataclass(frozen=True)
class DanceProfile:
    """What music of B bars is to answer.

    lively: (B, N) how lively the dancers are in each half step of each bar, beside their mean.
    half: sixteenths of half a step.
    feet: (B, 16) by which part their feet are faster than usual as each sixteenth begins.
    """

    energy: Tensor
    half_beat: int
    foot_speed: Tensor


def dance_profile(dancers: Sequence[Motion], lines: BarGrid) -> DanceProfile:
    """What dancers do over bars; where bars reach beyond the dance it is as usual."""
    half, end = half_beat_steps(lines.seconds), min(dancer.seconds for dancer in dancers)
    steps = np.stack([window_times(lines.seconds, int(start))[BAR_STEPS:] for start in lines.bar_starts])
    inside = (steps >= 0.0) & (steps <= end)
    halves = inside[:, :-1:half] & inside[:, half::half]
    lively = np.stack([motion_energy(dancers, seconds[::half]) for seconds in steps])
    feet = np.mean([_feet(dancer, steps[:, :-1]) for dancer in dancers], axis=0)
    rows = (_beside(lively, halves), _beside(feet, inside[:, :-1]) / max(float(feet.mean()), _STILL))
    one, other = (torch.from_numpy(part).float() for part in rows)
    return DanceProfile(one, half, other)


def velocity_gain(dance: DanceProfile) -> Tensor:
    """(B, 16) how many times as hard notes are struck in each sixteenth: more over bars where the dance is lively."""
    lively = dance.energy.flatten().repeat_interleave(dance.half_beat)
    around = nn.functional.avg_pool1d(lively[None], BAR_STEPS + 1, 1, BAR_STEPS // 2, count_include_pad=False)[0]
    return (DYNAMICS * around / lively.std().clamp_min(_LEAST)).clamp(-_MOST, _MOST).exp().reshape(-1, BAR_STEPS)


def apply_dynamics(bars: Bars, dance: DanceProfile) -> Bars:
    """Bars that swell with the dance."""
    return replace(bars, velocity=np.clip(bars.velocity * velocity_gain(dance).numpy()[..., None], 0.0, 1.0))


def _beside(values: Array, known: Array) -> Array:
    """Values less the mean of those known, and 0 for the others."""
    return np.where(known, values - values[known].mean() if known.any() else 0.0, 0.0)


def _feet(dancer: Motion, seconds: Array) -> Array:
    """The mean speed in m/s of a dancer's feet at moments (...) s."""
    if len(dancer) < 2:
        return np.zeros_like(seconds)
    places = dancer.positions[:, FEET]
    speeds = np.linalg.norm(np.gradient(places, axis=0), axis=-1).mean(axis=1) * dancer.fps
    return np.interp(seconds * dancer.fps, np.arange(len(speeds)), speeds)


def half_beat_steps(seconds: Array) -> int:
    """The sixteenths in half a dancer's step, of music whose steps begin at `seconds` (S + 1,)."""
    rate = 60.0 / (STEPS_PER_BEAT * float(np.median(np.diff(seconds))))
    return 4 if rate >= 2.0 * MIN_TEMPO else 2 if rate >= MIN_TEMPO else 1


def onset_strength(notes: BarTensors) -> Tensor:
    """(B, 16) how hard all notes of bars are struck together in each step, 1 for one as hard as can be."""
    drums, *voices = torch.split(notes.onset, [DRUM_ROWS, BASS_ROWS, CHORD_ROWS, TUNE_ROWS], dim=-1)
    hard = (drums * notes.velocity[..., :DRUM_ROWS]).sum(dim=-1)
    for voice, rows in enumerate(voices):
        hard = hard + rows.sum(dim=-1) * notes.velocity[..., DRUM_ROWS + voice]
    return hard


def loudness(hard: Tensor, half: int) -> Tensor:
    """(B, 16 / half) how loud bars are that are struck (B, 16) so hard, over so many steps each."""
    return torch.log1p(hard.reshape(*hard.shape[:-1], -1, half).sum(dim=-1))


def pearson_correlation(loud: Tensor, lively: Tensor) -> Tensor:
    """(...) of loudness (..., N) and liveliness (N,); 0 where one of them never changes."""
    loud, lively = loud - loud.mean(dim=-1, keepdim=True), lively - lively.mean()
    size = loud.norm(dim=-1) * lively.norm()
    return (loud @ lively) / size.clamp_min(_LEAST)


class BarRanker:
    """Chooses each bar of some takes of a piece.

    It is to be loud where the dancers are lively, with kick and snare where their feet rest, and to have about as many
    notes as songs have.

    usual: (3, 2) mean and deviation of the log of notes a bar, by part, see `ScoreFlow`.  plays: (3,) 1 for parts that
    are heard, and 0.
    """

    def __init__(self, dance: DanceProfile, usual: Tensor, plays: Tensor, takes: int) -> None:
        self.dance, self.usual, self.plays = dance, usual, plays
        self.heard = torch.cat(
            [plays[part].expand(rows.stop - rows.start) for part, rows in enumerate(PART_SLICES.values())]
        )
        self.loudness = usual.new_zeros(takes, 0)
        # Notes by part, kicks and snares, the feet's speed at them, and how far each bar's drums are those of the last.
        self.sums = usual.new_zeros(takes, len(PART_SLICES) + 3)
        self.drums = usual.new_zeros(takes, BAR_STEPS, DRUM_ROWS)
        self.swell = velocity_gain(dance)
        self.bars = 0

    def select(self, tried: BarTensors) -> Tensor:
        """(T,) which rows of bars that are tried, K for each take one after the other, are taken for the next bar."""
        takes, dance = len(self.loudness), self.dance
        onset = tried.onset * self.heard
        hard = onset_strength(tried._replace(onset=onset)) * self.swell[self.bars]
        loud = loudness(hard, dance.half_beat).reshape(takes, len(hard) // takes, -1)
        beats = onset[..., _ON_BEATS].sum(dim=-1)
        notes = [onset[..., rows].sum(dim=(1, 2)) for rows in PART_SLICES.values()]
        drums = onset[..., :DRUM_ROWS]
        again = _shared(drums, self.drums.repeat_interleave(len(drums) // takes, dim=0))
        sums = torch.stack([*notes, beats.sum(dim=1), beats @ dance.foot_speed[self.bars], again], dim=-1)
        loud = torch.cat([self.loudness[:, None].expand(-1, loud.shape[1], -1), loud], dim=-1)
        sums = self.sums[:, None] + sums.reshape(takes, len(hard) // takes, -1)
        self.bars += 1
        best = self.scores(loud, sums).argmax(dim=1)
        each = torch.arange(takes, device=best.device)
        self.loudness, self.sums = loud[each, best], sums[each, best]
        taken = each * loud.shape[1] + best
        self.drums = drums[taken]
        return taken

    def scores(self, loud: Tensor, sums: Tensor) -> Tensor:
        """(...) how good the bars are so far that have this loudness (..., M) and these sums (..., 6)."""
        lively = self.dance.energy[: self.bars].flatten()
        away = (torch.log(sums[..., :3] / self.bars + 0.1) - self.usual[:, 0]).abs() / self.usual[:, 1].clamp_min(1e-3)
        late = sums[..., 4] / sums[..., 3].clamp_min(1.0)
        groove = sums[..., 5] / self.bars
        return (
            pearson_correlation(loud, lively)
            - DENSITY_WEIGHT * (away * self.plays).sum(dim=-1)
            - FOOT_WEIGHT * late
            + GROOVE_WEIGHT * groove
        )

    def best_take(self) -> int:
        """The best of the takes."""
        return int(self.scores(self.loudness, self.sums).argmax())


def _shared(one: Tensor, other: Tensor) -> Tensor:
    """(B,) twice the notes that are in both of two bars (B, 16, R), over the notes of either."""
    return 2.0 * (one * other).sum(dim=(1, 2)) / (one.sum(dim=(1, 2)) + other.sum(dim=(1, 2))).clamp_min(1.0)


def dance_correlation(score: Score, dancers: Sequence[Motion]) -> float:
    """How far the music goes with the dance: the correlation of both over the half steps of the music's own pulse.

    Raises ValueError for music of less than two beats.
    """
    steps = dance_pulse(score).positions
    halves = np.interp(np.arange(_HALVES * (len(steps) - 1) + 1) / _HALVES, np.arange(len(steps)), steps)
    seconds = np.interp(halves, np.arange(score.steps + 1.0), score.seconds)
    seconds = seconds[: max(np.searchsorted(seconds, min(dancer.seconds for dancer in dancers)), 3)]
    hard = sum(part.velocity.sum(axis=1) / 127.0 for part in (score.drums, score.bass, score.melody))
    far = np.concatenate([[0.0], np.cumsum(hard)])
    # A note at the beginning of a half belongs to it, so the halves are asked for a little before.
    begun = np.interp(np.maximum(halves[: len(seconds)] - 0.5, 0.0), np.arange(score.steps + 1.0), far)
    loud, lively = np.log1p(np.diff(begun)), motion_energy(dancers, seconds)
    return float(pearson_correlation(torch.from_numpy(loud), torch.from_numpy(lively)))
