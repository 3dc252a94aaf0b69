"""Takes of every model by ONNX Runtime and by torch: the same dance and the same notes for equal seeds."""

from typing import Any

import numpy as np
import pytest

from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.models.common.runtime import TORCH_CPU
from backend.music.score import Note, Score, part_from_notes
from backend.wire.messages import ComposeRequest, DanceRequest, PartnerRequest, Request
from rigs.sample_dance.salsa import sample_dance

MAX_DISTANCE = 1e-3
"""m between the joints of equal takes."""
BEATS = [Note(36, 90, step, step + 1) for step in range(0, 64, 4)]
REST = part_from_notes([], 64)
DANCER = sample_dance()
REQUESTS: dict[str, Any] = {
    "partner": lambda model: PartnerRequest(DANCER[:90], model=model, seed=3),
    "dance": lambda model: DanceRequest(
        Score(part_from_notes(BEATS, 64), REST, REST, np.arange(65) / 8), model=model, seed=3
    ),
    "compose": lambda model: ComposeRequest((DANCER,), model=model, seed=3),
}
CASES = [REQUESTS[task](spec.name) for spec in REGISTRY for task in spec.tasks]


@pytest.mark.parametrize("request_", CASES, ids=lambda request: f"{request.model}-{request.task}")
def test_both_runtimes_give_the_same_take(request_: Request) -> None:
    ours, reference = (Engine(accelerator).answer(request_) for accelerator in ("cpu", TORCH_CPU))
    if isinstance(request_, ComposeRequest):
        assert notes(ours) == notes(reference)
        assert notes(ours)
    else:
        (take,), (expected,) = ours.takes, reference.takes
        assert np.linalg.norm(take.positions - expected.positions, axis=-1).max() < MAX_DISTANCE


def notes(result: Any) -> list[tuple[str, int, int, int]]:
    """Part, step, pitch and velocity of each note's onset in a composed score."""
    return [
        (name, int(step), int(pitch), int(part.velocity[step, pitch]))
        for name, part in result.score.parts.items()
        for step, pitch in zip(*np.nonzero(part.onset), strict=True)
    ]
