"""The models by name, and where their weights are; torch is loaded only by the modules in here."""

import os
from pathlib import Path

MODELS: tuple[str, ...] = ("partner-flow", "duet-vae")
"""The first is the one that dances where none is named."""
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"
OWN = "PASDEDEUX_WEIGHTS"
"""The environment variable with a folder, such as a training run's, whose weights come before the shipped ones."""


def weights_of(model: str) -> Path:
    """The weights of a model. Raises ValueError for a name that there is none of, and a folder that is none."""
    if model not in MODELS:
        raise ValueError(f"model {model}: no such model, one of {', '.join(MODELS)} expected")
    name = f"{model}.safetensors"
    own = os.environ.get(OWN)
    if own and not Path(own).is_dir():
        raise ValueError(f"{OWN}={own}: a folder with {name} expected")
    return Path(own, name) if own and Path(own, name).exists() else WEIGHTS / name
