"""A stand-in for the partner models: it generates in blocks, previews them, and prints how it is directed."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend import server
from backend.cli import main
from backend.model_registry import REGISTRY, ModelRegistry
from backend.wire.messages import Cancelled, PartnerRequest, PreviewCallback
from rigs.motion import Motion, mirror, resample, translate

BLOCK = 8
FPS = 30.0
PAUSE = 0.05
"""Seconds that a block takes."""


class BlockPipeline:
    """Generates what `dance` returns, or returns the draft as it is."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        pass

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: PreviewCallback,
    ) -> list[Motion]:
        print(request.direction, flush=True)
        leader = request.leader
        takes = [dance(leader, take) for take in range(1, request.takes + 1)]
        for first in range(0, len(takes[0]), BLOCK):
            if cancelled():
                raise Cancelled
            progress(first / len(takes[0]), "dancing")
            for take, motion in enumerate(takes, start=1):
                preview(take, first, motion[first : first + BLOCK])
            time.sleep(PAUSE)
        return [request.draft or resample(motion, leader.fps, len(leader)) for motion in takes]


SPECS = [
    replace(spec, pipeline=f"{__name__}:BlockPipeline", network="", previews=True)
    for spec in REGISTRY
    if "partner" in spec.tasks
]
"""The partner models, with this pipeline instead of their own."""
MODELS = ModelRegistry(SPECS)


def dance(leader: Motion, take: int) -> Motion:
    """The mirrored leader, further away in each take, at 30 frames a second."""
    return translate(mirror(resample(leader, FPS)), np.array([0.0, -1.0 * take, 0.0]))


def serve() -> None:
    """The server with these models."""
    server.serve("tcp://127.0.0.1:*", registry=f"{__name__}:MODELS")


def command(*arguments: str) -> int:
    """The `pasdedeux` command with these models in its process."""
    for spec in SPECS:
        REGISTRY.register(spec, replace=True)
    return main.main(arguments)
