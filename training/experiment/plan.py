"""Plan files: the TOML that says of a training what is augmented, what is lost by what, and how it is optimised."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from rigs.files import BadFile

Plan = TypeVar("Plan")


def read_plan(config: Path, kind: type[Plan]) -> tuple[dict[str, Any], Plan]:
    """A plan file: all its tables, and a `kind` of those that steer the steps. Raises BadFile.

    kind: a dataclass whose fields are the settings under [augment], [loss] and [optimise], no more and no fewer.
    """
    try:
        tables = tomllib.loads(config.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise BadFile(f"{config}: a TOML plan expected, {error}") from None
    steering = {**tables.get("augment", {}), **tables.get("loss", {}), **tables.get("optimise", {})}
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    if set(steering) != names:
        odd = ", ".join(sorted(set(steering) ^ names))
        raise BadFile(f"{config}: missing or unknown settings: {odd}")
    return tables, kind(**steering)
