"""Metrics of score-flow on bars whose beat grid is given: onset F1 with controls, retrieval, statistics of pieces.

All are of bars with a dance, and those of a part of bars whose music has the part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch
from torch import Tensor

from backend.models.score_flow.bar_features import PART_SLICES, PITCHED_ROWS, VOICE_SLICES, Bars
from backend.models.score_flow.conditions import BarTensors, ScoreCondition
from backend.models.score_flow.network.bar_vae import note_probabilities
from backend.models.score_flow.network.flow import ScoreFlow
from backend.models.score_flow.note_decoding import decode_onsets
from backend.models.score_flow.sampler import GUIDANCE
from backend.music.score import Score, part_to_notes
from rigs import Array
from rigs.contacts import foot_speed
from rigs.motion import Motion, resample
from training.data.duets import FPS
from training.score_flow.dataset import BarLatents, BarTable, bar_condition, dance_only, embed_table_music, encode_table

SAMPLES = 32
"""Samples of a bar that are averaged."""
GALLERY_SIZE = 64
"""Windows in a retrieval gallery, the right one included."""
_GALLERIES = 8
"""Galleries per query."""
_MAX_CORRELATION = 0.7
"""Correlation from which two windows of dance count as the same moment."""
_THRESHOLDS = 60
_LOW, _HIGH = 5.0, 95.0
"""Percentiles of the range of real pieces."""
_KICK_AND_SNARE = (36, 38)


@dataclass(frozen=True)
class OnsetScores:
    """Onset F1 of a part, each at its best threshold.

    mean: of the mean bar of the training set.  predicted: of the onset head, from the dance and its tempo alone.
    other_pair: of the same with another pair's dance and tempo.  other_dance: with another pair's dance and the right
    tempo.  sampled: of the mean of many samples from the dance and its tempo.
    variance_ratio: variance over bars of sampled notes, relative to real ones.
    """

    mean: float
    predicted: float
    other_pair: float
    other_dance: float
    sampled: float
    variance_ratio: float

    @property
    def lost_gain(self) -> float:
        """Share of the gain over the mean bar that another pair's dance loses; NaN without a gain."""
        gain = self.predicted - self.mean
        return (self.predicted - self.other_pair) / gain if gain > 0.0 else float("nan")


@dataclass(frozen=True)
class RetrievalRecall:
    """Recall at 1 and at 5 of the right window in a gallery; by chance 1/64 and 5/64."""

    at_1: float
    at_5: float


@dataclass(frozen=True)
class GridMetrics:
    """Onset scores by part, retrieval of music by dance and of dance by music, and the number of bars."""

    onsets: dict[str, OnsetScores]
    music: RetrievalRecall
    dance: RetrievalRecall
    bars: int


def f1(predicted: Tensor, real: Tensor) -> float:
    """F1 of two bool arrays of one shape."""
    return 2.0 * float((predicted & real).sum()) / max(float(predicted.sum() + real.sum()), 1.0)


