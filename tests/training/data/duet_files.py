"""Small duets for the tests of training: the sample dance and its mirror image, face to face."""

from pathlib import Path

import numpy as np

from rigs.files import write
from rigs.motion import Motion, mirror, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from training.data.folder_check import FolderReport

Couple = tuple[Motion, Motion]


def duet(frames: int = 600) -> tuple[Motion, Motion]:
    """A leader and a follower who dances the mirror image 0.9 m in front."""
    leader = sample_dance()[:frames]
    follower = translate(rotate_about_z(mirror(leader), np.pi), np.array([0.0, -0.9, 0.0]))
    return leader, follower


def folder_of_duets(folder: Path, names: tuple[str, ...] = ("a", "b", "c"), frames: int = 200) -> Path:
    """A folder of recordings as `train.py` wants them."""
    folder.mkdir()
    leader, follower = duet(frames)
    for name in names:
        write(folder / f"{name}_leader.npz", leader)
        write(folder / f"{name}_follower.npz", follower)
    return folder


def couple(take: int = 0, frames: int = 200) -> Couple:
    """One of three couples with dances of their own, 6.6 s long."""
    leader, follower = duet()
    part = slice(200 * take, 200 * take + frames)
    return leader[part], follower[part]


def write_duet(folder: Path, name: str, dancers: Couple, suffix: str = ".bvh") -> None:
    for role, motion in zip(("leader", "follower"), dancers, strict=True):
        write(folder / f"{name}_{role}{suffix}", motion)


def fatal_findings(report: FolderReport) -> list[str]:
    return [str(finding) for finding in report.findings if finding.fatal]


def warnings(report: FolderReport) -> list[str]:
    """The warnings but for that of too little data, which these folders all get."""
    texts = [str(finding) for finding in report.findings if not finding.fatal]
    return [text for text in texts if "minutes of dance expected" not in text]
