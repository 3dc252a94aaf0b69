"""Duet recordings for training: found in a folder, cleaned, resampled to 30 fps, split by recording, cut in windows."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from rigs import Array
from rigs.files import READ_SUFFIXES, BadFile, read
from rigs.motion import Motion, resample

FPS = 30.0
MAX_JOINT_SPEED = 9.0
"""m/s: no joint of a dancer is faster from one frame to the next."""
MAX_COUPLE_DISTANCE = 1.3
"""m between the pelvises of two who dance together; farther apart they walk on or off."""
MIN_SECONDS = 3.0
"""s of the shortest piece that is kept."""
HELD_OUT = ("validation", "test")
PARTS = ("train", *HELD_OUT)
"""The parts of a split."""


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
        """Joint positions (2, F, 29, 3) m of the leader and the follower."""
        return np.stack([self.leader.positions, self.follower.positions])


@dataclass(frozen=True)
class DuetSplit:
    """Train, validation and test pieces; no recording is in two parts."""

    train: list[Duet]
    validation: list[Duet]
    test: list[Duet]


@dataclass(frozen=True)
class DuetFiles:
    """The files of a recording by role, `None` where one is missing."""

    name: str
    leader: Path | None
    follower: Path | None

    @property
    def files(self) -> list[Path]:
        """The existing files, the leader's first."""
        return [path for path in (self.leader, self.follower) if path is not None]

    def require_both(self) -> tuple[Path, Path]:
        """The leader's and the follower's file. Raises BadFile where one is missing."""
        if self.leader is not None and self.follower is not None:
            return self.leader, self.follower
        missing = "leader" if self.leader is None else "follower"
        raise BadFile(f"{self.files[0]}: {self.name}_{missing} expected beside it, not found")


def find_duet_files(folder: Path) -> list[DuetFiles]:
    """Find the files `NAME_leader.*` and `NAME_follower.*`, by name; of several for one dancer the first.

    Raises BadFile.
    """
    if not folder.is_dir():
        raise BadFile(f"{folder}: a folder of duets expected")
    files: dict[str, dict[str, Path]] = {}
    for path in recording_files(folder):
        name, _, role = path.stem.rpartition("_")
        if role in ("leader", "follower"):
            files.setdefault(name, {}).setdefault(role, path)
    if not files:
        raise BadFile(f"{folder}: files named NAME_leader and NAME_follower expected, none found")
    return [DuetFiles(name, files[name].get("leader"), files[name].get("follower")) for name in sorted(files)]


def recording_files(folder: Path) -> list[Path]:
    """The files of a folder that may be recordings: those of readable formats first, then by name.

    Hidden files, which some systems put beside every file, and Acclaim skeletons are left out.
    """
    paths = [p for p in folder.iterdir() if not p.name.startswith(".") and p.suffix.lower() != ".asf" and p.is_file()]
    return sorted(paths, key=lambda path: (path.suffix.lower() not in READ_SUFFIXES, path.name))


def find_duets(folder: Path) -> list[Duet]:
    """Read every `NAME_leader.*` with its `NAME_follower.*`, by name. Raises BadFile."""
    return [
        make_duet(files, *(read(path).motions[0] for path in files.require_both())) for files in find_duet_files(folder)
    ]


def make_duet(files: DuetFiles, leader: Motion, follower: Motion) -> Duet:
    """Pair the dancers of a recording's two files. Raises BadFile where their frame rates or lengths differ."""
    first, second = files.require_both()
    if leader.fps != follower.fps or len(leader) != len(follower):
        raise BadFile(
            f"{second}: {len(leader)} frames at {leader.fps:g} fps expected as in {first.name}, "
            f"{len(follower)} at {follower.fps:g} found"
        )
    return Duet(files.name, leader, follower)


def clean_duet(duet: Duet) -> list[Duet]:
    """Trim the walks on and off, cut where a joint jumps, and resample the pieces to 30 fps."""
    positions = duet.positions()
    start, stop = together_span(positions)
    pieces = []
    for first, end in _spans_between_cuts(joint_jumps(positions, duet.leader.fps), start, stop):
        piece = duet[first:end]
        if piece.leader.seconds >= MIN_SECONDS:
            pieces.append(Duet(duet.name, resample(piece.leader, FPS), resample(piece.follower, FPS)))
    return pieces


