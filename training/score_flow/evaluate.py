"""Evaluation of score-flow: composed music beside that of held-out pairs, with controls for the use of the dance.

`pasdedeux evaluate --data PAIRS --model score-flow` prints it. There are two tables of onset F1. In the first, music is
composed from nothing but the dance. In the second, stricter one, all are given the beat grid and the tempo of the real
music, so that finding the beat gains nothing.
"""

import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from backend.engine import Engine
from backend.model_registry import REGISTRY, weights_path
from backend.models.score_flow.bar_features import PART_SLICES, Bars, bar_starts, extract_bars, key_transposition
from backend.models.score_flow.bar_ranking import dance_correlation
from backend.models.score_flow.conditions import NAME
from backend.models.score_flow.network.flow import load
from backend.models.score_flow.pipeline import ScoreFlowPipeline, score_from_takes, seeded_key
from backend.music.score import Score
from backend.wire.messages import ComposeRequest
from rigs.files.atomic_write import atomic_write_text
from rigs.motion import Motion
from training.data.duets import HELD_OUT
from training.data.music_pairs import MANIFEST, Pair, evenly_spaced, find_pairs, split_pairs
from training.experiment.config import CONFIGS, read_tables
from training.score_flow import onset_metrics
from training.score_flow.dataset import build_bar_table
from training.score_flow.metrics import GridMetrics, foot_speed_at_drums, grid_metrics, share_within_range
from training.score_flow.onset_metrics import OnsetProbabilities, Onsets, score_onsets

SEEDS = 3
"""Pieces for each dance."""
_MAX_PAIRS, _SEED_PAIRS, _TRAIN_PAIRS = 36, 4, 40
"""Pairs of a part to compose for; pairs whose seeds are compared; and training pairs on which thresholds are tuned."""
_REFERENCE_PAIRS = 400
"""Training pairs that give the range of real pieces."""
_COMPARED_SEEDS = 10
MODEL, MODEL_OTHER_DANCE = NAME, f"{NAME}, another pair's dance"
MEAN_SAMPLED, MEAN_SAMPLED_ON_BEATS = "sampled from the mean bar", "sampled from the mean bar, on tracked beats"
BASELINE = next(spec.name for spec in REGISTRY if spec.published and "compose" in spec.tasks)
OTHER_SONG, REAL = "real music of another song", "real, the pairs"
TAKES_MEAN, TAKES_MEAN_OTHER_DANCE = f"{NAME}, mean of takes", "mean of takes, another pair's dance"
MEAN, MEAN_ON_BEATS = "mean bar", "mean bar, on tracked beats"
PIECES, PREDICTIONS, PIECES_AND_MEAN = "pieces", "predictions", "pieces beside the thresholded mean bar"
ONSET_ROWS = (
    MODEL,
    MODEL_OTHER_DANCE,
    MEAN_SAMPLED,
    MEAN_SAMPLED_ON_BEATS,
    BASELINE,
    OTHER_SONG,
    TAKES_MEAN,
    TAKES_MEAN_OTHER_DANCE,
    MEAN,
    MEAN_ON_BEATS,
)
COMPARISONS = {
    PIECES: (MODEL, MODEL_OTHER_DANCE, MEAN_SAMPLED),
    PREDICTIONS: (TAKES_MEAN, TAKES_MEAN_OTHER_DANCE, MEAN),
    PIECES_AND_MEAN: (MODEL, MODEL_OTHER_DANCE, MEAN),
}
"""The model, the model with another pair's dance, and the training set's mean bar at its mean tempo."""

Report = Callable[[str], None]
Metrics = dict[str, float]


def evaluate(data: Path, json: Path | None = None, parts: Sequence[str] = HELD_OUT) -> dict[str, Any]:
    """Print the metrics of the parts of a folder of pairs and return them; json: a file for them. Raises BadFile."""
    console = Console(width=None if Console().is_terminal else 200)
    recordings = read_tables(CONFIGS / f"{NAME}.toml")["data"]
    network, results = load(weights_path(NAME)), {}
    with console.status("reading pairs") as status:
        split = split_pairs(find_pairs(data), recordings["validation"], recordings["test"])
        clip_starts = _clip_starts(data)
        train_table = build_bar_table(split.train)
        for part in parts:
            pairs = getattr(split, part)
            onsets, music = evaluate_part(evenly_spaced(pairs, _MAX_PAIRS), split.train, clip_starts, status.update)
            status.update("metrics on the given beat grid")
            results[part] = (onsets, music, grid_metrics(network, train_table, build_bar_table(pairs)))
    for part, (onsets, music, strict) in results.items():
        names = ", ".join(sorted({pair.recording for pair in getattr(split, part)}))
        console.rule(f"{part}: {names}, synthetic pairs")
        tables = (_table("onset F1, from the dance alone", onsets), _table("music", music), *_grid_tables(strict))
        for table in tables:
            console.print(table)
        for title, rows in gains_over_mean(onsets).items():
            console.print(_table(f"gain over the mean bar, {title}", rows))
    values = {
        part: {"onsets": onsets, "gains": gains_over_mean(onsets), "music": music, "strict": asdict(strict)}
        for part, (onsets, music, strict) in results.items()
    }
    if json is not None:
        atomic_write_text(json, jsonlib.dumps({"model": NAME, "seeds": SEEDS, **values}, indent=1))
    return values


