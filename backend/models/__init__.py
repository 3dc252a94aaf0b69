"""The models by name, and where their weights are; torch is loaded only by the modules in here."""

from pathlib import Path

MODELS: tuple[str, ...] = ("duet-vae",)
WEIGHTS = Path(__file__).resolve().parent.parent / "weights"


def weights_of(model: str) -> Path:
    """The weights that ship for a model. Raises ValueError for a name that there is none of."""
    if model not in MODELS:
        raise ValueError(f"model {model}: no such model, one of {', '.join(MODELS)} expected")
    return WEIGHTS / f"{model}.safetensors"