def pelvis_distance(first: Array, second: Array) -> Array:
    """Distance (F,) m between the pelvises of two dancers (F, 29, 3) m."""
    return np.linalg.norm(first[:, 0] - second[:, 0], axis=-1)


def together_span(positions: Array) -> tuple[int, int]:
    """First frame of a couple (2, F, 29, 3) m in which the two are near, and the one past the last; or 0, 0."""
    near = np.flatnonzero(pelvis_distance(*positions) < MAX_COUPLE_DISTANCE)
    return (int(near[0]), int(near[-1]) + 1) if len(near) else (0, 0)


def joint_jumps(positions: Array, fps: float) -> Array:
    """Frames f (N,) at which some joint of a couple (2, F, 29, 3) m is too fast on its way to f + 1."""
    step = np.linalg.norm(np.diff(positions, axis=1), axis=-1)
    return np.flatnonzero((step * fps > MAX_JOINT_SPEED).any(axis=(0, 2)))


def _spans_between_cuts(cuts: Array, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Spans of frames between `start` and `stop` that contain no cut from f to f + 1."""
    for cut in cuts[(cuts >= start) & (cuts + 1 < stop)]:
        yield start, int(cut) + 1
        start = int(cut) + 1
    yield start, stop


def split_duets(duets: Sequence[Duet], validation: Sequence[str], test: Sequence[str]) -> DuetSplit:
    """Clean the recordings and split them by name, before anything is cut in windows or augmented.

    validation, test: names of recordings.  Raises BadFile when a part would be empty.
    """
    recordings = [(duet.name, clean_duet(duet)) for duet in duets]
    part_of = assign_parts({name for name, pieces in recordings if pieces}, validation, test)
    parts: dict[str, list[Duet]] = {part: [] for part in PARTS}
    for name, pieces in recordings:
        if pieces:
            parts[part_of[name]] += pieces
    for part, pieces in parts.items():
        if not pieces:
            names = ", ".join(sorted({name for name, _ in recordings}))
            raise BadFile(f"{names}: no usable duet is left for {part}, at least three recordings expected")
    return DuetSplit(**parts)


def assign_parts(names: Iterable[str], validation: Sequence[str], test: Sequence[str]) -> dict[str, str]:
    """Assign each recording to one of PARTS.

    If none of the named recordings exists, the last tenth by name is the test and the tenth before it the validation.
    """
    names = sorted(names)
    if not set(names) & {*validation, *test}:
        tenth = max(1, len(names) // 10)
        test, validation = names[-tenth:], names[-2 * tenth : -tenth]
    return {name: "validation" if name in validation else "test" if name in test else "train" for name in names}


class DuetWindows(IterableDataset[Tensor]):
    """Batches of windows (B, 2, length, 29, 3) m, one per training step, reproducible by seed and step.

    Each epoch is a permutation of all windows; `start` is the first step, so that a resumed training sees the batches
    that it would have seen.
    """

    def __init__(self, duets: Sequence[Duet], length: int, stride: int, batch: int, epochs: int, seed: int) -> None:
        self.recordings = [torch.from_numpy(duet.positions()).float() for duet in duets]
        self.window_starts = [
            (take, first)
            for take, positions in enumerate(self.recordings)
            for first in range(0, positions.shape[1] - length + 1, stride)
        ]
        self.length, self.batch, self.epochs, self.seed = length, batch, epochs, seed
        self.steps_per_epoch = len(self.window_starts) // batch or 1
        self.start = 0

    def __len__(self) -> int:
        return self.steps_per_epoch * self.epochs

    def __iter__(self) -> Iterator[Tensor]:
        for step in range(self.start, len(self)):
            epoch, index = divmod(step, self.steps_per_epoch)
            order = torch.randperm(
                len(self.window_starts), generator=torch.Generator().manual_seed(self.seed * 100_003 + epoch)
            )
            yield torch.stack([self.window(int(i)) for i in order[index * self.batch : (index + 1) * self.batch]])

    def window(self, index: int) -> Tensor:
        """One window (2, length, 29, 3) m."""
        take, first = self.window_starts[index]
        return self.recordings[take][:, first : first + self.length]