def gains_over_mean(onsets: Mapping[str, Metrics]) -> dict[str, dict[str, Metrics]]:
    """Gain of the model's onset F1 over the mean bar by part, and what of it another pair's dance costs.

    lost: share of the gain that another pair's dance costs, a half or more where the dance is used; missing without a
    gain. Pieces are compared with pieces and predictions with predictions, as no single piece, not even a real one,
    reaches the F1 of a prediction.
    """
    gains: dict[str, dict[str, Metrics]] = {}
    for title, (model, other_dance, mean) in COMPARISONS.items():
        gains[title] = {}
        for part in onsets[model]:
            gain, cost = (onsets[model][part] - onsets[other][part] for other in (mean, other_dance))
            gains[title][part] = {"gain": gain, "cost": cost} | ({"lost": cost / gain} if gain > 0.0 else {})
    return gains


def evaluate_part(
    pairs: Sequence[Pair], train: Sequence[Pair], clip_starts: Mapping[str, float], report: Report
) -> tuple[dict[str, Metrics], dict[str, Metrics]]:
    """Onset F1 by part, and all other metrics, of each source of music.

    clip_starts: s at which pairs begin in their recording, by name, where known.
    """
    pipeline, engine = ScoreFlowPipeline(weights_path(NAME), "auto"), Engine()
    unrelated = unrelated_pairs(pairs, clip_starts)
    composed, takes_mean = compose_for_pairs(pipeline, pairs, SEEDS, report)
    real = [[pair.score] for pair in pairs]
    music = {
        MODEL: composed,
        MODEL_OTHER_DANCE: [composed[n] for n in unrelated],
        BASELINE: [[engine.compose(ComposeRequest((pair.dancer,), model=BASELINE))] for pair in pairs],
        OTHER_SONG: [real[n] for n in unrelated],
        REAL: real,
    }
    pieces = {
        name: [[score_onsets(score) for score in scores] for scores in music_of_pairs]
        for name, music_of_pairs in music.items()
    }
    # The key of the mean bar is known and need not be estimated from few notes, so that of composed pieces is, too.
    pieces[MODEL] = [
        [score_onsets(score, seeded_key(SEEDS * n + k)) for k, score in enumerate(scores)]
        for n, scores in enumerate(composed)
    ]
    pieces[MODEL_OTHER_DANCE] = [pieces[MODEL][n] for n in unrelated]
    truths = [onsets[0] for onsets in pieces[REAL]]
    train_pairs = evenly_spaced(train, _TRAIN_PAIRS)
    bar_seconds = float(pipeline.network.bar_seconds)
    bar = onset_metrics.mean_bar([pair.score for pair in train])
    predictions = {
        TAKES_MEAN: (takes_mean, compose_for_pairs(pipeline, train_pairs, SEEDS, report)[1]),
        MEAN: tuple(onset_metrics.mean_bar_at_mean_tempo(bar, of, bar_seconds) for of in (pairs, train_pairs)),
        MEAN_ON_BEATS: tuple(onset_metrics.mean_bar_on_beats(bar, of, bar_seconds) for of in (pairs, train_pairs)),
    }
    report("matching onsets")
    train_truths = [score_onsets(pair.score) for pair in train_pairs]
    for name, (of_pairs, of_train) in predictions.items():
        thresholds = onset_metrics.best_thresholds(of_train, train_truths, [pair.seconds for pair in train_pairs])
        pieces[name] = [[prediction.threshold(thresholds)] for prediction in of_pairs]
    pieces[TAKES_MEAN_OTHER_DANCE] = [pieces[TAKES_MEAN][n] for n in unrelated]
    for name, mean in ((MEAN_SAMPLED, MEAN), (MEAN_SAMPLED_ON_BEATS, MEAN_ON_BEATS)):
        pieces[name] = [
            [prediction.sample(SEEDS * n + k) for k in range(SEEDS)]
            for n, prediction in enumerate(predictions[mean][0])
        ]
    ends = [min(pair.seconds, pairs[other].seconds) for pair, other in zip(pairs, unrelated, strict=True)]
    onsets = {name: onset_metrics.onset_f1(pieces[name], truths, ends) for name in ONSET_ROWS}
    reference = [normalized_bars(pair.score) for pair in evenly_spaced(train, _REFERENCE_PAIRS)]
    metrics = {}
    for name, scores_of_pairs in music.items():
        bars = [normalized_bars(score) for scores in scores_of_pairs for score in scores if len(bar_starts(score))]
        metrics[name] = (
            dance_fit(scores_of_pairs, [pair.dancer for pair in pairs])
            | density_variance(pieces[name], truths, pairs)
            | {f"{statistic}, within range": share for statistic, share in share_within_range(bars, reference).items()}
        )
    report("composing with other seeds")
    metrics[MODEL] |= seed_similarity(engine, evenly_spaced(pairs, _SEED_PAIRS))
    return onsets, metrics


