"""Data set of score-flow: a table of bars with the dance to them, their latents, and the network's condition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from backend.models.common.vae import GaussianPosterior
from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    DRUM_ROWS,
    PITCHED_ROWS,
    bar_starts,
    extract_bars,
    key_transposition,
)
from backend.models.score_flow.conditions import PHRASE_BARS, REPEAT_BARS, BarTensors, ScoreCondition, tempo_condition
from backend.models.score_flow.dance_features import POSE_DIM, WINDOW_POSES, pose_features, pose_windows
from backend.models.score_flow.network.bar_vae import transpose_rows
from backend.models.score_flow.network.flow import ScoreFlow
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile
from rigs.motion import mirror
from training.data.music_pairs import Pair
from training.data.songs import find_songs

_LOWEST_SHIFT, _SHIFTS = -5, 12
"""Semitones of the lowest transposition of the VAE's bars, and number of transpositions."""
_ENCODING_BATCH = 1024


@dataclass(frozen=True)
class ScoreFlowTrainingConfig:
    """Augmentation, loss weights and optimization of score-flow's training; comments are in `configs/score-flow.toml`.

    `key` is a setting's name in the TOML file where that is another one.
    """

    transpose: float = field(metadata={"key": "moved"})
    scale: float = field(metadata={"key": "size"})
    pose_noise: float = field(metadata={"key": "shaken"})
    tempo_noise: float = field(metadata={"key": "rushed"})
    drop_dance: float = field(metadata={"key": "undanced"})
    drop_tempo: float = field(metadata={"key": "timeless"})
    drop_energy: float = field(metadata={"key": "unstirred"})
    drop_phrase: float = field(metadata={"key": "unphrased"})
    drop_past: float = field(metadata={"key": "alone"})
    drop_repeated: float = field(metadata={"key": "unrecalled"})
    past_noise: float = field(metadata={"key": "noise"})
    music_share: float = field(metadata={"key": "music"})
    beta: float
    free_bits: float = field(metadata={"key": "free"})
    velocity: float = field(metadata={"key": "loudness"})
    onset_head: float = field(metadata={"key": "telling"})
    contrastive: float = field(metadata={"key": "pairing"})
    sliced_wasserstein: float = field(metadata={"key": "distance"})
    vae_steps: int = field(metadata={"key": "coder_steps"})
    vae_batch_size: int = field(metadata={"key": "coder_batch"})
    vae_learning_rate: float = field(metadata={"key": "coder_rate"})
    steps: int
    batch_size: int = field(metadata={"key": "batch"})
    learning_rate: float = field(metadata={"key": "rate"})
    weight_decay: float = field(metadata={"key": "decay"})
    gradient_clip: float = field(metadata={"key": "clip"})
    ema_decay: float = field(metadata={"key": "average"})
    seed: int


class BarTable(NamedTuple):
    """N bars of many pieces of music, with the dance to them where there is one.

    onset, sustain, velocity: (N, ...) uint8, see `bar_features.Bars`.  tied: (N, 72) uint8, rows that sound before it.
    previous, repeated: (N,) rows of the bar before and of the one four before, or -1.  phrase: (N,) 0 to 7.
    seconds: (N,) length of a bar.  parts: (N, 2) whether there are drums, and bass and melody.
    windows: (M, 2, WINDOW_POSES, POSE_DIM) dances over two bars, and mirrored.  window_index: (N,) the dance window of
    each bar, or -1.  recording, song: (N,) numbers of the recording and the song that a bar comes from.
    """

    onset: Tensor
    sustain: Tensor
    velocity: Tensor
    tied: Tensor
    previous: Tensor
    repeated: Tensor
    phrase: Tensor
    seconds: Tensor
    parts: Tensor
    windows: Tensor
    window_index: Tensor
    recording: Tensor
    song: Tensor

    def __len__(self) -> int:
        return len(self.onset)

    def bars(self, indices: Tensor) -> tuple[BarTensors, Tensor]:
        """Bars (B,) as floats for the VAE, and the notes tied to them (B, 72)."""
        rows = (self.onset[indices], self.sustain[indices], self.velocity[indices], self.tied[indices])
        onset, sustain, velocity, tied = (row.float() for row in rows)
        return BarTensors(onset, sustain, velocity / 255.0), tied


class BarBatch(NamedTuple):
    """Batch of a training step, as rows of the bar table.

    drums, pitched: for the VAEs.  shift: semitones to transpose `pitched`.  flow: for the flow.
    mirrored: 1 to mirror the dance.
    """

    drums: Tensor
    pitched: Tensor
    shift: Tensor
    flow: Tensor
    mirrored: Tensor


