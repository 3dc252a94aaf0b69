"""An engine whose dancer is no model: it dances in blocks, shows them, and prints how it is directed."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

import backend.engine
from backend import server
from backend.cli import main
from backend.engine import Engine, Preview
from backend.protocol import Cancelled, PartnerRequest
from rigs.motion import Motion, mirror, resample, translate

BLOCK = 8
FPS = 30.0
PAUSE = 0.05
"""Seconds that a block takes."""


class BlockDancer:
    """Dances what `dance` says, or takes the draft as it is."""

    def takes(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Preview,
    ) -> list[Motion]:
        print(request.direction, flush=True)
        leader = request.leader
        made = [dance(leader, take) for take in range(1, request.takes + 1)]
        for first in range(0, len(made[0]), BLOCK):
            if cancelled():
                raise Cancelled
            progress(first / len(made[0]), "dancing")
            for take, motion in enumerate(made, start=1):
                preview(take, first, motion[first : first + BLOCK])
            time.sleep(PAUSE)
        return [request.draft or resample(motion, leader.fps, len(leader)) for motion in made]


class BlockEngine(Engine):
    """The engine with the block dancer under every model's name."""

    def load(self, model: str = "") -> Any:
        return BlockDancer()


def dance(leader: Motion, take: int) -> Motion:
    """The mirrored leader, further away in each take, at 30 frames a second."""
    return translate(mirror(resample(leader, FPS)), np.array([0.0, -1.0 * take, 0.0]))


def serve() -> None:
    """The server with this engine."""
    server.Engine = BlockEngine  # type: ignore[attr-defined]
    server.serve("tcp://127.0.0.1:*")


def command(*arguments: str) -> int:
    """The `pasdedeux` command with this engine in its process."""
    backend.engine.Engine = BlockEngine  # type: ignore[misc]
    return main.main(arguments)