def compose_for_pairs(
    pipeline: ScoreFlowPipeline, pairs: Sequence[Pair], seeds: int, report: Report
) -> tuple[list[list[Score]], list[OnsetProbabilities]]:
    """Compose `seeds` pieces to each pair's dance; also the mean of all takes that they were ranked from.

    Pairs are excerpts without an end, so these pieces have no cadence either.
    """
    pieces, means = [], []
    for n, pair in enumerate(pairs):
        report(f"composing {n + 1} of {len(pairs)}")
        requests = [ComposeRequest((pair.dancer,), seed=seeds * n + k) for k in range(seeds)]
        takes = [pipeline.sample_takes(request, lambda fraction, what: None, lambda: False) for request in requests]
        pieces.append(
            [score_from_takes(some, request, cadence=False) for some, request in zip(takes, requests, strict=True)]
        )
        means.append(onset_metrics.mean_of_takes([bars for some in takes for bars in some.bars], takes[0].grid))
    return pieces, means


def unrelated_pairs(pairs: Sequence[Pair], clip_starts: Mapping[str, float]) -> list[int]:
    """For each pair another at random, of another song, and of another recording or moment where there is one."""
    rng = np.random.default_rng(0)
    unrelated = []
    for n, pair in enumerate(pairs):
        songs = [m for m, other in enumerate(pairs) if other.song != pair.song]
        moments = [m for m in songs if _moment(pairs[m], clip_starts) != _moment(pair, clip_starts)]
        unrelated.append(int(rng.choice(moments or songs or [n])))
    return unrelated


def _moment(pair: Pair, clip_starts: Mapping[str, float]) -> tuple[str, float]:
    return pair.recording, clip_starts.get(pair.name, 0.0)


def dance_fit(music: Sequence[Sequence[Score]], dancers: Sequence[Motion]) -> Metrics:
    """Correlation of music with its dance, and relative foot speed at kick and snare."""
    correlations, foot_speeds = [], []
    for scores, dancer in zip(music, dancers, strict=True):
        correlations += [dance_correlation(score, (dancer,)) for score in scores]
        foot_speeds += [foot_speed_at_drums(score, dancer) for score in scores if score.drums.onset.any()]
    return {
        "correlation with the dance": float(np.mean(correlations)),
        "foot speed at drums": float(np.mean(foot_speeds or [np.nan])),
    }


def density_variance(pieces: Sequence[Sequence[Onsets]], truths: Sequence[Onsets], pairs: Sequence[Pair]) -> Metrics:
    """Variance of the onsets per second by part, relative to that of real music."""
    metrics = {}
    for part in PART_SLICES:
        has_part = [n for n, truth in enumerate(truths) if truth.active[part].any()]
        if has_part:
            real = [onset_metrics.onsets_per_second(truths[n], part, pairs[n].seconds) for n in has_part]
            composed = [
                onset_metrics.onsets_per_second(one, part, pairs[n].seconds) for n in has_part for one in pieces[n]
            ]
            ratio = np.concatenate(composed).var() / max(np.concatenate(real).var(), 1e-9)
            metrics[f"variance, {part}"] = float(ratio)
    return metrics


def seed_similarity(engine: Engine, pairs: Sequence[Pair]) -> Metrics:
    """Mean onset F1 of pieces to one dance with different seeds, by part; lower is more diverse."""
    scores: dict[str, list[float]] = {part: [] for part in PART_SLICES}
    for pair in pairs:
        requests = [ComposeRequest((pair.dancer,), seed=seed) for seed in range(_COMPARED_SEEDS)]
        pieces = [score_onsets(engine.compose(request)) for request in requests]
        for part, values in scores.items():
            values.append(onset_metrics.mean_pairwise_f1(pieces, part))
    return {f"seed similarity, {part}": float(np.mean(values)) for part, values in scores.items()}


def normalized_bars(score: Score) -> Bars:
    """Whole bars of a score, transposed to C major or A minor."""
    return extract_bars(score, bar_starts(score), key_transposition(score))


def _clip_starts(data: Path) -> dict[str, float]:
    """Seconds at which pairs begin in their recordings, by name, as far as the folder's manifest has them."""
    path = data / MANIFEST
    pairs = jsonlib.loads(path.read_text())["pairs"] if path.exists() else []
    return {pair["name"]: float(pair.get("from", 0.0)) for pair in pairs}


def _table(title: str, columns: Mapping[str, Metrics]) -> Table:
    """Table with a row for each metric."""
    table = Table(title, *columns, padding=(0, 1))
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        table.add_row(name, *(f"{column[name]:.3f}" if name in column else "-" for column in columns.values()))
    return table


def _grid_tables(metrics: GridMetrics) -> tuple[Table, Table]:
    """Tables of the onset scores on the given beat grid, and of the retrieval."""
    onsets = {part: asdict(scores) for part, scores in metrics.onsets.items()}
    recall = {"music by dance": asdict(metrics.music), "dance by music": asdict(metrics.dance)}
    return _table(f"onset F1, beats given, {metrics.bars} bars", onsets), _table("recall among 64", recall)
