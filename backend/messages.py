"""What a client and the backend say to each other, as values; protocol.py says how it goes over the wire."""

from dataclasses import dataclass

from backend.direction import UNDIRECTED, Direction
from backend.models import MODELS
from rigs.motion import Motion


class Cancelled(Exception):
    """The work was called off by the one who asked for it."""


@dataclass(frozen=True)
class Hello:
    """Who are you?"""


@dataclass(frozen=True)
class PartnerRequest:
    """What a caller asks for when it wants the other dancer.

    leader: the dancer that is there, at any frame rate.
    history: the partner's own first frames, in the leader's world and at the leader's rate, to continue from.
    role: what the generated partner does, "follow" or "lead".
    takes: how many different results.  seed: equal seeds give equal takes.
    draft: the partner as it stands, in the leader's world, with its rate and frames, of which `direction` names frames.
    preview: whether to be shown frames while the rest is danced.
    """

    leader: Motion
    history: Motion | None = None
    model: str = MODELS[0]
    role: str = "follow"
    seed: int = 0
    takes: int = 1
    draft: Motion | None = None
    direction: Direction = UNDIRECTED
    preview: bool = False


@dataclass(frozen=True)
class Cancel:
    """End the request of this id."""


@dataclass(frozen=True)
class Welcome:
    """What the backend is: its version and the models it has."""

    version: str
    models: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """How far a request has come: a fraction of 0 to 1, what is being done, and how many requests come before it."""

    fraction: float
    what: str
    ahead: int = 0


@dataclass(frozen=True)
class Frames:
    """Some frames of a take, from 1, as the model dances them: not finished, at the model's rate.

    first: which of the take's frames, from 0 and at that rate, the first of these is.
    """

    take: int
    first: int
    danced: Motion


@dataclass(frozen=True)
class Result:
    """The takes that were asked for."""

    takes: tuple[Motion, ...]


@dataclass(frozen=True)
class Failure:
    """Why there is no result: one of CODES, and one sentence."""

    code: str
    text: str


Question = Hello | PartnerRequest | Cancel
Answer = Welcome | Progress | Frames | Result | Failure
