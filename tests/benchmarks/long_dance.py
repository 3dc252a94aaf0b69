"""Whether a partner dances on as it has begun: `python -m tests.benchmarks.long_dance [--minutes M] [--takes K]`.

One request with a leader of ten minutes, who does in the last minute what was done in the first: real takes, joined, in
laps. The judge's figures of both minutes are compared, as means over the takes; beside them stands how far such means
are apart by chance alone, as the first minutes of the takes tell. Then what requests of several lengths take in seconds
and memory, each in a process of its own. Exit status 1 if a figure has grown worse by more than a tenth and, where
it is near zero, by more than the least that counts; the last lines say which.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.engine import Engine
from backend.model_registry import weights_path
from backend.models.partner_flow.network import NAME
from backend.protocol import PartnerRequest
from rigs import Array, files
from rigs.contacts import floor_height
from rigs.motion import Motion
from tests import installed
from tests.benchmarks.leaders import FPS, duets, leader_of
from tests.benchmarks.long_take import forget_peak, memory
from tests.benchmarks.partner_request import seconds
from training.evaluation import features, partner_metrics, real_reference
from training.evaluation.frechet import FeatureDistribution

MINUTE = round(60 * FPS)
BLOCK = 8
LONGEST_LAP = 8200
"""Frames after which the leader begins anew at the latest: the corpus has so many."""
MOST_CHANGE = 0.1
"""The part of its value in the first minute by which a figure may have changed in the last one."""
WORST_GROWTH = 1.2
"""How much more of the processor a minute may take in the longest dance than in one of a minute."""


@dataclass(frozen=True)
class Row:
    """A figure.

    least: a difference that is too small to be seen, however near zero the figure is.  either: whether it must not
    fall either; the others are the better the less they are.
    """

    name: str
    unit: str
    least: float
    either: bool = False


ROWS = (
    Row("speed", "m/s", 0.02, either=True),
    Row("jerk", "m/s³", 2.0, either=True),
    Row("slide", "cm/s", 0.5),
    Row("floating", "%", 1.0),
    Row("sinking", "%", 1.0),
    Row("seams", "ratio", 0.05, either=True),
    Row("distance", "m", 0.02, either=True),
    Row("holds", "%", 2.0, either=True),
    Row("overlap", "%", 1.0),
    Row("kinetic", "Fréchet", 1.0),
    Row("geometric", "Fréchet", 1.0),
    Row("cross", "Fréchet", 1.0),
)
"""What is compared. A Fréchet distance is that from the real couples of the corpus."""


def measured(takes: Array, leader: Array, references: Mapping[str, FeatureDistribution]) -> list[dict[str, float]]:
    """The figures of each take (K, F, 29, 3) m beside the leader (F, 29, 3) m."""
    floor, found = floor_height(leader), []
    for take in takes:
        tracks = partner_metrics.frame_metrics(take, leader, FPS, floor, 0, BLOCK)
        row = {name: float(np.nanmean(values)) for name, values in tracks.items()}
        row["seams"] = row["at seams"] / row["between seams"]
        seen = features.window_features(take, leader)
        found.append(row | {kind: known.frechet_distance(seen[kind]) for kind, known in references.items()})
    return found


def compared(first: list[dict[str, float]], last: list[dict[str, float]]) -> list[str]:
    """Print the figures of both minutes, and tell which have changed too much."""
    print(f"{'':<10} {'':<7} {'first minute':>12} {'last minute':>12} {'ratio':>7} {'by chance':>10}")
    faults = []
    for row in ROWS:
        if row.name not in first[0]:
            continue
        before, after = ([found[row.name] for found in minute] for minute in (first, last))
        was, now = float(np.mean(before)), float(np.mean(after))
        chance = float(np.std(before, ddof=1) * np.sqrt(2.0 / len(before))) if len(before) > 1 else float("nan")
        ratio = f"{now / was:.2f}" if was else "-"
        print(f"{row.name:<10} {row.unit:<7} {was:>12.3f} {now:>12.3f} {ratio:>7} {chance:>10.3f}")
        most = max(MOST_CHANGE * was, row.least)
        if (abs(now - was) if row.either else now - was) > most:
            faults.append(
                f"{row.name}: {was:.3f} {row.unit} in the first minute, {now:.3f} in the last, {most:.3f} apart at most"
            )
    return faults


def lengths(minutes: int) -> list[int]:
    """The minutes that are danced by themselves: one, half of all, and all."""
    return sorted({1, max(1, minutes // 2), minutes})


def alone(leader: Motion, takes: int, folder: Path) -> tuple[dict[str, float], Array]:
    """What a process of its own tells of one request, and the joints of its takes (K, F, 29, 3) m."""
    known, made = folder / "leader.npz", folder / "takes.npy"
    files.write(known, leader)
    command = [sys.executable, "-m", "tests.benchmarks.long_dance", "--leader", str(known), "--takes", str(takes)]
    done = subprocess.run([*command, "--out", str(made)], cwd=installed.ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return json.loads(done.stdout.strip().splitlines()[-1]), np.load(made)


def dance(known: Path, takes: int, out: Path) -> int:
    """The process of `alone`."""
    leader, engine, made = files.read(known).motions[0], Engine("cpu"), list[Motion]()
    engine.partner(PartnerRequest(leader[:30], model=NAME))
    forget_peak()
    before, worked = memory("VmRSS"), time.process_time()
    took = seconds(lambda: made.extend(engine.partner(PartnerRequest(leader, model=NAME, seed=1, takes=takes))))
    told = {"seconds": took, "work": time.process_time() - worked, "before": before, "peak": memory("VmHWM")}
    np.save(out, np.array([take.positions for take in made], np.float32))
    print(json.dumps(told))
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Whether a partner dances on as it has begun.")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--leader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.leader:
        return dance(options.leader, options.takes, options.out)
    if options.minutes < 2 or options.takes < 1:
        parser.error("--minutes of 2 or more and --takes of 1 or more expected")
    if not weights_path(NAME).is_file():
        print(f"{weights_path(NAME)}: no such file, train the model first", file=sys.stderr)
        return 2
    until_last = (options.minutes - 1) * MINUTE
    laps = -(-until_last // LONGEST_LAP)
    while until_last % laps:
        laps += 1
    leader, what = leader_of(options.minutes * MINUTE, until_last // laps)
    print(f"{options.minutes} minutes, {options.takes} takes of one request; the leader does the same every")
    print(f"{until_last / laps / FPS:.0f} s: {what}")
    told, takes = {}, np.empty(0)
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        for minutes in lengths(options.minutes):
            told[minutes], takes = alone(leader[: minutes * MINUTE], options.takes, Path(scratch))
            here = told[minutes]
            pace = f"{here['seconds']:.0f} s, {60 * minutes / here['seconds']:.1f} times real time"
            kept = f"{here['peak']:.0f} MB at most, {here['before']:.0f} MB before"
            print(f"{minutes:>3} min: {pace}, {here['work']:.0f} s of the processor's; {kept}", flush=True)
    known = duets()
    references = real_reference.fit_feature_distributions(known) if known else {}
    minutes = [slice(0, MINUTE), slice(len(leader) - MINUTE, len(leader))]
    first, last = (measured(takes[:, part], leader.positions[part], references) for part in minutes)
    faults = compared(first, last)
    growth = told[options.minutes]["work"] / options.minutes / told[1]["work"]
    if growth > WORST_GROWTH:
        faults.append(f"a minute of {options.minutes} takes {growth:.2f} times the work of a single one")
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
