"""Plots of training curves and of evaluation metrics."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from torch import Tensor

from rigs.files.atomic_write import atomic_path
from training.evaluation.confidence_intervals import Estimate

matplotlib.use("Agg")
from matplotlib import pyplot

COLOURS = {"model": "#0f766e", "zero velocity": "#e0674c", "mean pose": "#8a8f98"}


def plot_curves(curves: dict[str, Tensor], path: Path) -> None:
    """Plot errors in metres over frames, each (F,), into a PNG, whole or not at all."""
    figure, axes = pyplot.subplots(figsize=(7, 4), dpi=150)
    for name, curve in curves.items():
        axes.plot(range(1, len(curve) + 1), 100 * curve, label=name, color=COLOURS.get(name), linewidth=2)
    axes.set_xlabel("frames after the given history (30 a second)")
    axes.set_ylabel("mean joint error, cm")
    axes.set_xlim(0, len(curve))
    axes.set_ylim(0, None)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.tight_layout()
    save_figure(figure, path)


SHOWN = (
    "Fréchet kinetic",
    "Fréchet geometric",
    "Fréchet cross-dancer",
    "cross-dancer, this take",
    "told apart",
    "foot slide",
    "jerk",
    "floating",
    "distance moved",
    "hand in hand",
    "BED",
    "after 1.0 s",
)
"""Metrics of the evaluation's picture."""
LOGARITHMIC = {name for name in SHOWN if name.startswith(("Fréchet", "cross"))}
PARTNER_COLOURS = {
    "real": "#0b5fa5",
    "zero velocity": "#e0674c",
    "mean pose": "#8a8f98",
    "copy of the leader": "#8a8f98",
    "another take's follower": "#8a8f98",
    "stitching": "#b7791f",
}
MODEL_COLOUR = "#0f766e"


def plot_partner_evaluation(
    metrics: Mapping[str, Mapping[str, Estimate]], headers: Mapping[str, str], path: Path
) -> None:
    """Plot metrics by partner with their confidence intervals into a PNG, the first partner's as a band too."""
    names = list(metrics)
    figure, panels = pyplot.subplots(3, 4, figsize=(13, 8), dpi=110, sharey=True)
    for panel, shown in zip(panels.flat, SHOWN, strict=True):
        for row, name in enumerate(reversed(names)):
            estimate = metrics[name][shown]
            colour = PARTNER_COLOURS.get(name, MODEL_COLOUR)
            ends = [estimate.low, estimate.high]
            panel.plot(ends, [row, row], color=colour, linewidth=3, alpha=0.4, solid_capstyle="round")
            panel.plot(estimate.value, row, "o", color=colour, markersize=6)
        real = metrics[names[0]][shown]
        panel.axvspan(real.low, real.high, color=PARTNER_COLOURS["real"], alpha=0.08)
        panel.set_title(headers[shown].replace("\n", " "), fontsize=10)
        if shown in LOGARITHMIC:
            panel.set_xscale("symlog", linthresh=10.0)
        panel.set_xlim(0, None)
        panel.set_yticks(range(len(names)), list(reversed(names)), fontsize=9)
        panel.grid(alpha=0.25, axis="x")
        panel.spines[["top", "right", "left"]].set_visible(False)
    figure.supxlabel("↓ lower is better   → nearer the real partner's value (band) is better", fontsize=10)
    figure.tight_layout()
    save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as a PNG, whole or not at all, and close it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)
