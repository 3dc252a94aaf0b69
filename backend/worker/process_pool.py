"""Workers as child processes, one an accelerator, each watched, and replaced when it ends, hangs or needs too much."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Literal

from backend.model_registry import REGISTRY_PATH
from backend.worker.child_process import ChildProcess
from backend.worker.frames import Frame
from backend.worker.pool import (
    JobEnd,
    JobPreview,
    JobProgress,
    WorkerEvent,
    WorkerLost,
    WorkerReady,
    WorkerState,
)

_WATCH_INTERVAL = 0.25  # s
_MAX_SUSPENSION = 5.0  # s between two looks, beyond which this process was stopped itself
_MAX_BACK_OFF = 30.0  # s
_STEADY = 60.0  # s after which a worker that ends is started again at once
_log = logging.getLogger("pasdedeux.worker")


def accelerator_names(text: str) -> tuple[str, ...]:
    """The accelerators of `serve --accelerator`: auto, cpu, or a list such as cuda:0,cuda:1. Raises ValueError."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) != len(names):
        raise ValueError(
            f"accelerator: auto, cpu or a list of different ones such as cuda:0,cuda:1 expected, {text} found"
        )
    return names


class ProcessPool:
    """The pool of `backend.worker.pool` whose workers are child processes.

    registry: import path of the models' registry, "module:NAME".  memory: bytes that a worker may hold, None for any
    number; only Linux tells how many it holds.  silence: s without a sign of life, once a worker has started, after
    which it hangs.  start_silence: the same before.  unchecked: s of a job without a checkpoint.
    """

    def __init__(
        self,
        accelerators: Sequence[str] = ("auto",),
        registry: str = REGISTRY_PATH,
        *,
        memory: int | None = None,
        silence: float = 20.0,
        start_silence: float = 120.0,
        unchecked: float = 60.0,
    ) -> None:
        self._workers = {name: _Worker(name, registry) for name in accelerators}
        self._limits = memory, silence, start_silence, unchecked
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._jobs: dict[int, str] = {}
        self._report: Callable[[WorkerEvent], None] = lambda event: None

    def start(self, report: Callable[[WorkerEvent], None]) -> None:
        """Start the workers; see `WorkerPool.start`."""
        self._report = report
        open_standard_streams()
        for worker in self._workers.values():
            threading.Thread(target=self._keep, args=(worker,), daemon=True).start()
        threading.Thread(target=self._watch, daemon=True).start()

    def states(self) -> Sequence[WorkerState]:
        """All workers, in the order of the accelerators."""
        return [worker.state_now() for worker in self._workers.values()]

    def run(self, worker: str, job: int, parts: Sequence[bytes]) -> None:
        """Start a job; by a worker whose process is about to be started, then."""
        with self._lock:
            self._jobs[job] = worker
            self._workers[worker].send(Frame("run", {"job": job}, parts))

    def pause(self, job: int) -> None:
        """Let a job stop at its next checkpoint."""
        self._tell(job, "pause")

    def resume(self, job: int) -> None:
        """Let a paused job go on."""
        self._tell(job, "resume")

    def cancel(self, job: int) -> None:
        """End a job; it reports nothing any more."""
        self._tell(job, "cancel")
        with self._lock:
            self._jobs.pop(job, None)

    def close(self, seconds: float) -> None:
        """End all workers: those that do not end by themselves within so many seconds are killed."""
        self._closing.set()
        with self._lock:
            children = [worker.child for worker in self._workers.values() if worker.child is not None]
        for child in children:
            child.finish()
        end = time.monotonic() + seconds
        for child in children:
            child.wait(max(0.0, end - time.monotonic()))

    def _tell(self, job: int, kind: str) -> None:
        with self._lock:
            worker = self._jobs.get(job)
            if worker is not None:
                self._workers[worker].send(Frame(kind, {"job": job}))

    def _keep(self, worker: "_Worker") -> None:
        """Run a worker's process, and another one when it ends, until the pool is closed."""
        failures = 0
        while not self._closing.is_set():
            start = time.monotonic()
            cause = self._run_once(worker)
            if self._closing.is_set():
                return
            with self._lock:
                worker.child = None
                worker.backlog.clear()
                lost = tuple(job for job, name in self._jobs.items() if name == worker.name)
                for job in lost:
                    del self._jobs[job]
                worker.restarts += 1
                worker.state = "lost"
            _log.error("worker %s: %s; it is started again", worker.name, cause)
            self._report(WorkerLost(worker.name, lost, cause))
            failures = 0 if time.monotonic() - start > _STEADY else failures + 1
            self._closing.wait(min(_MAX_BACK_OFF, 0.25 * 2 ** (failures - 1)) if failures else 0.0)

    def _run_once(self, worker: "_Worker") -> str:
        """Start a worker's process and pass on its reports to its end; returns why it ended."""
        try:
            child = ChildProcess(worker.name, worker.registry)
        except OSError as error:
            return f"it could not be started ({error.strerror or error})"
        with self._lock:
            worker.child, worker.state = child, "starting"
            for frame in worker.backlog:
                child.send(frame)
            worker.backlog.clear()
        if self._closing.is_set():  # `close` may have looked before
            child.finish()
        for frame in child.frames():
            try:
                self._receive(worker, frame)
            except Exception:  # the report's; the worker goes on
                _log.exception("a report of worker %s failed", worker.name)
        return child.cause_of_end()

    def _receive(self, worker: "_Worker", frame: Frame) -> None:
        """Pass on a report of a worker."""
        values = frame.values
        if frame.kind == "ready":
            worker.models, worker.state = tuple(values["models"]), "ready"
            self._report(WorkerReady(worker.name, worker.models, dict(values["faults"])))
            return
        if frame.kind == "alive":
            return
        number = int(values["job"])
        with self._lock:
            if self._jobs.get(number) != worker.name:
                return  # cancelled
            if frame.kind == "end":
                del self._jobs[number]
        if frame.kind == "progress":
            self._report(JobProgress(number, float(values["fraction"]), str(values["what"])))
        elif frame.kind == "preview":
            self._report(JobPreview(number, frame.parts))
        elif frame.kind == "end":
            self._report(JobEnd(number, frame.parts, float(values["seconds"])))

    def _watch(self) -> None:
        """Kill workers that hang or need too much memory."""
        memory, silence, start_silence, unchecked = self._limits
        before = time.monotonic()
        while not self._closing.wait(_WATCH_INTERVAL):
            now = time.monotonic()
            suspended, before = now - before > _MAX_SUSPENSION, now
            for worker in self._workers.values():
                child = worker.child
                if child is None:
                    continue
                if suspended:
                    child.last_sign = now
                limit = silence if worker.state == "ready" else start_silence
                if now - child.last_sign > limit:
                    child.kill(f"it gave no sign of life for {limit:.3g} s")
                elif child.unchecked > unchecked:
                    child.kill(f"its work stood still for {unchecked:.3g} s")
                elif memory is not None and (held := child.memory()) > memory:
                    child.kill(f"it held {held / 2**30:.2f} GiB of memory, more than the {memory / 2**30:.2f} allowed")


class _Worker:
    """A worker's place in the pool, whose process changes."""

    def __init__(self, name: str, registry: str) -> None:
        self.name = name
        self.registry = registry
        self.child: ChildProcess | None = None
        self.state: Literal["starting", "ready", "lost"] = "starting"
        self.restarts = 0
        self.models: tuple[str, ...] = ()
        self.backlog: list[Frame] = []

    def send(self, frame: Frame) -> None:
        """Send a command, or keep it until there is a process."""
        if self.child is None:
            self.backlog.append(frame)
        else:
            self.child.send(frame)

    def state_now(self) -> WorkerState:
        """What it is at this moment."""
        child = self.child
        memory = child.memory() if child is not None else 0
        return WorkerState(self.name, self.name, self.state, memory, self.restarts, self.models)


def open_standard_streams() -> None:
    """Open those of the descriptors 0 to 2 that are closed, so that no pipe to a worker takes their places."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
