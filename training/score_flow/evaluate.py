"""How good music is that is composed for dances whose own music is hidden, with the controls that tell what of it is
the dance's.

`pasdedeux evaluate --data PAIRS --model score-flow` prints it. Two tables are about onsets. In the first all begin with
nothing but the dance: no grid, no tempo. In the second, the stricter one, the grid and the tempo of the true music are
given to all, so that no beat is gained any more.
"""

import json as jsonlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from backend.engine import Engine
from backend.model_registry import weights_path
from backend.models.score_flow.bar_features import PART_SLICES as MUSIC
from backend.models.score_flow.bar_features import Bars, bar_starts, extract_bars, key_transposition
from backend.models.score_flow.bar_ranking import dance_correlation
from backend.models.score_flow.network import NAME, load
from backend.models.score_flow.pipeline import ScoreFlowPipeline, score_from_takes, seeded_key
from backend.music.score import Score
from backend.wire.messages import ComposeRequest
from rigs.files.atomic_write import atomic_write_text
from rigs.motion import Motion
from training.data.music_pairs import MANIFEST, Pair, find_pairs, split_pairs
from training.score_flow.dataset import build_bar_table
from training.score_flow.metrics import GridMetrics, foot_speed_at_drums, grid_metrics, share_within_range
from training.score_flow.onset_metrics import (
    OnsetProbabilities,
    Onsets,
    best_thresholds,
    mean_bar,
    mean_bar_at_mean_tempo,
    mean_bar_on_beats,
    mean_of_takes,
    mean_pairwise_f1,
    onset_f1,
    onsets_per_second,
    score_onsets,
)

CONFIG = Path(__file__).resolve().parent.parent / "configs" / f"{NAME}.toml"
PARTS = ("validation", "test")
SEEDS = 3
"""Pieces for each dance."""
_DANCES, _DIVERSE, _KNOWN = 36, 4, 40
"""Pairs of a part that are composed for, evenly over all of them; those whose seeds are compared; and pairs of the
training by which a mean's thresholds are found."""
_SEEDS_APART = 10
MODEL, MODEL_OTHER_DANCE = "score-flow", "score-flow, another's dance"
MEAN_SAMPLED, MEAN_SAMPLED_ON_BEATS = "drawn from the mean bar", "drawn from the mean bar, on our beats"
BRIDGE, OTHER_SONG, REAL = "choreo-bridge", "real music of another song", "real, the pairs"
TAKES_MEAN, TAKES_MEAN_OTHER_DANCE = "score-flow, mean of takes", "mean of takes, another's dance"
MEAN, MEAN_ON_BEATS = "mean bar", "mean bar, on our beats"
PIECES, GUESSES = "pieces", "what is expected"
ONSETS = (
    MODEL,
    MODEL_OTHER_DANCE,
    MEAN_SAMPLED,
    MEAN_SAMPLED_ON_BEATS,
    BRIDGE,
    OTHER_SONG,
    TAKES_MEAN,
    TAKES_MEAN_OTHER_DANCE,
    MEAN,
    MEAN_ON_BEATS,
)
COMPARED = {PIECES: (MODEL, MODEL_OTHER_DANCE, MEAN_SAMPLED), GUESSES: (TAKES_MEAN, TAKES_MEAN_OTHER_DANCE, MEAN),
            "pieces, the mean not drawn": (MODEL, MODEL_OTHER_DANCE, MEAN)}  # fmt: skip
"""Ours, ours by another's dance, and the mean bar of the training at its mean tempo, which knows of no dance."""

Say = Callable[[str], None]
Marks = dict[str, float]