def best_f1(probabilities: Tensor, real: Tensor) -> float:
    """F1 of probabilities at their best threshold."""
    step = max(1, probabilities.numel() // 100_000)
    quantiles = torch.quantile(probabilities.flatten()[::step], torch.linspace(0.5, 1.0, 41))
    thresholds = torch.cat([quantiles, torch.linspace(0.02, 0.9, _THRESHOLDS)]).tolist()
    return max(f1(probabilities >= threshold, real) for threshold in thresholds if threshold > 0.0)


def grid_metrics(network: ScoreFlow, train: BarTable, table: BarTable) -> GridMetrics:
    """Metrics of a table's bars with a dance; `train` gives the mean bar."""
    latents = encode_table(network, table)
    indices = (table.window_index >= 0).nonzero()[:, 0]
    scores = onset_scores(network, train, table, latents, indices)
    return GridMetrics(scores, *retrieval(network, table, latents, indices), bars=len(indices))


@torch.no_grad()
def onset_scores(
    network: ScoreFlow, train: BarTable, table: BarTable, latents: BarLatents, indices: Tensor
) -> dict[str, OnsetScores]:
    """Onset scores of bars (B,) by part."""
    generator = torch.Generator().manual_seed(0)
    windows = table.windows[table.window_index[indices], 0]
    own = dance_only(bar_condition(network, table, latents, indices, windows))
    unrelated = torch.tensor(unrelated_bars(table, indices))
    other = own._replace(**{name: getattr(own, name)[unrelated] for name in ("dance", "has_dance", "energy")})
    samples = [sample_probabilities(network, own, generator).onset for _ in range(SAMPLES)]
    predictions = {
        "predicted": network.onset_logits(own).sigmoid(),
        "other_pair": network.onset_logits(other._replace(tempo=own.tempo[unrelated])).sigmoid(),
        "other_dance": network.onset_logits(other).sigmoid(),
        "sampled": torch.stack(samples).mean(dim=0),
    }
    probabilities = sample_probabilities(network, own, generator).onset.cpu().numpy()
    notes = torch.from_numpy(decode_onsets(probabilities, network.onset_thresholds.cpu().numpy()))
    real = table.bars(indices)[0].onset > 0
    scores = {}
    for part, (name, rows) in enumerate(PART_SLICES.items()):
        has_part = table.parts[indices, min(part, 1)] > 0
        in_train = (train.parts[:, min(part, 1)] > 0) & (train.window_index >= 0)
        if not has_part.any() or not in_train.any():
            continue
        truth = real[has_part][..., rows]
        mean = train.onset[in_train][..., rows].float().mean(dim=0).expand(truth.shape)
        f1s = {key: best_f1(value[has_part][..., rows], truth) for key, value in predictions.items()}
        sampled, expected = (onsets[has_part][..., rows].float().var(dim=0).mean() for onsets in (notes, real))
        scores[name] = OnsetScores(
            best_f1(mean, truth), **f1s, variance_ratio=float(sampled / expected.clamp_min(1e-9))
        )
    return scores


def sample_probabilities(network: ScoreFlow, condition: ScoreCondition, generator: torch.Generator) -> BarTensors:
    """Note probabilities of one sample of each bar."""
    noise = torch.randn(len(condition.dance), network.config.vae.latent_dim, generator=generator)
    latents = network.denormalize(network.sample(noise, condition, guidance=GUIDANCE))
    tied = torch.zeros(len(noise), PITCHED_ROWS, device=noise.device)
    return note_probabilities(network.vae.decode(latents, tied))


def unrelated_bars(table: BarTable, indices: Tensor) -> Array:
    """For each of the bars (B,) another of them, of another song and moment if there is one, else itself: (B,)."""
    unrelated = _is_unrelated(table, indices).numpy()
    rng = np.random.default_rng(0)
    return np.array([rng.choice(np.flatnonzero(row)) if row.any() else n for n, row in enumerate(unrelated)])


def _is_unrelated(table: BarTable, indices: Tensor) -> Tensor:
    """(B, B) bool: which windows are of another song and of another moment of a dance."""
    song = table.song[indices]
    windows = table.windows[table.window_index[indices], 0]
    windows = ((windows - windows.mean(dim=(0, 1))) / windows.std(dim=(0, 1)).clamp_min(1e-3)).flatten(1)
    windows = torch.nn.functional.normalize(windows - windows.mean(dim=1, keepdim=True), dim=1)
    return (song[:, None] != song) & (windows @ windows.T < _MAX_CORRELATION)


@torch.no_grad()
def retrieval(
    network: ScoreFlow, table: BarTable, latents: BarLatents, indices: Tensor
) -> tuple[RetrievalRecall, RetrievalRecall]:
    """Recall of music by its dance, and of a dance by its music, among the bars (B,) that follow another.

    First bars are left out, as they would be recognized by the silence and the standing still before them.
    """
    indices = indices[table.previous[indices] >= 0]
    dance = network.embed_dance(network.encode_dance(table.windows[table.window_index[indices], 0]))
    similarity = (dance @ embed_table_music(network, table, latents, indices).T).numpy()
    unrelated = _is_unrelated(table, indices).numpy()
    return gallery_recall(similarity, unrelated), gallery_recall(similarity.T, unrelated)


def gallery_recall(similarity: Array, unrelated: Array) -> RetrievalRecall:
    """Recall in random galleries.  similarity, unrelated: (B, B) of queries and candidates, the right one at [b, b]."""
    rng = np.random.default_rng(0)
    ranks = []
    for n, row in enumerate(unrelated):
        candidates = np.flatnonzero(row)
        if len(candidates) < GALLERY_SIZE - 1:
            continue
        for _ in range(_GALLERIES):
            gallery = rng.choice(candidates, GALLERY_SIZE - 1, replace=False)
            ranks.append((similarity[n, gallery] > similarity[n, n]).sum())
    all_ranks = np.array(ranks) if ranks else np.full(1, GALLERY_SIZE)
    return RetrievalRecall(float((all_ranks < 1).mean()), float((all_ranks < 5).mean()))


def piece_statistics(bars: Bars) -> dict[str, float]:
    """Statistics of a piece by part: onsets a bar, median pitch row, and the share of onsets in each sixteenth."""
    statistics: dict[str, float] = {}
    for name, rows in PART_SLICES.items():
        onset = bars.onset[..., rows]
        if not onset.any():
            continue
        statistics[f"{name}, notes a bar"] = float(onset.sum() / len(bars))
        if name != "drums":
            tune = bars.onset[..., VOICE_SLICES["tune"] if name == "melody" else rows]
            if tune.any():
                statistics[f"{name}, median pitch"] = float(np.median(np.nonzero(tune)[2]))
        shares = onset.sum(axis=(0, 2)) / onset.sum()
        statistics |= {f"{name}, step {step + 1}": float(share) for step, share in enumerate(shares)}
    return statistics


def share_within_range(pieces: Sequence[Bars], real: Sequence[Bars]) -> dict[str, float]:
    """Share of pieces with a statistic from the 5th to the 95th percentile of real ones, by statistic.

    The shares of the sixteen steps count together, as the rhythm.
    """
    real_statistics = [piece_statistics(bars) for bars in real]
    is_within: dict[str, list[bool]] = {}
    for bars in pieces:
        for name, value in piece_statistics(bars).items():
            real_values = [statistics[name] for statistics in real_statistics if name in statistics]
            if real_values:
                low, high = np.percentile(real_values, [_LOW, _HIGH])
                title = name.split(", step")[0] + ", rhythm" if ", step" in name else name
                is_within.setdefault(title, []).append(bool(low - 1e-9 <= value <= high + 1e-9))
    return {name: float(np.mean(values)) for name, values in is_within.items()}


def foot_speed_at_drums(score: Score, dancer: Motion) -> float:
    """Foot speed at kick and snare, relative to its mean; 1 is out of time.

    A dancer's beat is where the feet rest, so music in time has less.
    """
    speeds = foot_speed(resample(dancer, FPS).positions, FPS)
    steps = sorted({note.start for note in part_to_notes(score.drums) if note.pitch in _KICK_AND_SNARE})
    times = score.seconds[steps]
    times = times[times <= dancer.seconds]
    if not len(times):
        return 1.0
    return float(np.interp(times, np.arange(len(speeds)) / FPS, speeds).mean() / speeds.mean())


def format_metrics(metrics: GridMetrics) -> str:
    """Format metrics as Markdown for a model card."""
    rows = "\n".join(
        f"| {name} | {scores.mean:.3f} | {scores.predicted:.3f} | {scores.other_pair:.3f} | {scores.other_dance:.3f} | "
        f"{'no gain' if isnan(scores.lost_gain) else format(scores.lost_gain, '.0%')} "
        f"| {scores.sampled:.3f} | {scores.variance_ratio:.2f} |"
        for name, scores in metrics.onsets.items()
    )
    music, dance = metrics.music, metrics.dance
    return f"""Over {metrics.bars} bars of synthetic test pairs with a given beat grid. Onset F1, each at its best
threshold: of the mean bar of the training set; predicted from the dance and its tempo alone; the same with another
pair's dance and tempo; with another pair's dance at the right tempo; the share of the gain over the mean bar that the
other pair's dance and tempo lose; of the mean of {SAMPLES} sampled bars; and the variance of sampled notes relative to
real ones:

| part | mean bar | predicted | other pair | other dance | lost gain | sampled | variance |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

In a gallery of {GALLERY_SIZE} windows, of other songs and moments, music is retrieved by its dance with a recall at
1 of {music.at_1:.1%} and at 5 of {music.at_5:.1%}, a dance by its music with {dance.at_1:.1%} and
{dance.at_5:.1%}; by chance with {1 / GALLERY_SIZE:.1%} and {5 / GALLERY_SIZE:.1%}."""
