"""Modal operators that run a job on a worker thread, with progress and cancel, while Blender stays responsive.

The thread only puts messages on a queue and never touches bpy; a modal timer only drains the queue. An operator derives
from `JobOperator`: `prepare` reads the scene and returns the job function, `apply` writes its result into the scene.
Called from a script (`execute`) it blocks, as bpy.app.timers never fires in background mode.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import bpy

from backend.client import Cancelled as Cancelled

from .context_access import active_scene, active_view_layer, window_manager

OperatorReturn = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
"""What `execute`, `invoke` and `modal` return to Blender."""

_TIMER_INTERVAL = 0.1  # s between two modal timer events
_DRAIN_SHARE = 0.9  # of the interval that draining the queue may take


class OperatorError(Exception):
    """Why an operator cannot do its work; the text is one sentence for its error report."""


@dataclass(frozen=True)
class JobProgress:
    """A job's progress: a fraction from 0 to 1, and a text that says what it is doing."""

    fraction: float
    text: str


@dataclass(frozen=True)
class JobResult:
    """The last message of a job that has finished."""

    value: Any


@dataclass(frozen=True)
class JobFailure:
    """The last message of a job that has failed; `reason` is one sentence, empty for a cancelled job."""

    reason: str


class Reporter(Protocol):
    """The progress and cancel callbacks of a job function; both may be called from any thread."""

    def progress(self, fraction: float, text: str) -> None: ...

    def cancelled(self) -> bool: ...


JobFunction = Callable[[Reporter], Any]

progress_listeners: list[Callable[[float, str], None]] = []
"""Callbacks that receive the progress of operators that block, so that a script can show it."""


class Job:
    """A job function on its own thread; its messages wait on a queue for `drain`."""

    def __init__(self, function: JobFunction) -> None:
        self.latest = JobProgress(0.0, "starting")
        self._messages: queue.SimpleQueue[JobProgress | JobResult | JobFailure] = queue.SimpleQueue()
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

    def cancelled(self) -> bool:
        return self._cancel_event.is_set()

    def drain(self, seconds: float = _TIMER_INTERVAL * _DRAIN_SHARE) -> Iterator[JobProgress | JobResult | JobFailure]:
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


class _BlockingReporter:
    """The callbacks of a job that blocks: progress goes to `progress_listeners`, and nothing cancels it."""

    def progress(self, fraction: float, text: str) -> None:
        for listener in progress_listeners:
            listener(fraction, text)

    def cancelled(self) -> bool:
        return False


running_job: Job | None = None
"""The job that a modal operator runs now; there is one at a time."""
_running_timer: bpy.types.Timer | None = None
"""The running job's modal timer, kept here as disabling the add-on ends operators without calling them."""


class JobOperator(bpy.types.Operator):
    """Base of the operators that run a job: modal with a timer from the interface, blocking from a script."""

    label: ClassVar[str] = "working"
    """Text of the status bar while the job runs."""

    _job: Job | None = None
    # A name, as an undo step invalidates references.
    _scene = ""

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        """Read the scene on the main thread and return the job function. Raises OperatorError."""
        raise NotImplementedError

    def apply(self, context: bpy.types.Context, result: Any) -> None:
        """Write the job's result into the scene on the main thread. Raises OperatorError before anything changes."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if running_job is not None:
            cls.poll_message_set(f"Another operation is running ({running_job.latest.text}); wait or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        try:
            self.apply(context, self._prepare_job(context)(_BlockingReporter()))
        except Exception as error:
            return self._report_error(error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        global running_job, _running_timer
        if bpy.app.background:
            return self.execute(context)
        try:
            function = self._prepare_job(context)
        except Exception as error:
            return self._report_error(error)
        running_job = self._job = Job(function)
        manager = window_manager(context)
        _running_timer = manager.event_timer_add(_TIMER_INTERVAL, window=context.window)
        manager.modal_handler_add(self)
        running_job.start()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if self._job is None or self._job is not running_job:
            return self._report_error(Cancelled())  # `end_running_job` was called
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            return self._drain_job(context, self._job)
        except Exception as error:
            end_running_job()
            return self._report_error(error)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stop the job when Blender itself ends the modal operator, as when its window is closed."""
        if self._job is not None and self._job is running_job:
            end_running_job()

    def _drain_job(self, context: bpy.types.Context, job: Job) -> OperatorReturn:
        """Handle the job's messages; the last one ends the operator."""
        for message in job.drain():
            if isinstance(message, JobProgress):
                continue
            end_running_job()
            if isinstance(message, JobFailure):
                return self._report_error(OperatorError(message.reason) if message.reason else Cancelled())
            with _scene_shown(context, self._scene):
                self.apply(context, message.value)
            return {"FINISHED"}
        _show_status(context, f"{self.label}: {job.latest.text}")
        return {"PASS_THROUGH"}

    def _prepare_job(self, context: bpy.types.Context) -> JobFunction:
        # Adjust Last Operation undoes the first run, and an undo step leaves the depsgraph to be evaluated.
        active_view_layer(context).update()
        self._scene = active_scene(context).name
        return self.prepare(context)

    def _report_error(self, error: Exception) -> OperatorReturn:
        if isinstance(error, Cancelled):
            self.report({"INFO"}, "Cancelled")
        else:
            self.report({"ERROR"}, error_message(error))
        return {"CANCELLED"}


