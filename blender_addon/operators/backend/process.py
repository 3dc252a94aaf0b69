"""Operators of the backend: start, stop and test it, and show its log."""

import time
from importlib.metadata import version
from pathlib import Path

import bpy

from backend.client import BackendError, Client
from backend.wire.messages import HelloReply

from ...background_job import JobFunction, OperatorError, OperatorReturn, Reporter
from ...context_access import window_manager
from ...job_operator import JobOperator
from ...properties.preferences import addon_preferences
from . import launcher as backend_launcher
from .request import BackendConnection, backend_connection, server_sentence, user_folder
from .status import Answer, answers

_LINES_SHOWN = 30
"""The log's last lines, which are in sight when it is opened."""
_TRIES = 3
"""Round trips, of which the shortest is told."""


class PASDEDEUX_OT_start_backend(JobOperator):
    """Start the backend on this computer, or replace one that hangs; the first request does so by itself"""

    bl_idname = "pasdedeux.start_backend"
    bl_label = "Start Backend"
    label = "Starting the backend"

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        if addon_preferences(context).location == "SERVER":
            raise OperatorError("The backend is set to A Server: choose This Computer in the Backend panel to start it")
        connection = backend_connection(context)
        launch = connection.launch
        assert launch is not None

        def start(reporter: Reporter) -> str:
            running = backend_launcher.current
            if running is not None and not _answers(running):
                backend_launcher.discard(running.address)
            return backend_launcher.ensure_backend(launch, reporter)

        return start

    def apply(self, context: bpy.types.Context, result: str) -> None:
        answers[result] = Answer(True, "")
        if backend_launcher.remark:
            self.report({"INFO"}, f"{backend_launcher.remark}: the backend listens at {result}")


class PASDEDEUX_OT_stop_backend(bpy.types.Operator):
    """Stop the backend that this Blender has started; the next request starts it again"""

    bl_idname = "pasdedeux.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_running():
            cls.poll_message_set("No backend was started from this Blender")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        stop_backend()
        return {"FINISHED"}


class PASDEDEUX_OT_test_connection(JobOperator):
    """Ask the backend for its version and models, and measure how long a question and its answer take"""

    bl_idname = "pasdedeux.test_connection"
    bl_label = "Test Connection"
    label = "Testing the connection"

    _address = ""

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        connection = backend_connection(context)
        self._address = connection.address
        return lambda reporter: _test_connection(connection, reporter)

    def apply(self, context: bpy.types.Context, result: tuple[HelloReply | None, str]) -> None:
        hello, text = result
        answers[self._address] = Answer(hello is not None, text)
        if hello is None:
            raise OperatorError(text)
        self.report({"INFO"}, text)


class PASDEDEUX_OT_show_backend_log(bpy.types.Operator):
    """Open the log of the backend on this computer in a text editor"""

    bl_idname = "pasdedeux.show_backend_log"
    bl_label = "Show Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not log_path().is_file():
            cls.poll_message_set("The backend was not started yet, so there is no log")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        path = log_path()
        for text in [text for text in bpy.data.texts if text.filepath and Path(text.filepath) == path]:
            bpy.data.texts.remove(text)  # an earlier look at it
        try:
            text = bpy.data.texts.load(str(path))
        except RuntimeError as error:
            self.report({"ERROR"}, f"{path} cannot be read: {error}")
            return {"CANCELLED"}
        text.use_fake_user = False  # so that it is not saved with the .blend file
        if not bpy.app.background:
            bpy.ops.wm.window_new()
            area = window_manager(context).windows[-1].screen.areas[0]
            area.ui_type = "TEXT_EDITOR"
            editor = area.spaces[0]
            assert isinstance(editor, bpy.types.SpaceTextEditor)
            editor.text = text
            editor.top = max(0, len(text.lines) - _LINES_SHOWN)
        return {"FINISHED"}


def is_running() -> bool:
    """Whether a backend that was started from this Blender is running."""
    running = backend_launcher.current
    return running is not None and running.process is not None and not running.ended


def stop_backend() -> None:
    """End the backend that was started from this Blender, if any."""
    backend_launcher.stop()


def log_path() -> Path:
    """The log of the backend on this computer."""
    return Path(user_folder(), backend_launcher.LOG_NAME)


def _answers(running: backend_launcher.RunningBackend) -> bool:
    try:
        Client(running.address, keys=running.keys).hello()
    except BackendError:
        return False
    return True


def _test_connection(connection: BackendConnection, reporter: Reporter) -> tuple[HelloReply | None, str]:
    """The backend's hello and a sentence on it, or None and what is wrong. Raises OperatorError, Cancelled."""
    address = connection.address
    if connection.launch is not None:
        address = backend_launcher.ensure_backend(connection.launch, reporter)
    client = Client(address, keys=connection.keys)
    times = []
    try:
        for _ in range(_TRIES):
            start = time.perf_counter()
            hello = client.hello()
            times.append(time.perf_counter() - start)
    except BackendError as error:
        return None, server_sentence(error, BackendConnection(None, address, connection.keys))
    models = ", ".join(dict.fromkeys((*hello.models, *hello.dancers, *hello.composers)))
    here = version("pas-de-deux")
    number = hello.version if hello.version == here else f"{hello.version} (here {here})"
    return hello, f"Pas de Deux {number} with {models}; round trip {1000 * min(times):.0f} ms"


CLASSES = (
    PASDEDEUX_OT_start_backend,
    PASDEDEUX_OT_stop_backend,
    PASDEDEUX_OT_test_connection,
    PASDEDEUX_OT_show_backend_log,
)
