"""Jobs in a worker process: each on a thread of its own, which waits at its checkpoints while the job is paused."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from backend.engine import Engine, InvalidWeights
from backend.protocol import decode_client_message, encode
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest, ErrorReply, PartnerRequest, Request, Result
from backend.worker.frames import Frame
from backend.worker.preview_buffer import PreviewBuffer

PROGRESS_INTERVAL = 0.125
"""Least s between two reports of a job's progress."""
_WAITING = -1.0
"""Stands for the time of the last checkpoint while a job waits at one."""
_log = logging.getLogger("pasdedeux.worker")


class Job:
    """A job that runs: what its thread and the process's main loop share."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cancelled = False
        self._going = threading.Event()
        self._going.set()
        self._start = time.monotonic()
        self._paused_for = 0.0
        self._checked = self._start

    @property
    def seconds(self) -> float:
        """For how long it has run, without its pauses."""
        return time.monotonic() - self._start - self._paused_for

    @property
    def unchecked(self) -> float:
        """For how many s it has run since its last checkpoint; 0 while it waits at one."""
        checked = self._checked
        return 0.0 if checked == _WAITING else time.monotonic() - checked

    def pause(self) -> None:
        """Let the job wait at its next checkpoint."""
        self._going.clear()

    def resume(self) -> None:
        """Let the job go on."""
        self._going.set()

    def cancel(self) -> None:
        """Let the job end at its next checkpoint."""
        self.cancelled = True
        self._going.set()

    def checkpoint(self) -> bool:
        """Wait while the job is paused; returns whether it is cancelled."""
        if not self._going.is_set():
            before, self._checked = time.monotonic(), _WAITING
            self._going.wait()
            self._paused_for += time.monotonic() - before
        self._checked = time.monotonic()
        return self.cancelled


class JobRunner:
    """Runs jobs with an engine, and sends what they report.

    send: takes a frame, on any thread.  fail: ends the process, where not even an error can be sent.
    """

    def __init__(self, engine: Engine, send: Callable[[Frame], None], fail: Callable[[], None]) -> None:
        self._engine = engine
        self._send = send
        self._fail = fail
        self._jobs: dict[int, Job] = {}

    def start(self, number: int, parts: Sequence[bytes]) -> None:
        """Start a job. parts: the client's message."""
        job = self._jobs[number] = Job(number)
        threading.Thread(target=self._run, args=(job, parts), daemon=True).start()

    def get(self, number: int) -> Job | None:
        """A job that has not ended."""
        return self._jobs.get(number)

    @property
    def busy(self) -> bool:
        """Whether it has a job."""
        return bool(self._jobs)

    def unchecked(self) -> float:
        """For how many s the job that was last at a checkpoint longest ago has run since."""
        return max((job.unchecked for job in list(self._jobs.values())), default=0.0)

    def _run(self, job: Job, parts: Sequence[bytes]) -> None:
        try:
            end = self._answer(job, parts)
            if not job.cancelled:
                self._send(Frame("end", {"job": job.number, "seconds": job.seconds}, end))
        except BaseException:
            self._fail()  # the pool tells that the worker was lost, so that the job has an end
        finally:
            self._jobs.pop(job.number, None)

    def _answer(self, job: Job, parts: Sequence[bytes]) -> Sequence[bytes]:
        """The parts of the message that ends a job, whatever goes wrong."""
        id = ""
        try:
            id, request = decode_client_message(list(parts))
            if not isinstance(request, PartnerRequest | DanceRequest | ComposeRequest):
                raise TypeError(f"{request.kind}: a request expected")
            return encode(id, self._generate(job, id, request))
        except Cancelled:
            return encode(id, ErrorReply("cancelled", "the request was cancelled"))
        except InvalidWeights as error:
            return encode(id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))
        except MemoryError:
            _log.error("job %s needed more memory than there is", job.number, extra={"request": id})
            return encode(id, ErrorReply("fault", "the backend failed: it has too little memory for this request"))
        except ValueError as error:
            return encode(id, ErrorReply("refused", one_line(error)))
        except BaseException as error:
            _log.error("job %s failed", job.number, exc_info=error, extra={"request": id})
            return encode(id, ErrorReply("fault", f"the backend failed: {one_line(error)}"))

    def _generate(self, job: Job, id: str, request: Request) -> Result:
        """The result of a request. The engine's callbacks are the job's checkpoints."""
        next_report = 0.0

        def progress(fraction: float, what: str) -> None:
            nonlocal next_report
            if job.checkpoint():
                raise Cancelled
            if time.monotonic() >= next_report or fraction >= 1.0:
                next_report = time.monotonic() + PROGRESS_INTERVAL
                self._send(Frame("progress", {"job": job.number, "fraction": float(fraction), "what": what}))

        def send_preview(parts: Sequence[bytes]) -> None:
            self._send(Frame("preview", {"job": job.number}, parts))

        preview = PreviewBuffer(id, send_preview)
        return self._engine.answer(request, progress=progress, cancelled=job.checkpoint, preview=preview)


def one_line(error: BaseException) -> str:
    """An exception's text, short and on one line."""
    return " ".join(str(error).split())[:500] or type(error).__name__
