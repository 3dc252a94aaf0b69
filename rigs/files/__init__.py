"""Doors between files and `Motion`: `read` and `write` go by the file's suffix.

    clip = read("leader.bvh")                      # clip.motions: one Motion per dancer; clip.warnings: what to doubt
    write("partner.bvh", partner, like=clip.source)

A file that cannot be used raises `BadFile`, whose text is one sentence for a choreographer:
`leader.bvh, line 214: 93 numbers expected, 91 found`.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from rigs.files import frame_rate_check
from rigs.files.atomic_write import atomic_path
from rigs.motion import Motion, resample


class BadFile(ValueError):
    """A file that cannot be used; its text names the file, the line or joint, and what was expected."""


@dataclass(frozen=True)
class Source:
    """What a file's own world looks like, so that another file can be written to match it.

    units: metres in one unit of the file.  up: "Y" or "Z".  fps and frames: the file's own.
    filled: the joints that the file does not have, or has at no fixed distance from the next, and that were filled in.
    """

    path: Path
    units: float
    up: str
    fps: float
    frames: int
    filled_joints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Clip:
    """The dancers of one file, in Blender's space at the file's frame rate, and where they came from.

    warnings: sentences about what the file says and the dance makes doubtful.
    """

    motions: tuple[Motion, ...]
    source: Source
    warnings: tuple[str, ...] = ()


_FORMATS = {
    # suffix: the module behind it, and what such a file holds
    ".bvh": ("bvh", "a BVH hierarchy"),
    ".npz": ("npz", "a numpy archive"),
    ".npy": ("npy", "a numpy array of joint positions"),
    ".json": ("alphapose", "AlphaPose's results"),
    ".amc": ("amc", "an Acclaim recording"),
}
READ_SUFFIXES: tuple[str, ...] = tuple(_FORMATS)
"""The suffixes that `read` knows."""
WRITE_SUFFIXES = (".bvh", ".npz")
_MAX_FPS = 10_000.0
"""Frames a second that no capture reaches."""


def read(path: str | Path, *, fps: float | None = None) -> Clip:
    """The dancers of a file; `fps` overrides a frame rate that it states wrongly or not at all. Raises BadFile."""
    path = Path(path)
    if fps is not None and not 0.0 < fps < _MAX_FPS:
        raise BadFile(f"{path.name}: a frame rate above 0 and below {_MAX_FPS:g} expected, {fps:g} given")
    if not path.exists():
        raise BadFile(f"{path.name}: no such file")
    if path.is_dir():
        raise BadFile(f"{path.name}: a folder, a file expected")
    module, content = _format_of(path, READ_SUFFIXES)
    try:
        if path.stat().st_size == 0:
            raise BadFile(f"{path.name}: empty file, {content} expected")
        clip: Clip = module.read(path, fps)
    except OSError as error:
        raise BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    return add_frame_rate_warnings(clip)


def add_frame_rate_warnings(clip: Clip) -> Clip:
    """The clip with warnings about what its dancers make doubtful."""
    found = (
        warning
        for motion in clip.motions
        for warning in frame_rate_check.frame_rate_warnings(motion, clip.source.path.name)
    )
    return replace(clip, warnings=(*clip.warnings, *dict.fromkeys(found)))


def write(path: str | Path, motions: Motion | Sequence[Motion], *, like: Source | None = None) -> None:
    """Write one dancer (.bvh) or one or two (.npz), all or nothing. Raises BadFile.

    like: the file beside which this one is to load: its frame rate and frame count, and in a BVH its units and up
    axis; without it the movement's own, in centimetres and Y up.
    """
    path = Path(path)
    motions = (motions,) if isinstance(motions, Motion) else tuple(motions)
    if like:
        motions = tuple(resample(motion, like.fps, like.frames) for motion in motions)
    module, _ = _format_of(path, WRITE_SUFFIXES)
    content: bytes = module.write(path, motions, like)
    with output_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def output_path(path: Path) -> Iterator[Path]:
    """Atomic write of a file that a person asked for: `atomic_path` with BadFile in place of OSError."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise BadFile(f"{path.name}: a place to write to expected ({error.strerror})") from None


def expect_writable(path: str | Path) -> None:
    """Raise BadFile now for a path that `write` would refuse after the work is done."""
    path = Path(path)
    _format_of(path, WRITE_SUFFIXES)
    if path.is_dir():
        raise BadFile(f"{path.name}: a folder, a file expected")


def _format_of(path: Path, suffixes: tuple[str, ...]) -> tuple[Any, str]:
    """The module that reads and writes a file of this suffix, loaded when it is needed, and what the file holds."""
    if path.suffix.lower() not in suffixes:
        raise BadFile(f"{path.name}: {', '.join(suffixes[:-1])} or {suffixes[-1]} expected as the ending of its name")
    name, content = _FORMATS[path.suffix.lower()]
    return import_module(f"rigs.files.{name}"), content
