"""A worker on a thread of the server: holds the engine and answers requests."""

import queue
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from backend.engine import Engine, InvalidWeights
from backend.protocol import encode
from backend.server.request_queue import Job
from backend.wire.messages import Cancelled, ErrorReply, ProgressUpdate
from backend.worker.preview_buffer import PreviewBuffer


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
