"""The messages between a client and the backend, as values that check themselves; protocol.py says how they are sent.

A message that exists is valid: constructing one checks it, once, and raises ProtocolError. What is decoded from the
wire has been checked there, and a valid message's rounded copy needs no check: they are made with `validate=False`.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, InitVar, dataclass, fields
from typing import Any, ClassVar, Self

from backend.model_registry import REGISTRY, Task
from backend.music.score import PARTS, Score
from backend.wire import buffers, validation
from backend.wire.direction import DIRECTION_RULES, UNDIRECTED, Direction, check_direction
from backend.wire.validation import ProtocolError, Rule
from rigs.motion import Motion

ProgressCallback = Callable[[float, str], None]
"""Called with the fraction done, from 0 to 1, and what is being done."""
PreviewCallback = Callable[[int, int, Motion], None]
"""Called with a take, from 1; the first frame of these, from 0 at the model's rate; and frames of that take."""

Rules = Mapping[str, Rule]


class Cancelled(Exception):
    """The work was cancelled by the caller."""


def no_progress(fraction: float, what: str) -> None:
    """Ignore progress."""


def never_cancelled() -> bool:
    """Let the work go on to its end."""
    return False


def no_preview(take: int, first: int, frames: Motion) -> None:
    """Ignore previews."""


@dataclass(frozen=True)
class Message:
    """What all messages have in common.

    kind: its name on the wire.  rules: its parameters there, each with what checks its value.
    dancer_names: the dancers that it may hold together.  has_score: whether it holds a score.
    """

    kind: ClassVar[str]
    rules: ClassVar[Rules] = {}
    dancer_names: ClassVar[tuple[tuple[str, ...], ...]] = ((),)
    has_score: ClassVar[bool] = False

    _: KW_ONLY
    validate: InitVar[bool] = True

    def __post_init__(self, validate: bool) -> None:
        if not validate:
            return
        parameters, dancers = self.parameters(), self.named_dancers()
        for name, rule in self.rules.items():
            rule(name, parameters[name])
        if self.has_score:
            validation.check_score("score", buffers.score_to_arrays(parameters["score"]))
        self.check_consistency()
        if tuple(dancers) not in self.dancer_names:
            raise ProtocolError(
                f"{self.kind}: 1 to {len(self.dancer_names[-1])} dancers expected, {len(dancers)} found"
            )
        validation.check_dancers(dancers)

    def parameters(self) -> dict[str, Any]:
        """The message's values by the parameters' names; a score's swing is a parameter of its own."""
        values = dict(vars(self))
        return values | {"swing": values["score"].swing} if self.has_score else values

    def named_dancers(self) -> dict[str, Motion]:
        """The message's dancers by their names."""
        return {}

    @classmethod
    def assemble(cls, parameters: Mapping[str, Any], dancers: Mapping[str, Motion]) -> Self:
        """The message of parameters and dancers that are known to be valid."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: value for name, value in parameters.items() if name in names}, validate=False)

    def check_consistency(self) -> None:
        """Raise ProtocolError for values that contradict one another."""


@dataclass(frozen=True)
class Hello(Message):
    """Ask the backend for its version and models."""

    kind = "hello"


@dataclass(frozen=True)
class PartnerRequest(Message):
    """Generate the other dancer.

    leader: the dancer that is there, at any frame rate.
    history: the partner's own first frames, in the leader's world and at the leader's rate, to continue from.
    role: what the generated partner does, "follow" or "lead".
    takes: how many different results.  seed: equal seeds give equal takes.
    draft: an existing partner, in the leader's world, with its rate and frames, to which `direction` refers.
    preview: whether frames are sent before the result.
    """

    leader: Motion
    history: Motion | None = None
    model: str = REGISTRY.default("partner")
    role: str = "follow"
    seed: int = 0
    takes: int = 1
    draft: Motion | None = None
    direction: Direction = UNDIRECTED
    preview: bool = False

    kind = "partner"
    task: ClassVar[Task] = "partner"
    rules: ClassVar[Rules] = {
        "model": validation.model,
        "role": validation.one_of(validation.ROLES),
        "seed": validation.integer(0, validation.MAX_SEED),
        "takes": validation.integer(1, validation.MAX_TAKES),
        **DIRECTION_RULES,
        "preview": validation.boolean,
    }
    dancer_names = (("leader",), ("leader", "history"), ("leader", "draft"))

    def parameters(self) -> dict[str, Any]:
        """The request's values, the direction's among them."""
        return vars(self) | vars(self.direction)

    def named_dancers(self) -> dict[str, Motion]:
        """The leader and, if given, history or draft."""
        dancers = {"leader": self.leader, "history": self.history, "draft": self.draft}
        return {name: motion for name, motion in dancers.items() if motion is not None}

    @classmethod
    def assemble(cls, parameters: Mapping[str, Any], dancers: Mapping[str, Motion]) -> Self:
        """The request, of which some parameters are the direction's."""
        directed = Direction(**{name: parameters[name] for name in DIRECTION_RULES})
        values: dict[str, Any] = {name: parameters[name] for name in cls.rules if name not in DIRECTION_RULES}
        return cls(**values | dict(dancers), direction=directed, validate=False)

    def check_consistency(self) -> None:
        """Raise ProtocolError for a direction that contradicts the dancers."""
        check_direction(self.direction, self.leader, self.history, self.draft)


