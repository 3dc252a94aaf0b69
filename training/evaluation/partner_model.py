"""Evaluation of one partner model on a folder of duets: split, measure, print, write."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from backend.model_registry import REGISTRY
from training.data.duets import HELD_OUT, DuetSplit, find_duets, split_duets
from training.evaluation import baselines
from training.evaluation.partner_evaluation import evaluate_partners, train_partner_classifiers
from training.evaluation.report import PartReport, plot_partners, print_report, write_json
from training.experiment.config import CONFIGS, read_tables


def evaluate_partner_model(
    model: str,
    data: Path,
    *,
    json: Path | None = None,
    plot: Path | None = None,
    parts: Sequence[str] = HELD_OUT,
    takes: int = 3,
) -> dict[str, PartReport]:
    """Print the metrics of a model on the validation and the test recordings of a folder of duets; return them by part.

    The model's training configuration says which recordings are which.  json, plot: files for the metrics and for a
    picture of the last part's.  takes: long takes of a request that are measured.  Raises BadFile.
    """
    console = Console(width=None if Console().is_terminal else 220)
    split = configured_split(data, model)
    published = [spec.name for spec in REGISTRY if spec.published and "partner" in spec.tasks]
    models = [baselines.model_generator(name) for name in dict.fromkeys((model, *published))]
    ablations = baselines.post_processing_ablations(model)
    reports = {}
    with console.status("") as status:
        classifiers = train_partner_classifiers(models, split.train, status.update)
        for part in parts:
            duets = getattr(split, part)
            partners = [*models, *ablations]
            evaluations = evaluate_partners(partners, split.train, duets, classifiers, status.update, takes)
            without_parts = {ablation.name: evaluations.pop(ablation.name).metrics for ablation in ablations}
            reports[part] = PartReport(sorted({duet.name for duet in duets}), evaluations, without_parts)
    print_report(console, model, reports)
    if json is not None:
        write_json(json, model, reports)
    if plot is not None:
        plot_partners(reports[parts[-1]].partners, plot)
    return reports


def configured_split(data: Path, model: str) -> DuetSplit:
    """The duets of a folder, split as the model's training configuration says, if it has one, else by name."""
    config = CONFIGS / f"{model}.toml"
    recordings = read_tables(config)["data"] if config.exists() else {"validation": [], "test": []}
    return split_duets(find_duets(data), recordings["validation"], recordings["test"])
