"""How long partners take to be danced: `python -m tests.benchmarks.partner_speed`, on two cores and with one process.

length   short and long leaders, the partner flow beside duet-vae in the same run
first    how soon a client sees frames from a warm server, and how often more of them
takes    eight takes beside one
batch    requests together beside one after the other, on a GPU

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

import torch

from backend.client import Cancelled, Client
from backend.engine import Engine
from backend.model_registry import weights_path
from backend.models.partner_flow import pipeline
from backend.models.partner_flow.network import NAME
from backend.protocol import PartnerRequest
from backend.worker import PREVIEW_INTERVAL
from rigs.motion import Motion
from tests.backend.conftest import running
from tests.benchmarks.leaders import FPS, leader_of
from tests.benchmarks.partner_request import seconds, spread

CORES = 2
LENGTHS = (300, 3000)
RIVAL = "duet-vae"
RIVALS_MOST = 300
"""Frames that the rival is timed on at most: its later ones take as long each."""
REPETITIONS, FEW, LOOKS = 5, 2, 9
MANY = 8
LEAST_TIMES = 15.0
"""Times real time that the partner flow is to be."""
LATEST = 0.1
"""s until the first frames are to be seen."""
MOST_PRICE = 3.0
"""Times the price of one take that `MANY` of them may cost."""
TOGETHER = 64


def length(engine: Engine, leader: Motion) -> list[str]:
    print(f"{'model':<13} {'frames':>6} {'time':>25} {'frames/s':>9} {'times real time':>16} {'finishing':>10}")
    faults = []
    for frames in LENGTHS:
        asked = {NAME: leader[:frames], RIVAL: leader[: min(frames, RIVALS_MOST)]}
        times: dict[str, list[float]] = {name: [] for name in asked}
        with timed_finishing() as finishing:
            for repetition in range(REPETITIONS if frames == LENGTHS[0] else FEW):
                for name, known in asked.items():
                    if name == NAME or repetition < FEW:
                        request = PartnerRequest(known, model=name, seed=repetition)
                        times[name].append(seconds(partial(engine.partner, request)))
        share = 100.0 * finishing.seconds / sum(times[NAME])
        rates = {name: len(asked[name]) / statistics.median(found) for name, found in times.items()}
        for name, rate in rates.items():
            rest = f"{share:>8.1f} %" if name == NAME else f"{'-':>10}"
            speed = f"{rate:>9.0f} {rate / FPS:>16.1f}"
            print(f"{name:<13} {len(asked[name]):>6} {spread(times[name]):>25} {speed} {rest}", flush=True)
        told = f", which was timed on {len(asked[RIVAL])}" if len(asked[RIVAL]) < frames else ""
        print(f"{NAME} is {rates[NAME] / rates[RIVAL]:.1f} times as fast as {RIVAL} at {frames} frames{told}")
        if rates[NAME] < LEAST_TIMES * FPS:
            faults.append(f"{frames} frames: {rates[NAME] / FPS:.1f} times real time, {LEAST_TIMES:.0f} at least")
    return faults


def first(engine: Engine, leader: Motion) -> list[str]:
    known = leader[: LENGTHS[0]]
    requests = [PartnerRequest(known, model=NAME, seed=seed, preview=True) for seed in range(LOOKS)]
    here = [first_look(partial(engine.partner, request)) for request in requests]
    seen: list[tuple[float, int]] = []
    with running() as backend:
        client = Client(backend.url)
        client.partner(known[:30], model=NAME)
        there = [first_look(partial(client.partner, known, model=NAME, seed=seed)) for seed in range(LOOKS)]
        client.partner(known, model=NAME, preview=lambda take, at, made: seen.append((time.perf_counter(), len(made))))
    gaps = [after - before for (before, _), (after, _) in pairwise(seen)]
    print(f"first frames, in this process    {spread(here)}")
    print(f"first frames, through a server   {spread(there)}")
    more = f"{len(gaps)} times more, {spread(gaps)} apart" if gaps else "no more before the result"
    print(f"{seen[0][1]} frames at once, then {more}; the server sends every {PREVIEW_INTERVAL:g} s at most")
    soonest = statistics.median(there)
    return [f"first frames after {1e3 * soonest:.0f} ms, {1e3 * LATEST:.0f} at most"] if soonest > LATEST else []


def takes(engine: Engine, leader: Motion) -> list[str]:
    known = leader[: LENGTHS[0]]
    times: dict[int, list[float]] = {1: [], MANY: []}
    shares = dict.fromkeys(times, 0.0)
    for repetition in range(REPETITIONS):
        for count, found in times.items():
            request = PartnerRequest(known, model=NAME, seed=repetition, takes=count)
            with timed_finishing() as finishing:
                found.append(seconds(partial(engine.partner, request)))
            shares[count] += finishing.seconds
    for count, found in times.items():
        finished = 100.0 * shares[count] / sum(found)
        print(f"{count} of {len(known)} frames  {spread(found)}, of it finishing {finished:.1f} %", flush=True)
    price = statistics.median(times[MANY]) / statistics.median(times[1])
    print(f"{MANY} cost {price:.2f} times as much as one")
    return [f"{MANY} takes: {price:.2f} times the price of one, {MOST_PRICE:g} at most"] if price > MOST_PRICE else []


def batch(engine: Engine, leader: Motion) -> list[str]:
    where = "there is a GPU" if torch.cuda.is_available() else "torch sees no GPU"
    print(
        f"{TOGETHER} requests together beside one after the other: not run; {where}, and the engine serves requests one"
    )
    print("after the other in any case: only the takes of one request are danced together")
    return []


@dataclass
class Finishing:
    """Tells how long finishing takes in all."""

    seconds: float = 0.0


@contextmanager
def timed_finishing() -> Iterator[Finishing]:
    """Take the time of the finishing of all partners that are danced meanwhile."""
    work, told = pipeline.post_process, Finishing()

    def finished(*given: Any, **named: Any) -> Motion:
        start = time.perf_counter()
        done = work(*given, **named)
        told.seconds += time.perf_counter() - start
        return done

    pipeline.post_process = finished  # type: ignore[assignment]
    try:
        yield told
    finally:
        pipeline.post_process = work


def first_look(ask: Callable[..., object]) -> float:
    """Seconds until a request shows frames; the rest of it is called off.

    ask: makes the request, and takes `cancelled` and `preview`, see `Engine.partner`.
    """
    seen: list[float] = []
    start = time.perf_counter()
    with suppress(Cancelled):
        ask(cancelled=lambda: bool(seen), preview=lambda *frames: seen.append(time.perf_counter()))
    return seen[0] - start


PARTS = (length, first, takes, batch)


def main() -> int:
    for model in (NAME, RIVAL):
        if not weights_path(model).is_file():
            print(f"{weights_path(model)}: no such file, train the model first", file=sys.stderr)
            return 2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    leader, what = leader_of(LENGTHS[-1])
    engine = Engine("cpu")
    for model in (NAME, RIVAL):
        engine.partner(PartnerRequest(leader[:30], model=model))
    print(f"leader: {what}")
    faults = []
    for part in PARTS:
        print(f"\n{part.__name__}", flush=True)
        faults += part(engine, leader)
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
