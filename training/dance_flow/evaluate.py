"""How good dances to music are that a model has not heard, beside real ones and with the controls that show its ear.

`pasdedeux evaluate --data PAIRS --model dance-flow` prints it.
"""

import json as jsonlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from backend.engine import Engine
from backend.model_registry import DANCERS
from backend.music.pulse import dance_pulse
from backend.music.score import Score
from backend.wire.messages import DanceRequest
from rigs import Array
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import FEET, floor_height
from rigs.files.atomic_write import atomic_write_text
from training.dance_flow.validation import alike, counts_in, described, usual_rhythm
from training.data.duets import FPS
from training.data.music_pairs import Pair, find_pairs, split_pairs
from training.evaluation import beat_metrics, plausibility
from training.evaluation.frechet import FeatureDistribution

CONFIG = Path(__file__).resolve().parent.parent / "configs" / "dance-flow.toml"
PARTS = ("validation", "test")
SEEDS = 10
_SONGS = 12
"""Pairs of a part that are danced, evenly over all of them."""
_REFERENCES = 150
_SMOOTH = 2.5
"""Frames at 30 fps over which speed is smoothed for BAS: the published 5, which were of 60 a second."""
_EVERY = 2
"""BAS asks every other count, 1, 3, 5 and 7: dancers, real ones too, come to rest there and not at each step."""
FIGURES = (
    "BAS",
    "in time",
    "feet foretold, r",
    "Fréchet kinetic",
    "Fréchet geometric",
    "variance",
    "speed, m/s",
    "foot slide, cm/s",
    "skate, cm/s",
    "jerk, m/s³",
    "off the floor, %",
    "seeds apart, cm",
)


@dataclass(frozen=True)
class Real:
    """What dances are compared with: features of real windows by kind, how real dancers keep time, and the variance of
    real poses in m².
    """

    references: Mapping[str, FeatureDistribution]
    rhythm: Array
    variance: float


def evaluate(
    data: Path, json: Path | None = None, parts: Sequence[str] = PARTS
) -> dict[str, dict[str, dict[str, float]]]:
    """Print the figures of the parts of a folder of pairs, by dancer; the same as a value. Raises BadFile."""
    console = Console(width=None if Console().is_terminal else 200)
    names = tomllib.loads(CONFIG.read_text())["data"]
    split = split_pairs(find_pairs(data), names["validation"], names["test"])
    real, found = real_of(split.train), {}
    with console.status("") as status:
        for part in parts:
            pairs = getattr(split, part)
            chosen = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(_SONGS, len(pairs))).astype(int)]
            found[part] = judged(chosen, split.train, real, status.update)
    for part, rows in found.items():
        console.rule(f"{part}: {', '.join(sorted({pair.recording for pair in getattr(split, part)}))}, synthetic pairs")
        table = Table(Column("dance", no_wrap=True), *FIGURES, padding=(0, 1))
        for name, row in rows.items():
            table.add_row(name, *(f"{row[figure]:.3g}" if figure in row else "-" for figure in FIGURES))
        console.print(table)
    if json is not None:
        atomic_write_text(json, jsonlib.dumps({"seeds": SEEDS, "songs": _SONGS, **found}, indent=1, ensure_ascii=False))
    return found


def real_of(pairs: Sequence[Pair]) -> Real:
    """What real dances of the training pairs are like."""
    known = [pairs[i] for i in np.linspace(0, len(pairs) - 1, min(_REFERENCES, len(pairs))).astype(int)]
    rows = [described(pair.dancer.positions) for pair in known]
    poses = np.concatenate([_pose(pair.dancer.positions) for pair in known])
    references = {kind: FeatureDistribution.fit(np.concatenate([row[kind] for row in rows])) for kind in rows[0]}
    return Real(references, usual_rhythm(known), float(poses.var(axis=0).mean()))


def judged(
    pairs: Sequence[Pair], train: Sequence[Pair], real: Real, say: Callable[[str], None] = lambda what: None
) -> dict[str, dict[str, float]]:
    """The figures by dance: the real ones, those of another song, and each model's, with its own and a stranger's song.

    train: pairs whose dances are tried as if they were made for a song, which is what chance gives.
    """
    engine = Engine()
    choice = [(*pairs[n + 1 :], *pairs[:n], *train) for n in range(len(pairs))]
    others = [next(p for p in choice[n] if p.song != pair.song) for n, pair in enumerate(pairs)]
    strangers = [[train[(37 * n + 101 * seed) % len(train)].dancer.positions for seed in range(SEEDS)]
                 for n in range(len(pairs))]  # fmt: skip
    rows = {
        "real, the pairs": figures([[pair.dancer.positions] for pair in pairs], pairs, real),
        "real, of other songs": figures(strangers, pairs, real),
    }
    for model in DANCERS:
        for name, scores in ((model, [p.score for p in pairs]), (f"{model}, other song", [p.score for p in others])):
            made = []
            for n, score in enumerate(scores):
                say(f"{name}: {n + 1} of {len(pairs)}")
                made.append(_takes(engine, model, score))
            rows[name] = figures(made, pairs, real)
    return rows


