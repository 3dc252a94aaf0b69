"""Atomic file writes: a file appears whole or not at all, even if the writer is interrupted."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path, *, temporary: Path | None = None) -> Iterator[Path]:
    """Atomic write: yield a temporary path to write a file or make a folder at, which then replaces `path`.

    On any error, Ctrl-C included, what was written is deleted and `path` stays as it was.
    temporary: a path in the same file system; by default a hidden name beside `path` with its suffix, by which many
    writers choose the format.  Raises OSError.
    """
    temporary = temporary or path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def atomic_write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically. Raises OSError."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, "utf-8")
