"""A worker process: reads commands on standard input, runs their jobs, and reports on standard output.

It ends at once when standard input ends, as it does however the server ends. What libraries print goes to standard
error, so that it cannot damage the stream of reports.
"""

import io
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from backend.engine import Engine
from backend.model_registry import import_registry
from backend.models.common.weights_file import read_metadata
from backend.wire.messages import PartnerRequest
from backend.worker.frames import Frame, read_frame, write_frame
from backend.worker.job_runner import JobRunner, one_line
from rigs.sample_dance.salsa import sample_dance

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

HEARTBEAT_INTERVAL = 0.5
"""s between two signs of life."""
_WARM_UP = 60  # frames
_FIRST_JOBS = 10.0  # s for which the other models wait for jobs


def main(arguments: Sequence[str]) -> int:
    """Run a worker. arguments: one JSON object with "accelerator" and "registry", an import path."""
    logging.raiseExceptions = False  # a log that cannot be written ends no job
    (options,) = map(json.loads, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's; the worker ends with it
    commands, reports = _take_pipes()
    lock = threading.Lock()

    def send(frame: Frame) -> None:
        try:
            with lock:
                write_frame(reports, frame)
        except OSError:
            os._exit(0)  # the server has gone

    inbox: queue.SimpleQueue[Frame] = queue.SimpleQueue()
    threading.Thread(target=_read_commands, args=(commands, inbox), daemon=True).start()
    send(Frame("alive", {"unchecked": 0.0}))
    engine = Engine(options["accelerator"], import_registry(options["registry"]))
    runner = JobRunner(engine, send, lambda: os._exit(70))
    threading.Thread(target=_load_models, args=(engine, runner, send), daemon=True).start()
    while True:
        with suppress(queue.Empty):
            _obey(runner, inbox.get(timeout=HEARTBEAT_INTERVAL))
        send(Frame("alive", {"unchecked": runner.unchecked()}))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes of commands and reports, out of the way of whatever uses standard input and output."""
    commands, reports = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    log = io.BufferedWriter(_LossyLog(2, "w", closefd=False))
    sys.stdout = sys.stderr = io.TextIOWrapper(log, "utf-8", "backslashreplace", line_buffering=True)
    return commands, reports


class _LossyLog(io.FileIO):
    """Standard error, whose lines are lost where it is closed or full: what is printed ends no job."""

    def write(self, data: "ReadableBuffer", /) -> int:
        """Write bytes, or pass over them."""
        with suppress(OSError):
            super().write(data)
        return memoryview(data).nbytes


def _read_commands(commands: BinaryIO, inbox: "queue.SimpleQueue[Frame]") -> None:
    """Put commands into the inbox; at their end, end the process, also deep in a model."""
    try:
        while (frame := read_frame(commands)) is not None:
            inbox.put(frame)
    finally:
        os._exit(0)


def _obey(runner: JobRunner, frame: Frame) -> None:
    """Carry out a command."""
    number = int(frame.values["job"])
    job = runner.get(number)
    if frame.kind == "run":
        runner.start(number, frame.parts)
    elif job is None:
        return
    elif frame.kind == "pause":
        job.pause()
    elif frame.kind == "resume":
        job.resume()
    elif frame.kind == "cancel":
        job.cancel()


def _load_models(engine: Engine, runner: JobRunner, send: Callable[[Frame], None]) -> None:
    """Load the default model for partners, look at all weights, tell which models work, and then load the others.

    The others wait for the first jobs. While there is no job, each model for partners generates a few frames, so that
    its first request takes no longer than the next ones.
    """
    faults: dict[str, str] = {}
    names = engine.registry.names()
    default = engine.registry.names("partner")[:1]

    def check(model: str, load: bool) -> None:
        spec = engine.registry.get(model)
        try:
            if load:
                engine.load(model)
            elif spec.network:
                read_metadata(spec.weights, [model])
        except Exception as error:
            faults[model] = one_line(error)

    def tell() -> None:
        send(Frame("ready", {"models": [name for name in names if name not in faults], "faults": faults}))

    for model in names:
        check(model, load=model in default)
    tell()
    end = time.monotonic() + _FIRST_JOBS
    for model in (*default, *(name for name in names if name not in default)):
        while runner.busy and time.monotonic() < end:
            time.sleep(0.1)
        if model in faults:
            continue
        check(model, load=True)
        if model in faults:
            tell()
            continue
        spec = engine.registry.get(model)
        if spec.network and "partner" in spec.tasks and not runner.busy:
            with suppress(Exception):  # the first job's to tell
                engine.partner(PartnerRequest(sample_dance()[:_WARM_UP], model=model), cancelled=lambda: runner.busy)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
