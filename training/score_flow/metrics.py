"""How good composed music is: its notes beside real ones, with the controls that tell whether the dance is used.

A figure of a table's bars is of those that are danced, and of each part's only of bars whose music has that part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import torch
from torch import Tensor

from backend.models.score_flow.bar_features import PART_SLICES, PITCHED_ROWS, Bars
from backend.models.score_flow.bar_vae import BarTensors
from backend.models.score_flow.network import ScoreCondition, ScoreFlow
from backend.models.score_flow.note_decoding import VOICE_SLICES, decode_onsets
from backend.models.score_flow.pipeline import GUIDANCE
from backend.music.score import Score, part_to_notes
from rigs import Array
from rigs.contacts import FEET
from rigs.motion import Motion, resample
from training.data.duets import FPS
from training.score_flow.conditioning import BarLatents, bar_condition, dance_only, embed_table_music, encode_table
from training.score_flow.dataset import BarTable

SAMPLES = 32
"""Draws of a bar that are averaged."""
GALLERY_SIZE = 64
"""Windows among which the right one is looked for."""
_ALIKE = 0.7
"""From which correlation on two windows of dance count as one moment's."""
_THRESHOLDS = 60
_LOW, _HIGH = 5.0, 95.0
_ON_BEATS = (36, 38)
"""Kick and snare."""


@dataclass(frozen=True)
class OnsetScores:
    """The onset F1 of a part, each at the threshold that suits it best.

    mean: of a predictor that always gives the mean of the training's danced bars.  ours: of what the network expects by
    the dance and its tempo alone.  strangers: of the same by another pair's dance and tempo.  other_dance: by another
    pair's dance and the right tempo.  drawn: of the mean of many draws by the dance and its tempo.
    spread: the variance of drawn notes, over the bars, beside that of real ones.
    """

    mean: float
    predicted: float
    other_pair: float
    other_dance: float
    sampled: float
    variance_ratio: float

    @property
    def lost_gain(self) -> float:
        """The part of the gain over the mean that a stranger's dance costs; not a number where nothing is gained."""
        gain = self.predicted - self.mean
        return (self.predicted - self.other_pair) / gain if gain > 0.0 else float("nan")


@dataclass(frozen=True)
class RetrievalRecall:
    """How often the right window is the first, or among the first five, of a gallery; chance gives 1 and 5 of 64."""

    at_1: float
    at_5: float


@dataclass(frozen=True)
class GridMetrics:
    """Of each part its onsets; retrieval of music by dance and of dance by music; the bars judged."""

    onsets: dict[str, OnsetScores]
    music: RetrievalRecall
    dance: RetrievalRecall
    bars: int


def f1(made: Tensor, real: Tensor) -> float:
    """Twice the notes that are in both, over all notes of either; bool arrays of one shape."""
    return 2.0 * float((made & real).sum()) / max(float(made.sum() + real.sum()), 1.0)


