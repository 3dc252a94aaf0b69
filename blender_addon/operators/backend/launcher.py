"""Finds, starts and ends the embedded backend: our own server in a child process, under Blender's own Python.

Nothing here touches bpy, so that a job's thread can start the backend. The child ends when the pipe to it closes,
however Blender ends. A file in the extension's user folder says where it listens, by which other Blenders find it, and
keys there see to it that only the user's own Blenders use it, and none of them another's.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import numpy

import backend
from backend.client import BackendError, Client
from backend.keys import make_own_keys
from backend.protocol import DEFAULT_URL

from ...background_job import Cancelled, OperatorError, Reporter

LOG_NAME = "backend.log"
KEYS_NAME = "keys"
_MAX_LOG = 1 << 20  # bytes, beyond which the log begins anew
_START_TIMEOUT = 60.0  # s, in which the backend must listen; models are loaded afterwards
_HELLO_TIMEOUT = 2.0  # s for the answer of a backend that other Blenders may keep busy
_STOP_TIMEOUT = 2.0  # s for a backend to end by itself
_READY_FILES = "backend-*.json"
_CODE = (
    "import json, sys; packages = json.loads(sys.argv[1]); sys.path[:0] = packages[:1]; sys.path += packages[1:]; "
    "from backend.embedded_server import main; sys.exit(main(sys.argv[2:]))"
)


@dataclass(frozen=True)
class LaunchOptions:
    """What starts the backend: Blender's Python, the folders of its packages, and the extension's user folder.

    keys: the folder of the keys with which the backend's clients are admitted.
    """

    python: Path
    packages: tuple[str, ...]
    folder: Path
    keys: Path


@dataclass(frozen=True)
class RunningBackend:
    """A backend on this computer.

    process: the child process; None for one that another Blender of this user has started.
    keys: the folder of its client's keys.
    """

    address: str
    process: "subprocess.Popen[bytes] | None" = None
    ready_file: Path | None = None
    keys: Path | None = None

    @property
    def ended(self) -> bool:
        """Whether its process is known to have ended."""
        return self.process is not None and self.process.poll() is not None


current: RunningBackend | None = None
"""The backend that this Blender uses: one that it has started or found."""
starting = False
"""Whether a backend is being started."""
remark = ""
"""Why the backend does not listen at its usual address, for people."""
_lock = threading.Lock()
_avoided: set[str] = set()
"""Addresses of backends that have not answered, though they listen."""


def launch_options(folder: str) -> LaunchOptions:
    """What starts the backend. Raises OperatorError where Blender's Python is missing or keys cannot be made.

    folder: the extension's user folder.
    """
    try:
        keys = make_own_keys(Path(folder, KEYS_NAME))
    except OSError as error:
        raise OperatorError(f"{folder} cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise OperatorError(
            f"{error}; or delete the folder {Path(folder, KEYS_NAME)}, which is then made anew"
        ) from None
    # The extension's packages come first, and Blender's own, of which numpy is needed, last.
    packages = (str(Path(backend.__file__).parent.parent), str(Path(numpy.__file__).parent.parent))
    return LaunchOptions(find_python(), packages, Path(folder), keys)


def find_python() -> Path:
    """Blender's own Python. Raises OperatorError."""
    name = f"python3.{sys.version_info.minor}"
    prefix = Path(sys.prefix)
    inside = (prefix / "bin" / name, prefix / "bin" / "python3", prefix / "bin" / "python.exe", prefix / "python.exe")
    for path in (Path(sys.executable or "none"), *inside):
        if path.name.lower().startswith("python") and path.is_file():
            return path
    raise OperatorError(f"Blender's own Python is missing in {prefix}: install Blender again, or use A Server")


def ensure_backend(options: LaunchOptions, reporter: Reporter) -> str:
    """The address of a backend on this computer, which is found or started. Raises OperatorError, Cancelled."""
    global current, starting
    with _locked(reporter):
        if current is not None and not current.ended:
            return current.address
        current = _find_backend(options)
        if current is None:
            starting = True
            try:
                current = _start_process(options, reporter)
            finally:
                starting = False
        return current.address


def discard(address: str) -> None:
    """Use the backend at an address no longer, as it does not answer; one that was started here is ended."""
    global current
    with _lock:
        if current is None or current.address != address:
            return
        if current.process is None:
            _avoided.add(address)
        else:
            _kill(current)
        current = None


