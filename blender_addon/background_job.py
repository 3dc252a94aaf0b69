"""Long work beside a responsive Blender: a thread that only puts messages on a queue, a timer that only drains it.

An operator that takes time derives from `JobOperator` and says three things: `prepare` reads the scene and returns the
work, the work runs without touching bpy, and `apply` writes its result into the scene. Called from a script it blocks.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import bpy

from .context_access import layer_of, manager_of

Outcome = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
"""What Blender's operators answer."""

_PERIOD = 0.1  # s between two looks at the queue
_SHARE = 0.9  # of the period that one look may take


class Refused(Exception):
    """Why something cannot be done; its text is one sentence for the animator."""


class Cancelled(Exception):
    """The animator has called the work off."""


@dataclass(frozen=True)
class Progress:
    """How far the work has come: a fraction from 0 to 1, and what it is doing."""

    fraction: float
    what: str


@dataclass(frozen=True)
class Done:
    """The work's result."""

    result: Any


@dataclass(frozen=True)
class Failed:
    """The work stopped; `reason` is one sentence, empty when it was cancelled."""

    reason: str


class Reporter(Protocol):
    """What the work is given to speak with the outside; both may be called from any thread."""

    def progress(self, fraction: float, what: str) -> None: ...

    def cancelled(self) -> bool: ...


Work = Callable[[Reporter], Any]

listeners: list[Callable[[float, str], None]] = []
"""Called with the progress of work that blocks, so that a script can show it."""


class Job:
    """One piece of work on a thread of its own."""

    def __init__(self, work: Work) -> None:
        self.latest = Progress(0.0, "starting")
        self._messages: queue.SimpleQueue[Progress | Done | Failed] = queue.SimpleQueue()
        self._called_off = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to stop; it answers with `Failed`."""
        self._called_off.set()

    def join(self, seconds: float) -> None:
        """Wait for the thread to end."""
        self._thread.join(seconds)

    def progress(self, fraction: float, what: str) -> None:
        self._messages.put(Progress(fraction, what))

    def cancelled(self) -> bool:
        return self._called_off.is_set()

    def drain(self, seconds: float = _PERIOD * _SHARE) -> Iterator[Progress | Done | Failed]:
        """The messages that wait, for at most so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                message = self._messages.get_nowait()
            except queue.Empty:
                return
            if isinstance(message, Progress):
                self.latest = message
            yield message

    def _run(self, work: Work) -> None:
        try:
            result = work(self)
        except Cancelled:
            self._messages.put(Failed(""))
        except Exception as error:
            self._messages.put(Failed(sentence(error)))
        else:
            self._messages.put(Failed("") if self.cancelled() else Done(result))


class _Blocking:
    """The reporter of work that blocks: it tells the listeners and is never called off."""

    def progress(self, fraction: float, what: str) -> None:
        for listener in listeners:
            listener(fraction, what)

    def cancelled(self) -> bool:
        return False


current: Job | None = None
"""The job that runs beside Blender now; there is one at a time."""


class JobOperator(bpy.types.Operator):
    """The base of an operator whose work takes time; see the module's first words."""

    label: ClassVar[str] = "working"
    """What the status bar says while it runs."""

    _timer: bpy.types.Timer | None = None
    _job: Job | None = None

    def prepare(self, context: bpy.types.Context) -> Work:
        """Read the scene and return the work, or raise Refused; the main thread."""
        raise NotImplementedError

    def apply(self, context: bpy.types.Context, result: Any) -> None:
        """Write the work's result into the scene, or raise Refused before anything is changed; the main thread."""
        raise NotImplementedError

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if current is not None:
            cls.poll_message_set(f"Wait for the running work ({current.latest.what}) or cancel it")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Outcome:
        try:
            self.apply(context, self._prepared(context)(_Blocking()))
        except Exception as error:
            return self._refuse(error)
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        global current
        if bpy.app.background:
            return self.execute(context)
        try:
            work = self._prepared(context)
        except Exception as error:
            return self._refuse(error)
        current = self._job = Job(work)
        manager = manager_of(context)
        self._timer = manager.event_timer_add(_PERIOD, window=context.window)
        manager.modal_handler_add(self)
        current.start()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        if event.type != "TIMER" or self._job is None:
            return {"PASS_THROUGH"}
        for message in self._job.drain():
            if isinstance(message, Progress):
                continue
            self._leave(context)
            if isinstance(message, Failed):
                return self._refuse(Refused(message.reason) if message.reason else Cancelled())
            try:
                self.apply(context, message.result)
            except Exception as error:
                return self._refuse(error)
            return {"FINISHED"}
        _show(context, f"{self.label}: {self._job.latest.what}")
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender itself ends the operator, as when another file is opened."""
        if self._job is not None:
            self._job.cancel()
        self._leave(context)

    def _prepared(self, context: bpy.types.Context) -> Work:
        # After an undo, as Blender makes one to run an operator again with other settings, nothing has its place yet.
        layer_of(context).update()
        return self.prepare(context)

    def _leave(self, context: bpy.types.Context) -> None:
        global current
        current = self._job = None
        if self._timer is not None:
            manager_of(context).event_timer_remove(self._timer)
            self._timer = None
        _show(context, None)

    def _refuse(self, error: Exception) -> Outcome:
        if isinstance(error, Cancelled):
            self.report({"INFO"}, "Cancelled")
        else:
            self.report({"ERROR"}, sentence(error))
        return {"CANCELLED"}


def hand_on(chooser: bpy.types.Operator, start: Callable[..., Outcome], **options: Any) -> Outcome:
    """Let another operator work with what `chooser` has asked for; what it refuses is said as its own sentence."""
    try:
        start("INVOKE_DEFAULT", **options)
    except RuntimeError as error:
        chooser.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
        return {"CANCELLED"}
    return {"FINISHED"}


class PASDEDEUX_OT_cancel(bpy.types.Operator):
    """Stop the work that runs now and leave the scene as it was"""

    bl_idname = "pasdedeux.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if current is None:
            cls.poll_message_set("Nothing is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Outcome:
        if current is not None:
            current.cancel()
        return {"FINISHED"}


def sentence(error: Exception) -> str:
    """What to tell the animator about an error: its own text, with the kind in front where nobody wrote it for them."""
    text = str(error).strip() or type(error).__name__
    if isinstance(error, (Refused, ValueError)) or type(error).__module__.startswith("backend"):
        return text
    return f"{type(error).__name__}: {text}"


def stop() -> None:
    """Call the running job off and wait a moment for it to end."""
    if current is not None:
        current.cancel()
        current.join(2.0)


def _show(context: bpy.types.Context, text: str | None) -> None:
    """Put `text` into the status bar and draw the panels again."""
    if context.workspace is not None:
        context.workspace.status_text_set(text)
    for window in manager_of(context).windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                area.tag_redraw()


CLASSES = (PASDEDEUX_OT_cancel,)
