"""How good a model is on duets it has not seen, beside what costs nothing and beside the real partner.

`pasdedeux evaluate --data DIR --model NAME` prints it; what is measured is in `training.evaluation`.
"""

import json as jsonlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from backend.model_registry import MODELS
from rigs.files import BadFile
from rigs.files.atomic_write import atomic_write_text
from training.data.duets import Split, find_duets, split_duets
from training.evaluation import baselines, partner_evaluation
from training.evaluation.confidence_intervals import CONFIDENCE, Estimate
from training.evaluation.partner_evaluation import BEST_OF, HORIZONS, PartnerEvaluation
from training.evaluation.partner_metrics import METRICS
from training.experiment.figure_plots import plot_partner_evaluation

CONFIGS = Path(__file__).resolve().parent / "configs"
PARTS = ("validation", "test")
TRANSLATORS = {
    "dance-flow": "training.dance_flow.evaluate",
    "score-flow": "training.score_flow.evaluate",
    "choreo-bridge": "training.choreo_bridge.evaluate",
}
"""The models between music and dance, and the modules whose `evaluate` measures them on a folder of pairs."""
_TRUTH = (*(f"after {h / 30:.1f} s" for h in HORIZONS), f"best of {BEST_OF}", "takes apart")
_WHOM = {"": "the leader", "swapped": "another leader", "late": "the leader 1 s late", "gone": "a leader who stands"}
_RESPONSE = (
    "Fréchet cross-dancer",
    "cross-dancer, this take",
    "told apart",
    "distance moved",
    "facing moved",
    "hand in hand",
    "overlap",
    "penetration",
    "BED",
)
_FINISHED = (
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


def evaluate(
    data: Path,
    model: str,
    json: Path | None = None,
    plot: Path | None = None,
    parts: Sequence[str] = PARTS,
    takes: int = 3,
) -> dict[str, dict[str, PartnerEvaluation]]:
    """Print what the judge finds of a model on the validation and the test recordings of a folder of duets.

    data: the folder; the model's plan says which recordings are which.  json, plot: files for the figures and for a
    picture of them.  parts: which of them.  takes: long takes of a request that are measured.
    Returns by part and partner what is found; nothing for a translator, which has tables of its own. Raises BadFile.
    """
    if model in TRANSLATORS:
        if plot is not None:
            raise BadFile(f"--plot: a model of partners expected, {model} has no picture")
        import_module(TRANSLATORS[model]).evaluate(data, json=json, parts=parts)
        return {}
    console = Console(width=None if Console().is_terminal else 220)
    split = configured_split(data, model)
    models = [baselines.model_generator(name) for name in dict.fromkeys((model, MODELS[-1]))]
    found, without = {}, {}
    with console.status("") as status:

        def say(what: str) -> None:
            status.update(what)

        known = partner_evaluation.train_partner_classifiers(models, split.train, say)
        for part in parts:
            duets = getattr(split, part)
            found[part] = partner_evaluation.evaluate_partners(models, split.train, duets, known, say, takes)
            unfinished = baselines.post_processing_ablations(model)
            without[part] = partner_evaluation.evaluate_ablations(unfinished, split.train, duets, known[model], say, takes)
    for part in parts:
        recordings = _recordings(split, part)
        console.rule(f"{part}: {', '.join(recordings)}")
        for table in tables(found[part]):
            console.print(table)
        if without[part]:
            rows = {partner_evaluation.REAL: found[part][partner_evaluation.REAL].figures, model: found[part][model].figures}
            console.print(_table("what finishing does", _with_units(_FINISHED), {**rows, **without[part]}))
    if json is not None:
        of_parts = {
            part: {
                "recordings": _recordings(split, part),
                **_plain(found[part]),
                "unfinished": {name: _listed(figures) for name, figures in without[part].items()},
            }
            for part in parts
        }
        about = {"model": model, "fps": 30, "history": partner_evaluation.HISTORY, "interval": CONFIDENCE}
        atomic_write_text(json, jsonlib.dumps({**about, **of_parts}, indent=1, ensure_ascii=False))
    if plot is not None:
        plot_partner_evaluation({name: judged.figures for name, judged in found[parts[-1]].items()}, plot)
    return found


def configured_split(data: Path, model: str) -> Split:
    """The duets of a folder dealt out as the model's plan says."""
    names = tomllib.loads((CONFIGS / f"{model}.toml").read_text())["data"]
    return split_duets(find_duets(data), names["validation"], names["test"])


def tables(found: Mapping[str, PartnerEvaluation]) -> list[Table]:
    """What is found of one part's partners, as tables to print: a figure over its interval."""
    of_partners = {name: judged.metrics for name, judged in found.items()}
    groups = {title: [(m.name, m.unit) for m in measures] for title, measures in METRICS.items()}
    groups["where the real partner is, cm"] = [(name, "") for name in _TRUTH]
    printed = [_table(title, columns, of_partners) for title, columns in groups.items()]
    responses = {
        f"{name}, with {_WHOM[change]}": judged.with_other_leaders[change] if change else judged.metrics
        for name, judged in found.items()
        if judged.with_other_leaders
        for change in _WHOM
    }
    printed.append(_table("beside the leader, having danced with", _with_units(_RESPONSE), responses))
    return printed


def _with_units(names: Sequence[str]) -> list[tuple[str, str]]:
    units = {m.name: m.unit for measures in METRICS.values() for m in measures}
    return [(name, units[name]) for name in names]


def _table(title: str, columns: Sequence[tuple[str, str]], rows: Mapping[str, Mapping[str, Estimate]]) -> Table:
    table = Table(title, *(f"{name}\n{unit}".strip() for name, unit in columns), padding=(0, 1), show_lines=True)
    for name, figures in rows.items():
        table.add_row(name, *(_cell(figures[column]) for column, _ in columns))
    return table


def _cell(figure: Estimate) -> str:
    if math.isnan(figure.value):
        return "-"
    return f"{_short(figure.value)}\n[dim]{_short(figure.low)}-{_short(figure.high)}[/dim]"


def _short(value: float) -> str:
    """Three digits, as far as there are any."""
    digits = 0 if abs(value) >= 99.5 else 1 if abs(value) >= 9.95 else 2
    return f"{value:.{digits}f}"


def _listed(figures: Mapping[str, Estimate]) -> dict[str, dict[str, float | None]]:
    return {
        name: {part: None if math.isnan(value) else round(value, 5) for part, value in asdict(figure).items()}
        for name, figure in figures.items()
    }


def _plain(found: Mapping[str, PartnerEvaluation]) -> dict[str, Any]:
    return {
        "partners": {name: _listed(judged.metrics) for name, judged in found.items()},
        "other leaders": {
            name: {change: _listed(figures) for change, figures in judged.with_other_leaders.items()}
            for name, judged in found.items()
            if judged.with_other_leaders
        },
    }


def _recordings(split: Split, part: str) -> list[str]:
    return sorted({duet.name for duet in getattr(split, part)})
