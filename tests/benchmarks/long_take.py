"""One take on the Mixamo rig in a process of its own: `python -m tests.benchmarks.long_take FRAMES CORPUS`.

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
        forget_peak()
        before = memory("VmRSS")
        took = speed.seconds(lambda: retarget_accuracy.retarget(source=source.name, target=rig.name))
    print(json.dumps({"seconds": took, "before": before, "peak": memory("VmHWM")}))
    return 0


def memory(line: str) -> float:
    """MB that this process has (VmRSS), or has had at most since `forget_peak` (VmHWM), as Linux tells it.

    A child's getrusage would tell of its parent as well, whose memory it shares until it becomes a program of its own.
    """
    status = dict(row.split(":", 1) for row in Path("/proc/self/status").read_text().splitlines())
    return float(status[line].split()[0]) / 1024.0


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Blender as a module may hang in taking itself down after an FBX import.
    os._exit(status)
