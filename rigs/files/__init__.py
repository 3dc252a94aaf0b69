"""Motion files: `read` and `write` convert between mocap files and `Motion`, by the suffix of the file.

    clip = read("leader.bvh")                      # clip.motions: one Motion per dancer; clip.warnings: doubtful data
    write("partner.bvh", partner, like=clip.source)

A file that cannot be used raises `BadFile`, whose text is one sentence for the user:
`leader.bvh, line 214: 93 numbers expected, 91 found`. A file format is one module and one entry in `FORMATS`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from rigs.files.atomic_write import atomic_path
from rigs.files.conventions.axes import UNITS, UP_AXES
from rigs.files.conventions.frame_rate_check import frame_rate_warnings
from rigs.files.conventions.movement_checks import jump_warnings, path_warnings, stillness_warnings
from rigs.files.other_formats import file_advice, folder_advice
from rigs.motion import Motion, resample
from rigs.one_line import one_line


class BadFile(ValueError):
    """Error for a file that cannot be used; its text names the file, the line or joint, and what was expected."""

    def __init__(self, sentence: str) -> None:
        super().__init__(one_line(sentence))


@dataclass(frozen=True)
class Source:
    """The conventions of the file that a clip was read from, so that another file can be written to match it.

    units: metres in one unit of the file.  up: one of `axes.UP_AXES`.  fps and frames: the file's own.
    filled_joints: the joints that the file lacks, or that are at no fixed distance from the next, and were estimated.
    mirrored: whether the file's axes are left-handed, so that its X axis points the other way.
    """

    path: Path
    units: float
    up: str
    fps: float
    frames: int
    filled_joints: tuple[str, ...] = ()
    mirrored: bool = False


@dataclass(frozen=True)
class Clip:
    """The dancers of one file, in Blender's space at the file's frame rate, and the file's conventions.

    warnings: sentences about data that are doubtful.
    """

    motions: tuple[Motion, ...]
    source: Source
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class ReadOptions:
    """What a user says of a file that it states wrongly or not at all; None: as the file states, or as detected.

    fps: frames a second.  up: the file's axis that points up, one of `axes.UP_AXES`.  unit: one of `axes.UNITS`.
    """

    fps: float | None = None
    up: str | None = None
    unit: str | None = None

    @property
    def metres_per_unit(self) -> float | None:
        """Metres in the given unit."""
        return None if self.unit is None else UNITS[self.unit]


AS_STATED = ReadOptions()
"""Options of a user who says nothing: all as the file states, or as detected."""


@dataclass(frozen=True)
class FileFormat:
    """One file format: the module that implements it, and what its files hold, for error messages.

    The module has `read(path, options) -> Clip` and, if it writes, `write(path, motions, like) -> bytes`.
    """

    module: str
    content: str
    writes: bool = False


FORMATS: dict[str, FileFormat] = {
    ".bvh": FileFormat("rigs.files.bvh.bvh", "a BVH hierarchy", writes=True),
    ".npz": FileFormat("rigs.files.npz", "a numpy archive", writes=True),
    ".npy": FileFormat("rigs.files.joint_positions.npy", "a numpy array of joint positions"),
    ".json": FileFormat("rigs.files.joint_positions.alphapose", "AlphaPose results"),
    ".amc": FileFormat("rigs.files.acclaim.amc", "an Acclaim recording"),
    ".c3d": FileFormat("rigs.files.markers.c3d", "a C3D recording of markers"),
    ".trc": FileFormat("rigs.files.markers.trc", "a table of markers"),
    ".csv": FileFormat("rigs.files.joint_positions.joint_csv", "a table of joint positions", writes=True),
}
"""The registry of file formats by suffix. To add one: a module in this folder with `read`, and one entry here."""
READ_SUFFIXES: tuple[str, ...] = tuple(FORMATS)
"""The suffixes that `read` knows."""
MIN_FPS, MAX_FPS = 1.0, 10_000.0
"""Frames a second beyond any real capture; brought to a scene's rate, a slower one would fill all memory."""


