"""Time and memory of retargeting one take to the Mixamo rig: `python -m tests.benchmarks.long_take FRAMES CORPUS`.

Prints a line of JSON: seconds, and MB before and at the peak.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from tests import installed


def main(arguments: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        installed.install(installed.build(), Path(scratch))
        from tests.benchmarks import retarget_accuracy, speed
        from tests.rig_builders import build

        retarget_accuracy.empty_scene()
        corpus = Path(arguments[1])
        rig, source = build("Mixamo", corpus), speed.long_dance(int(arguments[0]), corpus)
        reset_peak()
        before = memory("VmRSS")
        took = speed.seconds(lambda: retarget_accuracy.retarget(source=source.name, target=rig.name))
    print(json.dumps({"seconds": took, "before": before, "peak": memory("VmHWM")}))
    return 0


def memory(line: str) -> float:
    """Memory in MB of this process: now (VmRSS), or its peak since `reset_peak` (VmHWM), from Linux's /proc.

    getrusage of a child would include its parent, whose memory it shares until it executes its own program.
    """
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return float(status[line].split()[0]) / 1024.0


def reset_peak() -> None:
    """Reset this process's peak memory."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Blender as a module may hang at exit after an FBX import.
    os._exit(status)
