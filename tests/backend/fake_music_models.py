"""A stand-in for the models between music and dance, whose results can be computed beforehand: a bar at a time."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from backend import server
from backend.engine import Engine
from backend.model_registry import REGISTRY, ModelRegistry
from backend.music.score import STEPS_PER_BEAT, Score, part_from_note_array, part_to_note_array
from backend.wire.messages import Cancelled, ComposeRequest, DanceRequest
from rigs import rotations
from rigs.motion import Motion, mirror, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import DEFAULT_SKELETON

PAUSE = 0.05
"""Seconds that a bar takes."""
FPS = 30.0
TEMPO = 120.0
COUPLE = (sample_dance()[:90], translate(mirror(sample_dance()[:90]), np.array([0.0, -1.0, 0.0])))
PITCHES = {"drums": 36, "bass": 40, "melody": 72}


class TranslatorPipeline:
    """Dances as `expected_dance`, at its own rate and a little too long, and composes as `expected_score`."""

    def __init__(self, weights: Path, accelerator: str) -> None:
        pass

    def dance(
        self, request: DanceRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Motion:
        simulate_work("dancing", len(request.score.bars), progress, cancelled)
        return expected_dance(request)

    def compose(
        self, request: ComposeRequest, progress: Callable[[float, str], None], cancelled: Callable[[], bool]
    ) -> Score:
        simulate_work("composing", int(request.dancers[0].seconds), progress, cancelled)
        return expected_score(request)


SPECS = [
    spec if "partner" in spec.tasks else replace(spec, pipeline=f"{__name__}:TranslatorPipeline") for spec in REGISTRY
]
"""The models, with this pipeline for those between music and dance."""
MODELS = ModelRegistry(SPECS)


def engine() -> Engine:
    """An engine with these models."""
    return Engine(registry=MODELS)


def expected_dance(request: DanceRequest) -> Motion:
    """A dancer who moves a centimetre to the left for each step of the music, and as far forward as the seed says."""
    frames = int(request.score.seconds[-1] * FPS) + 5
    steps = np.interp(np.arange(frames) / FPS, request.score.seconds, np.arange(request.score.steps + 1))
    root = np.stack([0.01 * steps, np.full(frames, -0.001 * request.seed), np.full(frames, request.energy)], axis=-1)
    return Motion(FPS, DEFAULT_SKELETON, root, np.broadcast_to(rotations.IDENTITY, (frames, 29, 4)))


def expected_score(request: ComposeRequest) -> Score:
    """Each requested part plays on each beat, with a velocity of the seed plus the number of dancers."""
    tempo = request.tempo or TEMPO
    beats = int(np.ceil(request.dancers[0].seconds * tempo / 60.0)) + 1
    steps = STEPS_PER_BEAT * beats
    parts = {name: part_from_note_array(np.zeros((0, 4), int), steps) for name in PITCHES}
    for name in request.parts:
        rows = [
            (PITCHES[name], request.seed + len(request.dancers), STEPS_PER_BEAT * n, STEPS_PER_BEAT * n + 2)
            for n in range(beats)
        ]
        parts[name] = part_from_note_array(np.array(rows), steps)
    return Score(**parts, seconds=np.arange(steps + 1) * 60.0 / tempo / STEPS_PER_BEAT)


def simulate_work(what: str, bars: int, progress: Callable[[float, str], None], cancelled: Callable[[], bool]) -> None:
    for bar in range(bars):
        if cancelled():
            raise Cancelled
        progress(bar / bars, what)
        time.sleep(PAUSE)


def song(bars: int = 4, seconds_a_bar: float = 2.0) -> Score:
    """Music in 4/4: a drum on each beat, and a low note of a beat and a half at each half of a bar."""
    steps = 16 * bars
    drums = part_from_note_array(np.array([[36, 100, beat, beat + 1] for beat in range(0, steps, 4)]), steps)
    bass = part_from_note_array(np.array([[40, 90, half, half + 6] for half in range(0, steps, 8)]), steps)
    melody = part_from_note_array(np.zeros((0, 4), int), steps)
    return Score(drums, bass, melody, np.arange(steps + 1) * seconds_a_bar / 16)


def same_music(one: Score, other: Score) -> bool:
    """Whether two scores are one, to a hundredth of a millisecond."""
    parts = all(
        np.array_equal(part_to_note_array(getattr(one, part)), part_to_note_array(getattr(other, part)))
        for part in ("drums", "bass", "melody")
    )
    same_clock = one.seconds.shape == other.seconds.shape and np.allclose(one.seconds, other.seconds, rtol=0, atol=1e-5)
    return parts and same_clock and (one.meters, one.swing) == (other.meters, other.swing)


def assert_motions_close(one: Motion, other: Motion, atol: float = 1e-5) -> None:
    """Expect the same movement within `atol` m."""
    assert (one.fps, len(one)) == (other.fps, len(other))
    np.testing.assert_allclose(one.positions, other.positions, rtol=0, atol=atol)


def serve() -> None:
    """The server with these models."""
    server.serve("tcp://127.0.0.1:*", registry=f"{__name__}:MODELS")