def stop() -> None:
    """End the backend if it was started here; what it does for other Blenders it finishes before."""
    global current, remark
    with _lock:
        running, current, remark = current, None, ""
    if running is None or running.process is None:
        return
    process = running.process
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    try:
        process.wait(_STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        if not _answers(running):
            _kill(running)


def last_log_line(folder: Path) -> str:
    """The last line of the backend's log, "" without any."""
    try:
        lines = (folder / LOG_NAME).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _find_backend(options: LaunchOptions) -> RunningBackend | None:
    """A backend of this version and this user's keys that runs already on this computer."""
    global remark
    remark = ""
    files: dict[str, Path | None] = {}
    for file in options.folder.glob(_READY_FILES):
        with suppress(OSError, ValueError, KeyError, TypeError):
            files[str(json.loads(file.read_text())["address"])] = file
    for address, ready_file in {**files, DEFAULT_URL: files.get(DEFAULT_URL)}.items():
        if not _listens(address):
            _avoided.discard(address)
            if ready_file is not None:  # left by one that was killed
                ready_file.unlink(missing_ok=True)
            continue
        other = "another program"
        if address not in _avoided:
            with suppress(BackendError):
                client = Client(address, _HELLO_TIMEOUT, keys=options.keys, connect_timeout=0.5)
                found = client.hello().version
                if found == version("pas-de-deux"):
                    return RunningBackend(address, keys=options.keys)
                other = f"a backend of version {found}"
        if address == DEFAULT_URL:
            remark = f"Port {urlsplit(address).port} is used by {other}"
    return None


def _start_process(options: LaunchOptions, reporter: Reporter) -> RunningBackend:
    """Start the backend and wait until it listens. Raises OperatorError with its last line of output, Cancelled."""
    reporter.progress(0.0, "starting the backend")
    ready_file = options.folder / f"backend-{uuid.uuid4().hex[:8]}.json"
    command = [
        str(options.python),
        "-I",
        "-S",
        "-X",
        "utf8",
        "-c",
        _CODE,
        json.dumps(options.packages),
        str(ready_file),
        str(options.folder / KEYS_NAME),
    ]
    with _open_log(options.folder) as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=options.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise OperatorError(f"Blender's Python, {options.python}, cannot be started: {error.strerror}") from None
    running = RunningBackend("", process, ready_file)
    try:
        address = _wait_until_listening(running, options.folder, reporter)
        return RunningBackend(address, process, ready_file, options.keys)
    except BaseException:
        _kill(running)
        raise


def _wait_until_listening(running: RunningBackend, folder: Path, reporter: Reporter) -> str:
    assert running.process is not None
    assert running.ready_file is not None
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end:
        if reporter.cancelled():
            raise Cancelled
        ended = running.ended
        if running.ready_file.exists():
            return str(json.loads(running.ready_file.read_text())["address"])
        if ended:
            reason = last_log_line(folder) or "it printed nothing"
            raise OperatorError(f"The backend did not start: {reason} (Show Log in the Backend panel says more)")
        time.sleep(0.03)
    raise OperatorError(f"The backend did not listen within {_START_TIMEOUT:.0f} seconds: click Show Log to see why")


@contextmanager
def _open_log(folder: Path) -> Iterator[int]:
    """The log's file descriptor, for appending."""
    path = folder / LOG_NAME
    with suppress(OSError):
        if path.stat().st_size > _MAX_LOG:
            path.unlink()
    try:
        log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise OperatorError(f"{path} cannot be written: {error.strerror}") from None
    try:
        yield log
    finally:
        os.close(log)


@contextmanager
def _locked(reporter: Reporter) -> Iterator[None]:
    """Hold the lock, which another job may hold while it starts the backend. Raises Cancelled."""
    while not _lock.acquire(timeout=0.1):
        reporter.progress(0.0, "starting the backend")
        if reporter.cancelled():
            raise Cancelled
    try:
        yield
    finally:
        _lock.release()


def _kill(running: RunningBackend) -> None:
    """End a process that was started here, whatever it does."""
    if running.process is not None:
        running.process.kill()
        running.process.wait()
        if running.process.stdin is not None:
            with suppress(OSError):
                running.process.stdin.close()
    if running.ready_file is not None:
        running.ready_file.unlink(missing_ok=True)


def _listens(address: str) -> bool:
    """Whether any program listens at an address of this computer."""
    parts = urlsplit(address)
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), 0.5):
            return True
    except (OSError, ValueError):
        return False


def _answers(running: RunningBackend) -> bool:
    try:
        Client(running.address, _HELLO_TIMEOUT, keys=running.keys, connect_timeout=0.5).hello()
    except BackendError:
        return False
    return True
