"""What every command does at the terminal: say why it ended, show progress, leave whole results or none."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

PATIENCE = 2.0
"""s of work that need no progress shown."""
RHYTHM = 10.0
"""s between lines of progress where there is no terminal to draw on."""


class BadInput(ValueError):
    """Something the caller gave cannot be used; its text is one sentence. Exit status 2."""


class Fault(Exception):
    """The work could not be done; its text is one sentence. Exit status 1.

    log: what another process said, for the one who looks for the cause.
    """

    def __init__(self, sentence: str, log: str = "") -> None:
        super().__init__(sentence)
        self.log = log


class ProgressBar:
    """Progress on standard error, for work that takes longer than PATIENCE: `with Progress(...) as progress`.

    Calling it with the fraction done and what is being done moves it on.
    """

    def __init__(self, what: str) -> None:
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)
        self._timer = Timer(PATIENCE, self._bar.start)
        self._timer.daemon = True
        self._next = time.monotonic() + PATIENCE

    def __enter__(self) -> "ProgressBar":
        if sys.stderr.isatty():
            self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        if self._bar.live.is_started:
            self._bar.stop()

    def __call__(self, fraction: float, what: str) -> None:
        self._bar.update(self._task, completed=fraction, total=1.0, description=what)
        if not sys.stderr.isatty() and time.monotonic() >= self._next:
            self._next = time.monotonic() + RHYTHM
            print_note(f"{what}: {100.0 * fraction:.0f} %")


def print_note(sentence: str) -> None:
    """Say something on standard error."""
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def staging_folder(result: Path) -> Iterator[Path]:
    """A folder beside `result` to make it in, gone afterwards. Raises BadInput where none can be made."""
    place = result.resolve()
    if not place.parent.is_dir():
        raise BadInput(f"{result}: an existing folder expected for it, there is no {result.parent}")
    folder = place.parent / f".{place.name}.{os.getpid()}.part"
    try:
        folder.mkdir()
    except OSError as error:
        raise BadInput(f"{result}: a place to write to expected ({error.strerror})") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def numbered_paths(path: Path, count: int) -> list[Path]:
    """The files of `count` results: the path itself for one, else with -1, -2... before the suffix."""
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]