@dataclass(frozen=True)
class DanceRequest(Message):
    """Generate a dance to music.

    score: the music; the dance's first frame is its beginning.
    duet: whether a partner dances too.  energy: how much movement, 0.5 to 2 times the model's own.
    seed: equal seeds give equal dances.  fps: frames a second of the dance.
    """

    score: Score
    model: str = REGISTRY.default("dance")
    duet: bool = False
    energy: float = 1.0
    seed: int = 0
    fps: float = 30.0

    kind = "dance"
    task: ClassVar[Task] = "dance"
    rules: ClassVar[Rules] = {
        "model": validation.model,
        "duet": validation.boolean,
        "energy": validation.number(0.5, 2),
        "seed": validation.integer(0, validation.MAX_SEED),
        "fps": validation.fps,
        "swing": validation.swing,
    }
    has_score = True

    @property
    def frames(self) -> int:
        """F, the frames of the dance: all that come no later than the music's end, as the wire rounds it."""
        return validation.dance_frames(self.score, self.fps)

    def check_consistency(self) -> None:
        """Raise ProtocolError for music that is too short or too long."""
        validation.check_danceable("score", self.score, self.fps)


@dataclass(frozen=True)
class ComposeRequest(Message):
    """Generate music to a dance.

    dancers: one, or two who dance together, with one rate and length; the music begins with their first frame.
    tempo: beats a minute, 30 to 300, or None to find it in the dance.  parts: which of PARTS play.
    seed: equal seeds give equal music.
    """

    dancers: tuple[Motion, ...]
    model: str = REGISTRY.default("compose")
    tempo: float | None = None
    parts: tuple[str, ...] = PARTS
    seed: int = 0

    kind = "compose"
    task: ClassVar[Task] = "compose"
    rules: ClassVar[Rules] = {
        "model": validation.model,
        "tempo": validation.tempo,
        "parts": validation.parts,
        "seed": validation.integer(0, validation.MAX_SEED),
    }
    dancer_names = (("dancer1",), ("dancer1", "dancer2"))

    def named_dancers(self) -> dict[str, Motion]:
        """The dancers, numbered from 1."""
        return {f"dancer{n}": dancer for n, dancer in enumerate(self.dancers, start=1)}

    @classmethod
    def assemble(cls, parameters: Mapping[str, Any], dancers: Mapping[str, Motion]) -> Self:
        """The request for dancers in their order."""
        return cls(tuple(dancers.values()), **parameters, validate=False)

    def check_consistency(self) -> None:
        """Raise ProtocolError for dancers of different lengths, and for too short a dance."""
        validation.check_dance(self.named_dancers())


@dataclass(frozen=True)
class Cancel(Message):
    """End the request of this id."""

    kind = "cancel"


@dataclass(frozen=True)
class HelloReply(Message):
    """The backend's version, and the names of its models for each task, the default first.

    models: those for partners.  dancers: those for dances to music.  composers: those for music to dances.
    """

    version: str
    models: tuple[str, ...]
    dancers: tuple[str, ...]
    composers: tuple[str, ...]

    kind = "hello"
    rules: ClassVar[Rules] = {
        "version": validation.text,
        "models": validation.models,
        "dancers": validation.models,
        "composers": validation.models,
    }


@dataclass(frozen=True)
class ProgressUpdate(Message):
    """The fraction of a request that is done, from 0 to 1; what is being done; how many requests are served before."""

    fraction: float
    what: str
    ahead: int = 0

    kind = "progress"
    rules: ClassVar[Rules] = {
        "fraction": validation.number(0, 1),
        "what": validation.text,
        "ahead": validation.integer(0, 1_000_000),
    }


@dataclass(frozen=True)
class PreviewFrames(Message):
    """Frames of a take, from 1, as the model generates them: before post-processing, at the model's rate.

    first: which of the take's frames, from 0 and at that rate, the motion begins with.
    """

    take: int
    first: int
    motion: Motion

    kind = "frames"
    rules: ClassVar[Rules] = {
        "take": validation.integer(1, validation.MAX_TAKES),
        "first": validation.integer(0, validation.MAX_FRAMES - 1),
    }
    dancer_names = (("danced",),)

    def named_dancers(self) -> dict[str, Motion]:
        """The motion by its name on the wire."""
        return {"danced": self.motion}

    @classmethod
    def assemble(cls, parameters: Mapping[str, Any], dancers: Mapping[str, Motion]) -> Self:
        """The frames of the one dancer."""
        return cls(**parameters, motion=dancers["danced"], validate=False)


@dataclass(frozen=True)
class MotionResult(Message):
    """The takes of a partner request; or of a dance request the dancer and, in a duet, the partner."""

    takes: tuple[Motion, ...]

    kind = "result"
    dancer_names = tuple(tuple(f"take{n}" for n in range(1, count + 1)) for count in range(1, validation.MAX_TAKES + 1))

    def named_dancers(self) -> dict[str, Motion]:
        """The takes, numbered from 1."""
        return {f"take{n}": take for n, take in enumerate(self.takes, start=1)}

    @classmethod
    def assemble(cls, parameters: Mapping[str, Any], dancers: Mapping[str, Motion]) -> Self:
        """The result of takes in their order."""
        return cls(tuple(dancers.values()), validate=False)


@dataclass(frozen=True)
class ComposeResult(Message):
    """The music of a compose request."""

    score: Score

    kind = "score"
    rules: ClassVar[Rules] = {"swing": validation.swing}
    has_score = True


@dataclass(frozen=True)
class ErrorReply(Message):
    """Why there is no result: one of CODES, and one sentence."""

    code: str
    text: str

    kind = "error"
    rules: ClassVar[Rules] = {"code": validation.one_of(validation.CODES), "text": validation.text}


Request = PartnerRequest | DanceRequest | ComposeRequest
"""What the engine answers."""
Result = MotionResult | ComposeResult
"""What it answers with."""
ClientMessage = Hello | Request | Cancel
ServerMessage = HelloReply | ProgressUpdate | PreviewFrames | Result | ErrorReply
