"""Runs a Blender without a window for `demo`, `render`, FBX and glTF, with the extension built from this checkout."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from backend.cli.terminal import BadInput, Fault, signals_deferred

ROOT = Path(__file__).resolve().parents[2]
EXTENSION_SOURCES = ("rigs", "backend", "blender_addon", "pyproject.toml")
"""What the extension's zip is made from."""
MAX_LOG_LINES = 400
"""Last lines of Blender's output to show with a fault."""


def blender_command() -> list[str]:
    """The command line that runs a task in a Blender; the task's file is to be appended.

    The Blender is PASDEDEUX_BLENDER (a Blender, or a Python that has bpy), else this Python if it has bpy, else the
    blender on the PATH. Raises BadInput if there is none.
    """
    script = str(checkout_root() / "blender_addon" / "headless.py")
    configured = os.environ.get("PASDEDEUX_BLENDER", "")
    if configured:
        program = shutil.which(configured)
        if program is None:
            raise BadInput(f"PASDEDEUX_BLENDER={configured}: a Blender or a Python with bpy expected, no such program")
        is_python = "python" in Path(program).name.lower()
    elif find_spec("bpy") is not None:
        program, is_python = sys.executable, True
    else:
        program, is_python = shutil.which("blender"), False
    if program is None:
        raise BadInput("No Blender found: set PASDEDEUX_BLENDER to one, or install pas-de-deux[blender]")
    if is_python:
        return [program, script]
    return [program, "--background", "--factory-startup", "--python-exit-code", "1", "--python", script, "--"]


def blender_version() -> tuple[int, int]:
    """Major and minor version of the Blender of `blender_command`. Raises BadInput, and Fault if it does not start."""
    program, *options = blender_command()
    ask = ["-c", "import bpy; print('Blender', bpy.app.version_string)"]
    command = [program, *(["--version"] if "--background" in options else ask)]
    try:
        answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120.0)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Fault(f"{program} could not be started: {error}") from None
    found = re.search(r"Blender (\d+)\.(\d+)", answer.stdout)
    if found is None:
        raise Fault(f"{program} is no Blender and no Python with bpy", answer.stdout + answer.stderr)
    return int(found[1]), int(found[2])


def checkout_root() -> Path:
    """The folder of this checkout, with the extension's sources. Raises BadInput in an installation without them."""
    if not (ROOT / "blender_addon" / "headless.py").is_file():
        raise BadInput("The Blender extension is not beside this installation: run this command in a checkout")
    return ROOT


def build_extension() -> Path:
    """The extension's zip for this platform, built if it is missing or older than its sources. Raises Fault."""
    root = checkout_root()
    sources_time = max(_modified_time(root / name) for name in EXTENSION_SOURCES)
    system = {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)
    newest = max((root / "dist").glob(f"pas_de_deux-*-{system}-*.zip"), key=_modified_time, default=None)
    if newest is not None and _modified_time(newest) >= sources_time:
        return newest
    command = [sys.executable, str(root / "blender_addon" / "build.py"), "this"]
    build = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    output = (build.stdout if build.returncode == 0 else build.stdout + build.stderr).strip()
    if build.returncode != 0:
        raise Fault(f"The extension could not be built: {last_line(output)}", output)
    return Path(last_line(output))


def run_task(task: dict[str, Any], folder: Path, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Run a task of blender_addon/headless.py in a Blender of its own and return its result.

    folder: for the task's file and Blender's temporary files.
    Raises BadInput and Fault with the sentence that the task reports.
    """
    file = folder / "task.json"
    file.write_text(json.dumps(task))
    log: deque[str] = deque(maxlen=MAX_LOG_LINES)
    reply: dict[str, Any] = {}
    command = [*blender_command(), str(file)]
    with child_process(command, subprocess.PIPE, {"TMPDIR": str(folder.absolute())}) as process:
        assert process.stdout is not None
        for line in process.stdout:
            message = _read_message(line)
            if message is None:
                log.append(line)
            elif "progress" in message:
                progress(float(message["progress"]), str(message.get("what", "working in Blender")))
            else:
                reply = message
        status = process.wait()
    if "result" in reply:
        return dict(reply["result"])
    if "error" in reply and status == 2:
        raise BadInput(str(reply["error"]))
    sentence = reply.get("error", f"Blender ended with status {status} before it was done")
    raise Fault(str(sentence), "".join(log))


@contextmanager
def child_process(
    command: Sequence[str], output: int | IO[bytes], variables: dict[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """Run a child process that is ended afterwards: by SIGTERM, and by SIGKILL if it is still there after 5 s.

    It has a session of its own, so that Ctrl-C reaches only this process.
    output: where its standard output and error go.  variables: of its environment, beside this process's.
    """
    process = None
    try:
        with signals_deferred():  # an exception within Popen would leave a child that nobody knows
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=os.environ | variables,
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def last_line(output: str) -> str:
    """The last line of a process's output, for an error message."""
    return (output.splitlines() or ["it printed nothing"])[-1]


def _read_message(line: str) -> dict[str, Any] | None:
    """A message of headless.py; None for a line of Blender's own."""
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    known = isinstance(message, dict) and message.keys() & {"progress", "result", "error"}
    return message if known else None


def _modified_time(path: Path) -> float:
    """When a file, or anything in a folder, was last modified."""
    if path.is_file():
        return path.stat().st_mtime
    contents = [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return max((file.stat().st_mtime for file in contents), default=0.0)
