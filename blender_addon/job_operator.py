"""Base of the operators that run a job: modal with a timer from the interface, blocking from a script.

An operator derives from `JobOperator`: `prepare` reads the scene and returns the job function, `apply` writes its
result into the scene, `apply_previews` may show parts of it before. Called from a script (`execute`) it blocks, as
bpy.app.timers never fires in background mode.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import bpy

from .background_job import (
    Cancelled,
    Job,
    JobFailure,
    JobFunction,
    JobPreview,
    JobProgress,
    JobSlot,
    OperatorError,
    OperatorReturn,
    error_message,
    main_slot,
    progress_listeners,
    show_status,
)
from .context_access import active_scene, active_view_layer, find_again, window_manager

_INTERACTIVE_TOOL = re.compile(r"(TRANSFORM|VIEW3D|VIEW2D|ANIM|ACTION|GRAPH|NLA|POSE|ARMATURE|SCREEN)_OT_")
"""Blender's modal tools that end with the user's movement, unlike those of add-ons, which may run on and on."""


class _BlockingReporter:
    """The callbacks of a job that blocks: progress goes to `progress_listeners`, and nothing shows or cancels it."""

    def progress(self, fraction: float, text: str) -> None:
        for listener in progress_listeners:
            listener(fraction, text)

    def preview(self, value: Any) -> None:
        pass

    def cancelled(self) -> bool:
        return False


class JobOperator(bpy.types.Operator):
    """Base of the operators that run a job: modal with a timer from the interface, blocking from a script."""

    label: ClassVar[str] = "working"
    """Text of the status bar while the job runs."""
    slot: ClassVar[JobSlot] = main_slot
    changes_scene: ClassVar[bool] = True
    """Whether the result is written into the scene, which must not be linked from another file then."""

    _job: Job | None = None
    # An identifier, as an undo step invalidates references.
    _scene = 0
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
        if self._confirmed and self._job is None:  # Adjust Last Operation calls it again, and blocks
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
        if _is_interacting(context):
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
        if previews and not job.cancelled():
            with _scene_shown(context, self._scene):
                self.apply_previews(context, previews)
        if self.slot is main_slot or main_slot.job is None:  # there is one status bar
            show_status(context, status_text(self.label, job.latest))
        return {"PASS_THROUGH"}

    def _prepare_job(self, context: bpy.types.Context) -> JobFunction:
        # Adjust Last Operation undoes the first run, and an undo step leaves the depsgraph to be evaluated.
        active_view_layer(context).update()
        scene = active_scene(context)
        if self.changes_scene and not scene.is_editable:
            raise OperatorError(f"The scene {scene.name} is linked from another file: make it local first")
        self._scene = scene.session_uid
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


def status_text(label: str, progress: JobProgress) -> str:
    """The status bar's text: the operator's label and the percentage, and what is being done if the label says less."""
    text = f"{label}: {progress.fraction:.0%}"
    return text if label.lower().startswith(progress.text.lower()) else f"{text}, {progress.text}"


def _is_interacting(context: bpy.types.Context) -> bool:
    """Whether the user scrubs the timeline, transforms, or uses another of Blender's own modal tools."""
    windows = window_manager(context).windows
    tools = (tool.bl_idname for window in windows for tool in window.modal_operators)
    return any(window.screen.is_scrubbing for window in windows) or any(map(_INTERACTIVE_TOOL.match, tools))


@contextmanager
def _scene_shown(context: bpy.types.Context, identifier: int) -> Iterator[None]:
    """Make a scene the context's, though the window may show another one by now. Raises OperatorError without it."""
    scene = find_again(bpy.data.scenes, identifier)
    if scene is None:
        raise OperatorError("The scene was removed meanwhile")
    if scene == active_scene(context):
        yield
        return
    with context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        yield
