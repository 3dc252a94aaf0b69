"""The published table of the choreographic bridge on held-out pairs, beside the controls that tell what it is worth.

Each of its seven mean squared errors stands beside that of the mean of all training windows, which looks at nothing,
and beside that of the same model fed a window of another pair. A model that translates is better than both.

`pasdedeux evaluate --data PAIRS --model choreo-bridge` prints it.
"""

import json as jsonlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from backend.model_registry import weights_path
from backend.models.choreo_bridge.network import NAME, NOTE_ON, ChoreoBridge, Side, load
from rigs.files.atomic_write import atomic_write_text
from training.choreo_bridge.dataset import Batch, PairWindows, pair_windows
from training.data.music_pairs import find_pairs, split_pairs

CONFIG = Path(__file__).resolve().parent.parent / "configs" / f"{NAME}.toml"
PARTS = ("validation", "test")
COLUMNS = ("mean squared error", "model", "mean", "shuffled", "variance", "note-on F1", "mean's", "shuffled's")
_SEED = 1


@dataclass(frozen=True)
class Row:
    """What goes in, what comes out, and how: by the side's own VAE, over the bridge, or over it and back."""

    name: str
    source: Side
    target: Side
    way: Literal["alone", "bridge", "there and back"]


ROWS: tuple[Row, ...] = (
    Row("music VAE: music to music", "music", "music", "alone"),
    Row("pose VAE: dance to dance", "dance", "dance", "alone"),
    Row("bridge: music to music", "music", "music", "bridge"),
    Row("bridge: dance to dance", "dance", "dance", "bridge"),
    Row("bridge: music to dance", "music", "dance", "bridge"),
    Row("bridge: dance to music", "dance", "music", "bridge"),
    Row("cycle: dance to music to dance", "dance", "dance", "there and back"),
)


@dataclass(frozen=True)
class Told:
    """A model's or a control's windows beside the true ones.

    error: mean squared, m² for dance, of full loudness for music.  variance: over windows, of the true ones' variance.
    notes: F1 of what sounds, nan for dance.
    """

    error: float
    variance: float
    notes: float


@dataclass(frozen=True)
class Figures:
    """A row of the table: the model, the mean of the training windows, and the model fed a window of another pair."""

    model: Told
    mean: Told
    shuffled: Told


def table_of(network: ChoreoBridge, held: PairWindows, means: Batch) -> dict[str, Figures]:
    """The rows by name.  means: the mean training window of each side, (1, 32, 128) and (1, 32, joints, 3)."""
    device = next(network.parameters()).device
    windows, means = (Batch(*(part.to(device) for part in batch)) for batch in (held.windows, means))
    order = other_pairs(held).to(device)
    found = {}
    for row in ROWS:
        truth, given = windows.side(row.target), windows.side(row.source)
        found[row.name] = Figures(
            told(made(network, given, row), truth, row.target),
            told(means.side(row.target).expand_as(truth), truth, row.target),
            told(made(network, given[order], row), truth, row.target),
        )
    return found


def relative_error(found: Mapping[str, Figures]) -> float:
    """The rows' errors, each as a part of the mean predictor's, averaged: 1 for a model that is worth no more."""
    return sum(figures.model.error / figures.mean.error for figures in found.values()) / len(found)


@torch.no_grad()
def made(network: ChoreoBridge, windows: Tensor, row: Row) -> Tensor:
    """What the network makes of a row's windows."""
    if row.way == "alone":
        return network.rebuild(windows, row.source)
    if row.way == "bridge":
        return network.translate(windows, row.source, row.target)
    other: Side = "music" if row.source == "dance" else "dance"
    return network.translate(network.translate(windows, row.source, other), other, row.target)


def told(windows: Tensor, truth: Tensor, side: Side) -> Told:
    """How near windows (N, ...) of a side are to the true ones."""
    error = (windows - truth).square().mean()
    variance = windows.var(0, correction=0).mean() / truth.var(0, correction=0).mean()
    notes = f1(windows > NOTE_ON, truth > 0.0) if side == "music" else math.nan
    return Told(float(error), float(variance), notes)


def f1(said: Tensor, true: Tensor) -> float:
    """The harmonic mean of precision and recall of what is said (...) bool to be true (...) bool."""
    either = float(said.sum() + true.sum())
    return 2.0 * float((said & true).sum()) / either if either else 1.0


def other_pairs(held: PairWindows) -> Tensor:
    """For each window one with other music, (N,): of another recording if there is one; always the same ones."""
    generator = torch.Generator().manual_seed(_SEED)
    found = []
    for song, recording in zip(held.songs, held.recordings, strict=True):
        strange = [n for n, other in enumerate(held.songs) if other != song]
        farther = [n for n in strange if held.recordings[n] != recording]
        choice = farther or strange or list(range(len(held)))
        found.append(choice[int(torch.randint(len(choice), (), generator=generator))])
    return torch.tensor(found)


def mean_windows(windows: Batch) -> Batch:
    """The mean window of each side, one each."""
    return Batch(*(part.mean(0, keepdim=True) for part in windows))


def evaluate(data: Path, json: Path | None = None, parts: Sequence[str] = PARTS) -> dict[str, dict[str, Figures]]:
    """Print the table for the validation and the test pairs of a folder; by part and row what is found.

    json: a file for the figures.  parts: which of them.  Raises BadFile.
    """
    console = Console(width=None if Console().is_terminal else 200)
    network = load(weights_path(NAME)).network
    named = tomllib.loads(CONFIG.read_text())["data"]
    with console.status("reading pairs"):
        split = split_pairs(find_pairs(data), named["validation"], named["test"])
        means = mean_windows(pair_windows(split.train, network.config.joints).windows)
        held = {part: pair_windows(getattr(split, part), network.config.joints) for part in parts}
    found = {part: table_of(network, windows, means) for part, windows in held.items()}
    for part, windows in held.items():
        recordings = ", ".join(sorted(set(windows.recordings)))
        console.rule(f"{part}: {len(windows)} windows, {len(set(windows.songs))} songs, {recordings}")
        console.print(printed(found[part]))
    if json is not None:
        of_parts = {
            part: {"windows": len(held[part]), "rows": {name: plain(row) for name, row in found[part].items()}}
            for part in parts
        }
        atomic_write_text(json, jsonlib.dumps({"model": NAME, "note_on": NOTE_ON, **of_parts}, indent=1))
    return found


def plain(figures: Figures) -> dict[str, dict[str, float | None]]:
    """A row as JSON has it."""
    return {
        name: {figure: None if math.isnan(value) else round(value, 6) for figure, value in of_one.items()}
        for name, of_one in asdict(figures).items()
    }


def printed(found: Mapping[str, Figures]) -> Table:
    """The rows to look at."""
    table = Table(*COLUMNS, padding=(0, 1))
    for name, figures in found.items():
        table.add_row(name, *_cells(figures))
    return table


def in_markdown(found: Mapping[str, Figures]) -> str:
    """The rows for a model card."""
    rows = [COLUMNS, ["---"] * len(COLUMNS), *([name, *_cells(figures)] for name, figures in found.items())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(figures: Figures) -> list[str]:
    three = (figures.model, figures.mean, figures.shuffled)
    errors = [f"{one.error:.4f}" for one in three]
    notes = ["-" if math.isnan(one.notes) else f"{one.notes:.2f}" for one in three]
    return [*errors, f"{figures.model.variance:.3f}", *notes]