class BarBatches(IterableDataset[BarBatch]):
    """Batches of bars, one a training step, equal for equal seed and step; `start` is the step to begin with."""

    def __init__(self, table: BarTable, config: ScoreFlowTrainingConfig) -> None:
        self.table, self.config, self.start = table, config, 0
        self.drums, self.pitched = (np.flatnonzero(table.parts[:, part].numpy()) for part in range(2))
        has_dance = table.window_index.numpy() >= 0
        self.with_dance, self.music_only = np.flatnonzero(has_dance), np.flatnonzero(~has_dance)
        if not len(self.with_dance):
            raise BadFile("pairs with whole bars of four quarters expected, none found")
        if not len(self.music_only):
            self.music_only = self.with_dance
        self.steps_per_epoch = min(250, config.steps)

    def __len__(self) -> int:
        return self.config.steps

    def __iter__(self) -> Iterator[BarBatch]:
        for step in range(self.start, len(self)):
            yield self.sample_batch(np.random.default_rng([self.config.seed, step]))

    def sample_batch(self, rng: np.random.Generator) -> BarBatch:
        """Sample a batch at random."""
        config, size = self.config, self.config.vae_batch_size
        drums, pitched = (
            rng.choice(rows, size) if len(rows) else np.zeros(0, int) for rows in (self.drums, self.pitched)
        )
        shift = _LOWEST_SHIFT + rng.integers(_SHIFTS, size=len(pitched))
        shift = shift * (rng.random(len(pitched)) < config.transpose)
        music_only = round(config.music_share * config.batch_size)
        flow = np.concatenate(
            [rng.choice(self.with_dance, config.batch_size - music_only), rng.choice(self.music_only, music_only)]
        )
        rows = (drums, pitched, shift, flow, rng.integers(2, size=config.batch_size))
        return BarBatch(*(torch.from_numpy(np.asarray(row)) for row in rows))


def transpose_bars(bars: BarTensors, tied: Tensor, shift: Tensor) -> tuple[BarTensors, Tensor]:
    """Transpose bars and the notes tied to them by semitones (B,)."""
    onset, sustain = (transpose_rows(part, shift) for part in (bars.onset, bars.sustain))
    return BarTensors(onset, sustain, bars.velocity), transpose_rows(tied[:, None], shift)[:, 0]


def find_unpaired_songs(folder: Path | None) -> dict[str, list[tuple[str, Score]]]:
    """Find songs, by part of the split, to learn music from without a dance; none without a folder. Raises BadFile."""
    if folder is None:
        return {}
    parts = find_songs([folder])
    return {part: [(song.source, song.score) for song in songs if song.kind != "band"] for part, songs in parts.items()}


def build_bar_table(pairs: Sequence[Pair], songs: Sequence[tuple[str, Score]] = ()) -> BarTable:
    """Build the table of all bars of pairs, and of songs without a dance. Raises BadFile where there are none."""
    pieces = [(pair.recording, pair.song, pair.score) for pair in pairs] + [("", name, score) for name, score in songs]
    names = {name: n for n, name in enumerate(sorted({name for piece in pieces for name in piece[:2]}))}
    columns: list[list[Array]] = [[] for _ in BarTable._fields]
    first, first_window = 0, 0
    for index, (recording, song, score) in enumerate(pieces):
        starts = bar_starts(score)
        if not len(starts):
            continue
        bars, count = extract_bars(score, starts, key_transposition(score)), len(starts)
        previous, repeated = preceding_bars(starts, 1), preceding_bars(starts, REPEAT_BARS)
        tied = np.where(previous[:, None] >= 0, bars.sustain[previous, -1], False)
        has_part = [bars.onset[..., :DRUM_ROWS].any(), bars.onset[..., DRUM_ROWS:].any()]
        windows = np.zeros((0, 2, WINDOW_POSES, POSE_DIM), np.float32)
        if index < len(pairs):
            dancer = pairs[index].dancer
            windows = pose_windows((pose_features(dancer), pose_features(mirror(dancer))), score.seconds, starts)
        rows = [
            bars.onset.astype(np.uint8),
            bars.sustain.astype(np.uint8),
            np.rint(bars.velocity * 255.0).astype(np.uint8),
            tied.astype(np.uint8).reshape(count, PITCHED_ROWS),
            np.where(previous >= 0, previous + first, -1),
            np.where(repeated >= 0, repeated + first, -1),
            (starts - starts[0]) // BAR_STEPS % PHRASE_BARS,
            (score.seconds[starts + BAR_STEPS] - score.seconds[starts]).astype(np.float32),
            np.tile(np.array(has_part, np.float32), (count, 1)),
            windows,
            first_window + np.arange(count) if len(windows) else np.full(count, -1),
            np.full(count, names[recording]),
            np.full(count, names[song]),
        ]
        for column, row in zip(columns, rows, strict=True):
            column.append(row)
        first, first_window = first + count, first_window + len(windows)
    if not first:
        raise BadFile(f"{len(pieces)} pieces of music: bars of four quarters expected, none found")
    return BarTable(*(torch.from_numpy(np.concatenate(column)) for column in columns))


