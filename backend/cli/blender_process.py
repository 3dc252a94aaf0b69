"""Starts a Blender without a window for `demo` and `render`, with the extension built from this checkout."""

import json
import os
import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from backend.cli.terminal import BadInput, Fault

ROOT = Path(__file__).resolve().parents[2]
PACKED = ("rigs", "backend", "blender_addon", "pyproject.toml")
"""What the extension's zip is made from."""
LOG = 400
"""The last lines of Blender's own that are kept for a fault."""


def blender_command() -> list[str]:
    """The command that runs a task in a Blender; the task's file comes behind it.

    The Blender is PASDEDEUX_BLENDER (a Blender, or a Python that has bpy), else this Python if it has bpy, else the
    blender on the PATH. Raises BadInput where there is none.
    """
    script = str(checkout_root() / "blender_addon" / "headless.py")
    chosen = os.environ.get("PASDEDEUX_BLENDER", "")
    if chosen:
        program = shutil.which(chosen)
        if program is None:
            raise BadInput(f"PASDEDEUX_BLENDER={chosen}: a Blender or a Python with bpy expected, no such program")
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


def checkout_root() -> Path:
    """The folder of this checkout, which holds the extension. Raises BadInput in an installation without one."""
    if not (ROOT / "blender_addon" / "headless.py").is_file():
        raise BadInput("The Blender extension is not beside this installation: run this command in a checkout")
    return ROOT


def build_extension() -> Path:
    """The extension's zip, built when it is missing or older than what it is made from. Raises Fault."""
    root = checkout_root()
    changed = max(_changed(root / name) for name in PACKED)
    built = max((root / "dist").glob("pas_de_deux-*.zip"), key=_changed, default=None)
    if built is not None and _changed(built) >= changed:
        return built
    builder = [sys.executable, str(root / "blender_addon" / "build.py")]
    build = subprocess.run(builder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    said = (build.stdout if build.returncode == 0 else build.stdout + build.stderr).strip()
    if build.returncode != 0:
        raise Fault(f"The extension could not be built: {_last_line(said)}", said)
    return Path(_last_line(said))


def run_task(task: dict[str, Any], folder: Path, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Run a task of blender_addon/headless.py in a Blender of its own and return its result.

    folder: for the task's file and whatever Blender keeps while it runs.
    Raises BadInput and Fault with Blender's sentence.
    """
    file = folder / "task.json"
    file.write_text(json.dumps(task))
    log: deque[str] = deque(maxlen=LOG)
    answer: dict[str, Any] = {}
    # In a session of its own, so that Ctrl-C reaches only this process, which then ends it.
    process = subprocess.Popen(
        [*blender_command(), str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"TMPDIR": str(folder.absolute())},
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            message = _message(line)
            if message is None:
                log.append(line)
            elif "progress" in message:
                progress(float(message["progress"]), str(message.get("what", "working in Blender")))
            else:
                answer = message
        status = process.wait()
    finally:
        terminate(process)
    if "result" in answer:
        return dict(answer["result"])
    if "error" in answer and status == 2:
        raise BadInput(str(answer["error"]))
    sentence = answer.get("error", f"Blender ended with status {status} before it was done")
    raise Fault(str(sentence), "".join(log))


def terminate(process: "subprocess.Popen[Any]") -> None:
    """End a child process, kindly at first."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _message(line: str) -> dict[str, Any] | None:
    """What a line of headless.py says; None for a line of Blender's own."""
    if not line.startswith("{"):
        return None
    try:
        message = json.loads(line)
    except ValueError:
        return None
    known = isinstance(message, dict) and message.keys() & {"progress", "result", "error"}
    return message if known else None


def _changed(path: Path) -> float:
    """When a file, or anything in a folder, was last changed."""
    if path.is_file():
        return path.stat().st_mtime
    inside = [file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return max((file.stat().st_mtime for file in inside), default=0.0)


def _last_line(said: str) -> str:
    return (said.splitlines() or ["it said nothing"])[-1]
