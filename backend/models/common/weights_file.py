"""Files of weights: safetensors that say which model they are of and how its network is shaped."""

import json
import os
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def save_weights(path: Path, model: str, config: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Write the file, whole or not at all."""
    partial = path.with_suffix(".partial")
    about = {"model": model, "config": json.dumps(config)}
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, partial, metadata=about)
    partial.chmod(0o644)  # safetensors lets nobody else read what it writes
    os.replace(partial, path)


def read_weights(path: Path, model: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The network's shape and the tensors. Raises ValueError for a file of another model."""
    with safe_open(path, framework="pt") as file:
        about = file.metadata() or {}
        if about.get("model") != model:
            found = about.get("model", "nothing known")
            raise ValueError(f"{path}: weights of {model} expected, those of {found} found")
        return json.loads(about["config"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