def preceding_bars(starts: Array, back: int) -> Array:
    """Index (N,) of the bar `back` bars before each bar with start steps (N,), or -1 where there is none."""
    wanted = starts - back * BAR_STEPS
    nearest = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    return np.where(starts[nearest] == wanted, nearest, -1)


class BarLatents(NamedTuple):
    """VAE posterior of a table's bars, and a mask of the latents whose part plays: (N, latent_dim) each."""

    posterior: GaussianPosterior
    mask: Tensor

    def sample(self, indices: Tensor) -> Tensor:
        """Sample latents (B, latent_dim) of bars (B,) from their posteriors."""
        means = self.posterior.mean[indices]
        return GaussianPosterior(means, self.posterior.log_variance[indices]).sample(torch.randn_like(means))


@torch.no_grad()
def encode_table(network: ScoreFlow, table: BarTable) -> BarLatents:
    """Encode all bars of a table with the VAE."""
    batches = torch.split(torch.arange(len(table)), _ENCODING_BATCH)
    posteriors = [network.vae.encode(*table.bars(indices)) for indices in batches]
    posterior = GaussianPosterior(*(torch.cat(part) for part in zip(*posteriors, strict=True)))
    return BarLatents(posterior, network.config.vae.latent_mask(table.parts))


def bar_condition(
    network: ScoreFlow,
    table: BarTable,
    latents: BarLatents,
    indices: Tensor,
    windows: Tensor,
    encoded: Tensor | None = None,
) -> ScoreCondition:
    """Full condition of bars (B,) with the dance windows (B, WINDOW_POSES, POSE_DIM).

    encoded: (B, dance_width), the windows encoded, if they already are.
    """
    encoded = network.encode_dance(windows) if encoded is None else encoded
    has_dance = (table.window_index[indices] >= 0).float()
    past = []
    for back in (table.previous[indices], table.repeated[indices]):
        exists = (back >= 0).float()
        past.append((network.normalize(latents.posterior.mean[back]) * exists[:, None] * latents.mask[indices], exists))
    return ScoreCondition(
        encoded * has_dance[:, None],
        has_dance,
        tempo_condition(table.seconds[indices]),
        network.energy_condition(windows) * has_dance[:, None],
        nn.functional.one_hot(table.phrase[indices], PHRASE_BARS).float(),
        *past[0],
        *past[1],
        table.parts[indices],
    )


def dance_only(condition: ScoreCondition) -> ScoreCondition:
    """The same condition without other bars and the place in the phrase."""
    no_flag = torch.zeros_like(condition.has_previous)
    no_latents = torch.zeros_like(condition.previous)
    return condition._replace(
        phrase=condition.phrase * 0.0,
        previous=no_latents,
        has_previous=no_flag,
        repeated=no_latents,
        has_repeated=no_flag,
    )


def embed_table_music(network: ScoreFlow, table: BarTable, latents: BarLatents, indices: Tensor) -> Tensor:
    """Embed bars (B,), each with the bar before, in the space shared with dances: (B, shared_dim)."""
    back = table.previous[indices]
    previous = network.normalize(latents.posterior.mean[back]) * (back >= 0)[:, None]
    return network.embed_music(previous, network.normalize(latents.posterior.mean[indices]), table.parts[indices])


def mean_onset_logits(table: BarTable) -> Tensor:
    """Onset logits (16, 84) of the mean bar, over all bars with a dance and with the part."""
    rates = []
    for part, rows in ((0, slice(0, DRUM_ROWS)), (1, slice(DRUM_ROWS, None))):
        has_part = (table.window_index >= 0) & (table.parts[:, part] > 0)
        rates.append((table.onset[has_part][..., rows].float().sum(dim=0) + 0.1) / (has_part.sum() + 1.0))
    return torch.logit(torch.cat(rates, dim=-1), eps=1e-4)
