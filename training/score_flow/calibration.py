"""What the score flow's weights need after their training: how sure a note must be to be played, and a model card."""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import KINDS, PARTS, ROWS, STEPS
from backend.models.score_flow.network import NAME, ScoreFlow, save
from backend.models.score_flow.note_decoding import SIZES
from backend.models.score_flow.pipeline import CALM, GUIDANCE
from rigs.files.atomic_write import atomic_write_text
from training.data.music_pairs import PairSplit
from training.score_flow.conditioning import asked_of, by_dance, coded, usual_onsets
from training.score_flow.dataset import Table

_MOST = 2048
"""Bars that are drawn to be calibrated by."""

_TRUSTS = [n / 10.0 for n in range(11)]
_SELDOM = 0.1
"""How likely a note is at least that is ever played, and how likely one at most that is not."""


@torch.no_grad()
def calibrate(network: ScoreFlow, train: Table, table: Table) -> None:
    """Let as many notes begin, and sound, in bars that are drawn for those of a table as in these.

    train: the songs whose notes a bar are the usual ones.
    """
    for part, rows in enumerate(PARTS.values()):
        there = train.parts[:, min(part, 1)] > 0
        notes, song = train.onset[there][..., rows].float().sum(dim=(1, 2)), train.song[there]
        logs = torch.tensor([math.log(float(notes[song == one].mean()) + 0.1) for one in set(song.tolist())])
        if len(logs) > 1:
            network.density[part] = torch.stack([logs.mean(), logs.std()])
    believe(network, train, table)
    generator = torch.Generator().manual_seed(0)
    places = torch.randperm(len(table), generator=generator)[:_MOST]
    real, before = table.heard(places)
    windows = table.windows[table.danced[places].clamp_min(0), 0]
    asked = asked_of(network, table, coded(network, table), places, windows)
    noise = torch.randn(len(places), network.config.coder.codes, generator=generator)
    drawn = network.coders.decode(
        network.natural(network.draw(CALM * noise, asked, guidance=GUIDANCE)), before
    ).chances()
    parts = table.parts[places] > 0
    for kind in range(KINDS):
        network.begins[kind] = _least(drawn.onset[parts[:, 0], :, kind], real.onset[parts[:, 0], :, kind])
    there = parts[:, 1]
    begun, truly = (torch.split(bars.onset[there][..., KINDS:], list(SIZES), dim=-1) for bars in (drawn, real))
    held, truly_held = (torch.split(bars.sustain[there], list(SIZES), dim=-1) for bars in (drawn, real))
    for voice in range(len(SIZES)):
        chances, notes = begun[voice], truly[voice]
        if voice != 1:  # of bass and tune one note begins at a time
            chances, notes = chances.amax(dim=-1), notes.amax(dim=-1)
        network.begins[KINDS + voice] = _least(chances, notes)
        network.sounds[voice] = _least(held[voice], truly_held[voice])


@torch.no_grad()
def believe(network: ScoreFlow, train: Table, table: Table) -> None:
    """Let what a dance tells of notes count, beside what is usual, as much as helps with a table's danced bars."""
    places = (table.danced >= 0).nonzero()[:, 0]
    windows = table.windows[table.danced[places], 0]
    told = network.expected(by_dance(asked_of(network, table, coded(network, table), places, windows)))
    usual, real = usual_onsets(train), table.onset[places].float()
    weight = network.tell.weight.view(STEPS, ROWS, -1)
    bias = network.tell.bias.view(STEPS, ROWS)
    for part, rows in enumerate(PARTS.values()):
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


def ship(network: ScoreFlow, split: PairSplit, out: Path, tables: dict[str, Any], step: int, figures: str) -> None:
    """Write the weights and their model card, each whole or not at all."""
    save(out / f"{NAME}.safetensors", network)
    card = tables["card"]
    parameters = sum(p.numel() for p in network.parameters())
    rows = []
    for part, pairs in (("train", split.train), ("validation", split.validation), ("test", split.test)):
        recordings, songs = ", ".join(sorted({pair.recording for pair in pairs})), {pair.song for pair in pairs}
        rows.append(f"| {part} | {recordings} | {len(songs)} | {len(pairs)} |")
    parts = "\n".join(rows)
    text = f"""# {card["title"]}

{card["what"].strip()}

{parameters:,} parameters; the weights of step {step:,} of {tables["optimise"]["steps"]:,}.

## Data

{card["data"].strip()}

| part | recordings | songs | pairs |
| --- | --- | --- | --- |
{parts}

Licence and credit:
{card["licence"].strip()}

## Figures

{figures}

## Limits

{card["limits"].strip()}
"""
    atomic_write_text(out / f"{NAME}.md", text)
