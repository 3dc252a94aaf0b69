"""How scripts and Blender speak with a backend: `Client`, which needs numpy and pyzmq alone.

with Client("tcp://127.0.0.1:7429") as client:
    takes = client.partner(leader, seed=1)
    (dancer,) = client.dance(score, seed=1)
    score = client.compose([dancer])
"""

import time
import uuid
from collections.abc import Callable, Sequence
from types import TracebackType

import zmq

from backend.model_registry import COMPOSERS, DANCERS, MODELS
from backend.music.score import PARTS, Score
from backend.protocol import (
    DEFAULT_URL,
    Cancel,
    Cancelled,
    ClientMessage,
    ComposeRequest,
    ComposeResult,
    DanceRequest,
    ErrorReply,
    Hello,
    HelloReply,
    MotionResult,
    PartnerRequest,
    PreviewFrames,
    ProgressUpdate,
    ProtocolError,
    decode_server_message,
    encode,
)
from backend.wire.direction import UNDIRECTED, Direction
from rigs.motion import Motion

__all__ = ["BackendError", "BackendUnavailable", "Cancelled", "Client", "Direction", "RequestRefused"]

Preview = Callable[[int, int, Motion], None]

LOOK = 0.1
"""Seconds between two looks at whether the caller wants to go on."""
CONNECT = 2.0
"""Seconds for the connection itself, which needs no answer from the backend's Python."""
FAREWELL = 1.0
"""Seconds that a backend has to confirm a cancel; it notices by itself that the client has gone."""


class BackendError(Exception):
    """Why there is no answer, in one sentence; raised as it is when the backend has failed."""


class BackendUnavailable(BackendError):
    """No backend answers."""


class RequestRefused(BackendError):
    """The request cannot be served as it stands."""


