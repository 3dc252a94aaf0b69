"""The process of a worker as its pool sees it: started, told, read, and killed with a cause that people understand."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from backend.worker.frames import Frame, read_frame, write_frame

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from backend.worker.main import main; "
    "sys.exit(main(sys.argv[2:]))"
)
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


class ChildProcess:
    """A worker process.

    last_sign: when it gave its last sign of life.  unchecked: s for which one of its jobs was at no checkpoint then.
    Raises OSError if it cannot be started.
    """

    def __init__(self, accelerator: str, registry: str) -> None:
        options = json.dumps({"accelerator": accelerator, "registry": registry})
        flags = ["-I"] * sys.flags.isolated + ["-S"] * sys.flags.no_site + ["-X", "utf8"] * sys.flags.utf8_mode
        self._process = subprocess.Popen(
            [sys.executable, *flags, "-c", _CODE, json.dumps(sys.path), options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.last_sign = time.monotonic()
        self.unchecked = 0.0
        self._killed_for = ""
        self._outbox: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        threading.Thread(target=self._write, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def send(self, frame: Frame) -> None:
        """Send a command, without waiting until it is read."""
        self._outbox.put(frame)

    def frames(self) -> Iterator[Frame]:
        """The reports to the process's end, which is waited for."""
        assert self._process.stdout is not None
        with self._process.stdout as reports:
            while True:
                try:
                    frame = read_frame(reports)
                except (OSError, ValueError, KeyError, TypeError):
                    self.kill("it sent what is no report")
                    break
                if frame is None:
                    break
                self.last_sign = time.monotonic()
                if frame.kind == "alive":
                    self.unchecked = float(frame.values["unchecked"])
                yield frame
        self.finish()
        self.wait(1.0)

    def cause_of_end(self) -> str:
        """Why the process has ended: a sentence without its subject's name."""
        if self._killed_for:
            return self._killed_for
        status = self._process.returncode
        if status is not None and status < 0:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            memory = ", as by Linux when memory runs out" if name == "SIGKILL" else ""
            return f"it was ended by {name}{memory}"
        return f"it ended with exit status {status}"

    def memory(self) -> int:
        """Bytes of memory that the process holds, 0 where that is unknown."""
        with suppress(OSError, ValueError, IndexError):
            return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * _PAGE
        return 0

    def kill(self, cause: str) -> None:
        """End the process at once. cause: why, for people."""
        self._killed_for = self._killed_for or cause
        self._process.kill()

    def finish(self) -> None:
        """Let the process end by itself, by closing its standard input."""
        self._outbox.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for its end, and kill it if it does not end within so many seconds."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self) -> None:
        """Write the commands, on a thread as a process that stands still reads none."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError), self._process.stdin as commands:
            while (frame := self._outbox.get()) is not None:
                write_frame(commands, frame)
