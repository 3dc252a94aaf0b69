"""Models that fail in the ways that a worker must survive; the seed of a request says how."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.model_registry import REGISTRY as SHIPPED
from backend.model_registry import ModelRegistry
from backend.wire.messages import Cancelled, PartnerRequest, PreviewCallback
from rigs.motion import Motion

STEPS, ENDLESS, CRASH, EXIT, ALLOCATE, STAND_STILL, NOT_FINITE, REFUSE, PRINT = range(9)


class UnusableError(BaseException):
    """An exception that `except Exception` does not catch."""


class FaultPipeline:
    """Copies the leader, unless the seed says otherwise."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        print("a library prints")

    def partner(
        self,
        request: PartnerRequest,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: PreviewCallback,
    ) -> list[Motion]:
        leader = request.leader
        if request.seed == CRASH:
            raise UnusableError("the model is broken")
        if request.seed == EXIT:
            os._exit(3)
        if request.seed == ALLOCATE:
            self.held = [np.ones(2**22) for _ in range(20)]
            time.sleep(60.0)
        if request.seed == STAND_STILL:
            time.sleep(60.0)
        if request.seed == NOT_FINITE:
            return [Motion(leader.fps, leader.skeleton, np.full_like(leader.root, np.nan), leader.rotations)]
        if request.seed == REFUSE:
            raise ValueError("leader: another one expected")
        if request.seed == PRINT:
            os.write(1, b"a library prints\n")
        for step in range(10 if request.seed == STEPS else 100000 if request.seed == ENDLESS else 1):
            if cancelled():
                raise Cancelled
            progress(min(step / 10.0, 0.99), "copying")
            time.sleep(0.02)
        return [leader]


REGISTRY = ModelRegistry(
    replace(spec, pipeline=f"{__name__}:FaultPipeline", network="") for spec in SHIPPED if "partner" in spec.tasks
)