def invoke_operator(
    caller: bpy.types.Operator, operator: Callable[..., OperatorReturn], **properties: Any
) -> OperatorReturn:
    """Invoke another operator from a file browser's; its error report becomes the caller's."""
    try:
        operator("INVOKE_DEFAULT", **properties)
    except RuntimeError as error:
        caller.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
        return {"CANCELLED"}
    return {"FINISHED"}


class PASDEDEUX_OT_cancel(bpy.types.Operator):
    """Cancel the running operation and leave the scene unchanged"""

    bl_idname = "pasdedeux.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if running_job is None:
            cls.poll_message_set("No operation is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if running_job is not None:
            running_job.cancel()
        return {"FINISHED"}


def error_message(error: Exception) -> str:
    """The text of an error report: the error's own if it was written for people, else with its type in front."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, (OperatorError, ValueError)) or type(error).__module__.startswith("backend"):
        return text
    return f"{type(error).__name__}: {text}"


def end_running_job() -> None:
    """Cancel the running job if there is one, and free its timer, the status bar and the buttons at once."""
    global running_job, _running_timer
    job, timer = running_job, _running_timer
    running_job = _running_timer = None
    if job is not None:
        job.cancel()
    manager = window_manager(bpy.context)
    if timer is not None:
        manager.event_timer_remove(timer)
    _show_status(bpy.context, None)


def stop_running_job() -> None:
    """End the running job and wait at most two seconds for its thread."""
    job = running_job
    if job is not None:
        end_running_job()
        job.join(2.0)


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]
def _end_job_before_load(*_: object) -> None:
    """End the running job before another file replaces the scene that it was started for."""
    if running_job is not None:
        end_running_job()


def register_handlers() -> None:
    """End a running job before another file is opened or made."""
    bpy.app.handlers.load_pre.append(_end_job_before_load)


def unregister_handlers() -> None:
    """Remove what `register_handlers` added."""
    bpy.app.handlers.load_pre.remove(_end_job_before_load)


@contextmanager
def _scene_shown(context: bpy.types.Context, name: str) -> Iterator[None]:
    """Make a scene the context's, though the window may show another one by now. Raises OperatorError without it."""
    scene = bpy.data.scenes.get(name)
    if scene is None:
        raise OperatorError(f"The scene {name} was removed meanwhile")
    if scene == active_scene(context):
        yield
        return
    with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield


def _show_status(context: bpy.types.Context, text: str | None) -> None:
    """Set the status bar's text (None clears it) and redraw the sidebars with their progress bars."""
    shown = bpy.data.workspaces if text is None else [context.workspace] if context.workspace else []
    for workspace in shown:
        workspace.status_text_set(text)
    for window in window_manager(context).windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (PASDEDEUX_OT_cancel,)
