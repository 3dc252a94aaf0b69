"""How many files this process may have open, and how much memory it has."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def raise_descriptor_limit() -> int:
    """Allow this process as many open files as the system lets it have, and return how many."""
    if sys.platform == "win32":
        return 8192
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    for limit in (wanted, 10_240):  # macOS refuses more than its OPEN_MAX
        if soft != resource.RLIM_INFINITY and soft < limit <= wanted:
            with suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
                return limit
    return 65_536 if soft == resource.RLIM_INFINITY else soft


def resident_bytes() -> int:
    """Memory of this process, 0 where the system does not tell it in /proc."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0
