"""What the score flow's weights need after their training: how sure a note must be to be played, and a model card."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import BAR_STEPS, DRUM_ROWS, PART_SLICES, ROWS
from backend.models.score_flow.network import NAME, ScoreFlow, save
from backend.models.score_flow.note_decoding import VOICE_SIZES
from backend.models.score_flow.pipeline import GUIDANCE, TEMPERATURE
from training.data.music_pairs import PairSplit
from training.experiment.model_card import write_model_card
from training.score_flow.conditioning import bar_condition, dance_only, encode_table, mean_onset_logits
from training.score_flow.dataset import BarTable

_MOST = 2048
"""Bars that are drawn to be calibrated by."""

_TRUSTS = [n / 10.0 for n in range(11)]
_SELDOM = 0.1
"""How likely a note is at least that is ever played, and how likely one at most that is not."""


@torch.no_grad()
def calibrate_thresholds(network: ScoreFlow, train: BarTable, table: BarTable) -> None:
    """Let as many notes begin, and sound, in bars that are drawn for those of a table as in these.

    train: the songs whose notes a bar are the usual ones.
    """
    for part, rows in enumerate(PART_SLICES.values()):
        there = train.parts[:, min(part, 1)] > 0
        notes, song = train.onset[there][..., rows].float().sum(dim=(1, 2)), train.song[there]
        logs = torch.tensor([math.log(float(notes[song == one].mean()) + 0.1) for one in set(song.tolist())])
        if len(logs) > 1:
            network.density[part] = torch.stack([logs.mean(), logs.std()])
    shrink_onset_head(network, train, table)
    generator = torch.Generator().manual_seed(0)
    places = torch.randperm(len(table), generator=generator)[:_MOST]
    real, before = table.bars(places)
    windows = table.windows[table.window_index[places].clamp_min(0), 0]
    asked = bar_condition(network, table, encode_table(network, table), places, windows)
    noise = torch.randn(len(places), network.config.coder.latent_dim, generator=generator)
    drawn = network.coders.decode(
        network.denormalize(network.sample(TEMPERATURE * noise, asked, guidance=GUIDANCE)), before
    ).probabilities()
    parts = table.parts[places] > 0
    for kind in range(DRUM_ROWS):
        network.begins[kind] = _least(drawn.onset[parts[:, 0], :, kind], real.onset[parts[:, 0], :, kind])
    there = parts[:, 1]
    begun, truly = (
        torch.split(bars.onset[there][..., DRUM_ROWS:], list(VOICE_SIZES), dim=-1) for bars in (drawn, real)
    )
    held, truly_held = (torch.split(bars.sustain[there], list(VOICE_SIZES), dim=-1) for bars in (drawn, real))
    for voice in range(len(VOICE_SIZES)):
        chances, notes = begun[voice], truly[voice]
        if voice != 1:  # of bass and tune one note begins at a time
            chances, notes = chances.amax(dim=-1), notes.amax(dim=-1)
        network.begins[DRUM_ROWS + voice] = _least(chances, notes)
        network.sounds[voice] = _least(held[voice], truly_held[voice])


@torch.no_grad()
def shrink_onset_head(network: ScoreFlow, train: BarTable, table: BarTable) -> None:
    """Let what a dance tells of notes count, beside what is usual, as much as helps with a table's danced bars."""
    places = (table.window_index >= 0).nonzero()[:, 0]
    windows = table.windows[table.window_index[places], 0]
    told = network.onset_logits(
        dance_only(bar_condition(network, table, encode_table(network, table), places, windows))
    )
    usual, real = mean_onset_logits(train), table.onset[places].float()
    weight = network.tell.weight.view(BAR_STEPS, ROWS, -1)
    bias = network.tell.bias.view(BAR_STEPS, ROWS)
    for part, rows in enumerate(PART_SLICES.values()):
        there = table.parts[places, min(part, 1)] > 0
        if there.any():
            losts = [
                nn.functional.binary_cross_entropy_with_logits(
                    torch.lerp(usual, told, trust)[there][..., rows], real[there][..., rows]
                )
                for trust in _TRUSTS
            ]
            trust = _TRUSTS[int(torch.stack(losts).argmin())]
            weight[:, rows] *= trust
            bias[:, rows] = torch.lerp(usual[:, rows], bias[:, rows], trust)


def _least(chances: Tensor, notes: Tensor) -> Tensor:
    """The chance that is exceeded as often as there are notes; never, where there are none."""
    share = float(notes.mean()) if notes.numel() else 0.0
    if share == 0.0:
        return torch.tensor(2.0)
    ordered = chances.flatten().sort(descending=True).values
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)].clamp(_SELDOM, 1.0 - _SELDOM)


def write_weights_and_card(
    network: ScoreFlow, split: PairSplit, out: Path, tables: dict[str, Any], step: int, figures: str
) -> None:
    """Write the weights and their model card, each whole or not at all."""
    save(out / f"{NAME}.safetensors", network)
    checkpoint = f"{step:,} of {tables['optimise']['steps']:,}"
    write_model_card(out / f"{NAME}.md", tables["card"], network, checkpoint, split, figures)
