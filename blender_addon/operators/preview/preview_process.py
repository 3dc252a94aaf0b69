"""A second Blender without a window that renders a preview from a copy of the .blend file, and ends with the first."""

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import bpy

from ...background_job import Cancelled, OperatorError, Reporter
from ...context_access import EXTENSION_PACKAGE
from ...media import preview_video
from ...media.preview_video import PreviewOptions
from ...media.video_output import temporary_path

_CHILD_CODE = "import addon_utils; addon_utils.enable({0!r}); from {1} import render_task; render_task({2!r})"
_MESSAGE = "pas_de_deux: "  # what a line with a message begins with
_WAIT = 0.1  # s between two looks at whether the preview was cancelled
_NO_CONSOLE = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # of Windows

TemporaryFolder = tempfile.TemporaryDirectory[str]


def copy_blend_file() -> TemporaryFolder:
    """Save the open file as it is now, unsaved changes included, to a temporary folder. Raises OperatorError.

    The open file stays as it is: its name, its unsaved changes and its paths.
    """
    folder = tempfile.TemporaryDirectory(dir=bpy.app.tempdir, prefix="preview-")
    try:
        bpy.ops.wm.save_as_mainfile(
            filepath=str(_blend(Path(folder.name))),
            copy=True,
            compress=False,
            relative_remap=True,
            check_existing=False,
        )
    except RuntimeError as error:
        folder.cleanup()
        reason = " ".join(str(error).removeprefix("Error: ").split())
        raise OperatorError(f"{bpy.app.tempdir}: the scene cannot be copied there to render it ({reason})") from None
    return folder


def render_in_child(folder: Path, options: PreviewOptions, path: Path, reporter: Reporter) -> int:
    """Render the copied file in a background Blender; the number of frames. Raises OperatorError, Cancelled.

    folder: of `copy_blend_file`.
    """
    task_file = folder / "task.json"
    task_file.write_text(json.dumps({"out": str(path), "options": options.to_json()}), "utf-8")
    process = subprocess.Popen(
        _child_command(task_file),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        creationflags=_NO_CONSOLE,
    )
    reporter.progress(0.0, "starting a second Blender")
    try:
        return _read_child_messages(process, reporter)
    finally:
        process.kill()
        process.wait()
        temporary_path(path).unlink(missing_ok=True)


def render_task(task_file: str) -> None:
    """Entry point of the child process: render a task, and write messages with its progress to standard output."""
    folder = Path(task_file).parent
    task = json.loads(Path(task_file).read_text("utf-8"))
    path = Path(task["out"])
    threading.Thread(target=_end_with_parent, args=(folder, path), daemon=True).start()

    def send(**message: Any) -> None:
        print(f"\n{_MESSAGE}{json.dumps(message)}", flush=True)

    try:
        frames = preview_video.render_copy(
            _blend(folder),
            PreviewOptions.from_json(task["options"]),
            path,
            folder,
            lambda fraction, text: send(progress=fraction, text=text),
        )
    except (OperatorError, ValueError) as error:
        send(error=str(error))
    except Exception as error:
        send(error=f"{type(error).__name__}: {error}")
    else:
        send(frames=frames)


def _blend(folder: Path) -> Path:
    return folder / "scene.blend"


def _end_with_parent(folder: Path, path: Path) -> None:
    """End this process, and leave no file, once the Blender that started it is gone and its end of the pipe closed."""
    while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # Windows deletes no file that is being written
        temporary_path(path).unlink(missing_ok=True)
    os._exit(1)


def _child_command(task_file: Path) -> list[str]:
    code = _CHILD_CODE.format(EXTENSION_PACKAGE, __name__, str(task_file))
    if bpy.app.binary_path:
        return [bpy.app.binary_path, "--background", "--python-exit-code", "1", "--python-expr", code]
    return [sys.executable, "-c", f"import bpy; {code}"]


def _read_child_messages(process: "subprocess.Popen[str]", reporter: Reporter) -> int:
    """Pass on the child's progress until it has finished; the number of frames. Raises OperatorError, Cancelled."""
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_read_lines, args=(process, lines), daemon=True).start()
    while True:
        if reporter.cancelled():
            raise Cancelled
        try:
            line = lines.get(timeout=_WAIT)
        except queue.Empty:
            continue
        if line is None:
            raise OperatorError("The second Blender that renders the preview ended before it was done")
        message = _parse(line)
        if "error" in message:
            raise OperatorError(message["error"])
        if "frames" in message:
            return int(message["frames"])
        if "progress" in message:
            reporter.progress(message["progress"], message["text"])


def _parse(line: str) -> dict[str, Any]:
    """The message in a line; empty for what Blender and its other add-ons print."""
    try:
        message = json.loads(line.removeprefix(_MESSAGE)) if line.startswith(_MESSAGE) else {}
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _read_lines(process: "subprocess.Popen[str]", lines: "queue.SimpleQueue[str | None]") -> None:
    """Put the process's lines on the queue, then None."""
    assert process.stdout is not None
    for line in process.stdout:
        lines.put(line)
    lines.put(None)
