"""Validation of score-flow's training on held-out music: VAE reconstruction and denoising of the flow."""

import torch
from torch import Tensor

from backend.models.score_flow.bar_features import VOICE_SLICES
from backend.models.score_flow.network.flow import ScoreFlow
from training.score_flow.dataset import BarLatents, BarTable, bar_condition, dance_only
from training.score_flow.metrics import f1

_FLOW_TIMES = (0.1, 0.3, 0.5, 0.7)
_MAX_BARS = 4096


@torch.no_grad()
def reconstruction_f1(network: ScoreFlow, table: BarTable) -> dict[str, Tensor]:
    """Onset F1 of the VAE's reconstructions: drums, bass, chords and tune."""
    bars, tied = table.bars(torch.arange(len(table))[:_MAX_BARS])
    logits = network.vae.decode(network.vae.encode(bars, tied).mean, tied)
    return {
        name: torch.tensor(f1(logits.onset[..., rows] > 0, bars.onset[..., rows] > 0))
        for name, rows in VOICE_SLICES.items()
    }


@torch.no_grad()
def denoising_errors(network: ScoreFlow, table: BarTable, latents: BarLatents) -> dict[str, Tensor]:
    """Mean squared error of the predicted clean latents with the full condition, the dance alone, and none."""
    generator = torch.Generator().manual_seed(0)
    indices = (table.window_index >= 0).nonzero()[:, 0][:_MAX_BARS]
    condition = bar_condition(network, table, latents, indices, table.windows[table.window_index[indices], 0])
    dance = dance_only(condition)
    clean, mask = network.normalize(latents.posterior.mean[indices]), latents.mask[indices]
    errors = {}
    for name, given in (("all known", condition), ("dance", dance), ("nothing", dance.drop_dance())):
        error = torch.zeros(())
        for t in _FLOW_TIMES:
            noisy = (t * clean + (1.0 - t) * torch.randn(clean.shape, generator=generator)) * mask
            predicted = network(noisy, torch.full((len(indices),), t), given)
            error = error + ((predicted - clean).square() * mask).sum() / mask.sum() / len(_FLOW_TIMES)
        errors[name] = error
    return errors
