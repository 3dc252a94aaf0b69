"""The backend's work: who is served next, and the one thread that holds the engine and serves them."""

import math
import queue
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from backend.engine import Engine
from backend.protocol import Cancelled, ErrorReply, PreviewFrames, ProgressUpdate, ProtocolError, Request, encode
from rigs.motion import Motion, concatenate

MOST_WAITING = 32
MOST_WAITING_EACH = 8
PREVIEW_INTERVAL = 0.2
"""Seconds at least between two times that a request's frames are sent."""


class QueueFull(Exception):
    """No more requests can wait; the text says why."""


@dataclass(eq=False)
class Job:
    """One request.

    client: the name that the ROUTER gives whoever asked.  id: the request's own.
    progress: what was last said of it.  called_off: set when nobody wants it any more.
    """

    client: bytes
    id: str
    request: Request
    progress: ProgressUpdate = field(default_factory=lambda: ProgressUpdate(0.0, "waiting"))
    called_off: threading.Event = field(default_factory=threading.Event)


class RequestQueue:
    """The jobs that wait. Clients take turns, so that one with many requests does not hold up the others."""

    def __init__(self) -> None:
        self._jobs: dict[bytes, deque[Job]] = {}  # clients in the order of their turns

    def add(self, job: Job) -> None:
        """Put a job last among its client's own. Raises Full."""
        if len(self._jobs.get(job.client, ())) >= MOST_WAITING_EACH:
            raise QueueFull(f"{MOST_WAITING_EACH} requests of this client wait already; send another when one is done")
        if sum(map(len, self._jobs.values())) >= MOST_WAITING:
            raise QueueFull(f"{MOST_WAITING} requests wait already; try again later")
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
    """The frames of a request as they are danced, held back and joined so that they are not sent too often.

    id: the request's.  send: is called with the parts of a message.  clock: tells seconds.
    """

    def __init__(
        self, id: str, send: Callable[[list[bytes]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._id = id
        self._send = send
        self._clock = clock
        self._held: dict[int, list[PreviewFrames]] = {}
        self._due = -math.inf

    def __call__(self, take: int, first: int, danced: Motion) -> None:
        """Take some frames, and send what is held if it is time. Raises ProtocolError for frames that are none."""
        held = self._held.setdefault(take, [])
        if held and held[-1].first + len(held[-1].motion) == first:
            before = held.pop()
            held.append(replace(before, danced=concatenate(before.motion, danced)))
        else:
            held.append(PreviewFrames(take, first, danced))
        if self._clock() < self._due:
            return
        self._due = self._clock() + PREVIEW_INTERVAL
        for take in sorted(self._held):
            for frames in self._held[take]:
                self._send(encode(self._id, frames))
        self._held.clear()


@dataclass(frozen=True)
class Shown:
    """The parts of a message with frames of a job that goes on."""

    parts: list[bytes]


Report = ProgressUpdate | Shown | list[bytes]
"""How far a job has come, what of it can be seen, or the parts of the message that ends it."""


class Worker(threading.Thread):
    """Holds the engine and does one job after the other.

    report: is called with a job and what there is to say of it, on this thread.
    """

    def __init__(self, engine: Engine, report: Callable[[Job, Report], None]) -> None:
        super().__init__(daemon=True)
        self._engine = engine
        self._report = report
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()

    def take(self, job: Job) -> None:
        """Do a job as soon as the one at hand is done."""
        self._jobs.put(job)

    def finish(self) -> None:
        """End the thread when the job at hand is done."""
        self._jobs.put(None)

    def run(self) -> None:
        try:
            self._engine.load()
        except Exception as error:
            print(f"{self._engine.models[0]} could not be loaded: {one_line(error)}", file=sys.stderr, flush=True)
        while (job := self._jobs.get()) is not None:
            self._report(job, self._done(job))

    def _done(self, job: Job) -> list[bytes]:
        previews = PreviewBuffer(job.id, lambda parts: self._report(job, Shown(parts)))
        try:
            answer = self._engine.answer(
                job.request,
                progress=lambda fraction, what: self._report(job, ProgressUpdate(fraction, what)),
                cancelled=job.called_off.is_set,
                preview=previews,
            )
        except Cancelled:
            return encode(job.id, ErrorReply("cancelled", "the request was cancelled"))
        except ValueError as error:
            return encode(job.id, ErrorReply("refused", one_line(error)))
        except Exception as error:
            traceback.print_exc()
            return encode(job.id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))
        try:
            return encode(job.id, answer)
        except ProtocolError as error:
            return encode(job.id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))


def one_line(error: Exception) -> str:
    """What an exception says, short and on one line."""
    return " ".join(str(error).split())[:500] or type(error).__name__
