"""Files that operators write: their paths, checked before a job starts, and their moves once it has succeeded."""

import filecmp
import os
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import bpy

from ..background_job import Cancelled, OperatorError, Reporter

TemporaryFolder = tempfile.TemporaryDirectory[str]


def output_path(filepath: str, content: str) -> Path:
    """The absolute path of a file to write; `content` names it in errors. Raises OperatorError."""
    if filepath.startswith("//") and not bpy.data.filepath:
        raise OperatorError(f"Save the .blend file first, or choose another file for the {content}")
    path = Path(bpy.path.abspath(filepath)).absolute()
    if not path.parent.is_dir():
        raise OperatorError(f"There is no folder {path.parent} for the {content}")
    return path


def write_temporary(parent: Path, reporter: Reporter, write: Callable[[Path], None]) -> TemporaryFolder:
    """Write music files to a temporary folder within `parent`, to move later. Raises OperatorError, Cancelled."""
    if reporter.cancelled():
        raise Cancelled
    reporter.progress(1.0, "synthesizing the music")
    try:
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=".pas-de-deux-")
    except OSError as error:
        raise OperatorError(f"{parent}: a writable folder expected ({error.strerror})") from None
    try:
        write(Path(folder.name))
    except BaseException:
        folder.cleanup()
        raise
    return folder


def move_file(file: Path, target: Path) -> None:
    """Move a file, over an existing one. Raises OperatorError."""
    try:
        os.replace(file, target)
    except OSError as error:
        raise OperatorError(f"{target.name}: a writable file expected ({error.strerror})") from None


def move_to_free_name(file: Path, folder: Path) -> Path:
    """Move a file to a folder, numbered if another file has its name, and return its path there.

    A file of equal content that is there already is used instead. Raises OperatorError.
    """
    for number in count(1):
        target = folder / (file.name if number == 1 else f"{file.stem} {number}{file.suffix}")
        if target.is_file() and filecmp.cmp(file, target, shallow=False):
            return target
        if not target.exists():
            break
    move_file(file, target)
    return target
