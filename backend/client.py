"""`Client`: how scripts and Blender send requests to a backend; it needs numpy and pyzmq alone.

with Client() as client:  # or Client("tcp://gpubox:5555", keys="keys")
    takes = client.partner(leader, seed=1)
    (dancer,) = client.dance(score, seed=1)
    score = client.compose([dancer])
"""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import zmq
from zmq.utils.monitor import recv_monitor_message

from backend.keys import read_client_keys
from backend.model_registry import REGISTRY
from backend.music.score import PARTS, Score
from backend.protocol import DEFAULT_URL, STOPPING, decode_server_message, encode
from backend.wire.direction import UNDIRECTED, Direction
from backend.wire.messages import (
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
    PreviewCallback,
    PreviewFrames,
    ProgressCallback,
    ProgressUpdate,
    Request,
    Result,
    ServerMessage,
    never_cancelled,
    no_preview,
    no_progress,
)
from backend.wire.validation import ProtocolError
from rigs.motion import Motion

__all__ = [
    "BackendError",
    "BackendLost",
    "BackendStopping",
    "BackendUnavailable",
    "Cancelled",
    "Client",
    "Direction",
    "KeysRefused",
    "NoBackend",
    "OtherVersion",
    "RequestRefused",
]

_POLL_INTERVAL = 0.1
"""s between two checks whether the caller has cancelled."""
_CONNECT_TIMEOUT = 2.0
_HANDSHAKE_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)
_CANCEL_TIMEOUT = 1.0
"""s that a backend has to confirm a cancel; it notices by itself that the client has gone."""


class BackendError(Exception):
    """Why there is no result, in one sentence; raised as it is when the backend has failed."""


class BackendUnavailable(BackendError):
    """No backend answers."""


class NoBackend(BackendUnavailable):
    """Something listens at the address, and does not answer as a backend does: it hangs or is another program."""


class BackendLost(BackendUnavailable):
    """The backend was connected, and has ended or does not answer."""


class BackendStopping(BackendUnavailable):
    """The backend is about to end."""


class OtherVersion(BackendError):
    """The backend speaks another version of the protocol."""


class KeysRefused(BackendError):
    """The backend does not admit a client with these keys, or without any.

    reason: "no keys" were given; the client's are "not admitted", "unreadable", or for "another server".
    """

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason


class RequestRefused(BackendError):
    """The request is invalid, or the backend cannot do it."""


