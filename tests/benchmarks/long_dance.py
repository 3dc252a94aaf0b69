"""Drift of long rollouts: `python -m tests.benchmarks.long_dance [--minutes M] [--takes K]`.

One request with a leader of ten minutes, whose last minute repeats the first: real takes, joined and repeated. The
evaluation's metrics of both minutes are compared, as means over the takes, beside the difference that chance gives such
means, estimated from the first minutes. Before that, time and memory of requests of several lengths, each in a process
of its own. Exit status 1 if a metric has grown worse by more than a tenth and, near zero, by more than its least
difference; the last lines say which.
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
from backend.models.partner_flow.conditions import NAME
from backend.wire.messages import PartnerRequest
from rigs import Array, files
from rigs.contacts import floor_height
from rigs.motion import Motion
from tests import installed
from tests.benchmarks.leaders import FPS, duets, leader_of
from tests.benchmarks.long_take import memory, reset_peak
from tests.benchmarks.partner_request import seconds
from training.evaluation import features, partner_metrics, real_reference
from training.evaluation.frechet import FeatureDistribution

MINUTE = round(60 * FPS)
BLOCK = 8
MAX_REPEAT = 8200
"""Frames after which the leader repeats at the latest: the corpus has so many."""
MAX_CHANGE = 0.1
"""Largest relative change of a metric from the first minute to the last."""
MAX_GROWTH = 1.2
"""Processor time of a minute of the longest request, in multiples of a request of one minute."""


@dataclass(frozen=True)
class ComparedMetric:
    """A metric to compare.

    least: a difference too small to be seen, however near zero the metric is.  both_ways: whether it must not fall
    either; of the others less is better.
    """

    name: str
    unit: str
    least: float
    both_ways: bool = False


METRICS = (
    ComparedMetric("speed", "m/s", 0.02, both_ways=True),
    ComparedMetric("jerk", "m/s³", 2.0, both_ways=True),
    ComparedMetric("slide", "cm/s", 0.5),
    ComparedMetric("floating", "%", 1.0),
    ComparedMetric("sinking", "%", 1.0),
    ComparedMetric("seams", "ratio", 0.05, both_ways=True),
    ComparedMetric("distance", "m", 0.02, both_ways=True),
    ComparedMetric("holds", "%", 2.0, both_ways=True),
    ComparedMetric("overlap", "%", 1.0),
    ComparedMetric("kinetic", "Fréchet", 1.0),
    ComparedMetric("geometric", "Fréchet", 1.0),
    ComparedMetric("cross", "Fréchet", 1.0),
)
"""Fréchet distances are to the real couples of the corpus."""


def take_metrics(takes: Array, leader: Array, references: Mapping[str, FeatureDistribution]) -> list[dict[str, float]]:
    """Metrics of each take (K, F, 29, 3) m beside the leader (F, 29, 3) m."""
    floor, rows = floor_height(leader), []
    for take in takes:
        frame_values = partner_metrics.frame_metrics(take, leader, FPS, floor, 0, BLOCK)
        row = {name: float(np.nanmean(values)) for name, values in frame_values.items()}
        row["seams"] = row["at seams"] / row["between seams"]
        windows = features.window_features(take, leader)
        rows.append(row | {kind: real.frechet_distance(windows[kind]) for kind, real in references.items()})
    return rows


def print_comparison(first: list[dict[str, float]], last: list[dict[str, float]]) -> list[str]:
    """Print the metrics of both minutes; the ones that changed too much."""
    print(f"{'':<10} {'':<7} {'first minute':>12} {'last minute':>12} {'ratio':>7} {'by chance':>10}")
    faults = []
    for metric in METRICS:
        if metric.name not in first[0]:
            continue
        before, after = ([row[metric.name] for row in minute] for minute in (first, last))
        was, now = float(np.mean(before)), float(np.mean(after))
        chance = float(np.std(before, ddof=1) * np.sqrt(2.0 / len(before))) if len(before) > 1 else float("nan")
        ratio = f"{now / was:.2f}" if was else "-"
        print(f"{metric.name:<10} {metric.unit:<7} {was:>12.3f} {now:>12.3f} {ratio:>7} {chance:>10.3f}")
        most = max(MAX_CHANGE * was, metric.least)
        if (abs(now - was) if metric.both_ways else now - was) > most:
            faults.append(
                f"{metric.name}: {was:.3f} {metric.unit} in the first minute, {now:.3f} in the last, "
                f"{most:.3f} apart at most"
            )
    return faults


def lengths(minutes: int) -> list[int]:
    """Lengths in minutes of the requests: one, half of all, and all."""
    return sorted({1, max(1, minutes // 2), minutes})


def generate_in_process(leader: Motion, takes: int, folder: Path) -> tuple[dict[str, float], Array]:
    """Run a request in a process of its own: its time and memory, and the joints of its takes (K, F, 29, 3) m."""
    leader_file, takes_file = folder / "leader.npz", folder / "takes.npy"
    files.write(leader_file, leader)
    command = [sys.executable, "-m", "tests.benchmarks.long_dance", "--leader", str(leader_file), "--takes", str(takes)]
    process = subprocess.run([*command, "--out", str(takes_file)], cwd=installed.ROOT, capture_output=True, text=True)
    if process.returncode != 0:
        raise RuntimeError(process.stderr.strip())
    return json.loads(process.stdout.strip().splitlines()[-1]), np.load(takes_file)


def generate(leader_file: Path, take_count: int, out: Path) -> int:
    """The process of `generate_in_process`."""
    leader, engine, takes = files.read(leader_file).motions[0], Engine("cpu"), list[Motion]()
    engine.partner(PartnerRequest(leader[:30], model=NAME))
    reset_peak()
    before, start = memory("VmRSS"), time.process_time()
    took = seconds(lambda: takes.extend(engine.partner(PartnerRequest(leader, model=NAME, seed=1, takes=take_count))))
    usage = {"seconds": took, "work": time.process_time() - start, "before": before, "peak": memory("VmHWM")}
    np.save(out, np.array([take.positions for take in takes], np.float32))
    print(json.dumps(usage))
    return 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Drift of long rollouts.")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--takes", type=int, default=4)
    parser.add_argument("--leader", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.leader:
        return generate(options.leader, options.takes, options.out)
    if options.minutes < 2 or options.takes < 1:
        parser.error("--minutes of 2 or more and --takes of 1 or more expected")
    if not weights_path(NAME).is_file():
        print(f"{weights_path(NAME)}: no such file, train the model first", file=sys.stderr)
        return 2
    until_last = (options.minutes - 1) * MINUTE
    repeats = -(-until_last // MAX_REPEAT)
    while until_last % repeats:
        repeats += 1
    leader, description = leader_of(options.minutes * MINUTE, until_last // repeats)
    print(f"{options.minutes} minutes, {options.takes} takes of one request; the leader repeats every")
    print(f"{until_last / repeats / FPS:.0f} s: {description}")
    usage, takes = {}, np.empty(0)
    with tempfile.TemporaryDirectory(prefix="pas-de-deux-") as scratch:
        for minutes in lengths(options.minutes):
            usage[minutes], takes = generate_in_process(leader[: minutes * MINUTE], options.takes, Path(scratch))
            used = usage[minutes]
            pace = f"{used['seconds']:.0f} s, {60 * minutes / used['seconds']:.1f} times real time"
            peak = f"{used['peak']:.0f} MB at most, {used['before']:.0f} MB before"
            print(f"{minutes:>3} min: {pace}, {used['work']:.0f} s of processor time; {peak}", flush=True)
    real_duets = duets()
    references = real_reference.fit_feature_distributions(real_duets) if real_duets else {}
    minutes = [slice(0, MINUTE), slice(len(leader) - MINUTE, len(leader))]
    first, last = (take_metrics(takes[:, part], leader.positions[part], references) for part in minutes)
    faults = print_comparison(first, last)
    growth = usage[options.minutes]["work"] / options.minutes / usage[1]["work"]
    if growth > MAX_GROWTH:
        faults.append(f"a minute of {options.minutes} takes {growth:.2f} times the work of a single one")
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