def figures(made: Sequence[Sequence[Array]], pairs: Sequence[Pair], real: Real) -> dict[str, float]:
    """The figures of dances (F, 29, 3) m, several to each pair's song, whichever song they were made for."""
    tracks: dict[str, list[float]] = {}
    rhythms, windows, foretold = [], [], []
    for dances, pair in zip(made, pairs, strict=True):
        frames = min(len(pair.dancer), *(len(dance) for dance in dances))
        counts = counts_in(pair.score, frames)
        asked = _beat_frames(pair.score, frames)
        for whole in dances:
            dance = whole[:frames]
            rhythms.append(speed_rhythm(dance, counts, FPS))
            windows.append(described(dance))
            floor = floor_height(dance)
            marks = {
                "BAS": beat_metrics.beat_alignment(asked, beat_metrics.kinetic_beats(dance, _SMOOTH), frames),
                "speed, m/s": plausibility.speed(dance, FPS),
                "foot slide, cm/s": plausibility.foot_slide(dance, FPS),
                "skate, cm/s": plausibility.foot_skate(dance, FPS),
                "jerk, m/s³": plausibility.jerk(dance, FPS),
                "off the floor, %": 100.0
                * (plausibility.toes_floating(dance, floor) + plausibility.toes_sinking(dance, floor)),
                "variance": _pose(dance).var(axis=0).mean(keepdims=True) / real.variance,
            }
            for name, track in marks.items():
                tracks.setdefault(name, []).append(_mean(track))
        if len(dances) > 1:
            pelvises = [_pose(dance[:frames]) for dance in dances]
            apart = [np.linalg.norm(a - b, axis=-1).mean() for n, a in enumerate(pelvises) for b in pelvises[:n]]
            tracks.setdefault("seeds apart, cm", []).append(100.0 * float(np.mean(apart)))
            foretold.append(_foretold(dances, pair.dancer.positions[:frames]))
    stacked = {kind: np.concatenate([window[kind] for window in windows]) for kind in windows[0]}
    found = {name: _mean(np.array(values)) for name, values in tracks.items()}
    found["in time"] = alike(np.mean(rhythms, axis=0), real.rhythm)
    for kind, reference in real.references.items():
        found[f"Fréchet {kind}"] = reference.frechet_distance(stacked[kind])
    if foretold:
        together, told, true = np.sum(foretold, axis=0)
        found["feet foretold, r"] = float(together / np.sqrt(told * true))
    return found


def _mean(values: Array) -> float:
    """The mean of what is known of (N,); of nothing, nan."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _foretold(dances: Sequence[Array], truth: Array) -> tuple[float, float, float]:
    """What the correlation of the real feet's speed with the mean of the dances' is made of: product and squares."""
    told = np.mean([_feet(dance[: len(truth)]) for dance in dances], axis=0)
    real = _feet(truth)
    return float((told * real).sum()), float((told**2).sum()), float((real**2).sum())


def _feet(positions: Array) -> Array:
    """(F,) the feet's speed as a part of its mean, less 1: how much a dancer moves is another question than when."""
    speed = np.linalg.norm(np.gradient(positions[:, FEET], axis=0), axis=-1).mean(axis=1)
    return speed / speed.mean() - 1.0


def _pose(positions: Array) -> Array:
    """(F, 29, 3) m as seen from the pelvis, unturned."""
    across = positions[:, 1, :2] - positions[:, 2, :2]
    angle = np.arctan2(across[:, 1], across[:, 0])
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    seen = positions - positions[:, :1]
    x, y = seen[..., 0], seen[..., 1]
    return np.stack([x * cosine + y * sine, y * cosine - x * sine, seen[..., 2]], axis=-1)


def _beat_frames(score: Score, frames: int) -> Array:
    """The frames (B,) of the beats that BAS asks."""
    beat = dance_pulse(score)
    at = np.rint(beat.seconds[beat.counts % _EVERY == 0] * FPS).astype(int)
    return at[(at >= 0) & (at < frames)]


def _takes(engine: Engine, model: str, score: Score) -> list[Array]:
    """The model's dances (F, 29, 3) m, one a seed; where seeds change nothing, the same one."""
    takes: list[Array] = []
    for seed in range(SEEDS):
        if len(takes) == 2 and np.array_equal(takes[0], takes[1]):
            return takes[:1] * SEEDS
        (dance,) = engine.dance(DanceRequest(score, model=model, seed=seed, fps=FPS))
        takes.append(dance.positions)
    return takes
