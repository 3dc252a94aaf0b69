"""How a command ends that a signal interrupts: nothing half done is left, and torch is not torn out of its loading."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


class Terminated(BaseException):
    """A signal has ended the process with this exit status, by way of every `finally`: no child, no unfinished file."""

    def __init__(self, status: int) -> None:
        self.status = status


def heed_termination() -> None:
    """Let SIGTERM raise Terminated."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: Any) -> None:
    raise Terminated(128 + number)


@contextmanager
def signals_waiting() -> Iterator[None]:
    """Let signals come when this is done: an exception in the midst of torch's import aborts the process."""
    came: list[int] = []
    before = {number: signal.signal(number, lambda n, _: came.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came[:1]:
            signal.raise_signal(late)


def leave(status: int) -> NoReturn:
    """End at once: torch's C++ aborts where Python ends around a half-done import of it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
