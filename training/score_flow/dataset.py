"""What the score flow trains on: its plan, and bars of music, with the dance to them where there is one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.score_flow.bar_features import (
    BAR_STEPS,
    DRUM_ROWS,
    PITCHED_ROWS,
    bar_starts,
    extract_bars,
    key_transposition,
)
from backend.models.score_flow.bar_vae import BarTensors, transpose_rows
from backend.models.score_flow.dance_features import POSE_DIM, WINDOW_POSES, pose_features, pose_window, window_times
from backend.models.score_flow.network import PHRASE_BARS, REPEAT_BARS
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile
from rigs.motion import Motion, mirror
from training.data.music_pairs import Pair
from training.data.songs import find_songs

_LOWEST_SHIFT, _SHIFTS = -5, 12
"""The first of the semitones by which the coder's bars are moved, and how many there are."""


@dataclass(frozen=True)
class ScoreFlowTrainingConfig:
    """What `configs/score-flow.toml` says of augmentation, loss and optimisation."""

    moved: float
    size: float
    shaken: float
    rushed: float
    undanced: float
    timeless: float
    unstirred: float
    unphrased: float
    alone: float
    unrecalled: float
    noise: float
    music: float
    beta: float
    free: float
    loudness: float
    telling: float
    pairing: float
    distance: float
    coder_steps: int
    coder_batch: int
    coder_rate: float
    steps: int
    batch: int
    rate: float
    decay: float
    clip: float
    average: float
    seed: int


class BarTable(NamedTuple):
    """N bars of many pieces of music.

    bars: (N, ...) uint8.  held: (N, 72) uint8, what sounds right before.  before, earlier: (N,) the bar before and the
    one four before, or -1.  phrase: (N,) 0 to 7.  seconds: (N,) a bar lasts.  parts: (N, 2) drums, and bass and melody.
    windows: (M, 2, POSES, TRACK) dances over two bars, as they are and in the mirror.  danced: (N,) which of them goes
    with a bar, or -1.  recording, song: (N,) numbers of what a bar and its dance are taken from.
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

    def bars(self, places: Tensor) -> tuple[BarTensors, Tensor]:
        """Bars (B,) as the coder hears them, and what is held."""
        rows = (self.onset[places], self.sustain[places], self.velocity[places], self.tied[places])
        onset, sustain, loud, held = (row.float() for row in rows)
        return BarTensors(onset, sustain, loud / 255.0), held


class BarBatch(NamedTuple):
    """One step's bars: rows of the table (B,), and random numbers that say how they are changed."""

    drums: Tensor
    pitched: Tensor
    shift: Tensor
    flow: Tensor
    mirrored: Tensor


class BarBatches(IterableDataset[BarBatch]):
    """Batches of bars, one a training step, the same for equal seed and step; `start` is the step to begin with."""

    def __init__(self, table: BarTable, plan: ScoreFlowTrainingConfig) -> None:
        self.table, self.plan, self.start = table, plan, 0
        self.drums, self.pitched = (np.flatnonzero(table.parts[:, part].numpy()) for part in range(2))
        danced = table.window_index.numpy() >= 0
        self.danced, self.music = np.flatnonzero(danced), np.flatnonzero(~danced)
        if not len(self.danced):
            raise BadFile("pairs with whole bars of four quarters expected, none found")
        if not len(self.music):
            self.music = self.danced
        self.steps_per_epoch = min(250, plan.steps)

    def __len__(self) -> int:
        return self.plan.steps

    def __iter__(self) -> Iterator[BarBatch]:
        for step in range(self.start, len(self)):
            yield self.sample_batch(np.random.default_rng([self.plan.seed, step]))

    def sample_batch(self, rng: np.random.Generator) -> BarBatch:
        """Bars drawn at random."""
        plan = self.plan
        size = plan.coder_batch
        drums, pitched = (
            rng.choice(rows, size) if len(rows) else np.zeros(0, int) for rows in (self.drums, self.pitched)
        )
        shift = (_LOWEST_SHIFT + rng.integers(_SHIFTS, size=len(pitched))) * (rng.random(len(pitched)) < plan.moved)
        alone = round(plan.music * plan.batch)
        flow = np.concatenate([rng.choice(self.danced, plan.batch - alone), rng.choice(self.music, alone)])
        rows = (drums, pitched, shift, flow, rng.integers(2, size=plan.batch))
        return BarBatch(*(torch.from_numpy(np.asarray(row)) for row in rows))


