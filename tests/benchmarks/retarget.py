"""What retargeting is worth, in tables: `python -m tests.benchmarks.retarget [PART ...]`.

carrying  each rig by each take: map, limbs, feet; seen on Blender's evaluated rigs
holding   a couple on rigs of other sizes
reading   BVH in, Motion, BVH out; and against Blender's own importer
speed     beside constraints and nla.bake in the same run; long takes; memory
refusing  what each bad file gets

All of it in the installed extension; `--every N` measures angles in one frame of N (3). Exit status 1 if a bound is
missed, and the last lines say which.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests import installed
from tests.benchmarks.silence import quiet


def carrying(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import retarget_accuracy as work

    print(f"angles in degrees as mean / 99th percentile, in one frame of {options.every}; feet in every frame")
    print(
        f"{'rig':<10} {'take':<16} {'sure':>5} {'wrong':>5} {'limbs':>13} {'trunk':>13} {'foot':>13} {'hand':>13}"
        f" {'limbs+contacts':>14} {'slide / source cm/s':>20} {'sunk cm':>8}"
    )
    faults = []
    for rig in options.rigs:
        work.empty_scene()
        built = work.build(rig, corpus)
        for take, file in work.TAKES.items():
            try:
                row = work.carry(built, rig, take, corpus / file, options.every)
            except RuntimeError as error:
                faults.append(f"{rig}, {take}: {said(error)}")
                print(f"{rig:<10} {take:<16} {said(error)}")
                continue
            print(
                f"{rig:<10} {take:<16} {100 * row.confidence:>4.0f}% {len(row.wrong):>5} {pair(row.limbs):>13}"
                f" {pair(row.trunk):>13} {pair(row.foot):>13} {pair(row.hand):>13} {pair(row.with_contacts):>14}"
                f" {row.slide:>9.2f} / {row.source_slide:>8.2f} {row.sunk:>8.2f}",
                flush=True,
            )
            faults += row.faults()
    return faults


def holding(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import retarget_accuracy as work

    print(f"salsa 07 on rigs {work.SIZES[0]} and {work.SIZES[1]} times their size; hands nearer than 15 cm for 0.2 s")
    print(f"{'rig':<10} {'held frames':>11} {'mean cm':>8} {'p99 cm':>8} {'worst cm':>8}")
    faults = []
    for rig in options.rigs:
        try:
            row = work.hold(rig, corpus)
        except RuntimeError as error:
            faults.append(f"{rig}, couple: {said(error)}")
            print(f"{rig:<10} {said(error)}")
            continue
        print(f"{rig:<10} {row.frames:>11} {row.mean:>8.2f} {row.p99:>8.2f} {row.worst:>8.2f}", flush=True)
        faults += row.faults()
    return faults


def reading(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import file_accuracy as work

    return work.table(corpus)


def speed(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import speed as work

    return work.table(corpus)


def refusing(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import file_accuracy as work

    return work.refusals(corpus)


RIGS = ("Rigify", "Mixamo", "UE-style", "CMU", "MakeHuman", "OpenPose", "HumanIK", "Kenney")
PARTS: dict[str, Callable[[Path, argparse.Namespace], list[str]]] = {
    part.__name__: part for part in (carrying, holding, reading, speed, refusing)
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="What retargeting is worth.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rigs", nargs="+", choices=RIGS, default=RIGS)
    parser.add_argument("--every", type=int, default=3)
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"parts among {', '.join(PARTS)} expected, {', '.join(unknown)} found")
    corpus = Path(os.environ.get("PASDEDEUX_DATA", installed.ROOT.parent / "shared" / "data"))
    if not corpus.is_dir():
        print(f"{corpus}: no such folder (set PASDEDEUX_DATA)", file=sys.stderr)
        return 2
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        with quiet():
            installed.install(installed.build(), Path(scratch))
        import bpy

        print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores")
        for name in options.parts or PARTS:
            start = time.perf_counter()
            print(f"\n{name}")
            faults += PARTS[name](corpus, options)
            print(f"{name} took {time.perf_counter() - start:.0f} s", flush=True)
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


def said(error: RuntimeError) -> str:
    """The sentence of an operator that refuses."""
    return str(error).strip().removeprefix("Error: ").splitlines()[0]


def pair(figures: tuple[float, float] | None) -> str:
    return f"{figures[0]:.2f} / {figures[1]:.2f}" if figures else "-"


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Blender as a module may hang in taking itself down after an FBX import.
    os._exit(status)
