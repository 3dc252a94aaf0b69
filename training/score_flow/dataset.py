"""What the score flow trains on: its plan, and bars of music, with the dance to them where there is one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.score_flow.bar_features import KINDS, PITCHED, STEPS, bars_of, key_of, whole_bars
from backend.models.score_flow.bar_vae import Heard, transposed
from backend.models.score_flow.dance_features import POSES, TRACK, track_of, two_bars, window_of
from backend.models.score_flow.network import BACK, PHRASE
from backend.music.score import Score
from rigs import Array
from rigs.files import BadFile
from rigs.motion import Motion, mirror
from training.data.music_pairs import Pair
from training.data.songs import find_songs

_LOWEST_SHIFT, _SHIFTS = -5, 12
"""The first of the semitones by which the coder's bars are moved, and how many there are."""


@dataclass(frozen=True)
class Plan:
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


class Table(NamedTuple):
    """N bars of many pieces of music.

    bars: (N, ...) uint8.  held: (N, 72) uint8, what sounds right before.  before, earlier: (N,) the bar before and the
    one four before, or -1.  phrase: (N,) 0 to 7.  seconds: (N,) a bar lasts.  parts: (N, 2) drums, and bass and melody.
    windows: (M, 2, POSES, TRACK) dances over two bars, as they are and in the mirror.  danced: (N,) which of them goes
    with a bar, or -1.  recording, song: (N,) numbers of what a bar and its dance are taken from.
    """

    onset: Tensor
    sustain: Tensor
    loud: Tensor
    held: Tensor
    before: Tensor
    earlier: Tensor
    phrase: Tensor
    seconds: Tensor
    parts: Tensor
    windows: Tensor
    danced: Tensor
    recording: Tensor
    song: Tensor

    def __len__(self) -> int:
        return len(self.onset)

    def heard(self, places: Tensor) -> tuple[Heard, Tensor]:
        """Bars (B,) as the coder hears them, and what is held."""
        rows = (self.onset[places], self.sustain[places], self.loud[places], self.held[places])
        onset, sustain, loud, held = (row.float() for row in rows)
        return Heard(onset, sustain, loud / 255.0), held


class Places(NamedTuple):
    """One step's bars: rows of the table (B,), and random numbers that say how they are changed."""

    drums: Tensor
    pitched: Tensor
    shift: Tensor
    flow: Tensor
    mirrored: Tensor


class ScoreWindows(IterableDataset[Places]):
    """Batches of bars, one a training step, the same for equal seed and step; `start` is the step to begin with."""

    def __init__(self, table: Table, plan: Plan) -> None:
        self.table, self.plan, self.start = table, plan, 0
        self.drums, self.pitched = (np.flatnonzero(table.parts[:, part].numpy()) for part in range(2))
        danced = table.danced.numpy() >= 0
        self.danced, self.music = np.flatnonzero(danced), np.flatnonzero(~danced)
        if not len(self.danced):
            raise BadFile("pairs with whole bars of four quarters expected, none found")
        if not len(self.music):
            self.music = self.danced
        self.steps_per_epoch = min(250, plan.steps)

    def __len__(self) -> int:
        return self.plan.steps

    def __iter__(self) -> Iterator[Places]:
        for step in range(self.start, len(self)):
            yield self.places(np.random.default_rng([self.plan.seed, step]))

    def places(self, rng: np.random.Generator) -> Places:
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
        return Places(*(torch.from_numpy(np.asarray(row)) for row in rows))


def moved(bars: Heard, held: Tensor, shift: Tensor) -> tuple[Heard, Tensor]:
    """Bars and what they hold, their pitches moved by so many semitones (B,) each."""
    onset, sustain = (transposed(part, shift) for part in (bars.onset, bars.sustain))
    return Heard(onset, sustain, bars.loud), transposed(held[:, None], shift)[:, 0]


def find_music(folder: Path | None) -> dict[str, list[tuple[str, Score]]]:
    """Songs by name, of each part, that teach music alone; none where there is no folder. Raises BadFile."""
    if folder is None:
        return {}
    found = find_songs([folder])
    return {part: [(song.of, song.score) for song in songs if song.kind != "band"] for part, songs in found.items()}


def table_of(pairs: Sequence[Pair], songs: Sequence[tuple[str, Score]] = ()) -> Table:
    """The bars of pairs, and those of songs without a dance."""
    pieces = [(pair.recording, pair.song, pair.score) for pair in pairs] + [("", name, score) for name, score in songs]
    names = {name: n for n, name in enumerate(sorted({name for piece in pieces for name in piece[:2]}))}
    columns: list[list[Array]] = [[] for _ in Table._fields]
    first, danced = 0, 0
    for place, (recording, song, score) in enumerate(pieces):
        starts = whole_bars(score)
        if not len(starts):
            continue
        bars, count = bars_of(score, starts, key_of(score)), len(starts)
        before, earlier = follows(starts, 1), follows(starts, BACK)
        held = np.where(before[:, None] >= 0, bars.sustain[before, -1], False)
        has = [bars.onset[..., :KINDS].any(), bars.onset[..., KINDS:].any()]
        windows = np.zeros((0, 2, POSES, TRACK), np.float32)
        if place < len(pairs):
            windows = _danced(pairs[place].dancer, score, starts)
        numbers = np.arange(count)
        rows = [
            bars.onset.astype(np.uint8),
            bars.sustain.astype(np.uint8),
            np.rint(bars.loud * 255.0).astype(np.uint8),
            held.astype(np.uint8).reshape(count, PITCHED),
            np.where(before >= 0, before + first, -1),
            np.where(earlier >= 0, earlier + first, -1),
            (starts - starts[0]) // STEPS % PHRASE,
            (score.seconds[starts + STEPS] - score.seconds[starts]).astype(np.float32),
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
    return Table(*(torch.from_numpy(np.concatenate(column)) for column in columns))


def follows(starts: Array, back: int) -> Array:
    """(N,) which of the bars that begin at the steps `starts` (N,) is so many before each, and -1 where none is."""
    wanted = starts - back * STEPS
    found = np.minimum(np.searchsorted(starts, wanted), len(starts) - 1)
    return np.where(starts[found] == wanted, found, -1)


def _danced(dancer: Motion, score: Score, starts: Array) -> Array:
    """(N, 2, POSES, TRACK): the dance to each bar and the one before, as it is and in the mirror."""
    tracks = track_of(dancer), track_of(mirror(dancer))
    over = [two_bars(score.seconds, int(start)) for start in starts]
    return np.stack([[window_of(track, seconds) for track in tracks] for seconds in over])
