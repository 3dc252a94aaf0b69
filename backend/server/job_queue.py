"""The job queue: which job runs where and when, fairly between clients, short ones before long ones.

Short jobs overtake long ones; long ones run in slices, and are paused while short ones run. Clients share the workers
equally by the seconds that they use. Jobs of one model run together. Nothing here
waits, computes or sends: the server's loop carries out the actions that `JobQueue.schedule` returns.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from backend.server.fair_share import FairShare
from backend.server.job_cost import CostEstimator, JobSize
from backend.worker.pool import WorkerState

MAX_WAITING = 256
MAX_WAITING_PER_CLIENT = 64
SHORT_SECONDS = 2.0
"""Estimated s up to which a job is short."""
LONG_SLICE = 0.5
"""s that long jobs run, once it is their turn, before short ones pause them."""
SHORT_RUN = 3.0
"""s that short jobs run, while long ones wait, before these get a slice."""
LONG_TURN = 5.0
"""s after which long jobs make room for those of another client."""
MAX_BATCH_ROWS = 16
"""Takes of the jobs that run together on a worker."""
MAX_BATCH_JOBS = 8
MAX_LONG_JOBS = 4
"""Long jobs that a worker has begun, running and paused: each holds its memory."""
_GAIN_WEIGHT = 0.1
"""Weight of a job in the exponential moving average of what batches gain."""
_MAX_GAIN = 8.0


class QueueFull(Exception):
    """No more jobs can wait; the text says why."""


class Start(NamedTuple):
    """Start a job on a worker."""

    job: int
    worker: str


class Pause(NamedTuple):
    """Pause a job that runs."""

    job: int


class Resume(NamedTuple):
    """Let a paused job go on."""

    job: int


Action = Start | Pause | Resume


class Position(NamedTuple):
    """Where a job is: how many others are served before it, 0 for one that has begun, and the s until its result."""

    ahead: int
    seconds: float


@dataclass(eq=False)
class _Entry:
    """A job in the queue.

    cost: estimated s on a worker of its own.  elapsed: s that it has run.  share: the same, each second divided by the
    number of jobs that ran.  shared: whether it ever ran beside others.
    """

    job: int
    client: str
    size: JobSize
    cost: float
    elapsed: float = 0.0
    share: float = 0.0
    shared: bool = False

    @property
    def short(self) -> bool:
        """Whether the job is short, as estimated and as far as it has run."""
        return self.cost <= SHORT_SECONDS and self.elapsed <= 2.0 * SHORT_SECONDS

    def remaining(self, gain: float) -> float:
        """Estimated s that are left; a tenth of the cost for a job that takes longer than estimated."""
        return max(self.cost - self.share * (gain if self.shared else 1.0), 0.1 * self.cost)


@dataclass(eq=False)
class _Worker:
    """The jobs that a worker has begun.

    running, paused: in the order in which they began.  since: when the running ones began.  slice_end: until when long
    ones are not paused.  short_seconds: s of short jobs since long ones, which wait, had a slice.
    """

    running: list[_Entry] = field(default_factory=list)
    paused: list[_Entry] = field(default_factory=list)
    since: float = 0.0
    slice_end: float = 0.0
    short_seconds: float = 0.0

    @property
    def started(self) -> list[_Entry]:
        return self.running + self.paused


class JobQueue:
    """The jobs that wait, run and are paused, by the number that the server gave each.

    clock: returns s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._costs = CostEstimator()
        self._waiting: list[_Entry] = []  # in the order of their arrival
        self._workers: dict[str, _Worker] = {}
        self._shares = FairShare()
        self._gain = 1.0  # estimated seconds of work that are done in a second of jobs that run together
        self._last = clock()

    def __len__(self) -> int:
        """Jobs that wait for their start."""
        return len(self._waiting)

    def __contains__(self, job: int) -> bool:
        return any(entry.job == job for entry in self._entries())

    def estimate(self, size: JobSize) -> float:
        """The estimated seconds of a job on a worker of its own."""
        return self._costs.seconds(size)

    def add(self, job: int, client: str, size: JobSize) -> None:
        """Put a job into the queue. client: the identity that its use is charged to. Raises QueueFull."""
        if len(self._waiting) >= MAX_WAITING:
            raise QueueFull(f"{MAX_WAITING} requests wait already; try again later")
        if sum(entry.client == client for entry in self._waiting) >= MAX_WAITING_PER_CLIENT:
            raise QueueFull(
                f"{MAX_WAITING_PER_CLIENT} requests of this client wait already; send another when one is done"
            )
        self._shares.join(client, self._clients())
        self._waiting.append(_Entry(job, client, size, self._costs.seconds(size)))

    def remove(self, job: int) -> None:
        """Take out a job that is no longer wanted, wherever it is."""
        self._advance()
        self._take_out(job)

    def end(self, job: int) -> None:
        """Take out a job that has ended, and learn from its time."""
        self._advance()
        entry = self._take_out(job)
        if entry is None or not entry.share:
            return
        if entry.shared:
            gain = min(max(entry.cost / entry.share, 1.0), _MAX_GAIN)
            self._gain += _GAIN_WEIGHT * (gain - self._gain)
        else:
            self._costs.learn(entry.size, entry.elapsed)

    def requeue(self, job: int) -> None:
        """Let a job that its worker has lost wait again, before all others of its client."""
        self._advance()
        entry = self._take_out(job)
        if entry is not None:
            self._shares.join(entry.client, self._clients())
            self._waiting.insert(0, _Entry(job, entry.client, entry.size, entry.cost))

    def position(self, job: int, workers: int = 1) -> Position:
        """Where a job is, with so many workers. Raises KeyError for one that is not in the queue."""
        return self.positions(workers)[job]

    def positions(self, workers: int = 1) -> dict[int, Position]:
        """Where each job is: those that have begun, then the others in the order in which they would start."""
        self._advance()
        begun = self._in_order(entry for worker in self._workers.values() for entry in worker.started)
        ordered = [*begun, *self._in_order(self._waiting)]
        rate = min(max(workers, 1), max(len(ordered), 1)) * (self._gain if len(ordered) > 1 else 1.0)
        result: dict[int, Position] = {}
        work = 0.0
        for ahead, entry in enumerate(ordered):
            remaining = entry.remaining(self._gain)
            result[entry.job] = Position(ahead if ahead >= len(begun) else 0, max(work / rate, 0.0) + remaining)
            work += remaining
        return result

    def schedule(self, states: Sequence[WorkerState]) -> list[Action]:
        """What to do now with the jobs; to be called after every change, and a few times a second."""
        self._advance()
        ready = [state for state in states if state.state == "ready"]
        actions: list[Action] = []
        for state in sorted(ready, key=lambda state: len(self._worker(state.name).running)):
            actions += self._schedule_worker(state)
        return actions

    def _schedule_worker(self, state: WorkerState) -> Iterator[Action]:
        worker, now = self._worker(state.name), self._last
        waiting = [entry for entry in self._waiting if entry.size.model in state.models]
        shorts = self._in_order(entry for entry in [*waiting, *worker.paused] if entry.short)
        longs = self._in_order(entry for entry in [*waiting, *worker.paused] if not entry.short)
        if not worker.running:
            longs_turn = bool(longs) and (not shorts or worker.short_seconds >= SHORT_RUN)
            if longs_turn and shorts:
                worker.slice_end = now + LONG_SLICE
            yield from self._run_together(state.name, longs if longs_turn else shorts)
        elif any(entry.short for entry in worker.running):
            if not longs or worker.short_seconds < SHORT_RUN:
                yield from self._run_together(state.name, shorts)
        elif shorts and now >= worker.slice_end:
            yield from self._pause_running(worker)
            yield from self._run_together(state.name, shorts)
        elif longs and now >= worker.since + LONG_TURN and self._is_behind(longs[0], worker):
            yield from self._pause_running(worker)
            yield from self._run_together(state.name, longs)
        else:
            yield from self._run_together(state.name, longs)

    def _run_together(self, name: str, candidates: Sequence[_Entry]) -> Iterator[Action]:
        """Start or resume the first candidates that can run together with what runs.

        The first one that cannot, for another model or for its size, ends the search: else it could wait for ever.
        """
        worker = self._worker(name)
        for entry in candidates:
            is_paused = entry in worker.paused
            if not is_paused and not entry.short and sum(not other.short for other in worker.started) >= MAX_LONG_JOBS:
                continue
            if not _can_join(worker.running, entry):
                return
            if not worker.running:
                worker.since = self._last
                if not entry.short:
                    worker.short_seconds = 0.0
            worker.running.append(entry)
            if is_paused:
                worker.paused.remove(entry)
                yield Resume(entry.job)
            else:
                self._waiting.remove(entry)
                yield Start(entry.job, name)

    def _pause_running(self, worker: _Worker) -> Iterator[Action]:
        for entry in worker.running:
            yield Pause(entry.job)
        worker.paused += worker.running
        worker.running = []

    def _is_behind(self, entry: _Entry, worker: _Worker) -> bool:
        return self._shares.is_behind(entry.client, (other.client for other in worker.running))

    def _in_order(self, entries: Iterable[_Entry]) -> list[_Entry]:
        """Jobs in the order in which they are served: short ones first, clients by what they have used so far."""
        jobs = list(entries)
        return [
            entry
            for short in (True, False)
            for entry in self._shares.order(
                (entry for entry in jobs if entry.short is short),
                lambda entry: entry.client,
                lambda entry: entry.remaining(self._gain),
            )
        ]

    def _advance(self) -> None:
        """Charge the time since the last call to the jobs that run and to their clients."""
        now = self._clock()
        seconds, self._last = max(0.0, now - self._last), now
        if not seconds:
            return
        longs_wait = any(not entry.short for entry in self._waiting)
        for worker in self._workers.values():
            if not worker.running:
                continue
            if (longs_wait or any(not entry.short for entry in worker.paused)) and worker.running[0].short:
                worker.short_seconds += seconds
            for entry in worker.running:
                entry.shared |= len(worker.running) > 1
                entry.elapsed += seconds
                entry.share += seconds / len(worker.running)
                self._shares.charge(entry.client, seconds / len(worker.running))

    def _take_out(self, job: int) -> _Entry | None:
        for entries in self._collections():
            for entry in entries:
                if entry.job == job:
                    entries.remove(entry)
                    return entry
        return None

    def _worker(self, name: str) -> _Worker:
        return self._workers.setdefault(name, _Worker())

    def _collections(self) -> Iterator[list[_Entry]]:
        yield self._waiting
        for worker in self._workers.values():
            yield worker.running
            yield worker.paused

    def _clients(self) -> set[str]:
        return {entry.client for entry in self._entries()}

    def _entries(self) -> Iterator[_Entry]:
        for entries in self._collections():
            yield from entries


def _can_join(running: Sequence[_Entry], entry: _Entry) -> bool:
    """Whether a job can run beside those that run on its worker."""
    if not running:
        return True
    rows = sum(other.size.rows for other in running) + entry.size.rows
    same_model = all(other.size.model == entry.size.model for other in running)
    return same_model and rows <= MAX_BATCH_ROWS and len(running) < MAX_BATCH_JOBS
