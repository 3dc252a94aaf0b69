"""choreo-bridge's evaluation: the published table of mean squared errors on held-out pairs, beside two baselines.

Each of its seven errors stands beside that of the mean training window, which ignores its input, and beside that of the
same model given a window of another pair. A model that translates is better than both.

`pasdedeux evaluate --data PAIRS --model choreo-bridge` prints it.
"""

import json as jsonlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from backend.model_registry import weights_path
from backend.models.choreo_bridge.network import ChoreoBridge, load
from backend.models.choreo_bridge.trained import NAME, NOTE_ON, Modality
from rigs.files.atomic_write import atomic_write_text
from training.choreo_bridge.dataset import BridgeBatch, PairWindows, pair_windows
from training.data.duets import HELD_OUT
from training.data.music_pairs import find_pairs, split_pairs
from training.experiment.config import CONFIGS, read_tables

COLUMNS = ("mean squared error", "model", "mean", "shuffled", "variance", "note-on F1", "mean's", "shuffled's")
_SEED = 1


@dataclass(frozen=True)
class Translation:
    """A translation that the table measures: by a VAE alone, over the bridge, or over the bridge and back."""

    name: str
    source: Modality
    target: Modality
    path: Literal["vae", "bridge", "cycle"]


TRANSLATIONS: tuple[Translation, ...] = (
    Translation("music VAE: music to music", "music", "music", "vae"),
    Translation("pose VAE: dance to dance", "dance", "dance", "vae"),
    Translation("bridge: music to music", "music", "music", "bridge"),
    Translation("bridge: dance to dance", "dance", "dance", "bridge"),
    Translation("bridge: music to dance", "music", "dance", "bridge"),
    Translation("bridge: dance to music", "dance", "music", "bridge"),
    Translation("cycle: dance to music to dance", "dance", "dance", "cycle"),
)


@dataclass(frozen=True)
class WindowMetrics:
    """Metrics of generated windows beside the true ones.

    error: mean squared, m² for dance, of full velocity for music.  variance: over windows, as a share of the truth's.
    notes: F1 of the active piano-roll cells, nan for dance.
    """

    error: float
    variance: float
    notes: float


@dataclass(frozen=True)
class TableRow:
    """Metrics of the model, of the mean training window, and of the model given a window of another pair."""

    model: WindowMetrics
    mean: WindowMetrics
    shuffled: WindowMetrics


def error_table(network: ChoreoBridge, pairs: PairWindows, means: BridgeBatch) -> dict[str, TableRow]:
    """The table's rows by name.  means: the mean training window, (1, 32, 128) and (1, 32, joints, 3)."""
    device = next(network.parameters()).device
    windows, means = (BridgeBatch(*(part.to(device) for part in batch)) for batch in (pairs.windows, means))
    order = mismatched_windows(pairs).to(device)
    table = {}
    for row in TRANSLATIONS:
        truth, source = windows.modality(row.target), windows.modality(row.source)
        table[row.name] = TableRow(
            window_metrics(translate(network, source, row), truth, row.target),
            window_metrics(means.modality(row.target).expand_as(truth), truth, row.target),
            window_metrics(translate(network, source[order], row), truth, row.target),
        )
    return table


def relative_error(table: Mapping[str, TableRow]) -> float:
    """Mean over the rows of the model's error relative to the mean window's: 1 for a model that is no better."""
    return sum(row.model.error / row.mean.error for row in table.values()) / len(table)


@torch.no_grad()
def translate(network: ChoreoBridge, windows: Tensor, row: Translation) -> Tensor:
    """Run a row's translation on windows."""
    if row.path == "vae":
        return network.reconstruct(windows, row.source)
    if row.path == "bridge":
        return network.translate(windows, row.source, row.target)
    other: Modality = "music" if row.source == "dance" else "dance"
    return network.translate(network.translate(windows, row.source, other), other, row.target)


