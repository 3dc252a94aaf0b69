"""Operators that start and stop a backend on this machine, as a child process that is stopped when Blender quits."""

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO

import bpy

from ..background_job import Cancelled, JobFunction, JobOperator, OperatorError, OperatorReturn, Reporter
from ..context_access import EXTENSION_PACKAGE
from ..properties.preferences import addon_preferences, is_local

_START_TIMEOUT = 120.0  # s, in which the backend must have loaded its models
_SERVE_CODE = "from backend.cli.main import main; main()"

_process: subprocess.Popen[bytes] | None = None


class PASDEDEUX_OT_start_backend(JobOperator):
    """Start the backend on this machine"""

    bl_idname = "pasdedeux.start_backend"
    bl_label = "Start Backend"
    label = "Starting the backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if is_running():
            cls.poll_message_set("The backend is running already")
            return False
        return super().poll(context)

    def prepare(self, context: bpy.types.Context) -> JobFunction:
        preferences = addon_preferences(context)
        address, python = preferences.address, Path(bpy.path.abspath(preferences.python))
        if not is_local(address):
            raise OperatorError(f"The backend address {address} is on another machine: start the backend there")
        if not preferences.python:
            raise OperatorError("Choose the Backend Python in the Backend panel first")
        if not python.is_file():
            raise OperatorError(f"There is no Python at {python}: choose another in the Backend panel")
        folder = bpy.utils.extension_path_user(EXTENSION_PACKAGE, create=True)
        return lambda reporter: _start_process(python, address, Path(folder), reporter)

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
            cls.poll_message_set("No backend was started from this Blender")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        stop_backend()
        return {"FINISHED"}


def is_running() -> bool:
    """Whether the backend that was started from this Blender is running."""
    return _process is not None and _process.poll() is None


def stop_backend() -> None:
    """Terminate the backend that was started from this Blender, if any."""
    global _process
    if _process is not None:
        _terminate(_process)
    _process = None


def _start_process(python: Path, address: str, folder: Path, reporter: Reporter) -> "subprocess.Popen[bytes]":
    """Start the backend and wait until it listens. Raises OperatorError with its last line of output, Cancelled."""
    reporter.progress(0.0, "starting the backend")
    with tempfile.TemporaryFile(dir=folder) as log:
        command = [str(python), "-c", _SERVE_CODE, "serve", "--bind", address]
        try:
            # In an empty folder, as Python would import modules that lie in the working directory.
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment()
            )
        except OSError as error:
            raise OperatorError(f"{python} cannot be started: {error.strerror}") from None
        try:
            _wait_until_listening(process, log, reporter)
        except BaseException:
            _terminate(process)
            raise
    return process


def _wait_until_listening(process: "subprocess.Popen[bytes]", log: IO[bytes], reporter: Reporter) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end:
        if reporter.cancelled():
            raise Cancelled
        ended = process.poll() is not None
        output = os.pread(log.fileno(), 1 << 20, 0) if hasattr(os, "pread") else _read_from_start(log)
        if b"listening" in output:
            return
        if ended:
            raise OperatorError(_start_error(output.decode(errors="replace")))
        time.sleep(0.1)
    raise OperatorError(f"The backend did not listen within {_START_TIMEOUT:.0f} seconds")


def _read_from_start(log: IO[bytes]) -> bytes:
    log.seek(0)
    return log.read()


def _start_error(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    last_line = lines[-1] if lines else "no output"
    if "No module named 'backend'" in last_line:
        return "That Python has no Pas de Deux backend: install pas-de-deux[server] into it or choose another Python"
    return f"The backend did not start: {last_line}"


def _environment() -> dict[str, str]:
    """The environment for another Python: without the variables for Blender's own, and with unbuffered output."""
    excluded = {"PYTHONHOME", "PYTHONPATH"}
    return {name: value for name, value in os.environ.items() if name not in excluded} | {"PYTHONUNBUFFERED": "1"}


def _terminate(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


CLASSES = (PASDEDEUX_OT_start_backend, PASDEDEUX_OT_stop_backend)
