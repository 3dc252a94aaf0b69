"""Small duets for the tests of training: the sample dance and its mirror image, face to face."""

from pathlib import Path

import numpy as np

from rigs.files import write
from rigs.motion import Motion, mirror, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance


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