def window_metrics(windows: Tensor, truth: Tensor, modality: Modality) -> WindowMetrics:
    """Compare windows (N, ...) with the true ones."""
    error = (windows - truth).square().mean()
    variance = windows.var(0, correction=0).mean() / truth.var(0, correction=0).mean()
    notes = f1_score(windows > NOTE_ON, truth > 0.0) if modality == "music" else math.nan
    return WindowMetrics(float(error), float(variance), notes)


def f1_score(predicted: Tensor, truth: Tensor) -> float:
    """F1 score, the harmonic mean of precision and recall, of boolean tensors; 1 where both are all false."""
    positives = float(predicted.sum() + truth.sum())
    return 2.0 * float((predicted & truth).sum()) / positives if positives else 1.0


def mismatched_windows(pairs: PairWindows) -> Tensor:
    """For each window the index of one with another song, of another recording where there is one: (N,), fixed."""
    generator = torch.Generator().manual_seed(_SEED)
    indices = []
    for song, recording in zip(pairs.songs, pairs.recordings, strict=True):
        other_song = [n for n, other in enumerate(pairs.songs) if other != song]
        other_recording = [n for n in other_song if pairs.recordings[n] != recording]
        candidates = other_recording or other_song or list(range(len(pairs)))
        indices.append(candidates[int(torch.randint(len(candidates), (), generator=generator))])
    return torch.tensor(indices)


def mean_window(windows: BridgeBatch) -> BridgeBatch:
    """The mean window of each modality."""
    return BridgeBatch(*(part.mean(0, keepdim=True) for part in windows))


def evaluate(data: Path, json: Path | None = None, parts: Sequence[str] = HELD_OUT) -> dict[str, dict[str, TableRow]]:
    """Print the tables of the validation and the test pairs of a folder; by part and row.

    json: a file for the metrics.  parts: which of them.  Raises BadFile.
    """
    console = Console(width=None if Console().is_terminal else 200)
    network = load(weights_path(NAME))
    held_out = read_tables(CONFIGS / f"{NAME}.toml")["data"]
    with console.status("reading pairs"):
        split = split_pairs(find_pairs(data), held_out["validation"], held_out["test"])
        means = mean_window(pair_windows(split.train, network.config.joints).windows)
        pairs = {part: pair_windows(getattr(split, part), network.config.joints) for part in parts}
    tables = {part: error_table(network, windows, means) for part, windows in pairs.items()}
    for part, windows in pairs.items():
        recordings = ", ".join(sorted(set(windows.recordings)))
        console.rule(f"{part}: {len(windows)} windows, {len(set(windows.songs))} songs, {recordings}")
        console.print(console_table(tables[part]))
    if json is not None:
        results = {
            part: {"windows": len(pairs[part]), "rows": {name: json_row(row) for name, row in tables[part].items()}}
            for part in parts
        }
        atomic_write_text(json, jsonlib.dumps({"model": NAME, "note_on": NOTE_ON, **results}, indent=1))
    return tables


def json_row(row: TableRow) -> dict[str, dict[str, float | None]]:
    """A row for JSON, which has no nan."""
    return {
        name: {metric: None if math.isnan(value) else round(value, 6) for metric, value in metrics.items()}
        for name, metrics in asdict(row).items()
    }


def console_table(rows: Mapping[str, TableRow]) -> Table:
    """The table for the console."""
    table = Table(*COLUMNS, padding=(0, 1))
    for name, row in rows.items():
        table.add_row(name, *row_cells(row))
    return table


def row_cells(row: TableRow) -> list[str]:
    """Format the cells of a table row, after its name, in the order of `COLUMNS`."""
    columns = (row.model, row.mean, row.shuffled)
    errors = [f"{metrics.error:.4f}" for metrics in columns]
    notes = ["-" if math.isnan(metrics.notes) else f"{metrics.notes:.2f}" for metrics in columns]
    return [*errors, f"{row.model.variance:.3f}", *notes]
