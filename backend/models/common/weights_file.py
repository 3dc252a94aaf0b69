"""Weight files: safetensors whose metadata names the model and the configuration of its network."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from rigs import Array
from rigs.files.atomic_write import atomic_path


def save_weights(path: Path, model: str, config: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Write a weight file, whole or not at all."""
    metadata = {"model": model, "config": json.dumps(config)}
    with atomic_path(path) as temporary:
        contiguous = {name: np.asarray(values, order="C") for name, values in tensors.items()}
        save_file(contiguous, temporary, metadata=metadata)
        temporary.chmod(0o644)  # safetensors makes files that only their owner can read


def read_metadata(path: Path, models: Sequence[str]) -> Mapping[str, str]:
    """Read the metadata of a weight file, "model" among them. Raises ValueError unless it is of one of these models."""
    names = " or ".join(models)
    try:
        with safe_open(path, framework="np") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file, weights of {names} expected") from None
    except (OSError, SafetensorError):
        raise ValueError(f"{path}: a .safetensors file with weights of {names} expected") from None
    model = metadata.get("model", "an unknown model")
    if model not in models:
        raise ValueError(f"{path}: weights of {names} expected, those of {model} found")
    return metadata


@contextmanager
def open_weights(
    path: Path, model: str, *, legacy_keys: Mapping[str, str] = {}, legacy_config: Mapping[str, str] = {}
) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    """Read the network's configuration and its state dict, for a block that builds the network from them.

    Raises ValueError for what is no weight file of the model, and if the block finds that they do not fit the network.
    Files of earlier versions load under today's names:  legacy_keys: old module names in the state dict and what
    replaces them, see `rename_keys`.  legacy_config: the same for configuration fields, nested ones too.
    """
    metadata = read_metadata(path, [model])
    try:
        config = _rename_fields(json.loads(metadata["config"]), legacy_config)
        tensors = load_file(path)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        raise wrong_version(path, model) from None
    expect_finite(path, tensors)
    try:
        yield config, rename_keys(tensors, legacy_keys)
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError):
        raise wrong_version(path, model) from None


def expect_finite(path: Path, tensors: Mapping[str, Array]) -> None:
    """Raise ValueError for weights that are no finite numbers."""
    for name, values in tensors.items():
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ValueError(f"{path}: finite weights expected, {name} has values that are not")


def wrong_version(path: Path, model: str) -> ValueError:
    """The error of a weight file that does not fit its network."""
    return ValueError(f"{path}: weights of this version's {model} expected, those of another version found")


def rename_keys(tensors: Mapping[str, Array], names: Mapping[str, str]) -> dict[str, Array]:
    """Rename the modules of a state dict from an earlier version.

    names: old to new, whole parts of a dotted key: {"look": "qkv"} turns `layers.0.look.bias` into `layers.0.qkv.bias`.
    Several parts, as in {"coders.drums.look": ...}, narrow it down; the longer name wins. What was replaced is not
    replaced again, and no new name may be an old one too, so that today's files pass unchanged.
    """
    if not names:
        return dict(tensors)
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"(?<![^.])({'|'.join(map(re.escape, longest_first))})(?![^.])")
    return {pattern.sub(lambda old: names[old[0]], key): tensor for key, tensor in tensors.items()}


def _rename_fields(config: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        names.get(name, name): _rename_fields(value, names) if isinstance(value, dict) else value
        for name, value in config.items()
    }
