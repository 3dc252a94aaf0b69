"""What the choreographic bridge trains on: two bars of music and the dance at each of their sixteenths, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.choreo_bridge.network import SIDES, Side
from backend.models.choreo_bridge.pose_features import poses
from backend.music.piano_roll import WINDOW_STEPS, piano_roll_windows, window_starts
from rigs.files import BadFile
from training.data.music_pairs import Pair


class Batch(NamedTuple):
    """Windows of B pairs: music (B, 32, 128), 0 to 1, and dance (B, 32, joints, 3) m."""

    music: Tensor
    dance: Tensor

    def side(self, side: Side) -> Tensor:
        """The windows of one side."""
        return self.music if side == SIDES[0] else self.dance


@dataclass(frozen=True)
class PairWindows:
    """All windows of some pairs, and of which recording and which song each of these N is."""

    windows: Batch
    recordings: tuple[str, ...]
    songs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.songs)


def pair_windows(pairs: Sequence[Pair], joints: int) -> PairWindows:
    """The windows of pairs from each bar on, as far as both dance and music last. Raises BadFile where there is none.

    The dance of a window is its poses at the times at which the music's 32 steps begin.
    """
    music, dance, origins = [], [], []
    for pair in pairs:
        score = pair.score
        starts = window_starts(score)
        ends = np.minimum(starts + WINDOW_STEPS, score.steps)
        whole = (ends - starts == WINDOW_STEPS) & (score.seconds[ends - 1] - score.seconds[0] <= pair.dancer.seconds)
        seconds = score.seconds[starts[whole, None] + np.arange(WINDOW_STEPS)] - score.seconds[0]
        music.append(piano_roll_windows(score)[whole])
        dance.append(poses(pair.dancer, seconds.ravel(), joints).reshape(-1, WINDOW_STEPS, joints, 3))
        origins += [(pair.recording, pair.song)] * int(whole.sum())
    if not origins:
        found = ", ".join(pair.name for pair in pairs)
        raise BadFile(f"{found}: two bars of dance and music or more expected, less found")
    rows, places = (torch.from_numpy(np.concatenate(parts)).float() for parts in (music, dance))
    recordings, songs = zip(*origins, strict=True)
    return PairWindows(Batch(rows, places), recordings, songs)


class BridgeWindows(IterableDataset[Batch]):
    """Batches of windows, one a training step, the same for equal seed and step; each epoch has an order of its own.

    `start` is the step to begin with, so that a training that was interrupted sees what it would have seen.
    """

    def __init__(self, windows: PairWindows, batch: int, epochs: int, seed: int) -> None:
        self.windows, self.batch, self.epochs, self.seed = windows, batch, epochs, seed
        self.steps_per_epoch = len(windows) // batch or 1
        self.start = 0

    def __len__(self) -> int:
        return self.steps_per_epoch * self.epochs

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self.start, len(self)):
            epoch, at = divmod(step, self.steps_per_epoch)
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            order = torch.randperm(len(self.windows), generator=generator)[at * self.batch : (at + 1) * self.batch]
            yield Batch(*(part[order] for part in self.windows.windows))
