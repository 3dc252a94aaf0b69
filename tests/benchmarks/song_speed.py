"""Speed of dance and music generation: `python -m tests.benchmarks.song_speed [SONG.mid]`.

song      a dance to three minutes of music, by dance-flow and choreo-bridge in the same run
duet      the same with a partner
compose   music to a minute of dance, by score-flow and choreo-bridge in the same run

On two cores and with one warm process; the song is POP909's first of three minutes or more, or a synthetic one. Rows
give medians and, in brackets, the least and the most, the processor time of one run, and the speed in multiples of real
time. Exit status 1 if a bound is missed, and the last lines say which.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from backend.engine import Engine
from backend.model_registry import REGISTRY, weights_path
from backend.music import midi
from backend.music.score import Note, Score, cut_bars, part_from_notes
from backend.wire.messages import ComposeRequest, DanceRequest
from rigs.files import BadFile
from rigs.motion import Motion
from tests.benchmarks.leaders import FPS, leader_of
from tests.benchmarks.partner_request import seconds, spread
from tests.benchmarks.partner_speed import CORES
from tests.conftest import ROOT

OURS, BASELINE = REGISTRY.default("dance"), "choreo-bridge"
COMPOSER = REGISTRY.default("compose")
LENGTH, MINUTE = 180.0, 60.0
"""s of the song, and of the dance to compose for."""
REPETITIONS = 3
MIN_REAL_TIME_FACTOR = 10.0
"""Least speed of a dance to a song, in multiples of real time."""
_BARS = 96
_STEP = 15.0 / 128.0
"""s: sixteenths of the synthetic song, at 128 beats a minute."""


def song(engine: Engine, score: Score) -> list[str]:
    length, work = float(score.seconds[-1]), partial(dance, engine, score)
    ours, baseline = (real_time_factor(model, length, REPETITIONS, partial(work, model)) for model in (OURS, BASELINE))
    print(f"{OURS} takes {baseline / ours:.0f} times as long as {BASELINE}")
    missed = f"song: {ours:.1f} times real time, {MIN_REAL_TIME_FACTOR:g} at least"
    return [missed] if ours < MIN_REAL_TIME_FACTOR else []


def duet(engine: Engine, score: Score) -> list[str]:
    for model in (OURS, BASELINE):
        real_time_factor(model, float(score.seconds[-1]), 1, partial(dance, engine, score, model, duet=True))
    return []


def compose(engine: Engine, dancer: Motion) -> list[str]:
    work = partial(compose_music, engine, dancer)
    ours, baseline = (
        real_time_factor(model, dancer.seconds, REPETITIONS, partial(work, model)) for model in (COMPOSER, BASELINE)
    )
    print(f"{COMPOSER} takes {baseline / ours:.0f} times as long as {BASELINE}")
    return []


def real_time_factor(model: str, length: float, times: int, work: Callable[[int], None]) -> float:
    """Run work of `length` s of dance with one seed after the other; its speed as a multiple of real time.

    Processor time is printed too, which shows how much of the wall time went to other processes.
    """
    start = time.process_time()
    took = [seconds(partial(work, seed)) for seed in range(times)]
    spent = (time.process_time() - start) / times
    factor = length / statistics.median(took)
    processor = f"{1000.0 * spent:>8.1f} ms of processors"
    print(f"{model:<13} {length:>5.0f} s  {spread(took):>36} {processor}, {factor:>6.1f} times real time", flush=True)
    return factor


def dance(engine: Engine, score: Score, model: str, seed: int, *, duet: bool = False) -> None:
    engine.dance(DanceRequest(score, model=model, duet=duet, seed=seed))


def compose_music(engine: Engine, dancer: Motion, model: str, seed: int) -> None:
    engine.compose(ComposeRequest((dancer,), model=model, seed=seed))


def song_of_three_minutes() -> tuple[Score, str]:
    """The song and its description. Raises BadFile for a song on the command line that cannot be read."""
    data = Path(os.environ.get("PASDEDEUX_DATA", ROOT.parent / "shared" / "data"))
    named = [Path(name) for name in sys.argv[1:]]
    for path in named or sorted((data / "midi" / "pop909").rglob("*.mid")):
        score = midi.read(path).score
        if score.seconds[-1] >= LENGTH or named:
            begins = score.seconds[score.bars]
            last = int(np.searchsorted(begins, LENGTH)) - 1
            return cut_bars(score, 0, last), path.name
    return synthetic_song(), "a synthetic song"


def synthetic_song() -> Score:
    """A march of three minutes: drums on every quaver, a bass on every beat, and a melody over them."""
    steps = 16 * _BARS
    drums = [Note((36, 42, 38, 42)[at // 2 % 4], 90, at, at + 1) for at in range(0, steps, 2)]
    bass = [Note(36 + 5 * (at // 16 % 3), 80, at, at + 4) for at in range(0, steps, 4)]
    melody = [Note(60 + at * 7 // 2 % 17, 80, at, at + 4) for at in range(0, steps, 4)]
    return Score(*(part_from_notes(notes, steps) for notes in (drums, bass, melody)), _STEP * np.arange(steps + 1))


def main() -> int:
    for model in dict.fromkeys((OURS, COMPOSER, BASELINE, REGISTRY.default("partner"))):
        if not weights_path(model).is_file():
            print(f"{weights_path(model)}: no such file, train the model first", file=sys.stderr)
            return 2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    try:
        score, title = song_of_three_minutes()
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    dancer, who = leader_of(round(MINUTE * FPS) + 1)
    engine = Engine("cpu")
    short = cut_bars(score, 0, 1)
    for model in (OURS, BASELINE):
        dance(engine, short, model, 0, duet=True)
    for model in (COMPOSER, BASELINE):
        compose_music(engine, dancer[:300], model, 0)
    print(f"song: {title}, {score.seconds[-1]:.0f} s; dance to compose for: {who}, {dancer.seconds:.0f} s")
    faults = []
    for name, part in (("song", partial(song, engine, score)), ("duet", partial(duet, engine, score)),
                       ("compose", partial(compose, engine, dancer))):  # fmt: skip
        print(f"\n{name}", flush=True)
        faults += part()
    print("\n" + ("\n".join(["missed:", *faults]) if faults else "all within bounds"))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
