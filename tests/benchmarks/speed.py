"""How long retargeting takes, beside constraints and `nla.bake`, and how much memory.

Only to be imported after the extension has been installed: `tests.installed`.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests import installed
from tests.rig_builders import CHARACTERS, build, reset_pose

RIGS = ("Mixamo", "Rigify")
LENGTHS = (300, 1800)
LONG = 18000
OURS, THEIRS = 5, 2
"""How often each is timed; the rows give medians."""
LEAST_RATIO = 20.0
"""Against the bake of every bone, where that is timed; a bake of the mapped bones alone is told beside it."""
WORST_GROWTH = 1.3
"""How much longer a frame may take in a long take than in a short one."""


def table(corpus: Path) -> list[str]:
    faults: list[str] = []
    print("medians; the bake is of the mapped bones alone, as add-ons do it, and of every bone of the rig")
    print(
        f"{'rig':<8} {'frames':>6} {'ours':>10} {'no contacts':>12} {'mapped bones':>13} {'times':>6}"
        f" {'every bone':>11} {'times':>6}"
    )
    for rig in RIGS:
        for frames in LENGTHS:
            faults += compared(rig, frames, corpus)
    each = []
    for frames in (LENGTHS[-1], LONG):
        told = alone(frames, corpus)
        each.append(told["seconds"] / frames)
        print(
            f"Mixamo, {frames} frames alone: {told['seconds']:.2f} s, {1e3 * each[-1]:.3f} ms a frame; peak memory"
            f" {told['peak']:.0f} MB, {told['before']:.0f} MB before"
        )
    if each[1] > WORST_GROWTH * each[0]:
        faults.append(f"a frame of {LONG} takes {each[1] / each[0]:.2f} times as long as one of {LENGTHS[-1]}")
    return faults


def compared(name: str, frames: int, corpus: Path) -> list[str]:
    """Time one rig at one length and print the row."""
    from tests.benchmarks import constraint_bake, retarget_accuracy

    retarget_accuracy.empty_scene()
    rig = build(name, corpus)
    source = long_dance(frames, corpus)
    paired, span = constraint_bake.bone_pairs(CHARACTERS[name]), retarget_accuracy.frames_of(source)

    def ours(contacts: bool) -> Callable[[], object]:
        return lambda: retarget_accuracy.retarget(source=source.name, target=rig.name, contacts=contacts)

    def theirs(every_bone: bool) -> Callable[[], object]:
        return lambda: constraint_bake.constrain_and_bake(source, rig, paired, span, every_bone=every_bone)

    ways = {"ours": ours(True), "bare": ours(False), "mapped": theirs(False)}
    if name != "Rigify":  # its 706 bones take minutes
        ways["every"] = theirs(True)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for repetition in range(OURS):
        for way, work in ways.items():
            if repetition < THEIRS or way in ("ours", "bare"):
                times[way].append(seconds(work))
                reset_pose(rig)
    middle = {way: statistics.median(found) for way, found in times.items()}
    ratios = {way: middle[way] / middle["ours"] for way in ways}
    every = f"{middle['every']:>9.2f} s {ratios['every']:>6.1f}" if "every" in ways else f"{'-':>11} {'-':>6}"
    print(
        f"{name:<8} {frames:>6} {1e3 * middle['ours']:>7.0f} ms {1e3 * middle['bare']:>9.0f} ms"
        f" {middle['mapped']:>11.2f} s {ratios['mapped']:>6.1f} {every}",
        flush=True,
    )
    ratio = ratios["every" if "every" in ways else "mapped"]
    if ratio >= LEAST_RATIO:
        return []
    return [f"{name}, {frames} frames: {ratio:.1f} times faster than a bake, {LEAST_RATIO:.0f} at least"]


def long_dance(frames: int, corpus: Path) -> "bpy.types.Object":  # type: ignore[name-defined]  # noqa: F821
    """Salsa 07's leader, there and back again until so many frames are full, as a dancer of ours."""
    import numpy as np

    from rigs import files
    from rigs.motion import Motion
    from tests.benchmarks import retarget_accuracy

    motion = files.read(corpus / retarget_accuracy.TAKES["salsa 07 leader"]).motions[0]
    there = np.arange(len(motion))
    order = np.resize(np.concatenate([there, there[::-1]]), frames)
    dance = Motion(motion.fps, motion.skeleton, motion.root[order], motion.rotations[order])
    with tempfile.TemporaryDirectory() as folder:
        files.write(Path(folder, "dance.npz"), [dance])
        return retarget_accuracy.import_dancer(Path(folder, "dance.npz"))


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alone(frames: int, corpus: Path) -> dict[str, float]:
    """What a process of its own tells of one take: seconds, and MB at the peak, before and in all."""
    command = [sys.executable, "-m", "tests.benchmarks.long_take", str(frames), str(corpus)]
    done = subprocess.run(command, cwd=installed.ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"Error: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])
