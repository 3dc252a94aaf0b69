"""How a server is told to stop: by signals, and by the end of the process that has started it."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_PARENT_POLL_INTERVAL = 0.5
"""s between two looks at the parent's pipe, on Windows."""


class Wakeup:
    """A socket pair by which threads and signal handlers wake the poller.

    stopping: whether the server is to stop now.  finishing: whether it is to stop once no request is open.
    """

    def __init__(self) -> None:
        self.receiver, self._sender = socket.socketpair()
        self.receiver.setblocking(False)
        self._sender.setblocking(False)
        self.stopping = False
        self.finishing = False

    def wake(self) -> None:
        """Wake the poller."""
        with suppress(OSError):  # it is awake already, or closed
            self._sender.send(b"!")

    def stop(self, number: int, frame: object) -> None:
        """Handle a signal to stop."""
        self.stopping = True
        self.wake()

    def finish(self) -> None:
        """Stop once no request is open."""
        self.finishing = True
        self.wake()

    def drain(self) -> None:
        """Read what has been sent so far."""
        with suppress(BlockingIOError):
            while self.receiver.recv(4096):
                pass

    def close(self) -> None:
        """Close both ends."""
        self.receiver.close()
        self._sender.close()


@contextmanager
def catch_stop_signals() -> Iterator[Wakeup]:
    """Let SIGINT and SIGTERM wake the poller instead of ending the process."""
    wakeup = Wakeup()
    before = {number: signal.signal(number, wakeup.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield wakeup
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        wakeup.close()


def finish_with_parent(wakeup: Wakeup, ended: Callable[[], None]) -> None:
    """Finish when standard input ends: a pipe whose other end the parent keeps open for as long as it lives.

    ended: called before, on a thread.
    """

    def wait() -> None:
        if sys.platform == "win32":
            _wait_for_end_on_windows()
        else:
            while os.read(0, 4096):
                pass
        ended()
        wakeup.finish()

    threading.Thread(target=wait, daemon=True).start()


def _wait_for_end_on_windows() -> None:
    """Return when standard input has ended. A read that waits there would hold up libraries that look at the handle."""
    import _winapi
    import msvcrt

    handle = msvcrt.get_osfhandle(0)  # type: ignore[attr-defined,unused-ignore]
    with suppress(OSError):
        while True:
            _winapi.PeekNamedPipe(handle, 0)  # type: ignore[attr-defined,unused-ignore]
            time.sleep(_PARENT_POLL_INTERVAL)
