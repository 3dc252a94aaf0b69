"""A log that a flood cannot fill: a few lines at once, then some a minute, and a count of those left out."""

import logging
import time
from collections.abc import Callable

LINES_PER_MINUTE, LINE_BURST = 20.0, 40.0


class LimitedLog:
    """Writes lines to a logger while they are few, and counts the others. Not for several threads."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._level = LINE_BURST
        self._last = clock()
        self._left_out = 0

    def write(self, level: int, text: str, *, client: str) -> None:
        """Log a line, or count it where there have been many.

        client: name or address, which the line is about.
        """
        self._refill()
        if self._level < 1.0:
            self._left_out += 1
            return
        self._level -= 1.0
        self._logger.log(level, text, extra={"client": client})

    def tell_left_out(self) -> None:
        """Log how many lines were left out since the last such line, once the log has room again."""
        self._refill()
        if self._left_out and self._level >= 1.0:
            self._level -= 1.0
            self._logger.warning("%d more such lines were left out", self._left_out)
            self._left_out = 0

    def _refill(self) -> None:
        now = self._clock()
        self._level = min(LINE_BURST, self._level + (now - self._last) * LINES_PER_MINUTE / 60.0)
        self._last = now
