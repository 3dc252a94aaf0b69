"""Preview frames of a request, joined so that they are not sent too often."""

import math
import time
from collections.abc import Callable
from dataclasses import replace

from backend.protocol import encode
from backend.wire.messages import PreviewFrames
from rigs.motion import Motion, concatenate

PREVIEW_INTERVAL = 0.2
"""Least s between two messages with preview frames of a request."""


class PreviewBuffer:
    """Collects the preview frames of a request and sends them joined, so that they are not sent too often.

    id: the request's.  send: called with the parts of a message.  clock: returns s.
    """

    def __init__(
        self, id: str, send: Callable[[list[bytes]], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._id = id
        self._send = send
        self._clock = clock
        self._waiting: dict[int, list[PreviewFrames]] = {}
        self._next_send = -math.inf

    def __call__(self, take: int, first: int, motion: Motion) -> None:
        """Add frames, and send what waits if it is time. Raises ProtocolError for invalid frames."""
        waiting = self._waiting.setdefault(take, [])
        if waiting and waiting[-1].first + len(waiting[-1].motion) == first:
            before = waiting.pop()
            waiting.append(replace(before, motion=concatenate(before.motion, motion)))
        else:
            waiting.append(PreviewFrames(take, first, motion))
        if self._clock() < self._next_send:
            return
        self._next_send = self._clock() + PREVIEW_INTERVAL
        for _, messages in sorted(self._waiting.items()):
            for message in messages:
                self._send(encode(self._id, message))
        self._waiting.clear()
