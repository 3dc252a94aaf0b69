"""Retargeting benchmark, as tables: `python -m tests.benchmarks.retarget [PART ...]`.

accuracy        each rig by each take: bone map, limb directions, foot skating; on Blender's evaluated rigs
hand_holds      a couple on rigs of other sizes
file_formats    BVH to Motion to BVH; and against Blender's own importer
speed           against constraints and nla.bake in the same run; long takes; memory
tilted_targets  rigs that lean, lie or hang, against upright ones
pose_check      what the check of written keys costs
bad_files       the error for each bad file

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
from tests.benchmarks.quiet_output import quiet


def accuracy(corpus: Path, options: argparse.Namespace) -> list[str]:
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
                row = work.measure_retargeting(built, rig, take, corpus / file, options.every)
            except RuntimeError as error:
                faults.append(f"{rig}, {take}: {error_text(error)}")
                print(f"{rig:<10} {take:<16} {error_text(error)}")
                continue
            print(
                f"{rig:<10} {take:<16} {100 * row.confidence:>4.0f}% {len(row.wrong_bones):>5}"
                f" {format_pair(row.limbs):>13}"
                f" {format_pair(row.trunk):>13} {format_pair(row.foot):>13} {format_pair(row.hand):>13}"
                f" {format_pair(row.limbs_with_contacts):>14}"
                f" {row.foot_skating:>9.2f} / {row.source_foot_skating:>8.2f} {row.sole_penetration:>8.2f}",
                flush=True,
            )
            faults += row.missed_bounds()
    return faults


def hand_holds(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import retarget_accuracy as work

    print(f"salsa 07 on rigs {work.SIZES[0]} and {work.SIZES[1]} times their size; hands nearer than 15 cm for 0.2 s")
    print(f"{'rig':<10} {'held frames':>11} {'mean cm':>8} {'p99 cm':>8} {'worst cm':>8}")
    faults = []
    for rig in options.rigs:
        try:
            row = work.measure_hand_holds(rig, corpus)
        except RuntimeError as error:
            faults.append(f"{rig}, couple: {error_text(error)}")
            print(f"{rig:<10} {error_text(error)}")
            continue
        print(f"{rig:<10} {row.frames:>11} {row.mean:>8.2f} {row.p99:>8.2f} {row.worst:>8.2f}", flush=True)
        faults += row.missed_bounds()
    return faults


def file_formats(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import file_accuracy as work

    return work.accuracy_table(corpus)


def speed(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import speed as work

    return work.table(corpus)


def tilted_targets(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import tilted_targets as work

    return work.table(corpus)


def pose_check(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import pose_check_cost as work

    return work.table(corpus)


def bad_files(corpus: Path, options: argparse.Namespace) -> list[str]:
    from tests.benchmarks import file_accuracy as work

    return work.check_bad_files(corpus)


RIGS = ("Rigify", "Mixamo", "UE-style", "CMU", "MakeHuman", "OpenPose", "HumanIK", "Kenney")
PARTS: dict[str, Callable[[Path, argparse.Namespace], list[str]]] = {
    part.__name__: part for part in (accuracy, hand_holds, file_formats, speed, tilted_targets, pose_check, bad_files)
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
    missed_bounds: list[str] = []
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        with quiet():
            installed.install(installed.build(), Path(scratch))
        import bpy

        print(f"Blender {bpy.app.version_string}, {os.cpu_count()} cores")
        for name in options.parts or PARTS:
            start = time.perf_counter()
            print(f"\n{name}")
            missed_bounds += PARTS[name](corpus, options)
            print(f"{name} took {time.perf_counter() - start:.0f} s", flush=True)
    print("\n" + ("\n".join(["missed:", *missed_bounds]) if missed_bounds else "all within bounds"))
    return 1 if missed_bounds else 0


def error_text(error: RuntimeError) -> str:
    """The one-line message of an operator's error."""
    return str(error).strip().removeprefix("Error: ").splitlines()[0]


def format_pair(values: tuple[float, float] | None) -> str:
    return f"{values[0]:.2f} / {values[1]:.2f}" if values else "-"


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Blender as a module may hang in taking itself down after an FBX import.
    os._exit(status)