class Client:
    """A backend at `url`. Each call has its own connection, in the thread that calls, so nothing is left to close.

    timeout: s of silence after which the backend counts as unavailable; a busy one sends progress every second.
    keys: the folder that `pasdedeux keys DIR --client NAME` has made, for a server with keys.
    connect_timeout: s for the connection itself, which needs no answer from the backend's Python.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        timeout: float = 5.0,
        *,
        keys: Path | str | None = None,
        connect_timeout: float = _CONNECT_TIMEOUT,
    ) -> None:
        self.url = url
        self.timeout = timeout
        self.connect_timeout = min(timeout, connect_timeout)
        self._keys = Path(keys) if keys else None

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def hello(self) -> HelloReply:
        """The backend's version and models. Raises BackendUnavailable, BackendError."""
        reply = self._exchange(Hello(), no_progress, never_cancelled, no_preview)
        if not isinstance(reply, HelloReply):
            raise BackendError(f"the backend at {self.url} answered a hello with a {type(reply).__name__}")
        return reply

    def answer(
        self,
        request: Request,
        *,
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
        preview: PreviewCallback | None = None,
    ) -> Result:
        """The result of a request, as `Engine.answer`; blocks until it is there.

        progress: called with the fraction done and what is being done.  cancelled: polled; true ends the work.
        preview: called with frames before the result, if the request says so: a take, from 1; the first of the frames,
        from 0 at their own rate; the frames, before post-processing. A slow one misses none, but gets them late.
        Raises Cancelled, RequestRefused, BackendUnavailable and BackendError.
        """
        reply = self._exchange(request, progress or no_progress, cancelled or never_cancelled, preview or no_preview)
        expected = _expected_result(request)
        if not isinstance(reply, MotionResult | ComposeResult) or _shape(reply) != expected:
            raise BackendError(f"the backend at {self.url} answered with other than {_describe(expected)}")
        return reply

    def partner(
        self,
        leader: Motion,
        *,
        history: Motion | None = None,
        model: str = REGISTRY.default("partner"),
        role: str = "follow",
        seed: int = 0,
        takes: int = 1,
        draft: Motion | None = None,
        direction: Direction = UNDIRECTED,
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
        preview: PreviewCallback | None = None,
    ) -> list[Motion]:
        """The takes of a `PartnerRequest`; see `answer`."""
        with _refuse_invalid():
            request = PartnerRequest(leader, history, model, role, seed, takes, draft, direction, preview is not None)
        result = self.answer(request, progress=progress, cancelled=cancelled, preview=preview)
        assert isinstance(result, MotionResult)
        return list(result.takes)

    def dance(
        self,
        score: Score,
        *,
        model: str = REGISTRY.default("dance"),
        duet: bool = False,
        energy: float = 1.0,
        seed: int = 0,
        fps: float = 30.0,
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Motion]:
        """The dancer of a `DanceRequest` and, in a duet, the partner; see `answer`."""
        with _refuse_invalid():
            request = DanceRequest(score, model, duet, energy, seed, fps)
        result = self.answer(request, progress=progress, cancelled=cancelled)
        assert isinstance(result, MotionResult)
        return list(result.takes)

    def compose(
        self,
        dancers: Sequence[Motion],
        *,
        model: str = REGISTRY.default("compose"),
        tempo: float | None = None,
        parts: Sequence[str] = PARTS,
        seed: int = 0,
        progress: ProgressCallback | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Score:
        """The music of a `ComposeRequest`; see `answer`."""
        with _refuse_invalid():
            request = ComposeRequest(tuple(dancers), model, tempo, tuple(parts), seed)
        result = self.answer(request, progress=progress, cancelled=cancelled)
        assert isinstance(result, ComposeResult)
        return result.score

    def _exchange(
        self,
        message: ClientMessage,
        progress: ProgressCallback,
        cancelled: Callable[[], bool],
        preview: PreviewCallback,
    ) -> HelloReply | Result:
        """Send a message and receive until the reply that ends it."""
        id = uuid.uuid4().hex
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            self._connect(socket)
            socket.send_multipart(encode(id, message))
            last_message = time.monotonic()
            cancel_time = None
            while True:
                if cancel_time is None and cancelled():
                    cancel_time = time.monotonic()
                    socket.send_multipart(encode(id, Cancel()))
                if socket.poll(int(_POLL_INTERVAL * 1000)):
                    reply = self._decode(id, socket.recv_multipart())
                    last_message = time.monotonic()
                    match reply:
                        case ProgressUpdate():
                            progress(reply.fraction, reply.what)
                        case PreviewFrames():
                            preview(reply.take, reply.first, reply.motion)
                        case _ if cancel_time is not None:
                            raise Cancelled
                        case _:
                            return reply
                elif cancel_time is not None and time.monotonic() - cancel_time > _CANCEL_TIMEOUT:
                    raise Cancelled
                elif time.monotonic() - last_message > self.timeout:
                    raise BackendLost(f"the backend at {self.url} has not answered for {self.timeout:.0f} seconds")
                elif not socket.poll(0, zmq.POLLOUT):
                    raise BackendLost(f"the backend at {self.url} has ended")

    def _connect(self, socket: "zmq.Socket[bytes]") -> None:
        """Connect, with keys if there are any. Raises BackendUnavailable, NoBackend, KeysRefused and BackendError."""
        expected = f"{self.url}: an address such as {DEFAULT_URL} expected"
        if not self.url.startswith("tcp://"):
            raise BackendError(expected)
        socket.set(zmq.IMMEDIATE, 1)  # writable only while connected
        if self._keys is not None:
            try:
                read_client_keys(self._keys).apply(socket)
            except ValueError as error:
                raise KeysRefused(str(error), "unreadable") from None
        monitor = socket.get_monitor_socket(zmq.EVENT_CONNECTED | _HANDSHAKE_EVENTS)
        try:
            try:
                socket.connect(self.url)
            except zmq.ZMQError:
                raise BackendError(expected) from None
            self._await_handshake(monitor)
        finally:
            socket.disable_monitor()
            monitor.close(0)
        socket.poll(int(_POLL_INTERVAL * 1000), zmq.POLLOUT)

    def _await_handshake(self, monitor: "zmq.Socket[bytes]") -> None:
        """Wait for the connection's handshake: a server refuses keys silently, and only its events tell why."""
        end = time.monotonic() + self.connect_timeout
        connected, failures = False, 0
        while (seconds := end - time.monotonic()) > 0.0 and monitor.poll(int(1000 * seconds) + 1):
            event = recv_monitor_message(monitor)
            match event["event"], event["value"]:
                case zmq.EVENT_CONNECTED, _:
                    connected = True
                case zmq.EVENT_HANDSHAKE_SUCCEEDED, _:
                    return
                case zmq.EVENT_HANDSHAKE_FAILED_AUTH, _:
                    raise KeysRefused(
                        f"the backend at {self.url} does not admit the keys of this client", "not admitted"
                    )
                case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL, zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH if not self._keys:
                    raise KeysRefused(f"the backend at {self.url} admits only clients with keys", "no keys")
                case _ if self._keys and failures:
                    raise self._other_keys()
                case _ if self._keys:
                    failures += 1  # once it may be chance: a server that revokes a key hangs up on all handshakes
        if failures:
            raise self._other_keys()
        if connected:
            raise NoBackend(f"what listens at {self.url} does not answer: it hangs, or is another program")
        raise BackendUnavailable(f"no backend answers at {self.url}")

    def _other_keys(self) -> KeysRefused:
        return KeysRefused(f"the backend at {self.url} uses no keys, or others than server.key says", "another server")

    def _decode(self, id: str, parts: list[bytes]) -> HelloReply | ProgressUpdate | PreviewFrames | Result:
        """The backend's reply to the message `id`; an error reply is raised."""
        reply: ServerMessage
        try:
            reply_id, reply = decode_server_message(parts)
            if reply_id not in (id, ""):
                raise ProtocolError("id: that of the request expected, another found")
        except ProtocolError as error:
            raise OtherVersion(f"the backend at {self.url} is of another version than this client ({error})") from None
        if not isinstance(reply, ErrorReply):
            return reply
        if reply.code == "cancelled":
            raise Cancelled
        if reply == ErrorReply("fault", STOPPING):
            raise BackendStopping(reply.text)
        raise (RequestRefused if reply.code == "refused" else BackendError)(reply.text)


@contextmanager
def _refuse_invalid() -> Iterator[None]:
    """Raise RequestRefused for a request that cannot be constructed."""
    try:
        yield
    except ProtocolError as error:
        raise RequestRefused(str(error)) from None


def _expected_result(request: Request) -> list[tuple[int, float]] | None:
    """The frames and rate of each dancer that a request is answered with; None for music."""
    match request:
        case PartnerRequest():
            return [(len(request.leader), request.leader.fps)] * request.takes
        case DanceRequest():
            return [(request.frames, request.fps)] * (2 if request.duet else 1)
        case ComposeRequest():
            return None


def _shape(result: Result) -> list[tuple[int, float]] | None:
    """The frames and rate of each dancer of a result; None for music."""
    return [(len(take), take.fps) for take in result.takes] if isinstance(result, MotionResult) else None


def _describe(shape: list[tuple[int, float]] | None) -> str:
    return "music" if shape is None else f"{len(shape)} dancers of {shape[0][0]} frames"
