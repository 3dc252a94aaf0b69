"""How good a model is on duets it has not seen, beside what costs nothing: `pasdedeux evaluate` and the model cards."""

import json as jsonlib
import os
import tomllib
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from backend.models import weights_of
from backend.models.duet_weights import TrainedDuet, load
from training.data import Duet, Split, find_duets, split_duets
from training.metrics import HORIZONS, Starts, mean_pose, rolled_out, zero_velocity
from training.plots import plot_curves

CONFIGS = Path(__file__).resolve().parent / "configs"


def evaluate(data: Path, model: str, json: Path | None = None, plot: Path | None = None) -> None:
    """Print the rollout errors of a model on the validation and the test recordings of a folder of duets.

    data: the folder; the model's plan says which recordings are which.  json, plot: files for the figures and a
    picture of them.
    Raises BadFile.
    """
    weights = weights_of(model)
    plan = tomllib.loads((CONFIGS / f"{model}.toml").read_text())["data"]
    split = split_duets(find_duets(data), plan["validation"], plan["test"])
    trained = load(weights)
    results: dict[str, dict[str, Any]] = {}
    for part, duets in (("validation", split.validation), ("test", split.test)):
        curves = error_curves(trained, split, duets)
        results[part] = {"recordings": sorted({duet.name for duet in duets}), "metres": _listed(curves)}
        _print(part, duets, curves)
    if json is not None:
        _write_whole(json, jsonlib.dumps({"model": model, "fps": 30, "horizons": HORIZONS, **results}, indent=1))
    if plot is not None:
        plot_curves({name: torch.tensor(c) for name, c in results["test"]["metres"].items()}, plot)


def error_curves(trained: TrainedDuet, split: Split, duets: list[Duet]) -> dict[str, Tensor]:
    """Mean joint error in metres at each frame after the history, (60,), of the model and of the baselines."""
    starts = Starts.of(duets, trained.network.config.window, HORIZONS[-1], every=5)
    return {
        "model": starts.errors(rolled_out(trained, starts)),
        "zero velocity": starts.errors(zero_velocity(starts)),
        "mean pose": starts.errors(mean_pose(starts, split.train)),
    }


def horizon_table(trained: TrainedDuet, split: Split) -> str:
    """The errors on the test recordings in centimetres, as the rows of a Markdown table."""
    head = "| frames | " + " | ".join(str(h) for h in HORIZONS) + " |\n| --- |" + " --- |" * len(HORIZONS)
    curves = error_curves(trained, split, split.test)
    rows = [
        f"| {name} | " + " | ".join(f"{100 * curve[h - 1]:.1f}" for h in HORIZONS) + " |"
        for name, curve in curves.items()
    ]
    return "\n".join([head, *rows])


def _listed(curves: dict[str, Tensor]) -> dict[str, list[float]]:
    return {name: [round(float(error), 5) for error in curve] for name, curve in curves.items()}


def _print(part: str, duets: list[Duet], curves: dict[str, Tensor]) -> None:
    names = ", ".join(sorted({duet.name for duet in duets}))
    table = Table("cm from the truth, after", *(f"{h} frames" for h in HORIZONS), title=f"{part}: {names}")
    for name, curve in curves.items():
        table.add_row(name, *(f"{100 * curve[h - 1]:.1f}" for h in HORIZONS))
    Console().print(table)


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    os.replace(partial, path)