def best_f1(chances: Tensor, real: Tensor) -> float:
    """The F1 of chances at the threshold that suits them best."""
    levels = torch.quantile(chances.flatten()[:: max(1, chances.numel() // 100_000)], torch.linspace(0.5, 1.0, 41))
    levels = torch.cat([levels, torch.linspace(0.02, 0.9, _THRESHOLDS)])
    return max(f1(chances >= level, real) for level in levels.tolist() if level > 0.0)


def grid_metrics(network: ScoreFlow, train: BarTable, table: BarTable) -> GridMetrics:
    """All figures of a table's danced bars; `train` gives the mean."""
    codes = encode_table(network, table)
    places = (table.window_index >= 0).nonzero()[:, 0]
    return GridMetrics(
        onset_scores(network, train, table, codes, places), *retrieval(network, table, codes, places), bars=len(places)
    )


@torch.no_grad()
def onset_scores(
    network: ScoreFlow, train: BarTable, table: BarTable, codes: BarLatents, places: Tensor
) -> dict[str, OnsetScores]:
    """The onsets of bars (B,) by part."""
    generator = torch.Generator().manual_seed(0)
    windows = table.windows[table.window_index[places], 0]
    own = dance_only(bar_condition(network, table, codes, places, windows))
    others = torch.tensor(unrelated_bars(table, places))
    theirs = own._replace(**{name: getattr(own, name)[others] for name in ("dance", "has_dance", "energy")})
    expected = {
        "predicted": network.onset_logits(own).sigmoid(),
        "other_pair": network.onset_logits(theirs._replace(tempo=own.tempo[others])).sigmoid(),
        "other_dance": network.onset_logits(theirs).sigmoid(),
        "sampled": torch.stack([sample_probabilities(network, own, generator).onset for _ in range(SAMPLES)]).mean(
            dim=0
        ),
    }
    drawn = decode_onsets(sample_probabilities(network, own, generator).onset, network.begins)
    real = table.bars(places)[0].onset > 0
    found = {}
    for part, (name, rows) in enumerate(PART_SLICES.items()):
        has = table.parts[places, min(part, 1)] > 0
        known = (train.parts[:, min(part, 1)] > 0) & (train.window_index >= 0)
        if not has.any() or not known.any():
            continue
        truth = real[has][..., rows]
        mean = train.onset[known][..., rows].float().mean(dim=0).expand(truth.shape)
        marks = {key: best_f1(value[has][..., rows], truth) for key, value in expected.items()}
        variance = [notes[has][..., rows].float().var(dim=0).mean() for notes in (drawn, real)]
        found[name] = OnsetScores(
            best_f1(mean, truth), **marks, variance_ratio=float(variance[0] / variance[1].clamp_min(1e-9))
        )
    return found


def sample_probabilities(network: ScoreFlow, asked: ScoreCondition, generator: torch.Generator) -> BarTensors:
    """One draw of bars."""
    noise = torch.randn(len(asked.dance), network.config.coder.latent_dim, generator=generator)
    codes = network.denormalize(network.sample(noise, asked, guidance=GUIDANCE))
    held = torch.zeros(len(noise), PITCHED_ROWS, device=noise.device)
    return network.coders.decode(codes, held).probabilities()


def unrelated_bars(table: BarTable, places: Tensor) -> Array:
    """(B,) for each of the bars (B,) another of them, of another moment and another song where there is one."""
    others = _others(table, places).numpy()
    rng = np.random.default_rng(0)
    return np.array([rng.choice(np.flatnonzero(row)) if row.any() else n for n, row in enumerate(others)])


def _others(table: BarTable, places: Tensor) -> Tensor:
    """(B, B) bool: which windows are of another song, and of another moment of a dance."""
    song = table.song[places]
    rows = table.windows[table.window_index[places], 0]
    rows = ((rows - rows.mean(dim=(0, 1))) / rows.std(dim=(0, 1)).clamp_min(1e-3)).flatten(1)
    rows = torch.nn.functional.normalize(rows - rows.mean(dim=1, keepdim=True), dim=1)
    return (song[:, None] != song) & (rows @ rows.T < _ALIKE)


@torch.no_grad()
def retrieval(
    network: ScoreFlow, table: BarTable, codes: BarLatents, places: Tensor
) -> tuple[RetrievalRecall, RetrievalRecall]:
    """How well music is found by its dance, and dance by its music, among the bars (B,) that follow another.

    A first bar would be told by the silence and the standing still before it.
    """
    places = places[table.previous[places] >= 0]
    dance = network.embed_dance(network.encode_dance(table.windows[table.window_index[places], 0]))
    likeness = dance @ embed_table_music(network, table, codes, places).T
    others = _others(table, places).numpy()
    return _recall(likeness.numpy(), others), _recall(likeness.T.numpy(), others)


def _recall(likeness: Array, others: Array) -> RetrievalRecall:
    rng = np.random.default_rng(0)
    ranks = []
    for n, row in enumerate(others):
        there = np.flatnonzero(row)
        if len(there) < GALLERY_SIZE - 1:
            continue
        for _ in range(8):
            gallery = rng.choice(there, GALLERY_SIZE - 1, replace=False)
            ranks.append((likeness[n, gallery] > likeness[n, n]).sum())
    places = np.array(ranks) if ranks else np.full(1, GALLERY_SIZE)
    return RetrievalRecall(float((places < 1).mean()), float((places < 5).mean()))


def piece_statistics(bars: Bars) -> dict[str, float]:
    """What a piece is like: onsets in a bar and the middle row by part, and the share of onsets in each sixteenth."""
    marks: dict[str, float] = {}
    for name, rows in PART_SLICES.items():
        onset = bars.onset[..., rows]
        if not onset.any():
            continue
        marks[f"{name}, notes a bar"] = float(onset.sum() / len(bars))
        if name != "drums":
            tune = bars.onset[..., VOICE_SLICES["tune"] if name == "melody" else rows]
            if tune.any():
                marks[f"{name}, middle pitch"] = float(np.median(np.nonzero(tune)[2]))
        each = onset.sum(axis=(0, 2)) / onset.sum()
        marks |= {f"{name}, step {step + 1}": float(share) for step, share in enumerate(each)}
    return marks


def share_within_range(made: Sequence[Bars], real: Sequence[Bars]) -> dict[str, float]:
    """The share of pieces whose mark lies from the 5th to the 95th percentile of real ones', by mark.

    The shares of the sixteen steps count together.
    """
    truths = [piece_statistics(bars) for bars in real]
    shares: dict[str, list[bool]] = {}
    for bars in made:
        for name, mark in piece_statistics(bars).items():
            known = [truth[name] for truth in truths if name in truth]
            if known:
                low, high = np.percentile(known, [_LOW, _HIGH])
                title = name.split(", step")[0] + ", rhythm" if ", step" in name else name
                shares.setdefault(title, []).append(bool(low - 1e-9 <= mark <= high + 1e-9))
    return {name: float(np.mean(values)) for name, values in shares.items()}


def foot_speed_at_drums(score: Score, dancer: Motion) -> float:
    """How fast the feet are when kick or snare sound, beside how fast they are on the whole; 1 is out of time.

    A dancer's beat is where the feet rest, so music in time has less.
    """
    feet = resample(dancer, FPS).positions[:, FEET]
    speeds = np.linalg.norm(np.gradient(feet, axis=0), axis=-1).mean(axis=1) * FPS
    steps = sorted({note.start for note in part_to_notes(score.drums) if note.pitch in _ON_BEATS})
    moments = score.seconds[steps]
    moments = moments[moments <= dancer.seconds]
    if not len(moments):
        return 1.0
    return float(np.interp(moments, np.arange(len(speeds)) / FPS, speeds).mean() / speeds.mean())


def format_metrics(found: GridMetrics) -> str:
    """Figures as words and tables, for a model card."""
    rows = "\n".join(
        f"| {name} | {of.mean:.3f} | {of.predicted:.3f} | {of.other_pair:.3f} | {of.other_dance:.3f} | "
        f"{'no gain' if isnan(of.lost_gain) else format(of.lost_gain, '.0%')} "
        f"| {of.sampled:.3f} | {of.variance_ratio:.2f} |"
        for name, of in found.onsets.items()
    )
    return f"""Over {found.bars} bars of synthetic test pairs. Onset F1, each at its best threshold: of the mean of the
training's bars, of what the network expects by the dance and its tempo alone, of the same by another pair's dance and
tempo, and by another's dance at the right tempo; the part of the gain over the mean that the stranger costs; the mean
of {SAMPLES} drawn bars; and the variance of drawn notes beside that of real ones:

| part | mean | ours | stranger | other dance | lost of the gain | drawn | variance |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

Among {GALLERY_SIZE} windows, of other songs and moments, a dance finds its music first in {found.music.at_1:.1%} and among
five in {found.music.at_5:.1%}, music its dance in {found.dance.at_1:.1%} and {found.dance.at_5:.1%}; chance gives
{1 / GALLERY_SIZE:.1%} and {5 / GALLERY_SIZE:.1%}."""
