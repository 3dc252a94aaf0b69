"""BVH loading time, against Blender's own importer: `python -m tests.benchmarks.bvh_loading [FILE]`.

Both load the same file in turns in one process; the row gives medians. Without FILE it is salsa_01_leader.bvh (2,242
frames, 31 joints) of the corpus. Exit status 1 if we are not at least four times faster.
"""

import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from rigs.files import read

REPETITIONS = 9
LEAST_RATIO = 4.0


def main() -> int:
    data = Path(os.environ.get("PASDEDEUX_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else data / "salsa" / "salsa_01_leader.bvh"
    if not path.is_file():
        print(f"{path}: no such file (set PASDEDEUX_DATA or name a BVH)", file=sys.stderr)
        return 2
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(REPETITIONS):
        ours.append(seconds(lambda: read(path)))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        theirs.append(seconds(lambda: bpy.ops.import_anim.bvh(filepath=str(path))))
    ratio = statistics.median(theirs) / statistics.median(ours)
    print(
        f"BVH loading  {path.name}  ours {format_times(ours)}  Blender {bpy.app.version_string} {format_times(theirs)}"
        f"  {ratio:.1f} times faster"
    )
    return 0 if ratio >= LEAST_RATIO else 1


def seconds(work: Callable[[], object]) -> float:
    """Duration of a call; its output is suppressed."""
    with contextlib.redirect_stdout(io.StringIO()):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start


def format_times(times: list[float]) -> str:
    low, middle, high = (1000.0 * value for value in (min(times), statistics.median(times), max(times)))
    return f"{middle:.0f} ms ({low:.0f} to {high:.0f})"


if __name__ == "__main__":
    sys.exit(main())
