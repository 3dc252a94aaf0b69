"""Whether processes have ended, also those that are nobody's children."""

import os
import time
from pathlib import Path

PATIENCE = 10.0  # s


def await_end(pid: int) -> None:
    """Wait until a process has ended; one that only waits for init to take note of it has. Raises AssertionError."""
    end = time.monotonic() + PATIENCE
    while _runs(pid):
        assert time.monotonic() < end, f"process {pid} still runs"
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:  # no Linux, or it has just ended
        return not Path("/proc/self/stat").exists()
