"""choreo-bridge's training data: windows of two bars of music, and the dance's pose at each sixteenth, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from backend.models.choreo_bridge.pose_features import root_relative_poses
from backend.models.choreo_bridge.trained import MODALITIES, Modality
from backend.music.piano_roll import WINDOW_STEPS, piano_roll_windows, window_starts
from rigs.files import BadFile
from training.data.music_pairs import Pair


class BridgeBatch(NamedTuple):
    """Windows of B pairs: music (B, 32, 128), velocity from 0 to 1, and dance (B, 32, joints, 3) m."""

    music: Tensor
    dance: Tensor

    def modality(self, modality: Modality) -> Tensor:
        """The windows of one modality."""
        return self.music if modality == MODALITIES[0] else self.dance


@dataclass(frozen=True)
class PairWindows:
    """All N windows of some pairs, and the recording and the song of each."""

    windows: BridgeBatch
    recordings: tuple[str, ...]
    songs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.songs)


def pair_windows(pairs: Sequence[Pair], joints: int) -> PairWindows:
    """Windows of pairs, one from each bar on, as far as both dance and music last. Raises BadFile where there is none.

    A window's dance is the poses at the onsets of the music's 32 steps.
    """
    music, dance, origins = [], [], []
    for pair in pairs:
        score = pair.score
        starts = window_starts(score)
        ends = np.minimum(starts + WINDOW_STEPS, score.steps)
        whole = (ends - starts == WINDOW_STEPS) & (score.seconds[ends - 1] - score.seconds[0] <= pair.dancer.seconds)
        seconds = score.seconds[starts[whole, None] + np.arange(WINDOW_STEPS)] - score.seconds[0]
        music.append(piano_roll_windows(score)[whole])
        dance.append(root_relative_poses(pair.dancer, seconds.ravel(), joints).reshape(-1, WINDOW_STEPS, joints, 3))
        origins += [(pair.recording, pair.song)] * int(whole.sum())
    if not origins:
        names = ", ".join(pair.name for pair in pairs)
        raise BadFile(f"{names}: two bars of dance and music or more expected, less found")
    rolls, poses = (torch.from_numpy(np.concatenate(parts)).float() for parts in (music, dance))
    recordings, songs = zip(*origins, strict=True)
    return PairWindows(BridgeBatch(rolls, poses), recordings, songs)


class BridgeBatches(IterableDataset[BridgeBatch]):
    """Batches of windows, one a training step, a function of seed and step; each epoch is a permutation of its own.

    `start` is the first step, so that a resumed training sees the batches that it would have seen.
    """

    def __init__(self, pairs: PairWindows, batch: int, epochs: int, seed: int) -> None:
        self.pairs, self.batch, self.epochs, self.seed = pairs, batch, epochs, seed
        self.steps_per_epoch = len(pairs) // batch or 1
        self.start = 0

    def __len__(self) -> int:
        return self.steps_per_epoch * self.epochs

    def __iter__(self) -> Iterator[BridgeBatch]:
        for step in range(self.start, len(self)):
            epoch, index = divmod(step, self.steps_per_epoch)
            generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            order = torch.randperm(len(self.pairs), generator=generator)[index * self.batch : (index + 1) * self.batch]
            yield BridgeBatch(*(part[order] for part in self.pairs.windows))
