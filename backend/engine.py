"""The engine: holds the models and answers requests. The only way from the rest of the backend to torch.

engine = Engine()
takes = engine.partner(PartnerRequest(leader, seed=1))
(dancer,) = engine.dance(DanceRequest(score, seed=1))
score = engine.compose(ComposeRequest((dancer,)))
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.model_registry import COMPOSERS, DANCERS, MODELS, weights_path
from backend.music.score import Score
from backend.wire.direction import Direction, expect_direction_support
from backend.wire.messages import (
    ComposeRequest,
    ComposeResult,
    DanceRequest,
    MotionResult,
    PartnerRequest,
    Request,
    check_request,
)
from rigs.motion import Motion, resample

if TYPE_CHECKING:
    from backend.models.choreo_bridge.pipeline import ChoreoBridgePipeline
    from backend.models.dance_flow.pipeline import DanceFlowPipeline
    from backend.models.duet_vae.pipeline import DuetVaePipeline
    from backend.models.partner_flow.pipeline import PartnerFlowPipeline
    from backend.models.score_flow.pipeline import ScoreFlowPipeline

Progress = Callable[[float, str], None]
Preview = Callable[[int, int, Motion], None]
"""Is told a take, from 1; which of its frames, from 0 at the model's rate, the first one is; and some of its frames."""
_ALONE = 0.5
"""The part of a duet's work that is done when the first dancer has danced."""


def _silent(fraction: float, what: str) -> None:
    pass


def _never() -> bool:
    return False


def _unseen(take: int, first: int, frames: Motion) -> None:
    pass


class Engine:
    """Loads a model when it is first asked for and keeps it.

    accelerator: "auto" for a GPU where there is one, or a torch device's name.
    models, dancers, composers: the names that `partner`, `dance` and `compose` take.
    """

    models: tuple[str, ...] = MODELS
    dancers: tuple[str, ...] = DANCERS
    composers: tuple[str, ...] = COMPOSERS

    def __init__(self, accelerator: str = "auto") -> None:
        self.accelerator = accelerator
        self._loaded: dict[str, DuetVaePipeline | PartnerFlowPipeline] = {}
        self._dancers: dict[str, DanceFlowPipeline | ChoreoBridgePipeline] = {}
        self._composers: dict[str, ScoreFlowPipeline | ChoreoBridgePipeline] = {}

    def load(self, model: str = MODELS[0]) -> "DuetVaePipeline | PartnerFlowPipeline":
        """The model, ready to dance. Raises ValueError as `weights_of` does."""
        if model not in self._loaded:
            from backend.models.duet_vae.pipeline import DuetVaePipeline
            from backend.models.partner_flow.pipeline import PartnerFlowPipeline

            make = DuetVaePipeline if model == "duet-vae" else PartnerFlowPipeline
            self._loaded[model] = make(weights_path(model, MODELS), self.accelerator)
        return self._loaded[model]

    def load_dancer(self, model: str = DANCERS[0]) -> "DanceFlowPipeline | ChoreoBridgePipeline":
        """The model, ready to dance to music. Raises ValueError as `weights_of` does."""
        if model not in self._dancers:
            weights = weights_path(model, DANCERS)
            from backend.models.choreo_bridge.pipeline import ChoreoBridgePipeline
            from backend.models.dance_flow.pipeline import DanceFlowPipeline

            make = ChoreoBridgePipeline if model == "choreo-bridge" else DanceFlowPipeline
            self._dancers[model] = make(weights, self.accelerator)
        return self._dancers[model]

    def load_composer(self, model: str = COMPOSERS[0]) -> "ScoreFlowPipeline | ChoreoBridgePipeline":
        """The model, ready to compose. Raises ValueError as `weights_of` does."""
        if model not in self._composers:
            weights = weights_path(model, COMPOSERS)
            from backend.models.choreo_bridge.pipeline import ChoreoBridgePipeline
            from backend.models.score_flow.pipeline import ScoreFlowPipeline

            make = ChoreoBridgePipeline if model == "choreo-bridge" else ScoreFlowPipeline
            self._composers[model] = make(weights, self.accelerator)
        return self._composers[model]

    def load_for(self, request: Request) -> None:
        """Make ready what a request needs. Raises ValueError as `weights_of` does."""
        match request:
            case PartnerRequest():
                self.load(request.model)
            case DanceRequest():
                self.load_dancer(request.model)
                if request.duet:
                    self.load()
            case ComposeRequest():
                self.load_composer(request.model)

    def answer(
        self,
        request: Request,
        *,
        progress: Progress = _silent,
        cancelled: Callable[[], bool] = _never,
        preview: Preview = _unseen,
    ) -> MotionResult | ComposeResult:
        """What a request asks for, whichever it is; see `partner`, `dance` and `compose`."""
        match request:
            case PartnerRequest():
                takes = self.partner(request, progress=progress, cancelled=cancelled, preview=preview)
                return MotionResult(tuple(takes))
            case DanceRequest():
                return MotionResult(tuple(self.dance(request, progress=progress, cancelled=cancelled)))
            case ComposeRequest():
                return ComposeResult(self.compose(request, progress=progress, cancelled=cancelled))

    def partner(
        self,
        request: PartnerRequest,
        *,
        progress: Progress = _silent,
        cancelled: Callable[[], bool] = _never,
        preview: Preview = _unseen,
    ) -> list[Motion]:
        """The takes of a request, each with the leader's frame rate and frame count.

        progress: is told the fraction done and what is being done.  cancelled: is asked often; true ends the work.
        preview: is shown a take's frames as they are danced, in their order, not finished, in the leader's world and at
        the model's rate; by a model that dances block after block, and if the request asks for it.
        Raises Cancelled, and ValueError with one sentence for a request that no model can serve.
        """
        check_request(request)
        expect_direction_support(request.model, request.direction, request.draft)
        shown = preview if request.preview else _unseen
        return self.load(request.model).partner(request, progress, cancelled, shown)

    def dance(
        self, request: DanceRequest, *, progress: Progress = _silent, cancelled: Callable[[], bool] = _never
    ) -> list[Motion]:
        """The dancer to the music of a request and, in a duet, the partner, who follows; with the request's frames.

        progress, cancelled: as in `partner`.  Raises Cancelled, and ValueError with one sentence for a request that no
        model can serve.
        """
        check_request(request)
        alone = _ALONE if request.duet else 1.0
        danced = self.load_dancer(request.model).dance(request, _part(progress, 0.0, alone), cancelled)
        dancer = resample(danced, request.fps, request.frames)
        if not request.duet:
            progress(1.0, "done")
            return [dancer]
        asked = PartnerRequest(dancer, seed=request.seed, direction=Direction(energy=request.energy))
        return [dancer, *self.partner(asked, progress=_part(progress, alone, 1.0), cancelled=cancelled)]

    def compose(
        self, request: ComposeRequest, *, progress: Progress = _silent, cancelled: Callable[[], bool] = _never
    ) -> Score:
        """The music to the dance of a request, which begins with its first frame.

        progress, cancelled: as in `partner`.  Raises Cancelled, and ValueError with one sentence for a request that no
        model can serve.
        """
        check_request(request)
        score = self.load_composer(request.model).compose(request, progress, cancelled)
        progress(1.0, "done")
        return score


def _part(progress: Progress, begin: float, end: float) -> Progress:
    """Progress of a part of the work, which is so much of the whole."""

    def tell(fraction: float, what: str) -> None:
        progress(begin + (end - begin) * fraction, what)

    return tell
