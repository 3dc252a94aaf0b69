"""What a client and the backend say to each other, as values; protocol.py says how it goes over the wire."""

from dataclasses import dataclass

from backend.model_registry import COMPOSERS, DANCERS, MODELS
from backend.music.score import PARTS, Score
from backend.wire import validation
from backend.wire.direction import UNDIRECTED, Direction, check_direction
from backend.wire.validation import Rule
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
class DanceRequest:
    """What a caller asks for when it wants a dance to music.

    score: the music; the dance's first frame is its beginning.
    duet: whether a partner is to dance along.  energy: how much movement, 0.5 to 2, beside what the model would do.
    seed: equal seeds give equal dances.  fps: frames a second of the dance.
    """

    score: Score
    model: str = DANCERS[0]
    duet: bool = False
    energy: float = 1.0
    seed: int = 0
    fps: float = 30.0

    @property
    def frames(self) -> int:
        """F, the frames of the dance: all that come no later than the music's end, as the wire rounds it."""
        return validation.dance_frames(self.score, self.fps)


@dataclass(frozen=True)
class ComposeRequest:
    """What a caller asks for when it wants music to a dance.

    dancers: one, or two who dance together, with one rate and length; their first frame is the music's beginning.
    tempo: beats a minute, 30 to 300, or None to find it in the dance.  parts: what is to play, of PARTS.
    seed: equal seeds give equal music.
    """

    dancers: tuple[Motion, ...]
    model: str = COMPOSERS[0]
    tempo: float | None = None
    parts: tuple[str, ...] = PARTS
    seed: int = 0


@dataclass(frozen=True)
class Cancel:
    """End the request of this id."""


@dataclass(frozen=True)
class HelloReply:
    """What the backend is: its version and the models it has.

    models: those that dance a partner.  dancers: those that dance to music.  composers: those that compose for a dance.
    The first of each is the one that works where none is named.
    """

    version: str
    models: tuple[str, ...]
    dancers: tuple[str, ...]
    composers: tuple[str, ...]


@dataclass(frozen=True)
class ProgressUpdate:
    """How far a request has come: a fraction of 0 to 1, what is being done, and how many requests come before it."""

    fraction: float
    what: str
    ahead: int = 0


@dataclass(frozen=True)
class PreviewFrames:
    """Some frames of a take, from 1, as the model dances them: not finished, at the model's rate.

    first: which of the take's frames, from 0 and at that rate, the first of these is.
    """

    take: int
    first: int
    motion: Motion


@dataclass(frozen=True)
class MotionResult:
    """The takes that were asked for; of a duet to music the dancer and the partner."""

    takes: tuple[Motion, ...]


@dataclass(frozen=True)
class ComposeResult:
    """The music that was asked for."""

    score: Score


@dataclass(frozen=True)
class ErrorReply:
    """Why there is no result: one of CODES, and one sentence."""

    code: str
    text: str


Request = PartnerRequest | DanceRequest | ComposeRequest
"""What the engine works on."""
ClientMessage = Hello | Request | Cancel
ServerMessage = HelloReply | ProgressUpdate | PreviewFrames | MotionResult | ComposeResult | ErrorReply
DANCE_RULES: dict[str, Rule] = {
    "model": validation.model,
    "duet": validation.boolean,
    "energy": validation.number(0.5, 2),
    "seed": validation.integer(0, validation.MAX_SEED),
    "fps": validation.fps,
}
"""What each of a dance request's values may be."""
COMPOSE_RULES: dict[str, Rule] = {
    "model": validation.model,
    "tempo": validation.tempo,
    "parts": validation.parts,
    "seed": validation.integer(0, validation.MAX_SEED),
}
"""What each of a compose request's values may be."""


def check_request(request: Request) -> None:
    """Raise ProtocolError for what of a request contradicts the rest of it, or can be danced or played by no model."""
    if isinstance(request, PartnerRequest):
        check_direction(request.direction, request.leader, request.history, request.draft)
        return
    for name, rule in (DANCE_RULES if isinstance(request, DanceRequest) else COMPOSE_RULES).items():
        rule(name, getattr(request, name))
    if isinstance(request, DanceRequest):
        validation.check_danceable("score", request.score, request.fps)
    else:
        validation.check_dance(request.dancers)
