"""ONNX Runtime against torch on this processor: `python -m tests.benchmarks.onnx_torch [SALSA_FOLDER]`.

forward    a call of partner-flow's network, by rows
requests   every task of every model, 300 frames, in turns; the largest distance between their joints, or whether the
           notes are the same
takes      eight takes against one, of both

Leaders: the sample dance, and with a folder of salsa recordings two of those. Rows give medians and, in brackets, the
least and the most. Torch runs in float32 on one thread, as each frame or block depends on the one before.
"""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.models.common.runtime import TORCH_CPU, load_network
from backend.music.score import PARTS, cut_bars, part_to_notes
from backend.wire.messages import (
    ComposeRequest,
    ComposeResult,
    DanceRequest,
    MotionResult,
    PartnerRequest,
    Request,
    Result,
)
from rigs import files
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from tests.benchmarks.partner_request import seconds, spread
from tests.benchmarks.song_speed import synthetic_song

FRAMES = 300
SEEDS = (0, 1)
ROWS = (2, 16)
BARS = 5
"""Bars of 2 s, as long as the leaders."""
CALLS = 60
TAKES = 8
RECORDINGS = ("salsa_07_leader.bvh", "salsa_10_leader.bvh")


def forward() -> None:
    spec = REGISTRY.get("partner-flow")
    networks = {name: load_network(spec.name, spec.weights, name) for name in ("cpu", TORCH_CPU)}
    example = spec.import_network().exported_functions(spec.import_network().load(spec.weights))["predict"].inputs
    for rows in ROWS:
        inputs = [np.repeat(tensor.numpy()[:1], rows, axis=0) for tensor in example.values()]
        times = time_in_turns({name: partial(net.run, "predict", *inputs) for name, net in networks.items()}, CALLS)
        print(f"{rows:>2} rows   {compare(times)}")


def requests(engines: dict[str, Engine], leaders: list[Motion]) -> None:
    for spec in REGISTRY:
        for task in spec.tasks:
            times: dict[str, list[float]] = {name: [] for name in engines}
            differences = []
            for leader in leaders if task == "partner" else leaders[:1]:
                for seed in SEEDS:
                    request = make_request(task, spec.name, leader, seed)
                    answers = {name: engine.answer(request) for name, engine in engines.items()}
                    differences.append(difference(*answers.values()))
                    for name, values in time_in_turns(
                        {name: partial(engine.answer, request) for name, engine in engines.items()}, 2
                    ).items():
                        times[name] += values
            print(f"{spec.name:<14} {task:<8} {compare(times)}   {', '.join(differences)}", flush=True)


def takes(engines: dict[str, Engine], leader: Motion) -> None:
    for count in (1, TAKES):
        request = PartnerRequest(leader, takes=count)
        calls = {name: partial(engine.answer, request) for name, engine in engines.items()}
        print(f"{count} takes   {compare(time_in_turns(calls, 5))}", flush=True)


def make_request(task: str, model: str, leader: Motion, seed: int) -> Request:
    if task == "partner":
        return PartnerRequest(leader, model=model, seed=seed)
    if task == "dance":
        return DanceRequest(cut_bars(synthetic_song(), 0, BARS - 1), model=model, seed=seed)
    return ComposeRequest((leader,), model=model, seed=seed)


def difference(ours: Result, theirs: Result) -> str:
    if isinstance(ours, MotionResult):
        assert isinstance(theirs, MotionResult)
        pairs = zip(ours.takes, theirs.takes, strict=True)
        return f"{1e3 * max(np.linalg.norm(a.positions - b.positions, axis=-1).max() for a, b in pairs):.3f} mm"
    assert isinstance(theirs, ComposeResult)
    same = all(part_to_notes(getattr(ours.score, part)) == part_to_notes(getattr(theirs.score, part)) for part in PARTS)
    return "the same notes" if same else "other notes"


def time_in_turns(calls: dict[str, Callable[[], object]], repetitions: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(repetitions):
        for name, call in calls.items():
            times[name].append(seconds(call))
    return times


def compare(times: dict[str, list[float]]) -> str:
    ours, theirs = times.values()
    return f"ONNX {spread(ours)}   torch {spread(theirs)}   {median(theirs) / median(ours):.2f} times as fast"


def main() -> int:
    leaders = [resample(sample_dance(), 30.0)[:FRAMES]]
    if len(sys.argv) > 1:
        leaders += [files.read(Path(sys.argv[1], name)).motions[0] for name in RECORDINGS]
        leaders[1:] = [leader[: round(FRAMES / 30.0 * leader.fps)] for leader in leaders[1:]]
    engines = {name: Engine(name) for name in ("cpu", TORCH_CPU)}
    print("forward")
    forward()
    print("\nrequests")
    requests(engines, leaders)
    print("\ntakes")
    takes(engines, leaders[0])
    return 0


if __name__ == "__main__":
    sys.exit(main())
