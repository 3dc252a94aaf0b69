"""Reports of a partner evaluation: tables for the terminal, JSON, and a plot."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot
from rich.console import Console
from rich.table import Table

from rigs.files.atomic_write import atomic_write_text
from training.evaluation.confidence_intervals import CONFIDENCE, Estimate
from training.evaluation.partner_evaluation import BEST_OF, HISTORY, HORIZONS, REAL, PartnerEvaluation
from training.evaluation.partner_metrics import METRICS, Metric
from training.experiment.plots import save_figure

_METRICS: dict[str, Metric] = {metric.name: metric for group in METRICS.values() for metric in group}
_ERRORS = {
    **{f"after {h / 30:.1f} s": f"after {h / 30:.1f} s\n↓ cm" for h in HORIZONS},
    f"best of {BEST_OF}": f"best of {BEST_OF} takes\n↓ cm",
    "takes apart": "between two takes\ncm",
}
HEADERS = {**{name: metric.header for name, metric in _METRICS.items()}, **_ERRORS}
"""Column headers by metric, those of short rollouts included."""
_LEADERS = {"": "the leader", "swapped": "another leader", "late": "the leader 1 s late", "gone": "a leader who stands"}
_LEADER_METRICS = (
    "Fréchet cross-dancer",
    "cross-dancer, this take",
    "FID_cd",
    "told apart",
    "distance moved",
    "facing moved",
    "hand in hand",
    "overlap",
    "penetration",
    "BED",
)
_POST_PROCESSING_METRICS = (
    "seams",
    "jerk",
    "penetration",
    "overlap",
    "hand in hand",
    "foot slide",
    "skate",
    "floating",
    "sinking",
    "told apart",
    "Fréchet cross-dancer",
)
_PLOTTED = (
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
_LOGARITHMIC = {name for name in _PLOTTED if name.startswith(("Fréchet", "cross"))}
_COLOURS = {
    REAL: "#0b5fa5",
    "zero velocity": "#e0674c",
    "mean pose": "#8a8f98",
    "copy of the leader": "#8a8f98",
    "another take's follower": "#8a8f98",
    "stitching": "#b7791f",
}
_MODEL_COLOUR = "#0f766e"
LEGEND = f"↓ lower is better, → nearer the real partner's value is better; small: {CONFIDENCE:.0%} confidence interval"


@dataclass(frozen=True)
class PartReport:
    """The evaluation of one part of a data set.

    partners: by name.  ablations: metrics of the model without parts of its post-processing, by ablation.
    """

    recordings: list[str]
    partners: dict[str, PartnerEvaluation]
    ablations: dict[str, dict[str, Estimate]]


def print_report(console: Console, model: str, parts: Mapping[str, PartReport]) -> None:
    """Print the tables of each part."""
    for part, report in parts.items():
        console.rule(f"{part}: {', '.join(report.recordings)}")
        for table in report_tables(model, report):
            console.print(table)
    console.print(LEGEND)


def report_tables(model: str, report: PartReport) -> list[Table]:
    """Tables of one part: each group of metrics, errors, the response to other leaders, post-processing."""
    by_partner = {name: evaluation.metrics for name, evaluation in report.partners.items()}
    tables = [_table(title, [metric.name for metric in group], by_partner) for title, group in METRICS.items()]
    tables.append(_table("mean joint error from the real partner", tuple(_ERRORS), by_partner))
    responses = {
        f"{name}, with {_LEADERS[change]}": evaluation.with_other_leaders[change] if change else evaluation.metrics
        for name, evaluation in report.partners.items()
        if evaluation.with_other_leaders
        for change in _LEADERS
    }
    title = "response to the leader: beside the real leader, generated with"
    tables.append(_table(title, _LEADER_METRICS, responses))
    if report.ablations:
        rows = {name: by_partner[name] for name in (REAL, model)} | report.ablations
        tables.append(_table("ablation of post-processing", _POST_PROCESSING_METRICS, rows))
    return tables


def plot_partners(partners: Mapping[str, PartnerEvaluation], path: Path) -> None:
    """Plot metrics by partner with their confidence intervals into a PNG, the real partner's as a band too."""
    names = list(partners)
    figure, panels = pyplot.subplots(3, 4, figsize=(13, 8), dpi=110, sharey=True)
    for panel, metric in zip(panels.flat, _PLOTTED, strict=True):
        for row, name in enumerate(reversed(names)):
            estimate = partners[name].metrics[metric]
            colour = _COLOURS.get(name, _MODEL_COLOUR)
            ends = [estimate.low, estimate.high]
            panel.plot(ends, [row, row], color=colour, linewidth=3, alpha=0.4, solid_capstyle="round")
            panel.plot(estimate.value, row, "o", color=colour, markersize=6)
        real = partners[REAL].metrics[metric]
        panel.axvspan(real.low, real.high, color=_COLOURS[REAL], alpha=0.08)
        panel.set_title(HEADERS[metric].replace("\n", " "), fontsize=10)
        if metric in _LOGARITHMIC:
            panel.set_xscale("symlog", linthresh=10.0)
        panel.set_xlim(0, None)
        panel.set_yticks(range(len(names)), list(reversed(names)), fontsize=9)
        panel.grid(alpha=0.25, axis="x")
        panel.spines[["top", "right", "left"]].set_visible(False)
    figure.supxlabel("↓ lower is better   → nearer the real partner's value (band) is better", fontsize=10)
    figure.tight_layout()
    save_figure(figure, path)


def write_json(path: Path, model: str, parts: Mapping[str, PartReport]) -> None:
    """Write all metrics with their intervals as JSON, whole or not at all."""
    about = {
        "model": model,
        "fps": 30,
        "history": HISTORY,
        "interval": CONFIDENCE,
        "aims": {name: metric.aim for name, metric in _METRICS.items()},
    }
    text = json.dumps(
        {**about, **{part: _to_json(report) for part, report in parts.items()}}, indent=1, ensure_ascii=False
    )
    atomic_write_text(path, text)


def _to_json(report: PartReport) -> dict[str, Any]:
    return {
        "recordings": report.recordings,
        "partners": {name: _estimates_to_json(evaluation.metrics) for name, evaluation in report.partners.items()},
        "other leaders": {
            name: {change: _estimates_to_json(metrics) for change, metrics in evaluation.with_other_leaders.items()}
            for name, evaluation in report.partners.items()
            if evaluation.with_other_leaders
        },
        "unfinished": {name: _estimates_to_json(metrics) for name, metrics in report.ablations.items()},
    }


def _estimates_to_json(metrics: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: None if math.isnan(value) else round(value, 5) for key, value in asdict(estimate).items()}
        for name, estimate in metrics.items()
    }


def _table(title: str, columns: Sequence[str], rows: Mapping[str, Mapping[str, Estimate]]) -> Table:
    table = Table(
        "", *(HEADERS[name] for name in columns), title=title, title_justify="left", padding=(0, 1), show_lines=True
    )
    for name, metrics in rows.items():
        table.add_row(name, *(_cell(metrics[column]) for column in columns))
    return table


def _cell(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "-"
    return f"{_three_digits(estimate.value)}\n[dim]{_three_digits(estimate.low)}-{_three_digits(estimate.high)}[/dim]"


def _three_digits(value: float) -> str:
    if abs(value) >= 99999.5:
        return f"{value:.0e}"
    digits = 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2
    return f"{value:.{digits}f}"
