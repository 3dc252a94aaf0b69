"""Motion files of the commands: those of `rigs.files`, and FBX and glTF, read and written by a Blender of its own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.cli import blender_process
from backend.cli.terminal import BadInput, ProgressBar
from rigs import files
from rigs.files import Clip, ReadOptions, Source
from rigs.files.takes.fbx_header import read_header
from rigs.motion import Motion, resample

BLENDER_READS = (".fbx", ".glb", ".gltf")
"""Suffixes of the files that Blender reads for the commands."""
BLENDER_WRITES = (".fbx", ".glb")
"""Suffixes of the files that Blender writes for the commands."""
WRITE_SUFFIXES = (*(suffix for suffix, form in files.FORMATS.items() if form.writes), *BLENDER_WRITES)
"""Suffixes of all files that the commands write."""
_MIN_BLENDER_FOR_GLTF = (4, 5)
_FBX_UNIT = 0.01  # m, of the files that this module writes, and for other formats that are to match an FBX


def needs_blender(path: Path) -> bool:
    """Whether Blender reads or writes the file."""
    return path.suffix.lower() in BLENDER_READS


def read_clip(path: Path, options: ReadOptions = files.AS_STATED) -> Clip:
    """Read the dancers of a motion file, FBX and glTF included.

    FBX and glTF are Y up; the units of their clip are those of FBX, centimetres, and of glTF, metres. Raises BadFile,
    BadInput, and Fault.
    """
    if not needs_blender(path):
        return files.read(path, options)
    if not path.is_file():
        raise BadInput(f"{path.name}: {'a file expected, a folder found' if path.is_dir() else 'no such file'}")
    if path.suffix.lower() == ".fbx" and read_header(path).version == 0:
        raise BadInput(f"{path.name}: an FBX file expected, something else found")
    expect_blender(path)
    with _folder() as folder, ProgressBar("starting Blender") as progress:
        task: dict[str, Any] = {"task": "import", "motion": str(path.absolute()), "out": str(folder)}
        task |= {"fps": options.fps, "up": options.up, "unit": options.unit}
        result = blender_process.run_task(
            task | {"extension": str(blender_process.build_extension())}, folder, progress
        )
        motions = tuple(files.read(motion).motions[0] for motion in result["motions"])
    units = 1.0 if path.suffix.lower() != ".fbx" else _FBX_UNIT
    source = Source(path, units, "Y", motions[0].fps, len(motions[0]), tuple(result["filled_joints"]))
    return Clip(motions, source, tuple(result["warnings"]))


def readable_files(paths: Sequence[Path], clips: Sequence[Clip], folder: Path) -> list[Path]:
    """The files, or where Blender has read one, all their clips written into a folder as .npz, which states all."""
    if not any(map(needs_blender, paths)):
        return list(paths)
    readable = [folder / f"{number} {path.stem}.npz" for number, path in enumerate(paths, start=1)]
    for path, clip in zip(readable, clips, strict=True):
        files.write(path, clip.motions)
    return readable


def expect_writable(path: Path) -> None:
    """Raise BadFile or BadInput, before any work, for a file that `write_motions` could not write."""
    suffix = path.suffix.lower()
    if suffix in BLENDER_WRITES:
        if path.is_dir():
            raise BadInput(f"{path.name}: a file expected, a folder found")
        expect_blender(path)
    elif suffix not in WRITE_SUFFIXES and suffix not in files.FORMATS:
        names = f"{', '.join(WRITE_SUFFIXES[:-1])} or {WRITE_SUFFIXES[-1]}"
        raise BadInput(f"{path.name}: {names} file extension expected")
    else:
        files.expect_writable(path)


def expect_blender(path: Path) -> None:
    """Raise BadInput unless there is a Blender that can read and write files like this one."""
    try:
        blender_process.blender_command()
    except BadInput as error:
        raise BadInput(f"{path.name}: Blender reads and writes such files. {error}") from None
    if path.suffix.lower() != ".fbx" and (version := blender_process.blender_version()) < _MIN_BLENDER_FOR_GLTF:
        found = ".".join(map(str, version))
        raise BadInput(f"{path.name}: Blender 4.5 or later expected for glTF, {found} found; use .fbx with this one")


def write_motions(
    folder: Path, motions: Mapping[Path, Motion], progress: Callable[[float, str], None], *, like: Source | None = None
) -> None:
    """Write a motion for each path, with the path's name into a folder, all of one format.

    like: the file to match, as in `files.write`. Raises BadFile, BadInput and Fault.
    """
    by_blender = {path: motion for path, motion in motions.items() if path.suffix.lower() in BLENDER_WRITES}
    for path, motion in motions.items():
        if path not in by_blender:
            files.write(folder / path.name, motion, like=like)
    if not by_blender:
        return
    with _folder() as scratch:
        sources = []
        for number, motion in enumerate(by_blender.values()):
            sources.append(str(scratch / f"{number}.npz"))
            files.write(sources[-1], resample(motion, like.fps, like.frames) if like else motion)
        progress(0.0, "starting Blender")
        task = {
            "task": "export",
            "extension": str(blender_process.build_extension()),
            "motions": sources,
            "out": [str((folder / path.name).absolute()) for path in by_blender],
        }
        blender_process.run_task(task, scratch, progress)


@contextmanager
def _folder() -> Iterator[Path]:
    """A temporary folder for Blender's files."""
    folder = Path(tempfile.mkdtemp(prefix="pas-de-deux-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
