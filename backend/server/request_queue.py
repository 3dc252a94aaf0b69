"""The queue of requests that wait for a worker."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from backend.wire.messages import ProgressUpdate

MAX_WAITING = 32
MAX_WAITING_PER_CLIENT = 8


class QueueFull(Exception):
    """No more requests can wait; the text says why."""


@dataclass(eq=False)
class Job:
    """One request.

    client: the ROUTER's name for the client.  id: the request's own.
    number: its own among all tries of all jobs.  parts: the message as it came, which was validated.
    progress: the last update of it.  tries: how often a worker was lost with it.
    """

    client: bytes
    id: str
    number: int
    parts: Sequence[bytes]
    progress: ProgressUpdate = field(default_factory=lambda: ProgressUpdate(0.0, "waiting"))
    tries: int = 0


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

    def requeue(self, job: Job) -> None:
        """Put a job that has begun already before all others."""
        jobs = self._jobs.pop(job.client, deque())
        jobs.appendleft(job)
        self._jobs = {job.client: jobs, **self._jobs}

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
