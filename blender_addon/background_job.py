"""Modal operators that run a job on a worker thread, with progress and cancel, while Blender stays responsive.

The thread only puts messages on a queue and never touches bpy; a modal timer only drains the queue. An operator derives
from `JobOperator`: `prepare` reads the scene and returns the job function, `apply` writes its result into the scene,
`apply_previews` may show parts of it before. Called from a script (`execute`) it blocks, as bpy.app.timers never fires
in background mode.
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

    def drain(self, seconds: float = _TIMER_INTERVAL * _DRAIN_SHARE) -> Iterator[JobMessage]:
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
    """The callbacks of a job that blocks: progress goes to `progress_listeners`, and nothing shows or cancels it."""

    def progress(self, fraction: float, text: str) -> None:
        for listener in progress_listeners:
            listener(fraction, text)

    def preview(self, value: Any) -> None:
        pass

    def cancelled(self) -> bool:
        return False


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
        self._timer = window_manager(context).event_timer_add(_TIMER_INTERVAL, window=context.window)
        job.start()

    def end(self) -> None:
        """Cancel the running job if there is one, and free its timer, the status bar and the buttons at once."""
        job, timer = self.job, self._timer
        self.job = self._timer = None
        if job is not None:
            job.cancel()
        if timer is not None:
            window_manager(bpy.context).event_timer_remove(timer)
        for listener in self.end_listeners:
            listener()
        _show_status(bpy.context, None)


main_slot, preview_slot = JobSlot(), JobSlot()
"""The slot of all jobs that change the scene, and that of preview videos, which hold up no other job."""


class JobOperator(bpy.types.Operator):
    """Base of the operators that run a job: modal with a timer from the interface, blocking from a script."""

    label: ClassVar[str] = "working"
    """Text of the status bar while the job runs."""
    slot: ClassVar[JobSlot] = main_slot

    _job: Job | None = None
    # A name, as an undo step invalidates references.
    _scene = ""
    _confirmed = False

    def question(self, context: bpy.types.Context) -> str:
        """What to ask before the job starts from the interface; empty: nothing. Raises OperatorError."""
        return ""

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        """Read the scene on the main thread and return the job function. Raises OperatorError."""
        raise NotImplementedError

    def apply(self, context: bpy.types.Context, result: Any) -> None:
        """Write the job's result into the scene on the main thread. Raises OperatorError before anything changes."""
        raise NotImplementedError

    def apply_previews(self, context: bpy.types.Context, previews: list[Any]) -> None:
        """Show previews, in the order in which the job sent them, until the slot's `end_listeners` clear them away."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        job = cls.slot.job
        if job is not None:
            cls.poll_message_set(f"Another operation is running ({job.latest.text}); wait or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if self._confirmed:
            return self._start(context)
        try:
            self.apply(context, self._prepare_job(context)(_BlockingReporter()))
        except Exception as error:
            return self._report_error(error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if bpy.app.background:
            return self.execute(context)
        try:
            question = self.question(context)
        except Exception as error:
            return self._report_error(error)
        if not question:
            return self._start(context)
        self._confirmed = True  # Blender calls `execute` on OK
        manager = window_manager(context)
        return manager.invoke_confirm(self, event, title=self.bl_label, message=question, icon="WARNING")

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if self._job is None or self._job is not self.slot.job:
            return self._report_error(Cancelled())  # the slot's job was ended
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            return self._drain_job(context, self._job)
        except Exception as error:
            self.slot.end()
            return self._report_error(error)

    def cancel(self, context: bpy.types.Context) -> None:
        """Stop the job when Blender itself ends the modal operator, as when its window is closed."""
        if self._job is not None and self._job is self.slot.job:
            self.slot.end()

    def _start(self, context: bpy.types.Context) -> OperatorReturn:
        """Start the job and become modal."""
        try:
            function = self._prepare_job(context)
        except Exception as error:
            return self._report_error(error)
        self._job = Job(function)
        window_manager(context).modal_handler_add(self)
        self.slot.start(context, self._job)
        return {"RUNNING_MODAL"}

    def _drain_job(self, context: bpy.types.Context, job: Job) -> OperatorReturn:
        """Handle the job's messages; the last one ends the operator."""
        if any(window.screen.is_scrubbing for window in window_manager(context).windows):
            return {"PASS_THROUGH"}  # 5.2 crashes if a scene, such as `build_bones`'s, is removed while one scrubs
        previews = []
        for message in job.drain():
            if isinstance(message, JobProgress):
                continue
            if isinstance(message, JobPreview):
                previews.append(message.value)
                continue
            self.slot.end()
            if isinstance(message, JobFailure):
                return self._report_error(OperatorError(message.reason) if message.reason else Cancelled())
            with _scene_shown(context, self._scene):
                self.apply(context, message.value)
            return {"FINISHED"}
        if previews:
            with _scene_shown(context, self._scene):
                self.apply_previews(context, previews)
        if self.slot is main_slot or main_slot.job is None:  # there is one status bar
            _show_status(context, status_text(self.label, job.latest))
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


def error_message(error: Exception) -> str:
    """The text of an error report: the error's own if it was written for people, else with its type in front."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, (OperatorError, ValueError)) or type(error).__module__.startswith("backend"):
        return text
    return f"{type(error).__name__}: {text}"


def status_text(label: str, progress: JobProgress) -> str:
    """The status bar's text: the operator's label and the percentage, and what is being done if the label says less."""
    text = f"{label}: {progress.fraction:.0%}"
    return text if label.lower().startswith(progress.text.lower()) else f"{text}, {progress.text}"


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
