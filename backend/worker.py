"""The backend's work: the queue of requests, and the one thread that holds the engine and answers them."""

import math
import queue
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from backend.engine import Engine, InvalidWeights
from backend.protocol import encode
from backend.wire.messages import Cancelled, ErrorReply, PreviewFrames, ProgressUpdate, Request
from rigs.motion import Motion, concatenate

MAX_WAITING = 32
MAX_WAITING_PER_CLIENT = 8
PREVIEW_INTERVAL = 0.2
"""Least s between two messages with preview frames of a request."""


class QueueFull(Exception):
    """No more requests can wait; the text says why."""


@dataclass(eq=False)
class Job:
    """One request.

    client: the ROUTER's name for the client.  id: the request's own.
    progress: the last update of it.  cancelled: set when its result is no longer wanted.
    """

    client: bytes
    id: str
    request: Request
    progress: ProgressUpdate = field(default_factory=lambda: ProgressUpdate(0.0, "waiting"))
    cancelled: threading.Event = field(default_factory=threading.Event)


class RequestQueue:
    """The jobs that wait. Clients take turns, so that one with many requests does not hold up the others."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, deque[Job]] = {}  # clients in the order of their turns

    def add(self, job: Job) -> None:
        """Put a job last among its client's own. Raises QueueFull."""
        if len(self._jobs.get(job.client, ())) >= MAX_WAITING_PER_CLIENT:
            raise QueueFull(
                f"{MAX_WAITING_PER_CLIENT} requests of this client wait already; send another when one is done"
            )
        if sum(map(len, self._jobs.values())) >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} requests wait already; try again later")
        self._jobs.setdefault(job.client, deque()).append(job)

    def next(self) -> Job | None:
        """Take out the job whose turn it is; its client's next turn comes after everybody else's."""
        for client, jobs in self._jobs.items():
            del self._jobs[client]
            job = jobs.popleft()
            if jobs:
                self._jobs[client] = jobs
            return job
        return None

    def remove(self, job: Job) -> None:
        """Take out a job that waits."""
        jobs = self._jobs[job.client]
        jobs.remove(job)
        if not jobs:
            del self._jobs[job.client]

    def __iter__(self) -> Iterator[Job]:
        """The jobs in the order in which they would be served."""
        for turn in range(max(map(len, self._jobs.values()), default=0)):
            for jobs in self._jobs.values():
                if turn < len(jobs):
                    yield jobs[turn]


class PreviewBuffer:
    """Collects the preview frames of a request and sends them joined, so that they are not sent too often.

    id: the request's.  send: called with the parts of a message.  clock: returns s.
    """

    def __init__(
        self, id: str, send: Callable[[list[bytes]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._id = id
        self._send = send
        self._clock = clock
        self._waiting: dict[int, list[PreviewFrames]] = {}
        self._next_send = -math.inf

    def __call__(self, take: int, first: int, motion: Motion) -> None:
        """Add frames, and send what waits if it is time. Raises ProtocolError for invalid frames."""
        waiting = self._waiting.setdefault(take, [])
        if waiting and waiting[-1].first + len(waiting[-1].motion) == first:
            before = waiting.pop()
            waiting.append(replace(before, motion=concatenate(before.motion, motion)))
        else:
            waiting.append(PreviewFrames(take, first, motion))
        if self._clock() < self._next_send:
            return
        self._next_send = self._clock() + PREVIEW_INTERVAL
        for _, messages in sorted(self._waiting.items()):
            for message in messages:
                self._send(encode(self._id, message))
        self._waiting.clear()


@dataclass(frozen=True)
class PreviewParts:
    """The parts of a message with preview frames of a job that goes on."""

    parts: list[bytes]


Report = ProgressUpdate | PreviewParts | list[bytes]
"""A job's progress, its preview frames, or the parts of the message that ends it."""


class Worker(threading.Thread):
    """Holds the engine and does one job after the other.

    report: called with a job and what there is to report of it, on this thread.
    """

    def __init__(self, engine: Engine, report: Callable[[Job, Report], None]) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._report = report
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def submit(self, job: Job) -> None:
        """Do a job as soon as the current one is done."""
        self._jobs.put(job)

    def finish(self) -> None:
        """End the thread when the current job is done."""
        self._jobs.put(None)

    def run(self) -> None:
        """Load the default model for partners, then do jobs."""
        model = self._engine.registry.default("partner")
        try:
            self._engine.load(model)
        except Exception as error:
            print(f"{model} could not be loaded: {one_line(error)}", file=sys.stderr, flush=True)
        while (job := self._jobs.get()) is not None:
            self._report(job, self._answer(job))

    def _answer(self, job: Job) -> list[bytes]:
        """The message that ends a job."""
        preview = PreviewBuffer(job.id, lambda parts: self._report(job, PreviewParts(parts)))
        try:
            result = self._engine.answer(
                job.request,
                progress=lambda fraction, what: self._report(job, ProgressUpdate(fraction, what)),
                cancelled=job.cancelled.is_set,
                preview=preview,
            )
        except Cancelled:
            return encode(job.id, ErrorReply("cancelled", "the request was cancelled"))
        except InvalidWeights as error:
            return encode(job.id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))
        except ValueError as error:
            return encode(job.id, ErrorReply("refused", one_line(error)))
        except Exception as error:
            traceback.print_exc()
            return encode(job.id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))
        return encode(job.id, result)


def one_line(error: Exception) -> str:
    """An exception's text, short and on one line."""
    return " ".join(str(error).split())[:500] or type(error).__name__
