"""Evaluation of dances to unseen music: metrics of every dance model beside real dances, and with controls.

`pasdedeux evaluate --data PAIRS --model dance-flow` prints it. The controls are real dances of other songs, and each
model's dances to other songs than those they are compared with.
"""

import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Column, Table

from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.music.pulse import dance_pulse
from backend.music.score import Score
from backend.wire.messages import DanceRequest
from rigs import Array
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import floor_height, foot_speed
from rigs.files.atomic_write import atomic_write_text
from training.dance_flow.validation import (
    dance_window_features,
    fit_references,
    frame_counts,
    mean_rhythm,
    rhythm_match,
)
from training.data.duets import FPS, HELD_OUT
from training.data.music_pairs import Pair, evenly_spaced, find_pairs, split_pairs
from training.evaluation import beat_metrics, plausibility
from training.evaluation.confidence_intervals import nan_mean
from training.evaluation.frechet import FeatureDistribution
from training.experiment.config import CONFIGS, read_tables

CONFIG = CONFIGS / "dance-flow.toml"
SEEDS = 10
_PAIR_COUNT = 12
"""Pairs of a part that are evaluated, evenly spaced over all of them."""
_REFERENCE_COUNT = 150
_SMOOTH = 2.5
"""Frames at 30 fps of the smoothing of speed for BAS: the published 5, at 60 fps."""
_EVERY = 2
"""Our BAS is measured at every other count, 1, 3, 5 and 7: even real dancers do not come to rest at each step."""
_HEADERS = {"BAS": "BAS, counts 1 3 5 7", "Beat Align Score": "→ Beat Align Score, as published"}
"""Column headers other than the metric's name. → nearer the real dances' value is better."""
METRICS = (
    "BAS",
    "Beat Align Score",
    "in time",
    "foot speed, r",
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
class RealDances:
    """Reference of real dances: distributions of window features by kind, mean rhythm, and variance of poses in m²."""

    references: Mapping[str, FeatureDistribution]
    rhythm: Array
    variance: float


def evaluate(
    data: Path, json: Path | None = None, parts: Sequence[str] = HELD_OUT
) -> dict[str, dict[str, dict[str, float]]]:
    """Print the metrics of parts of a folder of pairs, and return them by part, dance and metric. Raises BadFile."""
    console = Console(width=None if Console().is_terminal else 200)
    names = read_tables(CONFIG)["data"]
    split = split_pairs(find_pairs(data), names["validation"], names["test"])
    real, results = fit_real_dances(split.train), {}
    with console.status("") as status:
        for part in parts:
            pairs = evenly_spaced(getattr(split, part), _PAIR_COUNT)
            results[part] = evaluate_models(pairs, split.train, real, status.update)
    for part, rows in results.items():
        console.rule(f"{part}: {', '.join(sorted({pair.recording for pair in getattr(split, part)}))}, synthetic pairs")
        table = Table(
            Column("dance", no_wrap=True), *(_HEADERS.get(metric, metric) for metric in METRICS), padding=(0, 1)
        )
        for name, row in rows.items():
            table.add_row(name, *(f"{row[metric]:.3g}" if metric in row else "-" for metric in METRICS))
        console.print(table)
    if json is not None:
        report = {"seeds": SEEDS, "songs": _PAIR_COUNT, **results}
        atomic_write_text(json, jsonlib.dumps(report, indent=1, ensure_ascii=False))
    return results


def fit_real_dances(pairs: Sequence[Pair]) -> RealDances:
    """Fit the reference to the real dances of the training pairs."""
    reference = evenly_spaced(pairs, _REFERENCE_COUNT)
    poses = np.concatenate([_local_poses(pair.dancer.positions) for pair in reference])
    return RealDances(fit_references(reference), mean_rhythm(reference), float(poses.var(axis=0).mean()))


def evaluate_models(
    pairs: Sequence[Pair],
    train: Sequence[Pair],
    real: RealDances,
    report: Callable[[str], None] = lambda status: None,
) -> dict[str, dict[str, float]]:
    """Metrics by dance: real ones, real ones of other songs, and each model's to its own and to another song.

    train: pairs whose real dances serve as those of other songs, which is what chance gives.
    """
    engine = Engine()
    candidates = [(*pairs[n + 1 :], *pairs[:n], *train) for n in range(len(pairs))]
    other_songs = [next(p for p in candidates[n] if p.song != pair.song).score for n, pair in enumerate(pairs)]
    other_dances = [
        [train[(37 * n + 101 * seed) % len(train)].dancer.positions for seed in range(SEEDS)] for n in range(len(pairs))
    ]
    rows = {
        "real, the pairs": dance_metrics([[pair.dancer.positions] for pair in pairs], pairs, real),
        "real, of other songs": dance_metrics(other_dances, pairs, real),
    }
    for model in REGISTRY.names("dance"):
        for name, scores in ((model, [pair.score for pair in pairs]), (f"{model}, other song", other_songs)):
            takes = []
            for n, score in enumerate(scores):
                report(f"{name}: {n + 1} of {len(pairs)}")
                takes.append(_generate_takes(engine, model, score))
            rows[name] = dance_metrics(takes, pairs, real)
    return rows


def dance_metrics(takes: Sequence[Sequence[Array]], pairs: Sequence[Pair], real: RealDances) -> dict[str, float]:
    """Metrics of dances (F, 29, 3) m, several to each pair's song."""
    means: dict[str, list[float]] = {}
    rhythms, windows, covariances = [], [], []
    for dances, pair in zip(takes, pairs, strict=True):
        frames = min(len(pair.dancer), *(len(dance) for dance in dances))
        counts = frame_counts(pair.score, frames)
        beats, all_beats = (_beat_frames(pair.score, frames, every) for every in (_EVERY, 1))
        for whole in dances:
            dance = whole[:frames]
            rhythms.append(speed_rhythm(dance, counts, FPS))
            windows.append(dance_window_features(dance))
            floor = floor_height(dance)
            off_floor = plausibility.toes_floating(dance, floor) + plausibility.toes_sinking(dance, floor)
            values = {
                "BAS": beat_metrics.beat_alignment(beats, beat_metrics.kinetic_beats(dance, _SMOOTH), frames),
                "Beat Align Score": np.array([beat_metrics.beat_align_score(all_beats, dance)]),
                "speed, m/s": plausibility.speed(dance, FPS),
                "foot slide, cm/s": plausibility.foot_slide(dance, FPS),
                "skate, cm/s": plausibility.foot_skate(dance, FPS),
                "jerk, m/s³": plausibility.jerk(dance, FPS),
                "off the floor, %": 100.0 * off_floor,
                "variance": _local_poses(dance).var(axis=0).mean(keepdims=True) / real.variance,
            }
            for name, per_frame in values.items():
                means.setdefault(name, []).append(nan_mean(per_frame))
        if len(dances) > 1:
            poses = [_local_poses(dance[:frames]) for dance in dances]
            distances = [np.linalg.norm(a - b, axis=-1).mean() for n, a in enumerate(poses) for b in poses[:n]]
            means.setdefault("seeds apart, cm", []).append(100.0 * float(np.mean(distances)))
            covariances.append(_foot_speed_covariance(dances, pair.dancer.positions[:frames]))
    stacked = {kind: np.concatenate([window[kind] for window in windows]) for kind in windows[0]}
    metrics = {name: nan_mean(np.array(values)) for name, values in means.items()}
    metrics["in time"] = rhythm_match(np.mean(rhythms, axis=0), real.rhythm)
    for kind, reference in real.references.items():
        metrics[f"Fréchet {kind}"] = reference.frechet_distance(stacked[kind])
    if covariances:
        covariance, variance, real_variance = np.sum(covariances, axis=0)
        metrics["foot speed, r"] = float(covariance / np.sqrt(variance * real_variance))
    return metrics


def _foot_speed_covariance(dances: Sequence[Array], truth: Array) -> tuple[float, float, float]:
    """Covariance of the dances' mean relative foot speed with the real dancer's, and the variances of both."""
    generated = np.mean([_relative_foot_speed(dance[: len(truth)]) for dance in dances], axis=0)
    real = _relative_foot_speed(truth)
    return float((generated * real).sum()), float((generated**2).sum()), float((real**2).sum())


def _relative_foot_speed(positions: Array) -> Array:
    """Foot speed over its mean, less 1: (F,). It tells when a dancer moves, and not how much."""
    speed = foot_speed(positions, 1.0)
    return speed / speed.mean() - 1.0


def _local_poses(positions: Array) -> Array:
    """Joint positions (F, 29, 3) m relative to the pelvis and its heading."""
    across = positions[:, 1, :2] - positions[:, 2, :2]
    angle = np.arctan2(across[:, 1], across[:, 0])
    cosine, sine = np.cos(angle)[:, None], np.sin(angle)[:, None]
    local = positions - positions[:, :1]
    x, y = local[..., 0], local[..., 1]
    return np.stack([x * cosine + y * sine, y * cosine - x * sine, local[..., 2]], axis=-1)


def _beat_frames(score: Score, frames: int, every: int) -> Array:
    """Frames (B,) of the beats of a score whose counts are multiples of `every`."""
    pulse = dance_pulse(score)
    beats = np.rint(pulse.seconds[pulse.counts % every == 0] * FPS).astype(int)
    return beats[(beats >= 0) & (beats < frames)]


def _generate_takes(engine: Engine, model: str, score: Score) -> list[Array]:
    """Generate a model's dances (F, 29, 3) m, one a seed; only two where seeds change nothing."""
    takes: list[Array] = []
    for seed in range(SEEDS):
        if len(takes) == 2 and np.array_equal(takes[0], takes[1]):
            return takes[:1] * SEEDS
        (dance,) = engine.dance(DanceRequest(score, model=model, seed=seed, fps=FPS))
        takes.append(dance.positions)
    return takes
