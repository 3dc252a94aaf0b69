"""Files that operators write: their paths, checked before a job starts, and their moves once it has succeeded."""

import filecmp
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
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


def move_to_free_name(file: Path, folder: Path) -> Path:
    """Move a file to a folder, numbered if another file has its name, and return its path there.

    A file of equal content that is there already is used instead. Raises OperatorError.
    """
    for name in _numbered_names(file.name):
        target = folder / name
        if target.is_file() and filecmp.cmp(file, target, shallow=False):
            return target
        if _reserve([target]):
            _replace(file, target)
            return target
    raise AssertionError("there is no end of names")


def move_together(files: Sequence[Path], folder: Path) -> list[Path]:
    """Move files that differ in their suffix to a folder, all with one free name, numbered if any of theirs is taken.

    Nothing is ever written over. Returns their paths there. Raises OperatorError.
    """
    for name in _numbered_names(files[0].name):
        targets = [(folder / name).with_suffix(file.suffix) for file in files]
        if _reserve(targets):
            for file, target in zip(files, targets, strict=True):
                _replace(file, target)
            return targets
    raise AssertionError("there is no end of names")


def _numbered_names(name: str) -> Iterator[str]:
    """The file name, then the same with 2, 3 and so on."""
    yield name
    path = Path(name)
    for number in count(2):
        yield f"{path.stem} {number}{path.suffix}"


def _reserve(targets: Sequence[Path]) -> bool:
    """Create empty files at all targets, or at none if one is there already. Raises OperatorError."""
    created: list[Path] = []
    try:
        for target in targets:
            target.touch(exist_ok=False)
            created.append(target)
    except FileExistsError:
        for target in created:
            target.unlink()
        return False
    except OSError as error:
        for target in created:
            target.unlink()
        raise OperatorError(f"{target.name}: a writable file expected ({error.strerror})") from None
    return True


def _replace(file: Path, target: Path) -> None:
    """Move a file over one that was reserved for it. Raises OperatorError."""
    try:
        os.replace(file, target)
    except OSError as error:
        target.unlink(missing_ok=True)
        raise OperatorError(f"{target.name}: a writable file expected ({error.strerror})") from None
