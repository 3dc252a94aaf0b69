"""Duet recordings as training sees them: found in a folder, cleaned, at 30 fps, split by recording, cut in windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from rigs import Array
from rigs.files import BadFile, read
from rigs.motion import Motion, resample

FPS = 30.0
FASTEST = 9.0
"""m/s: no joint of a dancer is faster from one frame to the next."""
TOGETHER = 1.3
"""m: nearer than this two dancers dance with each other; farther apart they walk on or off."""
SHORTEST = 3.0
"""s: a shorter piece is not worth keeping."""


@dataclass(frozen=True)
class Duet:
    """A leader and a follower in one world, on one clock."""

    name: str
    leader: Motion
    follower: Motion

    def __len__(self) -> int:
        return len(self.leader)

    def __getitem__(self, frames: slice) -> "Duet":
        return Duet(self.name, self.leader[frames], self.follower[frames])

    def positions(self) -> Array:
        """(2, F, 29, 3) m: the leader's and the follower's joints."""
        return np.stack([self.leader.positions, self.follower.positions])


@dataclass(frozen=True)
class Split:
    """The pieces of the recordings of each part; no recording is in two parts."""

    train: list[Duet]
    validation: list[Duet]
    test: list[Duet]


def find_duets(folder: Path) -> list[Duet]:
    """Read every `NAME_leader.*` with its `NAME_follower.*`, by name. Raises BadFile."""
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of duets expected")
    leaders = sorted(path for path in folder.iterdir() if path.stem.endswith("_leader"))
    if not leaders:
        raise BadFile(f"{folder}: no duets found, files named NAME_leader and NAME_follower expected")
    return [_read_pair(leader) for leader in leaders]


def _read_pair(leader_path: Path) -> Duet:
    name = leader_path.stem.removesuffix("_leader")
    followers = sorted(leader_path.parent.glob(f"{name}_follower.*"))
    if not followers:
        raise BadFile(f"{leader_path}: no {name}_follower beside it")
    leader, follower = read(leader_path).motions[0], read(followers[0]).motions[0]
    if leader.fps != follower.fps or len(leader) != len(follower):
        raise BadFile(
            f"{followers[0]}: {len(leader)} frames at {leader.fps:g} fps expected as in {leader_path.name}, "
            f"{len(follower)} at {follower.fps:g} found"
        )
    return Duet(name, leader, follower)


def clean(duet: Duet) -> list[Duet]:
    """Trim the walks on and off, cut where a joint jumps, and bring the pieces to 30 fps."""
    positions = duet.positions()
    apart = np.linalg.norm(positions[0, :, 0] - positions[1, :, 0], axis=-1)
    together = np.flatnonzero(apart < TOGETHER)
    if len(together) == 0:
        return []
    pieces = []
    for start, stop in _runs_without(jumps(positions, duet.leader.fps), together[0], together[-1] + 1):
        piece = duet[start:stop]
        if piece.leader.seconds >= SHORTEST:
            pieces.append(Duet(duet.name, resample(piece.leader, FPS), resample(piece.follower, FPS)))
    return pieces


def jumps(positions: Array, fps: float) -> Array:
    """The frames f (N,) at which some joint of `positions` (2, F, 29, 3) m leaps on its way to f + 1."""
    step = np.linalg.norm(np.diff(positions, axis=1), axis=-1)
    return np.flatnonzero((step * fps > FASTEST).any(axis=(0, 2)))


def _runs_without(cuts: Array, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """The runs of frames between `start` and `stop` in which no cut f to f + 1 lies."""
    for cut in cuts[(cuts >= start) & (cuts + 1 < stop)]:
        yield start, int(cut) + 1
        start = int(cut) + 1
    yield start, stop


def split_duets(duets: Sequence[Duet], validation: Sequence[str], test: Sequence[str]) -> Split:
    """Clean the recordings and deal them out by name, before anything is cut or augmented.

    Where the folder holds none of the named recordings, its last tenth by name is the test and the tenth before that
    the validation. Raises BadFile when a part would be empty.
    """
    names = sorted({duet.name for duet in duets})
    if not set(names) & {*validation, *test}:
        tenth = max(1, len(names) // 10)
        test, validation = names[-tenth:], names[-2 * tenth : -tenth]
    parts: dict[str, list[Duet]] = {"train": [], "validation": [], "test": []}
    for duet in duets:
        part = "validation" if duet.name in validation else "test" if duet.name in test else "train"
        parts[part] += clean(duet)
    for part, pieces in parts.items():
        if not pieces:
            raise BadFile(f"{', '.join(names)}: no usable duet is left for {part}, at least three recordings expected")
    return Split(**parts)


class Windows(IterableDataset[Tensor]):
    """Batches of windows (B, 2, length, 29, 3) m, one a training step, the same for equal seed and step.

    Each epoch goes over all windows in an order of its own; `start` is the step to begin with, so that a training
    that was interrupted sees what it would have seen.
    """

    def __init__(self, duets: Sequence[Duet], length: int, stride: int, batch: int, epochs: int, seed: int) -> None:
        self.takes = [torch.from_numpy(duet.positions()).float() for duet in duets]
        self.places = [
            (take, first)
            for take, positions in enumerate(self.takes)
            for first in range(0, positions.shape[1] - length + 1, stride)
        ]
        self.length, self.batch, self.epochs, self.seed = length, batch, epochs, seed
        self.steps_per_epoch = len(self.places) // batch or 1
        self.start = 0

    def __len__(self) -> int:
        return self.steps_per_epoch * self.epochs

    def __iter__(self) -> Iterator[Tensor]:
        for step in range(self.start, len(self)):
            epoch, at = divmod(step, self.steps_per_epoch)
            order = torch.randperm(
                len(self.places), generator=torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            )
            yield torch.stack([self.window(int(i)) for i in order[at * self.batch : (at + 1) * self.batch]])

    def window(self, index: int) -> Tensor:
        """One window (2, length, 29, 3) m."""
        take, first = self.places[index]
        return self.takes[take][:, first : first + self.length]
