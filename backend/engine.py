"""The engine: holds the models and turns a request into takes. The only way from the rest of the backend to torch.

engine = Engine()
takes = engine.partner(PartnerRequest(leader, seed=1))
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from backend.direction import check_direction, expect_directed
from backend.messages import PartnerRequest
from backend.models import MODELS, weights_of
from rigs.motion import Motion

if TYPE_CHECKING:
    from backend.models.duet_partner import DuetPartner
    from backend.models.flow_partner import FlowPartner

Progress = Callable[[float, str], None]
Preview = Callable[[int, int, Motion], None]
"""Is told a take, from 1; which of its frames, from 0 at the model's rate, the first one is; and some of its frames."""


def _silent(fraction: float, what: str) -> None:
    pass


def _never() -> bool:
    return False


def _unseen(take: int, first: int, frames: Motion) -> None:
    pass


class Engine:
    """Loads a model when it is first asked for and keeps it.

    accelerator: "auto" for a GPU where there is one, or a torch device's name.
    """

    models: tuple[str, ...] = MODELS

    def __init__(self, accelerator: str = "auto") -> None:
        self.accelerator = accelerator
        self._loaded: dict[str, DuetPartner | FlowPartner] = {}

    def load(self, model: str = MODELS[0]) -> "DuetPartner | FlowPartner":
        """The model, ready to dance. Raises ValueError as `weights_of` does."""
        if model not in self._loaded:
            from backend.models.duet_partner import DuetPartner
            from backend.models.flow_partner import FlowPartner

            make = DuetPartner if model == "duet-vae" else FlowPartner
            self._loaded[model] = make(weights_of(model), self.accelerator)
        return self._loaded[model]

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
        check_direction(request.direction, request.leader, request.history, request.draft)
        expect_directed(request.model, request.direction, request.draft)
        shown = preview if request.preview else _unseen
        return self.load(request.model).takes(request, progress, cancelled, shown)