def transpose_bars(bars: BarTensors, held: Tensor, shift: Tensor) -> tuple[BarTensors, Tensor]:
    """Bars and what they hold, their pitches moved by so many semitones (B,) each."""
    onset, sustain = (transpose_rows(part, shift) for part in (bars.onset, bars.sustain))
    return BarTensors(onset, sustain, bars.velocity), transpose_rows(held[:, None], shift)[:, 0]


def find_unpaired_songs(folder: Path | None) -> dict[str, list[tuple[str, Score]]]:
    """Songs by name, of each part, that teach music alone; none where there is no folder. Raises BadFile."""
    if folder is None:
        return {}
    found = find_songs([folder])
    return {part: [(song.source, song.score) for song in songs if song.kind != "band"] for part, songs in found.items()}


def build_bar_table(pairs: Sequence[Pair], songs: Sequence[tuple[str, Score]] = ()) -> BarTable:
    """The bars of pairs, and those of songs without a dance."""
    pieces = [(pair.recording, pair.song, pair.score) for pair in pairs] + [("", name, score) for name, score in songs]
    names = {name: n for n, name in enumerate(sorted({name for piece in pieces for name in piece[:2]}))}
    columns: list[list[Array]] = [[] for _ in BarTable._fields]
    first, danced = 0, 0
    for place, (recording, song, score) in enumerate(pieces):
        starts = bar_starts(score)
        if not len(starts):
            continue
        bars, count = extract_bars(score, starts, key_transposition(score)), len(starts)
        before, earlier = preceding_bars(starts, 1), preceding_bars(starts, REPEAT_BARS)
        held = np.where(before[:, None] >= 0, bars.sustain[before, -1], False)
        has = [bars.onset[..., :DRUM_ROWS].any(), bars.onset[..., DRUM_ROWS:].any()]
        windows = np.zeros((0, 2, WINDOW_POSES, POSE_DIM), np.float32)
        if place < len(pairs):
            windows = _danced(pairs[place].dancer, score, starts)
        numbers = np.arange(count)
        rows = [
            bars.onset.astype(np.uint8),
            bars.sustain.astype(np.uint8),
            np.rint(bars.velocity * 255.0).astype(np.uint8),
            held.astype(np.uint8).reshape(count, PITCHED_ROWS),
            np.where(before >= 0, before + first, -1),
            np.where(earlier >= 0, earlier + first, -1),
            (starts - starts[0]) // BAR_STEPS % PHRASE_BARS,
            (score.seconds[starts + BAR_STEPS] - score.seconds[starts]).astype(np.float32),
            np.tile(np.array(has, np.float32), (count, 1)),
            windows,
            danced + numbers if len(windows) else np.full(count, -1),
            np.full(count, names[recording]),
            np.full(count, names[song]),
        ]
        for column, row in zip(columns, rows, strict=True):
            column.append(row)
        first, danced = first + count, danced + len(windows)
    if not first:
        raise BadFile(f"{len(pieces)} pieces of music: bars of four quarters expected, none found")
    return BarTable(*(torch.from_numpy(np.concatenate(column)) for column in columns))


def preceding_bars(starts: Array, back: int) -> Array:
    """(N,) which of the bars that begin at the steps `starts` (N,) is so many before each, and -1 where none is."""
    wanted = starts - back * BAR_STEPS
    found = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    return np.where(starts[found] == wanted, found, -1)


def _danced(dancer: Motion, score: Score, starts: Array) -> Array:
    """(N, 2, POSES, TRACK): the dance to each bar and the one before, as it is and in the mirror."""
    tracks = pose_features(dancer), pose_features(mirror(dancer))
    over = [window_times(score.seconds, int(start)) for start in starts]
    return np.stack([[pose_window(track, seconds) for track in tracks] for seconds in over])
