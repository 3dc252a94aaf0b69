"""A backend on this machine, as a child process that ends with Blender at the latest."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import bpy

from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, OperatorReturn, Reporter
from ..context_access import EXTENSION_PACKAGE
from ..properties import preferences

_PATIENCE = 120.0  # s for a backend to load its model
_SERVE = "from backend.cli.main import main; main()"

_process: subprocess.Popen[bytes] | None = None


class PASDEDEUX_OT_start_backend(JobOperator):
    """Start the backend on this machine"""

    bl_idname = "pasdedeux.start_backend"
    bl_label = "Start Backend"
    label = "Starting the backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if is_running():
            cls.poll_message_set("The backend is running")
            return False
        return super().poll(context)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        chosen = preferences.addon_preferences(context)
        address, python = chosen.address, Path(bpy.path.abspath(chosen.python))
        if not preferences.is_local(address):
            raise OperatorError(f"The backend address {address} is another machine: start the backend there")
        if not chosen.python:
            raise OperatorError("Choose the Python with the backend in the extension's preferences first")
        if not python.is_file():
            raise OperatorError(f"There is no Python at {python}: choose another in the extension's preferences")
        folder = bpy.utils.extension_path_user(EXTENSION_PACKAGE, create=True)
        return lambda reporter: _start(python, address, Path(folder), reporter)

    def apply(self, context: bpy.types.Context, result: "subprocess.Popen[bytes]") -> None:
        global _process
        _process = result


class PASDEDEUX_OT_stop_backend(bpy.types.Operator):
    """Stop the backend that Start Backend has started"""

    bl_idname = "pasdedeux.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_running():
            cls.poll_message_set("No backend was started here")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        stop()
        return {"FINISHED"}


def is_running() -> bool:
    """Whether the backend that was started here is alive."""
    return _process is not None and _process.poll() is None


def stop() -> None:
    """End the backend that was started here, if any."""
    global _process
    if _process is not None:
        _end(_process)
    _process = None


def _start(python: Path, address: str, folder: Path, reporter: Reporter) -> "subprocess.Popen[bytes]":
    """Start the backend and wait until it listens. Raises OperatorError with the backend's own last words, Cancelled."""
    reporter.progress(0.0, "starting the backend")
    with tempfile.TemporaryFile(dir=folder) as log:
        command = [str(python), "-c", _SERVE, "serve", "--bind", address]
        try:
            # From an empty folder, as Python would import what lies beside it.
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )
        except OSError as error:
            raise OperatorError(f"{python} cannot be started: {error.strerror}") from None
        try:
            _await_listening(process, log, reporter)
        except BaseException:
            _end(process)
            raise
    return process


def _await_listening(process: "subprocess.Popen[bytes]", log: IO[bytes], reporter: Reporter) -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if reporter.cancelled():
            raise Cancelled
        ended = process.poll() is not None
        said = os.pread(log.fileno(), 1 << 20, 0) if hasattr(os, "pread") else _reread(log)
        if b"listening" in said:
            return
        if ended:
            raise OperatorError(_why(said.decode(errors="replace")))
        time.sleep(0.1)
    raise OperatorError(f"The backend did not listen within {_PATIENCE:.0f} seconds")


def _reread(log: IO[bytes]) -> bytes:
    log.seek(0)
    return log.read()


def _why(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    if "No module named 'backend'" in last:
        return "That Python has no Pas de Deux backend: install pas-de-deux[server] into it or choose another Python"
    return f"The backend did not start: {last}"


def _environment() -> dict[str, str]:
    """The surroundings for another Python: without what Blender sets for its own, and not buffering what it prints."""
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONHOME", "PYTHONPATH"}}
    return kept | {"PYTHONUNBUFFERED": "1"}


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


CLASSES = (PASDEDEUX_OT_start_backend, PASDEDEUX_OT_stop_backend)