def evaluate(data: Path, json: Path | None = None, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Print the figures of the parts of a folder of pairs; the same as a value. Raises BadFile."""
    console = Console(width=None if Console().is_terminal else 200)
    named = tomllib.loads(CONFIG.read_text())["data"]
    network, found = load(weights_path(NAME)), {}
    with console.status("reading pairs") as status:
        split = split_pairs(find_pairs(data), named["validation"], named["test"])
        begins = _begins(data)
        known = build_bar_table(split.train)
        for part in parts:
            pairs = getattr(split, part)
            onsets, marks = evaluate_part(_evenly(pairs, _DANCES), split.train, begins, status.update)
            status.update("the stricter table")
            found[part] = (onsets, marks, grid_metrics(network, known, build_bar_table(pairs)))
    for part, (onsets, marks, strict) in found.items():
        recordings = ", ".join(sorted({pair.recording for pair in getattr(split, part)}))
        console.rule(f"{part}: {recordings}, synthetic pairs")
        for table in (_printed("onset F1, by the dance alone", onsets), _printed("music", marks), *_strict(strict)):
            console.print(table)
        for title, rows in gains_over_mean(onsets).items():
            console.print(_printed(f"over the mean, {title}", rows))
    values = {
        part: {"onsets": onsets, "gains": gains_over_mean(onsets), "music": marks, "strict": asdict(strict)}
        for part, (onsets, marks, strict) in found.items()
    }
    if json is not None:
        atomic_write_text(json, jsonlib.dumps({"model": NAME, "seeds": SEEDS, **values}, indent=1))
    return values


def gains_over_mean(onsets: Mapping[str, Marks]) -> dict[str, dict[str, Marks]]:
    """What ours gains over the mean bar in each part of the music, and what of it another's dance costs.

    lost: the part of the gain that another's dance costs, half of it or more where the dance is used; not there where
    nothing is gained. Pieces are compared with pieces, and what is expected with what is expected; that one piece is
    no match for what is expected holds for real music too.
    """
    found: dict[str, dict[str, Marks]] = {}
    for title, (ours, strange, mean) in COMPARED.items():
        found[title] = {}
        for part in onsets[ours]:
            gain, cost = (onsets[ours][part] - onsets[other][part] for other in (mean, strange))
            found[title][part] = {"gain": gain, "cost": cost} | ({"lost": cost / gain} if gain > 0.0 else {})
    return found


def evaluate_part(
    pairs: Sequence[Pair], train: Sequence[Pair], begins: Mapping[str, float], say: Say
) -> tuple[dict[str, Marks], dict[str, Marks]]:
    """By whose music it is, the onset F1 of each part; and all other marks.

    begins: s of the recording, by the name of the pair, where it is known.
    """
    composer, engine = ScoreFlowPipeline(weights_path(NAME), "auto"), Engine()
    others = unrelated_pairs(pairs, begins)
    ours, likely = compose_for_pairs(composer, pairs, SEEDS, say)
    real = [[pair.score] for pair in pairs]
    music = {
        MODEL: ours,
        MODEL_OTHER_DANCE: [ours[n] for n in others],
        BRIDGE: [[engine.compose(ComposeRequest((pair.dancer,), model=BRIDGE))] for pair in pairs],
        OTHER_SONG: [real[n] for n in others],
        REAL: real,
    }
    heard = {name: [[score_onsets(score) for score in scores] for scores in of] for name, of in music.items()}
    # As the mean bar's key is known, and need not be found in few notes, so is that of what was composed.
    heard[MODEL] = [
        [score_onsets(score, seeded_key(SEEDS * n + k)) for k, score in enumerate(of)] for n, of in enumerate(ours)
    ]
    heard[MODEL_OTHER_DANCE] = [heard[MODEL][n] for n in others]
    truths = [onsets[0] for onsets in heard[REAL]]
    known = _evenly(train, _KNOWN)
    usual = float(composer.network.usual)
    bar = mean_bar([pair.score for pair in train])
    expected = {
        TAKES_MEAN: (likely, compose_for_pairs(composer, known, SEEDS, say)[1]),
        MEAN: (mean_bar_at_mean_tempo(bar, pairs, usual), mean_bar_at_mean_tempo(bar, known, usual)),
        MEAN_ON_BEATS: (mean_bar_on_beats(bar, pairs, usual), mean_bar_on_beats(bar, known, usual)),
    }
    say("matching onsets")
    known_truths = [score_onsets(pair.score) for pair in known]
    guesses = {}
    for name, (here, there) in expected.items():
        least = best_thresholds(there, known_truths, [pair.seconds for pair in known])
        guesses[name] = [[guess.threshold(least)] for guess in here]
    guesses[TAKES_MEAN_OTHER_DANCE] = [guesses[TAKES_MEAN][n] for n in others]
    for name, of in ((MEAN_SAMPLED, MEAN), (MEAN_SAMPLED_ON_BEATS, MEAN_ON_BEATS)):
        guesses[name] = [[guess.sample(SEEDS * n + k) for k in range(SEEDS)] for n, guess in enumerate(expected[of][0])]
    ends = [min(pair.seconds, pairs[other].seconds) for pair, other in zip(pairs, others, strict=True)]
    onsets = {name: onset_f1((heard | guesses)[name], truths, ends) for name in ONSETS}
    usual_bars = [normalized_bars(pair.score) for pair in _evenly(train, 10 * _KNOWN)]
    marks = {}
    for name in (REAL, MODEL, MODEL_OTHER_DANCE, BRIDGE, OTHER_SONG):
        marks[name] = dance_fit(music[name], [pair.dancer for pair in pairs]) | density_variance(
            heard[name], truths, pairs
        )
        whole_pieces = [normalized_bars(score) for scores in music[name] for score in scores if len(bar_starts(score))]
        marks[name] |= {
            f"{mark}, inside": share for mark, share in share_within_range(whole_pieces, usual_bars).items()
        }
    say("composing with other seeds")
    marks[MODEL] |= seed_similarity(engine, _evenly(pairs, _DIVERSE))
    return onsets, marks


def compose_for_pairs(
    composer: ScoreFlowPipeline, pairs: Sequence[Pair], seeds: int, say: Say
) -> tuple[list[list[Score]], list[OnsetProbabilities]]:
    """So many pieces for each pair's dance, and the mean of all takes that they were chosen from.

    Pairs are cut out of dances and songs that go on, so these pieces have no end either.
    """
    pieces, likely = [], []
    for n, pair in enumerate(pairs):
        say(f"composing {n + 1} of {len(pairs)}")
        requests = [ComposeRequest((pair.dancer,), seed=seeds * n + k) for k in range(seeds)]
        takes = [composer.sample_takes(request, lambda fraction, what: None, lambda: False) for request in requests]
        pieces.append([score_from_takes(*both, ends=False) for both in zip(takes, requests, strict=True)])
        likely.append(mean_of_takes([bars for of in takes for bars in of.bars], takes[0].grid))
    return pieces, likely


def unrelated_pairs(pairs: Sequence[Pair], begins: Mapping[str, float]) -> list[int]:
    """For each pair another, at random, of another song and of another recording or moment where there is one."""
    rng = np.random.default_rng(0)
    chosen = []
    for n, pair in enumerate(pairs):
        songs = [m for m, other in enumerate(pairs) if other.song != pair.song]
        moments = [m for m in songs if _moment(pairs[m], begins) != _moment(pair, begins)]
        chosen.append(int(rng.choice(moments or songs or [n])))
    return chosen


def _moment(pair: Pair, begins: Mapping[str, float]) -> tuple[str, float]:
    return pair.recording, begins.get(pair.name, 0.0)


def dance_fit(music: Sequence[Sequence[Score]], dancers: Sequence[Motion]) -> Marks:
    """How far music answers its dance, and how fast the feet are at kick and snare, beside their mean."""
    answers, drums = [], []
    for scores, dancer in zip(music, dancers, strict=True):
        answers += [dance_correlation(score, (dancer,)) for score in scores]
        drums += [foot_speed_at_drums(score, dancer) for score in scores if score.drums.onset.any()]
    return {"answers the dance, r": float(np.mean(answers)), "feet at drums": float(np.mean(drums or [np.nan]))}


def density_variance(heard: Sequence[Sequence[Onsets]], truths: Sequence[Onsets], pairs: Sequence[Pair]) -> Marks:
    """By part the variance, from second to second, of how many onsets there are, beside that of real music."""
    found = {}
    for part in MUSIC:
        has = [n for n, truth in enumerate(truths) if truth.active[part].any()]
        if has:
            real = np.concatenate([onsets_per_second(truths[n], part, pairs[n].seconds) for n in has])
            made = np.concatenate([onsets_per_second(one, part, pairs[n].seconds) for n in has for one in heard[n]])
            found[f"variance, {part}"] = float(made.var() / max(real.var(), 1e-9))
    return found


def seed_similarity(engine: Engine, pairs: Sequence[Pair]) -> Marks:
    """By part the onsets that two seeds have in common."""
    shared: dict[str, list[float]] = {part: [] for part in MUSIC}
    for pair in pairs:
        requests = [ComposeRequest((pair.dancer,), seed=seed) for seed in range(_SEEDS_APART)]
        several = [score_onsets(engine.compose(request)) for request in requests]
        for part, marks in shared.items():
            marks.append(mean_pairwise_f1(several, part))
    return {f"seeds alike, {part}": float(np.mean(marks)) for part, marks in shared.items()}


def normalized_bars(score: Score) -> Bars:
    """A score's whole bars, in C major or A minor."""
    return extract_bars(score, bar_starts(score), key_transposition(score))


def _begins(data: Path) -> dict[str, float]:
    """Where in their recordings pairs begin, by name, in s; what is not said is not known."""
    path = data / MANIFEST
    listed = jsonlib.loads(path.read_text())["pairs"] if path.exists() else []
    return {pair["name"]: float(pair.get("from", 0.0)) for pair in listed}


def _evenly(pairs: Sequence[Pair], most: int) -> list[Pair]:
    return [pairs[n] for n in np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int)]


def _printed(title: str, rows: Mapping[str, Marks]) -> Table:
    """Marks with a column for each of the rows, as they have more names than there are rows."""
    table = Table(title, *rows, padding=(0, 1))
    for mark in dict.fromkeys(mark for row in rows.values() for mark in row):
        table.add_row(mark, *(f"{row[mark]:.3f}" if mark in row else "-" for row in rows.values()))
    return table


def _strict(found: GridMetrics) -> tuple[Table, Table]:
    """The stricter table, and how well music and dance find each other."""
    names = ("mean", "predicted", "other_pair", "other_dance", "sampled", "variance_ratio")
    onsets = {part: {name: getattr(of, name) for name in names} for part, of in found.onsets.items()}
    recall = {"music by dance": asdict(found.music), "dance by music": asdict(found.dance)}
    return _printed(f"onset F1, beats given, {found.bars} bars", onsets), _printed("found among 64", recall)
