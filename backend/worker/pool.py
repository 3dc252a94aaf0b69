"""The interface between the server and its workers: commands to them, and the events that they report.

A worker holds the models on one accelerator, in a process of its own or on another machine. The server decides which
jobs run where and when; a pool carries that out, watches its workers and replaces those that end, hang or need too much
memory. `process_pool.py` runs workers as child processes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class WorkerState:
    """A worker as the pool sees it.

    name: unique in the pool, such as "cpu" or "cuda:1".  state: "starting" while it loads the models for the first time
    or after it was replaced; "lost" when it cannot be started again, for now.
    memory: bytes that it holds, 0 if unknown.  restarts: how often it was replaced.  models: those that it offers.
    """

    name: str
    accelerator: str
    state: Literal["starting", "ready", "lost"]
    memory: int = 0
    restarts: int = 0
    models: tuple[str, ...] = ()


@dataclass(frozen=True)
class WorkerReady:
    """A worker has loaded its models and takes jobs.

    models: names of those that work.  faults: for each of the others one sentence, with the name of its file.
    """

    worker: str
    models: tuple[str, ...]
    faults: Mapping[str, str]


@dataclass(frozen=True)
class JobProgress:
    """The fraction of a job that is done, 0 to 1, and what is being done."""

    job: int
    fraction: float
    what: str


@dataclass(frozen=True)
class JobPreview:
    """Preview frames of a job that goes on: the parts of a message with its request's id, see protocol.py."""

    job: int
    parts: Sequence[bytes]


@dataclass(frozen=True)
class JobEnd:
    """The end of a job: the parts of the message with its result or error, see protocol.py.

    seconds: for which it ran, without those in which it was paused.
    """

    job: int
    parts: Sequence[bytes]
    seconds: float


@dataclass(frozen=True)
class WorkerLost:
    """A worker has ended, hung or needed too much memory; it is being replaced.

    jobs: those that it had, none of which reports anything any more.  cause: one sentence for people.
    """

    worker: str
    jobs: tuple[int, ...]
    cause: str


WorkerEvent = WorkerReady | JobProgress | JobPreview | JobEnd | WorkerLost


class WorkerPool(Protocol):
    """Workers that answer requests. A job is a number that the server gives to a request, never used again.

    All methods return at once and are called on one thread; what a job's worker has lost meanwhile is ignored.
    """

    def start(self, report: Callable[[WorkerEvent], None]) -> None:
        """Start the workers. report: called with each event, on any thread; in order for each worker."""

    def states(self) -> Sequence[WorkerState]:
        """All workers, in a fixed order."""

    def run(self, worker: str, job: int, parts: Sequence[bytes]) -> None:
        """Start a job beside those that the worker runs already.

        parts: the client's message, which was validated. Jobs of a worker that run together share its accelerator.
        """

    def pause(self, job: int) -> None:
        """Let a job stop at its next checkpoint, and keep what it has so far."""

    def resume(self, job: int) -> None:
        """Let a paused job go on."""

    def cancel(self, job: int) -> None:
        """End a job, running or paused; it reports nothing any more."""

    def close(self, seconds: float) -> None:
        """End all workers: those that do not end by themselves within so many seconds are killed."""
