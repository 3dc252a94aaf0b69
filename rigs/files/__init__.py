"""Doors between files and `Motion`: `read` and `write` go by the file's suffix.

    clip = read("leader.bvh")                      # clip.motions: one Motion per dancer in the file
    write("partner.bvh", partner, like=clip.source)

A file that cannot be used raises `BadFile`, whose text is one sentence for a choreographer:
`leader.bvh, line 214: 93 numbers expected, 91 found`.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rigs.motion import Motion


class BadFile(ValueError):
    """A file that cannot be used; its text names the file, the line or joint, and what was expected."""


@dataclass(frozen=True)
class Source:
    """What a file's own world looks like, so that another file can be written to match it.

    units: metres in one unit of the file.  up: "Y" or "Z".  fps and frames: the file's own.
    """

    path: Path
    units: float
    up: str
    fps: float
    frames: int


@dataclass(frozen=True)
class Clip:
    """The dancers of one file, in Blender's space at the file's frame rate, and where they came from."""

    motions: tuple[Motion, ...]
    source: Source


_READERS = {".bvh": "rigs.files.bvh", ".npz": "rigs.files.npz", ".npy": "rigs.files.hybrik"}


def read(path: str | Path, *, fps: float | None = None) -> Clip:
    """The dancers of a file; `fps` overrides a frame rate that the file states wrongly. Raises BadFile."""
    path = Path(path)
    clip: Clip = import_module(_READERS[path.suffix.lower()]).read(path)
    return clip
