"""What commands share at the terminal: exit statuses, signals, progress, and results written all or none."""

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

PROGRESS_DELAY = 2.0
"""s of work before progress is shown."""
PROGRESS_INTERVAL = 10.0
"""s between lines of progress where standard error is no terminal."""


class BadInput(ValueError):
    """Something that the user gave cannot be used; its text is one sentence. Exit status 2."""


class Fault(Exception):
    """The work could not be done; its text is one sentence. Exit status 1.

    log: the output of another process, for debugging.
    """

    def __init__(self, sentence: str, log: str = "") -> None:
        super().__init__(sentence)
        self.log = log


class Terminated(BaseException):
    """SIGTERM as an exception, so that every `finally` runs and no child and no partial file is left."""

    def __init__(self, status: int) -> None:
        self.status = status


def raise_on_sigterm() -> None:
    """Let SIGTERM raise Terminated."""
    signal.signal(signal.SIGTERM, _raise_terminated)


def _raise_terminated(number: int, _: Any) -> None:
    raise Terminated(128 + number)


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Deliver SIGINT and SIGTERM only afterwards: an exception during torch's import aborts the process."""
    pending: list[int] = []
    before = {
        number: signal.signal(number, lambda n, _: pending.append(n)) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if pending:
            signal.raise_signal(pending[0])


def exit_at_once(status: int) -> NoReturn:
    """End the process without Python's clean-up: torch's C++ aborts in it after a half-done import."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


class ProgressBar:
    """Progress on standard error, for work longer than PROGRESS_DELAY: `with ProgressBar(...) as progress`.

    It is called with the fraction done and what is being done.
    """

    def __init__(self, what: str) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(what, total=None)
        self._timer = Timer(PROGRESS_DELAY, self._bar.start)
        self._timer.daemon = True
        self._next_line = time.monotonic() + PROGRESS_DELAY

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
        """Show the fraction done and what is being done."""
        self._bar.update(self._task, completed=fraction, total=1.0, description=what)
        if not sys.stderr.isatty() and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + PROGRESS_INTERVAL
            print_note(f"{what}: {100.0 * fraction:.0f} %")


def print_note(sentence: str) -> None:
    """Print a sentence on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def print_notes(sentences: Iterable[str]) -> None:
    """Print sentences on standard error, each once."""
    for sentence in dict.fromkeys(sentences):
        print_note(sentence)


def expect_parent_folder(result: Path) -> None:
    """Raise BadInput for a result in a folder that does not exist."""
    if not result.resolve().parent.is_dir():
        raise BadInput(f"{result}: an existing folder expected for it, there is no {result.parent}")


def expect_result_files(results: Iterable[Path], sources: Iterable[Path] = ()) -> None:
    """Raise BadInput for a result that is a folder, that is in none, or that would replace a file that is read."""
    originals = [source.resolve() for source in sources]
    for result in results:
        if os.path.isdir(result):  # Path.is_dir raises for a name that is too long
            raise BadInput(f"{result}: a file expected, a folder found")
        if result.resolve() in originals:
            raise BadInput(f"{result}: the result would overwrite it, another OUT expected")
        expect_parent_folder(result)


def expect_own_sound(sound: Path, results: Iterable[Path], suffixes: Iterable[str]) -> None:
    """Raise BadInput where the sound of results would replace a file that no earlier run wrote.

    suffixes: of the files that an earlier run wrote beside its sound.
    """
    earlier = (result.with_suffix(suffix) for result, suffix in product(results, suffixes))
    if os.path.lexists(sound) and not any(map(os.path.lexists, earlier)):
        raise BadInput(f"{sound}: the result's sound would overwrite it, another OUT expected")


@contextmanager
def staging_folder(result: Path) -> Iterator[Path]:
    """A folder beside `result` to write results in, deleted afterwards. Raises BadInput where none can be made."""
    path = result.resolve()
    folder = path.parent / f".{path.name}.{os.getpid()}.part"
    try:
        folder.mkdir()
    except OSError as error:
        raise BadInput(f"{result}: a place to write to expected ({error.strerror})") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def move_results(folder: Path, results: Sequence[Path]) -> None:
    """Move finished results from a staging folder to where they are wanted, and print their paths."""
    for result in results:
        os.replace(folder / result.name, result)
        print(result)
