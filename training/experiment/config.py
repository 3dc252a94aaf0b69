"""Training configurations: reads `configs/MODEL.toml` into a dataclass of the model's hyperparameters."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from rigs.files import BadFile

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

Config = TypeVar("Config")


def read_tables(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises BadFile."""
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{path}: a TOML file expected, {error}") from None


def read_config(path: Path, kind: type[Config]) -> tuple[dict[str, Any], Config]:
    """Read a training configuration: all its tables, and its hyperparameters as a `kind`. Raises BadFile.

    kind: a dataclass whose fields are the settings under [augment], [loss] and [optimise], no more and no fewer; a
    field's metadata "key" is the setting's name where that is another one.
    """
    tables = read_tables(path)
    settings: dict[str, Any] = {}
    for table in ("augment", "loss", "optimise"):
        settings |= tables.get(table, {})
    names = {field.metadata.get("key", field.name): field.name for field in fields(kind)}  # type: ignore[arg-type]
    if settings.keys() != names.keys():
        odd = ", ".join(sorted(settings.keys() ^ names.keys()))
        raise BadFile(f"{path}: missing or unknown settings: {odd}")
    return tables, kind(**{names[key]: value for key, value in settings.items()})


def override(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Configuration tables with other values for some settings, each named "table.name".

    Raises BadFile for a setting that the configuration lacks.
    """
    result = {name: dict(table) for name, table in tables.items()}
    for place, value in settings.items():
        table, _, name = place.partition(".")
        if name not in result.get(table, {}):
            raise BadFile(f"{place}: a setting of the training configuration expected")
        result[table][name] = value
    return result