class Client:
    """A backend at `url`. Every call is a connection of its own in the thread that calls, so nothing is left to close.

    timeout: seconds of silence after which the backend is away; one that works gives a sign of life every second.
    """

    def __init__(self, url: str = DEFAULT_URL, timeout: float = 5.0) -> None:
        self.url = url
        self.timeout = timeout

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hello(self) -> HelloReply:
        """The backend's version and models. Raises BackendAway, BackendError."""
        answer = self._ask(Hello(), _silent, _never, _unseen)
        if not isinstance(answer, HelloReply):
            raise BackendError(f"the backend at {self.url} answered a greeting with a {type(answer).__name__}")
        return answer

    def partner(
        self,
        leader: Motion,
        *,
        history: Motion | None = None,
        model: str = MODELS[0],
        role: str = "follow",
        seed: int = 0,
        takes: int = 1,
        draft: Motion | None = None,
        direction: Direction = UNDIRECTED,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
        preview: Preview | None = None,
    ) -> list[Motion]:
        """The takes of a `PartnerRequest`; blocks until they are there.

        progress: is told the fraction done and what is being done.  cancelled: is asked often; true ends the work.
        preview: is shown, while the rest is danced, a take, from 1; which of its frames, from 0 at their own rate, the
        first of these is; and these frames, not finished. One that takes long misses none but sees them late.
        Raises Cancelled, RequestRefused, BackendAway and BackendError.
        """
        request = PartnerRequest(leader, history, model, role, seed, takes, draft, direction, preview is not None)
        answer = self._ask(request, progress or _silent, cancelled or _never, preview or _unseen)
        if not isinstance(answer, MotionResult) or [len(take) for take in answer.takes] != [len(leader)] * takes:
            raise BackendError(
                f"the backend at {self.url} answered with other than {takes} takes of {len(leader)} frames"
            )
        return list(answer.takes)

    def dance(
        self,
        score: Score,
        *,
        model: str = DANCERS[0],
        duet: bool = False,
        energy: float = 1.0,
        seed: int = 0,
        fps: float = 30.0,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Motion]:
        """The dancer of a `DanceRequest` and, in a duet, the partner; as `partner` does it."""
        request = DanceRequest(score, model, duet, energy, seed, fps)
        answer = self._ask(request, progress or _silent, cancelled or _never, _unseen)
        wanted = [(request.frames, fps)] * (2 if duet else 1)
        if not isinstance(answer, MotionResult) or [(len(take), take.fps) for take in answer.takes] != wanted:
            raise BackendError(
                f"the backend at {self.url} answered with other than {len(wanted)} dancers of {request.frames} frames"
            )
        return list(answer.takes)

    def compose(
        self,
        dancers: Sequence[Motion],
        *,
        model: str = COMPOSERS[0],
        tempo: float | None = None,
        parts: Sequence[str] = PARTS,
        seed: int = 0,
        progress: Callable[[float, str], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Score:
        """The music of a `ComposeRequest`; as `partner` does it."""
        request = ComposeRequest(tuple(dancers), model, tempo, tuple(parts), seed)
        answer = self._ask(request, progress or _silent, cancelled or _never, _unseen)
        if not isinstance(answer, ComposeResult):
            raise BackendError(f"the backend at {self.url} answered with other than music")
        return answer.score

    def _ask(
        self,
        question: ClientMessage,
        progress: Callable[[float, str], None],
        cancelled: Callable[[], bool],
        preview: Preview,
    ) -> HelloReply | MotionResult | ComposeResult:
        """The answer that ends a question."""
        id = uuid.uuid4().hex
        try:
            parts = encode(id, question)
        except ProtocolError as error:
            raise RequestRefused(str(error)) from None
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            self._connect(socket)
            socket.send_multipart(parts)
            heard = time.monotonic()
            called_off = None
            while True:
                if called_off is None and cancelled():
                    called_off = time.monotonic()
                    socket.send_multipart(encode(id, Cancel()))
                if socket.poll(int(LOOK * 1000)):
                    answer = self._answer(id, socket.recv_multipart())
                    heard = time.monotonic()
                    match answer:
                        case ProgressUpdate():
                            progress(answer.fraction, answer.what)
                        case PreviewFrames():
                            preview(answer.take, answer.first, answer.motion)
                        case _ if called_off is not None:
                            raise Cancelled
                        case _:
                            return answer
                elif called_off is not None and time.monotonic() - called_off > FAREWELL:
                    raise Cancelled
                elif time.monotonic() - heard > self.timeout or not socket.poll(0, zmq.POLLOUT):
                    raise self._away()

    def _away(self) -> BackendUnavailable:
        return BackendUnavailable(f"no backend answers at {self.url}; start one with `pasdedeux serve`")

    def _connect(self, socket: "zmq.Socket[bytes]") -> None:
        expected = f"{self.url}: an address such as {DEFAULT_URL} expected"
        if not self.url.startswith("tcp://"):
            raise BackendError(expected)
        socket.set(zmq.IMMEDIATE, 1)  # writable only while connected
        try:
            socket.connect(self.url)
        except zmq.ZMQError:
            raise BackendError(expected) from None
        if not socket.poll(int(min(self.timeout, CONNECT) * 1000), zmq.POLLOUT):
            raise self._away()

    def _answer(
        self, id: str, parts: list[bytes]
    ) -> HelloReply | ProgressUpdate | PreviewFrames | MotionResult | ComposeResult:
        """What the backend says to the question `id`; an error is raised."""
        try:
            about, answer = decode_server_message(parts)
            if about not in (id, ""):
                raise ProtocolError("id: that of the request expected, another found")
        except ProtocolError as error:
            raise BackendError(f"the backend at {self.url} is of another version than this client ({error})") from None
        if not isinstance(answer, ErrorReply):
            return answer
        if answer.code == "cancelled":
            raise Cancelled
        raise (RequestRefused if answer.code == "refused" else BackendError)(answer.text)


def _silent(fraction: float, what: str) -> None:
    pass


def _never() -> bool:
    return False


def _unseen(take: int, first: int, frames: Motion) -> None:
    pass