def read(path: str | Path, options: ReadOptions = AS_STATED, *, fps: float | None = None) -> Clip:
    """Read the dancers of a motion file.

    options: override what the file states wrongly or not at all.  fps: the same as `options.fps`.  Raises BadFile.
    """
    path = Path(path)
    options = replace(options, fps=options.fps if fps is None else fps)
    _expect_options(path, options)
    if not os.path.exists(path):  # Path.exists raises for a name that is too long
        raise BadFile(f"{path.name}: no such file")
    if path.is_dir():
        raise BadFile(f"{path.name}: a file expected, a folder found{folder_advice(path)}")
    file_format = _format_of(path)
    try:
        if path.stat().st_size == 0:
            raise BadFile(f"{path.name}: empty file, {file_format.content} expected")
        clip: Clip = import_module(file_format.module).read(path, options)
    except OSError as error:
        raise BadFile(f"{path.name}: a readable file expected ({error.strerror})") from None
    return check_movement(clip)


def check_movement(clip: Clip) -> Clip:
    """Add warnings about dancers who never move, have no path, jump, or are implausibly fast at their frame rate.

    Raises BadFile for an impossible rate.
    """
    for motion in clip.motions:
        expect_frame_rate(clip.source.path.name, motion.fps)
    name = clip.source.path.name
    warnings = (
        warning
        for motion in clip.motions
        for check in (stillness_warnings, path_warnings, jump_warnings, frame_rate_warnings)
        for warning in check(motion, name)
    )
    return replace(clip, warnings=tuple(map(one_line, (*clip.warnings, *dict.fromkeys(warnings)))))


def write(path: str | Path, motions: Motion | Sequence[Motion], *, like: Source | None = None) -> None:
    """Write one dancer (.bvh), or one or two (.npz, .csv), atomically. Raises BadFile.

    like: the file to match: its frame rate and frame count, and in a BVH its units and up axis; without it the motion's
    own rate, in centimetres and Y up.
    """
    path = Path(path)
    motions = (motions,) if isinstance(motions, Motion) else tuple(motions)
    if like:
        motions = tuple(resample(motion, like.fps, like.frames) for motion in motions)
    content: bytes = import_module(_format_of(path, writable=True).module).write(path, motions, like)
    with output_path(path) as temporary:
        temporary.write_bytes(content)


@contextmanager
def output_path(path: Path) -> Iterator[Path]:
    """Atomic write of a file that a person asked for: `atomic_path` with BadFile in place of OSError."""
    try:
        with atomic_path(path) as temporary:
            yield temporary
    except OSError as error:
        raise BadFile(f"{path.name}: a writable location expected ({error.strerror})") from None


def expect_writable(path: str | Path) -> None:
    """Raise BadFile early for a path that `write` would refuse after the work is done."""
    path = Path(path)
    _format_of(path, writable=True)
    if os.path.isdir(path):  # Path.is_dir raises for a name that is too long
        raise BadFile(f"{path.name}: a file expected, a folder found")


def _expect_options(path: Path, options: ReadOptions) -> None:
    """Raise BadFile for options that mean nothing."""
    if options.fps is not None:
        expect_frame_rate(path.name, options.fps)
    for name, value, known in (("up axis", options.up, UP_AXES), ("unit", options.unit, tuple(UNITS))):
        if value is not None and value not in known:
            raise BadFile(f"{path.name}: {name} {', '.join(known[:-1])} or {known[-1]} expected, {value!r} given")


def expect_frame_rate(name: str, fps: float) -> None:
    """Raise BadFile for a file of this name with a frame rate beyond any real capture."""
    if not MIN_FPS <= fps <= MAX_FPS:
        raise BadFile(f"{name}: a frame rate of {MIN_FPS:g} to {MAX_FPS:g} expected, {fps:g} found")


def _format_of(path: Path, *, writable: bool = False) -> FileFormat:
    """The file format of a path's suffix; modules are loaded only when they are needed. Raises BadFile."""
    suffixes = [suffix for suffix, file_format in FORMATS.items() if file_format.writes or not writable]
    if path.suffix.lower() not in suffixes:
        instead = "" if writable else file_advice(path)
        raise BadFile(f"{path.name}: {', '.join(suffixes[:-1])} or {suffixes[-1]} file extension expected{instead}")
    return FORMATS[path.suffix.lower()]
