"""One trial of a hyperparameter sweep: choose settings from a search space, and train a model with them."""

import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import optuna

from backend.model_registry import REGISTRY
from rigs.files import BadFile
from rigs.files.atomic_write import atomic_write_text
from training.experiment.config import override, read_tables

Space = Mapping[str, Sequence[Any]]
"""The values of each setting searched, by "table.name"."""


def read_space(path: Path) -> Space:
    """Read a search space: the values of each setting. Raises BadFile."""
    space = {}
    for table, settings in read_tables(path).items():
        for name, values in settings.items() if isinstance(settings, Mapping) else [("", settings)]:
            if not isinstance(values, list) or not values:
                raise BadFile(f"{path}, {table}.{name}: a list of values expected")
            space[f"{table}.{name}"] = values
    if not space:
        raise BadFile(f"{path}: at least one setting to search expected")
    return space


def suggest(trial: optuna.Trial, search: str, space: Space) -> dict[str, Any]:
    """Choose a trial's settings: one of the values of each, or in Bayes a number between the least and the greatest."""
    settings: dict[str, Any] = {}
    for name, values in space.items():
        if search == "bayes" and len(values) > 1 and all(isinstance(value, float) for value in values):
            low, high = min(values), max(values)
            settings[name] = trial.suggest_float(name, low, high, log=low > 0.0)
        else:
            settings[name] = trial.suggest_categorical(name, values)
    return settings


def train_trial(model: str, data: Path, config: Path, settings: Mapping[str, Any], folder: Path) -> float:
    """Train a model with other settings in a trial's folder, from its last checkpoint; the best validation metric.

    Exits the process on SIGTERM, and on bad data with its message.
    """
    from training.experiment.fit import BEST, LAST, Interrupted  # lightning takes seconds to load

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    trial_config = folder / "config.toml"
    atomic_write_text(trial_config, _toml(override(read_tables(config), settings)))
    task = REGISTRY.get(model).import_training()
    try:
        with (folder / "log.txt").open("a") as log, redirect_stdout(log), redirect_stderr(log):
            metric = float(task.train(data, folder, trial_config, resume=(folder / LAST).exists(), trial=True))
    except Interrupted:
        sys.exit(128 + signal.SIGTERM)  # the trial stays a running one without heartbeats, which is retried
    except BadFile as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for name in (LAST, BEST):
        (folder / name).unlink(missing_ok=True)
    return metric


def _toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of numbers, strings and lists as TOML, whose values are written as JSON's are."""
    return "\n".join(
        f"[{table}]\n" + "".join(f"{name} = {json.dumps(value, ensure_ascii=False)}\n" for name, value in rows.items())
        for table, rows in tables.items()
    )
