"""How long a request will take: an estimate from its frames and takes, corrected by how long earlier ones took."""

import math
from dataclasses import dataclass

from backend.wire.messages import ComposeRequest, DanceRequest, PartnerRequest, Request

MODEL_FPS = 30.0
"""Frames a second that the models generate."""
_SECONDS_PER_FRAME = {"partner": 0.001, "dance": 0.0015, "compose": 0.0004}
"""s for a frame of the first take on two processor cores."""
_FURTHER_TAKE = 0.35
"""Cost of each further take, as a share of the first: takes are generated as one batch."""
_FIXED_SECONDS = 0.02
_CORRECTION_WEIGHT = 0.2
"""Weight of a request in the exponential moving average of its model's correction."""
_MAX_CORRECTION = math.log(100.0)


@dataclass(frozen=True)
class JobSize:
    """What a request's cost follows from.

    model: its name.  task: what it does.  frames: to generate or to read, at the models' rate.  takes: results.
    """

    model: str
    task: str
    frames: float
    takes: int = 1

    @property
    def rows(self) -> int:
        """Rows of a batch that the request fills."""
        return self.takes


def measure_job(request: Request) -> JobSize:
    """The size of a request. Time: O(1)."""
    match request:
        case PartnerRequest(leader=leader, history=history, direction=direction):
            frames = float(len(leader))
            if direction.redo is not None:
                frames = direction.redo[1] - direction.redo[0] + 1.0
            elif history is not None:
                frames = max(1.0, frames - len(history))
            return JobSize(request.model, "partner", frames / leader.fps * MODEL_FPS, request.takes)
        case DanceRequest():
            frames = float(request.score.seconds[-1]) * MODEL_FPS
            return JobSize(request.model, "dance", frames * (2.0 if request.duet else 1.0))
        case ComposeRequest(dancers=dancers):
            return JobSize(request.model, "compose", dancers[0].seconds * MODEL_FPS)


class CostEstimator:
    """Estimates the seconds of a job on a worker of its own, and learns from jobs that have ended how wrong that is."""

    def __init__(self) -> None:
        self._log_correction: dict[str, float] = {}

    def seconds(self, size: JobSize) -> float:
        """The estimated seconds of a job."""
        return _prior_seconds(size) * math.exp(self._log_correction.get(size.model, 0.0))

    def learn(self, size: JobSize, seconds: float) -> None:
        """Correct the estimates of a model by a job that ran alone for so many seconds."""
        error = math.log(max(seconds, 1e-3) / _prior_seconds(size))
        before = self._log_correction.get(size.model)
        weight = 1.0 if before is None else _CORRECTION_WEIGHT
        correction = (1.0 - weight) * (before or 0.0) + weight * error
        self._log_correction[size.model] = min(max(correction, -_MAX_CORRECTION), _MAX_CORRECTION)


def _prior_seconds(size: JobSize) -> float:
    takes = 1.0 + _FURTHER_TAKE * (size.takes - 1)
    return _FIXED_SECONDS + _SECONDS_PER_FRAME[size.task] * size.frames * takes
