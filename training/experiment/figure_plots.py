"""Pictures of figures."""

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
    """Draw errors in metres over frames, each (F,), into a PNG, whole or not at all."""
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
    "facing moved",
    "hand in hand",
    "after 1.0 s",
)
"""The figures of the judge's picture."""
LOGARITHMIC = {shown for shown in SHOWN if shown.startswith(("Fréchet", "cross"))}
FIXED = {
    "real": "#0b5fa5",
    "zero velocity": "#e0674c",
    "mean pose": "#8a8f98",
    "copy of the leader": "#8a8f98",
    "another take's follower": "#8a8f98",
    "stitching": "#b7791f",
}


def plot_partner_evaluation(found: Mapping[str, Mapping[str, Estimate]], path: Path) -> None:
    """Draw figures by partner with their intervals, the first's as a band too, into a PNG, whole or not at all."""
    names = list(found)
    figure, panels = pyplot.subplots(3, 4, figsize=(13, 8), dpi=110, sharey=True)
    for panel, shown in zip(panels.flat, SHOWN, strict=True):
        for row, name in enumerate(reversed(names)):
            seen = found[name][shown]
            colour = FIXED.get(name, "#0f766e")
            panel.plot([seen.low, seen.high], [row, row], color=colour, linewidth=3, alpha=0.4, solid_capstyle="round")
            panel.plot(seen.value, row, "o", color=colour, markersize=6)
        floor = found[names[0]][shown]
        panel.axvspan(floor.low, floor.high, color="#0b5fa5", alpha=0.08)
        panel.set_title(shown, fontsize=10)
        if shown in LOGARITHMIC:
            panel.set_xscale("symlog", linthresh=10.0)
        panel.set_xlim(0, None)
        panel.set_yticks(range(len(names)), list(reversed(names)), fontsize=9)
        panel.grid(alpha=0.25, axis="x")
        panel.spines[["top", "right", "left"]].set_visible(False)
    figure.tight_layout()
    save_figure(figure, path)


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as a PNG, whole or not at all, and close it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)
