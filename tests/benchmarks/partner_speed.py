"""Speed of partner generation: `python -m tests.benchmarks.partner_speed`, on two cores and with one process.

length   short and long leaders, partner-flow and duet-vae in the same run
preview  latency of the first preview from a warm server, and the interval of further ones
takes    eight takes against one

Rows give medians and, in brackets, the least and the most. Exit status 1 if a bound is missed, and the last lines say
which.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

from backend.client import Cancelled, Client
from backend.engine import Engine
from backend.model_registry import weights_path
from backend.models.partner_flow import pipeline
from backend.models.partner_flow.conditions import NAME
from backend.wire.messages import PartnerRequest
from backend.worker.preview_buffer import PREVIEW_INTERVAL
from rigs.motion import Motion
from tests.backend.conftest import running
from tests.benchmarks.leaders import FPS, leader_of
from tests.benchmarks.partner_request import seconds, spread

CORES = 2
LENGTHS = (300, 3000)
BASELINE = "duet-vae"
BASELINE_FRAMES = 300
"""Frames that the baseline is timed on at most; its time is linear in them."""
REPETITIONS, LONG_REPETITIONS, PREVIEWS = 5, 2, 9
TAKES = 8
MIN_REAL_TIME_FACTOR = 15.0
"""Least speed of partner-flow, in multiples of real time."""
MAX_PREVIEW_LATENCY = 0.1
"""s until the first preview."""
MAX_RELATIVE_TIME = 3.0
"""Time that `TAKES` takes may need, in multiples of one."""


def length(engine: Engine, leader: Motion) -> list[str]:
    print(f"{'model':<13} {'frames':>6} {'time':>25} {'frames/s':>9} {'times real time':>16} {'post-proc.':>10}")
    faults = []
    for frames in LENGTHS:
        leaders = {NAME: leader[:frames], BASELINE: leader[: min(frames, BASELINE_FRAMES)]}
        times: dict[str, list[float]] = {name: [] for name in leaders}
        with timed_post_processing() as post_processing:
            for repetition in range(REPETITIONS if frames == LENGTHS[0] else LONG_REPETITIONS):
                for name, short_leader in leaders.items():
                    if name == NAME or repetition < LONG_REPETITIONS:
                        request = PartnerRequest(short_leader, model=name, seed=repetition)
                        times[name].append(seconds(partial(engine.partner, request)))
        share = 100.0 * post_processing.seconds / sum(times[NAME])
        rates = {name: len(leaders[name]) / statistics.median(values) for name, values in times.items()}
        for name, rate in rates.items():
            rest = f"{share:>8.1f} %" if name == NAME else f"{'-':>10}"
            speed = f"{rate:>9.0f} {rate / FPS:>16.1f}"
            print(f"{name:<13} {len(leaders[name]):>6} {spread(times[name]):>25} {speed} {rest}", flush=True)
        note = f", which was timed on {len(leaders[BASELINE])}" if len(leaders[BASELINE]) < frames else ""
        print(f"{NAME} is {rates[NAME] / rates[BASELINE]:.1f} times as fast as {BASELINE} at {frames} frames{note}")
        if rates[NAME] < MIN_REAL_TIME_FACTOR * FPS:
            faults.append(
                f"{frames} frames: {rates[NAME] / FPS:.1f} times real time, {MIN_REAL_TIME_FACTOR:.0f} at least"
            )
    return faults


def preview(engine: Engine, leader: Motion) -> list[str]:
    short_leader = leader[: LENGTHS[0]]
    requests = [PartnerRequest(short_leader, model=NAME, seed=seed, preview=True) for seed in range(PREVIEWS)]
    here = [preview_latency(partial(engine.partner, request)) for request in requests]
    seen: list[tuple[float, int]] = []
    with running() as backend:
        client = Client(backend.url)
        client.partner(short_leader[:30], model=NAME)
        there = [
            preview_latency(partial(client.partner, short_leader, model=NAME, seed=seed)) for seed in range(PREVIEWS)
        ]
        client.partner(
            short_leader, model=NAME, preview=lambda take, at, made: seen.append((time.perf_counter(), len(made)))
        )
    gaps = [after - before for (before, _), (after, _) in pairwise(seen)]
    print(f"first frames, in this process    {spread(here)}")
    print(f"first frames, through a server   {spread(there)}")
    more = f"{len(gaps)} times more, {spread(gaps)} apart" if gaps else "no more before the result"
    print(f"{seen[0][1]} frames at once, then {more}; the server sends every {PREVIEW_INTERVAL:g} s at most")
    soonest = statistics.median(there)
    return (
        [f"first frames after {1e3 * soonest:.0f} ms, {1e3 * MAX_PREVIEW_LATENCY:.0f} at most"]
        if soonest > MAX_PREVIEW_LATENCY
        else []
    )


def takes(engine: Engine, leader: Motion) -> list[str]:
    short_leader = leader[: LENGTHS[0]]
    times: dict[int, list[float]] = {1: [], TAKES: []}
    shares = dict.fromkeys(times, 0.0)
    for repetition in range(REPETITIONS):
        for count, values in times.items():
            request = PartnerRequest(short_leader, model=NAME, seed=repetition, takes=count)
            with timed_post_processing() as post_processing:
                values.append(seconds(partial(engine.partner, request)))
            shares[count] += post_processing.seconds
    for count, values in times.items():
        finished = 100.0 * shares[count] / sum(values)
        print(f"{count} of {len(short_leader)} frames  {spread(values)}, post-processing {finished:.1f} %", flush=True)
    price = statistics.median(times[TAKES]) / statistics.median(times[1])
    print(f"{TAKES} cost {price:.2f} times as much as one")
    return (
        [f"{TAKES} takes: {price:.2f} times the price of one, {MAX_RELATIVE_TIME:g} at most"]
        if price > MAX_RELATIVE_TIME
        else []
    )


@dataclass
class PostProcessing:
    """Total time of post-processing."""

    seconds: float = 0.0


@contextmanager
def timed_post_processing() -> Iterator[PostProcessing]:
    """Measure the post-processing of all requests meanwhile."""
    original, total = pipeline.post_process, PostProcessing()

    def timed(*args: Any, **kwargs: Any) -> Motion:
        start = time.perf_counter()
        result = original(*args, **kwargs)
        total.seconds += time.perf_counter() - start
        return result

    pipeline.post_process = timed  # type: ignore[assignment]
    try:
        yield total
    finally:
        pipeline.post_process = original


def preview_latency(send: Callable[..., object]) -> float:
    """Seconds from a request to its first preview, after which it is cancelled.

    send: sends the request; takes `cancelled` and `preview` as `Engine.partner`.
    """
    seen: list[float] = []
    start = time.perf_counter()
    with suppress(Cancelled):
        send(cancelled=lambda: bool(seen), preview=lambda *frames: seen.append(time.perf_counter()))
    return seen[0] - start


PARTS = (length, preview, takes)


def main() -> int:
    for model in (NAME, BASELINE):
        if not weights_path(model).is_file():
            print(f"{weights_path(model)}: no such file, train the model first", file=sys.stderr)
            return 2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    leader, description = leader_of(LENGTHS[-1])
    engine = Engine("cpu")
    for model in (NAME, BASELINE):
        engine.partner(PartnerRequest(leader[:30], model=model))
    print(f"leader: {description}")
    faults = []
    for part in PARTS:
        print(f"\n{part.__name__}", flush=True)
        faults += part(engine, leader)
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
