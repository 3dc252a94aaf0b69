"""What the check of written keys costs: its share of a retarget of 1,000 frames, in processor time.

Only to be imported after the extension has been installed: `tests.installed`.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.benchmarks import retarget_accuracy, speed
from tests.rig_builders import build

RIGS = ("Mixamo", "Rigify")
FRAMES = 1000
RUNS = 7
MAX_SHARE = 0.10
"""Of a retarget to a rig of 65 bones, the Mixamo one; Rigify's 706 bones with their constraints take Blender longer."""


def table(corpus: Path) -> list[str]:
    """Print the rows, medians of a few runs, and return the bound that is missed."""
    print(f"{'rig':<8} {'bones':>6} {'retarget':>9} {'check':>8} {'share':>6}")
    faults = []
    for name in RIGS:
        retarget_accuracy.empty_scene()
        rig = build(name, corpus)
        source = speed.long_dance(FRAMES, corpus)
        with _timed() as spent:
            wholes, checks = [], []
            for _ in range(RUNS):
                spent[0] = 0.0
                start = time.process_time()
                retarget_accuracy.retarget(source=source.name, target=rig.name)
                wholes.append(time.process_time() - start)
                checks.append(spent[0])
        whole, check = statistics.median(wholes), statistics.median(checks)
        print(f"{name:<8} {len(rig.data.bones):>6} {whole:>7.3f} s {1e3 * check:>5.1f} ms {check / whole:>6.1%}")
        if name == RIGS[0] and check > MAX_SHARE * whole:
            faults.append(f"the check takes {check / whole:.1%} of a retarget, {MAX_SHARE:.0%} at most")
    return faults


@contextmanager
def _timed() -> Iterator[list[float]]:
    """The seconds spent on the wanted poses and on comparing them, in a list of one."""
    from bl_ext.user_default.pas_de_deux.animation import rig_motion
    from bl_ext.user_default.pas_de_deux.operators import retarget

    spent = [0.0]
    places: list[tuple[Any, str]] = [(rig_motion, "sample_played_pose"), (retarget, "find_unfollowing_bones")]
    originals: list[Callable[..., Any]] = [getattr(module, name) for module, name in places]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            start = time.process_time()
            try:
                return function(*arguments, **options)
            finally:
                spent[0] += time.process_time() - start

        return call

    for (module, name), function in zip(places, originals, strict=True):
        setattr(module, name, timed(function))
    try:
        yield spent
    finally:
        for (module, name), function in zip(places, originals, strict=True):
            setattr(module, name, function)
