"""Calibration of a trained score-flow: thresholds of onsets and sustains, and shrinkage of the onset head."""

import math

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import BAR_STEPS, DRUM_ROWS, PART_SLICES, ROWS, VOICE_SIZES
from backend.models.score_flow.network.bar_vae import note_probabilities
from backend.models.score_flow.network.flow import ScoreFlow
from backend.models.score_flow.pipeline import TEMPERATURE
from backend.models.score_flow.sampler import GUIDANCE
from training.score_flow.dataset import BarTable, bar_condition, dance_only, encode_table, mean_onset_logits

_MAX_BARS = 2048
"""Bars that are sampled for the calibration."""
_SHRINKAGES = [n / 10.0 for n in range(11)]
_MIN_THRESHOLD = 0.1
"""Lowest threshold; the highest is 1 less it."""


@torch.no_grad()
def calibrate_thresholds(network: ScoreFlow, train: BarTable, table: BarTable) -> None:
    """Set the thresholds so that sampled bars have as many onsets and sustained steps as the bars of a table.

    train: the songs from which the note density is measured.
    """
    for part, rows in enumerate(PART_SLICES.values()):
        has_part = train.parts[:, min(part, 1)] > 0
        notes, song = train.onset[has_part][..., rows].float().sum(dim=(1, 2)), train.song[has_part]
        logs = torch.tensor([math.log(float(notes[song == one].mean()) + 0.1) for one in set(song.tolist())])
        if len(logs) > 1:
            network.density_stats[part] = torch.stack([logs.mean(), logs.std()])
    shrink_onset_head(network, train, table)
    generator = torch.Generator().manual_seed(0)
    indices = torch.randperm(len(table), generator=generator)[:_MAX_BARS]
    real, tied = table.bars(indices)
    windows = table.windows[table.window_index[indices].clamp_min(0), 0]
    condition = bar_condition(network, table, encode_table(network, table), indices, windows)
    noise = torch.randn(len(indices), network.config.vae.latent_dim, generator=generator)
    latents = network.denormalize(network.sample(TEMPERATURE * noise, condition, guidance=GUIDANCE))
    sampled = note_probabilities(network.vae.decode(latents, tied))
    has_drums, has_pitched = (table.parts[indices] > 0).T
    for kind in range(DRUM_ROWS):
        network.onset_thresholds[kind] = _matching_threshold(
            sampled.onset[has_drums, :, kind], real.onset[has_drums, :, kind]
        )
    onsets, real_onsets = (
        torch.split(bars.onset[has_pitched][..., DRUM_ROWS:], list(VOICE_SIZES), dim=-1) for bars in (sampled, real)
    )
    sustains, real_sustains = (
        torch.split(bars.sustain[has_pitched], list(VOICE_SIZES), dim=-1) for bars in (sampled, real)
    )
    for voice in range(len(VOICE_SIZES)):
        probabilities, notes = onsets[voice], real_onsets[voice]
        if voice != 1:  # bass and tune are monophonic
            probabilities, notes = probabilities.amax(dim=-1), notes.amax(dim=-1)
        network.onset_thresholds[DRUM_ROWS + voice] = _matching_threshold(probabilities, notes)
        network.sustain_thresholds[voice] = _matching_threshold(sustains[voice], real_sustains[voice])


@torch.no_grad()
def shrink_onset_head(network: ScoreFlow, train: BarTable, table: BarTable) -> None:
    """Shrink the onset head of each part toward the mean bar by the factor that minimizes a table's cross-entropy."""
    indices = (table.window_index >= 0).nonzero()[:, 0]
    windows = table.windows[table.window_index[indices], 0]
    condition = dance_only(bar_condition(network, table, encode_table(network, table), indices, windows))
    predicted = network.onset_logits(condition)
    mean, real = mean_onset_logits(train), table.onset[indices].float()
    weight = network.onset_head.weight.view(BAR_STEPS, ROWS, -1)
    bias = network.onset_head.bias.view(BAR_STEPS, ROWS)
    for part, rows in enumerate(PART_SLICES.values()):
        has_part = table.parts[indices, min(part, 1)] > 0
        if has_part.any():
            losses = [
                nn.functional.binary_cross_entropy_with_logits(
                    torch.lerp(mean, predicted, factor)[has_part][..., rows], real[has_part][..., rows]
                )
                for factor in _SHRINKAGES
            ]
            factor = _SHRINKAGES[int(torch.stack(losses).argmin())]
            weight[:, rows] *= factor
            bias[:, rows] = torch.lerp(mean[:, rows], bias[:, rows], factor)


def _matching_threshold(probabilities: Tensor, notes: Tensor) -> Tensor:
    """Threshold that is exceeded as often as there are notes; above 1 where there are none."""
    rate = float(notes.mean()) if notes.numel() else 0.0
    if rate == 0.0:
        return torch.tensor(2.0)
    descending = probabilities.flatten().sort(descending=True).values
    threshold = descending[min(int(rate * len(descending)), len(descending) - 1)]
    return threshold.clamp(_MIN_THRESHOLD, 1.0 - _MIN_THRESHOLD)
