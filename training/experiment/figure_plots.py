"""Plots of training curves, and figures as PNG files."""

from pathlib import Path
from typing import Any

import matplotlib
from torch import Tensor

from rigs.files.atomic_write import atomic_path

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


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure as a PNG, whole or not at all, and close it."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    pyplot.close(figure)
