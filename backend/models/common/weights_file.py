"""Weight files: safetensors whose metadata names the model and the configuration of its network."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rigs.files.atomic_write import atomic_path


def save_weights(path: Path, model: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write a weight file, whole or not at all."""
    metadata = {"model": model, "config": json.dumps(config)}
    with atomic_path(path) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary, metadata=metadata)
        temporary.chmod(0o644)  # safetensors makes files that only their owner can read


def read_weights(
    path: Path, model: str, *, legacy_keys: Mapping[str, str] = {}, legacy_config: Mapping[str, str] = {}
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the network's configuration and its state dict. Raises ValueError for a file of another model.

    Files of earlier versions load under today's names:  legacy_keys: old module names in the state dict and what
    replaces them, see `rename_keys`.  legacy_config: the same for configuration fields, nested ones too.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("model") != model:
            other = metadata.get("model", "an unknown model")
            raise ValueError(f"{path}: weights of {model} expected, those of {other} found")
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return _rename_fields(json.loads(metadata["config"]), legacy_config), rename_keys(tensors, legacy_keys)


def rename_keys(tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> dict[str, Tensor]:
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
