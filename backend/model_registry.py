"""The models by name, and where their weights are; torch is loaded only by the modules in here."""

import os
from collections.abc import Sequence
from pathlib import Path

MODELS: tuple[str, ...] = ("partner-flow", "duet-vae")
"""Those that dance a partner. The first is the one that dances where none is named."""
DANCERS: tuple[str, ...] = ("dance-flow", "choreo-bridge")
"""Those that dance to music, the first where none is named."""
COMPOSERS: tuple[str, ...] = ("score-flow", "choreo-bridge")
"""Those that compose music for a dance, the first where none is named."""
ALL: tuple[str, ...] = tuple(dict.fromkeys((*MODELS, *DANCERS, *COMPOSERS)))
WEIGHTS = Path(__file__).resolve().parent / "weights"
WEIGHTS_VARIABLE = "PASDEDEUX_WEIGHTS"
"""The environment variable with a folder, such as a training run's, whose weights come before the shipped ones."""


def weights_path(model: str, fitting: Sequence[str] = ALL) -> Path:
    """The weights of a model, of those `fitting` what is to be done.

    Raises ValueError for a name that is none of theirs, and a folder that is none.
    """
    if model not in fitting:
        found = "it does something else" if model in ALL else "no such model"
        raise ValueError(f"model {model}: {found}, one of {', '.join(fitting)} expected")
    name = f"{model}.safetensors"
    own = os.environ.get(WEIGHTS_VARIABLE)
    if own and not Path(own).is_dir():
        raise ValueError(f"{WEIGHTS_VARIABLE}={own}: a folder with {name} expected")
    return Path(own, name) if own and Path(own, name).exists() else WEIGHTS / name
