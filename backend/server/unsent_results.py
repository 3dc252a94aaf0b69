"""Results for clients that do not read at the moment, kept until they do, at most some minutes and bytes."""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

MAX_BYTES = 512 * 2**20
MAX_SECONDS = 300.0
_log = logging.getLogger("pasdedeux.server")


class _Unsent(NamedTuple):
    client: bytes
    parts: Sequence[bytes]
    size: int
    until: float


class UnsentResults:
    """The last messages of requests that could not be sent yet, in the order in which they were to be sent.

    clock: returns s.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._messages: deque[_Unsent] = deque()

    def add(self, client: bytes, parts: Sequence[bytes]) -> None:
        """Keep a message; where there is no room, the oldest ones make it."""
        self._messages.append(_Unsent(client, parts, sum(map(len, parts)), self._clock() + MAX_SECONDS))
        while sum(message.size for message in self._messages) > MAX_BYTES:
            self._drop(self._messages.popleft())

    def send(self, send: Callable[[bytes, Sequence[bytes]], bool]) -> None:
        """Try to send the messages again. send: returns False for a client that still does not read."""
        for message in [self._messages.popleft() for _ in range(len(self._messages))]:
            if send(message.client, message.parts):
                continue
            if self._clock() < message.until:
                self._messages.append(message)
            else:
                self._drop(message)

    def _drop(self, message: _Unsent) -> None:
        _log.warning("a result of %d bytes was dropped: its client has not read for too long", message.size)
