"""A model that exists for a test only: its pipeline, its training and its evaluation, in one module."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from backend.model_registry import REGISTRY, ModelRegistry, ModelSpec
from backend.wire.messages import PartnerRequest, PreviewCallback
from rigs.motion import Motion, translate

SPEC = ModelSpec(
    name="shadow",
    label="Shadow",
    tasks={"partner": "Copies the leader one metre to the side"},
    pipeline=f"{__name__}:ShadowPipeline",
    roles=("follow",),
    training=__name__,
    learns_from="music pairs",
    evaluation=__name__,
)
REGISTERED = ModelRegistry([*(spec for spec in REGISTRY if spec.name != SPEC.name), SPEC])
"""The shipped models and this one, as a server's workers import them."""


def register() -> None:
    """Add the model to this process's registry."""
    REGISTRY.register(SPEC)


class ShadowPipeline:
    """Copies the leader."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        pass

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: PreviewCallback,
    ) -> list[Motion]:
        progress(1.0, "copying")
        return [translate(request.leader, np.array([1.0, 0.0, 0.0]))] * request.takes


def train(data: Path, out: Path, config: Path, *, resume: bool) -> None:
    out.mkdir(exist_ok=True)
    (out / "shadow.safetensors").touch()


def evaluate(data: Path, *, json: Path | None, parts: Sequence[str]) -> str:
    print(f"shadow on {', '.join(parts)} of {data}")
    return "evaluated"
