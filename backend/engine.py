"""The engine: loads models and answers requests. The only way from the rest of the backend to torch.

engine = Engine()
takes = engine.partner(PartnerRequest(leader, seed=1))
(dancer,) = engine.dance(DanceRequest(score, seed=1))
score = engine.compose(ComposeRequest((dancer,)))
"""

from collections import defaultdict
from collections.abc import Callable
from threading import Lock
from typing import Any

from backend.model_registry import REGISTRY, ModelRegistry, ModelSpec
from backend.music.score import Score
from backend.wire.direction import Direction, expect_direction_support
from backend.wire.messages import (
    ComposeRequest,
    ComposeResult,
    DanceRequest,
    MotionResult,
    PartnerRequest,
    PreviewCallback,
    ProgressCallback,
    Request,
    never_cancelled,
    no_preview,
    no_progress,
)
from backend.wire.validation import ProtocolError
from rigs.motion import Motion, resample

_FIRST_DANCER = 0.5
"""Share of a duet's work that the first dancer is."""


class InvalidResult(RuntimeError):
    """A model has generated what is no movement or no music; one sentence."""


class InvalidWeights(ValueError):
    """A model's weights file is missing, or is none of the model; one sentence."""


def model_for(request: Request, registry: ModelRegistry = REGISTRY) -> ModelSpec:
    """The model that a request names. Raises ValueError if there is none, or if it cannot do what is requested."""
    spec = registry.get(request.model, request.task)
    if isinstance(request, PartnerRequest):
        if request.role not in spec.roles:
            raise ValueError(f"role: {' or '.join(spec.roles)} expected for {spec.name}, {request.role} found")
        expect_direction_support(spec.name, request.direction, request.draft, registry)
    return spec


class Engine:
    """Answers requests with the models of a registry, each of which is loaded when it is first needed and kept.

    accelerator: "auto" for a GPU where there is one, or a torch device's name.
    """

    def __init__(self, accelerator: str = "auto", registry: ModelRegistry = REGISTRY) -> None:
        self.accelerator = accelerator
        self.registry = registry
        self._pipelines: dict[str, Any] = {}
        self._locks: dict[str, Lock] = defaultdict(Lock)

    def load(self, model: str) -> Any:
        """The pipeline of a model. Raises ValueError for an unknown one, InvalidWeights, and what torch raises."""
        spec = self.registry.get(model)
        with self._locks[model]:  # threads may need it at once
            if model not in self._pipelines:
                try:
                    self._pipelines[model] = spec.load_pipeline(self.accelerator)
                except ValueError as error:
                    raise InvalidWeights(str(error)) from None
        return self._pipelines[model]

    def load_for(self, request: Request) -> None:
        """Load the models that a request needs."""
        self.load(request.model)
        if isinstance(request, DanceRequest) and request.duet:
            self.load(self.registry.default("partner"))

    def answer(
        self,
        request: Request,
        *,
        progress: ProgressCallback = no_progress,
        cancelled: Callable[[], bool] = never_cancelled,
        preview: PreviewCallback = no_preview,
    ) -> MotionResult | ComposeResult:
        """The result of a request: as `partner`, `dance` or `compose`. Raises InvalidResult too."""
        try:
            if isinstance(request, PartnerRequest):
                takes = self.partner(request, progress=progress, cancelled=cancelled, preview=preview)
            elif isinstance(request, DanceRequest):
                takes = self.dance(request, progress=progress, cancelled=cancelled)
            else:
                return ComposeResult(self.compose(request, progress=progress, cancelled=cancelled))
            return MotionResult(tuple(takes))
        except ProtocolError as error:
            raise InvalidResult(f"{request.model}: {error}") from None

    def partner(
        self,
        request: PartnerRequest,
        *,
        progress: ProgressCallback = no_progress,
        cancelled: Callable[[], bool] = never_cancelled,
        preview: PreviewCallback = no_preview,
    ) -> list[Motion]:
        """The takes of a request, each with the leader's frame rate and frame count.

        progress: called with the fraction done and what is being done.  cancelled: polled; true ends the work.
        preview: called with frames as they are generated, before post-processing, in the leader's world and at the
        model's rate; by models that generate block by block, and only if the request says so.
        Raises Cancelled, and ValueError if no model can do what is requested.
        """
        spec = model_for(request, self.registry)
        preview = preview if request.preview and spec.previews else no_preview
        takes: list[Motion] = self.load(spec.name).partner(request, progress, cancelled, preview)
        return takes

    def dance(
        self,
        request: DanceRequest,
        *,
        progress: ProgressCallback = no_progress,
        cancelled: Callable[[], bool] = never_cancelled,
    ) -> list[Motion]:
        """The dancer to the music of a request and, in a duet, the partner, who follows; with the request's frames.

        progress, cancelled and exceptions: as in `partner`.
        """
        share = _FIRST_DANCER if request.duet else 1.0
        pipeline = self.load(model_for(request, self.registry).name)
        motion: Motion = pipeline.dance(request, _part_of(progress, 0.0, share), cancelled)
        dancer = resample(motion, request.fps, request.frames)
        if not request.duet:
            progress(1.0, "done")
            return [dancer]
        follower = PartnerRequest(
            dancer,
            model=self.registry.default("partner"),
            seed=request.seed,
            direction=Direction(energy=request.energy),
        )
        return [dancer, *self.partner(follower, progress=_part_of(progress, share, 1.0), cancelled=cancelled)]

    def compose(
        self,
        request: ComposeRequest,
        *,
        progress: ProgressCallback = no_progress,
        cancelled: Callable[[], bool] = never_cancelled,
    ) -> Score:
        """The music to the dance of a request, which begins with the dance's first frame.

        progress, cancelled and exceptions: as in `partner`.
        """
        pipeline = self.load(model_for(request, self.registry).name)
        score: Score = pipeline.compose(request, progress, cancelled)
        progress(1.0, "done")
        return score


def _part_of(progress: ProgressCallback, start: float, end: float) -> ProgressCallback:
    """The progress of a part of the work, as a fraction from `start` to `end` of the whole."""

    def report(fraction: float, what: str) -> None:
        progress(start + (end - start) * fraction, what)

    return report
