"""Jobs on worker threads, and the slots in which they run: one for what changes the scene, one for preview videos.

A thread only puts messages on a queue and never touches bpy; a timer drains the queue, see `job_operator`. Whatever
ends Blender's file or the extension ends the running jobs first.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import bpy

from backend.client import Cancelled as Cancelled

from .context_access import window_manager

OperatorReturn = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
"""What `execute`, `invoke` and `modal` return to Blender."""

TIMER_INTERVAL = 0.1  # s between two modal timer events
_DRAIN_SHARE = 0.9  # of the interval that draining the queue may take


class OperatorError(Exception):
    """Why an operator cannot do its work; the text is one sentence for its error report."""


@dataclass(frozen=True)
class JobProgress:
    """A job's progress: a fraction from 0 to 1, and a text that says what it is doing."""

    fraction: float
    text: str


@dataclass(frozen=True)
class JobPreview:
    """Something of a job's result that can be shown before it has finished."""

    value: Any


@dataclass(frozen=True)
class JobResult:
    """The last message of a job that has finished."""

    value: Any


@dataclass(frozen=True)
class JobFailure:
    """The last message of a job that has failed; `reason` is one sentence, empty for a cancelled job."""

    reason: str


class Reporter(Protocol):
    """The progress, preview and cancel callbacks of a job function; all may be called from any thread."""

    def progress(self, fraction: float, text: str) -> None: ...

    def preview(self, value: Any) -> None: ...

    def cancelled(self) -> bool: ...


JobFunction = Callable[[Reporter], Any]
JobMessage = JobProgress | JobPreview | JobResult | JobFailure

progress_listeners: list[Callable[[float, str], None]] = []
"""Callbacks that receive the progress of operators that block, so that a script can show it."""


class Job:
    """A job function on its own thread; its messages wait on a queue for `drain`."""

    def __init__(self, function: JobFunction) -> None:
        self.latest = JobProgress(0.0, "starting")
        self._messages: queue.SimpleQueue[JobMessage] = queue.SimpleQueue()
        self._cancel_event = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(function,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Request that the job stops; its last message is then a `JobFailure` without a reason."""
        self._cancel_event.set()

    def join(self, seconds: float) -> None:
        """Wait at most `seconds` for the thread to end."""
        self._thread.join(seconds)

    def progress(self, fraction: float, text: str) -> None:
        self._messages.put(JobProgress(fraction, text))

    def preview(self, value: Any) -> None:
        self._messages.put(JobPreview(value))

    def cancelled(self) -> bool:
        return self._cancel_event.is_set()

    def drain(self, seconds: float = TIMER_INTERVAL * _DRAIN_SHARE) -> Iterator[JobMessage]:
        """Yield the messages on the queue, for at most `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, JobProgress):
                self.latest = message
            yield message

    def _run(self, function: JobFunction) -> None:
        try:
            value = function(self)
        except Cancelled:
            self._messages.put(JobFailure(""))
        except Exception as error:
            self._messages.put(JobFailure(error_message(error)))
        else:
            self._messages.put(JobFailure("") if self.cancelled() else JobResult(value))


class JobSlot:
    """Room for one running job of modal operators and its timer; jobs in different slots run at the same time."""

    def __init__(self) -> None:
        self.job: Job | None = None
        # Called when the job ends, however it ends, to clear away what was shown of its result.
        self.end_listeners: list[Callable[[], None]] = []
        # Kept here, as disabling the add-on ends operators without calling them.
        self._timer: bpy.types.Timer | None = None

    def start(self, context: bpy.types.Context, job: Job) -> None:
        """Start a job, with the timer whose events drain its messages."""
        self.job = job
        self._timer = window_manager(context).event_timer_add(TIMER_INTERVAL, window=context.window)
        job.start()

    def end(self) -> None:
        """Cancel the running job if there is one, and free its timer, the status bar and the buttons at once."""
        job, timer = self.job, self._timer
        self.job = self._timer = None
        if job is not None:
            job.cancel()
        if timer is not None:
            window_manager(bpy.context).event_timer_remove(timer)
        show_status(bpy.context, None)
        for listener in self.end_listeners:
            try:
                listener()
            except Exception as error:  # the others clear up all the same
                print(f"Pas de Deux: what a job has shown could not be removed ({error_message(error)})")


main_slot, preview_slot = JobSlot(), JobSlot()
"""The slot of all jobs that change the scene, and that of preview videos, which hold up no other job."""


def error_message(error: Exception) -> str:
    """The text of an error report: the error's own if it was written for people, else with its type in front."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, (OperatorError, ValueError)) or type(error).__module__.startswith("backend"):
        return text
    return f"{type(error).__name__}: {text}"


def stop_running_jobs() -> None:
    """End the running jobs and wait at most two seconds for the thread of each."""
    for slot in (main_slot, preview_slot):
        job = slot.job
        if job is not None:
            slot.end()
            job.join(2.0)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _end_jobs_before_load(*_: object) -> None:
    """End the running jobs before another file replaces the scene that they were started for."""
    for slot in (main_slot, preview_slot):
        if slot.job is not None:
            slot.end()


def register_handlers() -> None:
    """End running jobs before another file is opened or made."""
    bpy.app.handlers.load_pre.append(_end_jobs_before_load)


def unregister_handlers() -> None:
    """Remove what `register_handlers` added."""
    bpy.app.handlers.load_pre.remove(_end_jobs_before_load)


def show_status(context: bpy.types.Context, text: str | None) -> None:
    """Set the status bar's text (None clears it) and redraw the sidebars with their progress bars."""
    shown = bpy.data.workspaces if text is None else [context.workspace] if context.workspace else []
    for workspace in shown:
        workspace.status_text_set(text)
    for window in window_manager(context).windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()
