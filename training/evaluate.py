"""Evaluate a model on held-out recordings: `pasdedeux evaluate --data DIR --model NAME`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backend.model_registry import REGISTRY
from rigs.files import BadFile
from training.data.duets import HELD_OUT
from training.evaluation.partner_model import evaluate_partner_model


def evaluate(
    data: Path, model: str, json: Path | None = None, plot: Path | None = None, parts: Sequence[str] = HELD_OUT
) -> Any:
    """Print the metrics of a model on the held-out recordings of a folder and return them, as its own evaluation does.

    json, plot: files for the metrics and, for a partner model, for a picture of them.  parts: of "validation" and
    "test".  Raises BadFile.
    """
    spec = REGISTRY.get(model)
    if not spec.evaluation:
        return evaluate_partner_model(model, data, json=json, plot=plot, parts=parts)
    if plot is not None:
        raise BadFile(f"--plot: a model that generates partners expected, {model} has no picture")
    return spec.import_evaluation().evaluate(data, json=json, parts=parts)
