"""Numpy archives (`.npz`): the project's own for one or two dancers in Blender's space, and those of other programs.

    fps         ()                           frames a second
    offsets     (29, 3)     or (2, 29, 3)    m, each joint from its parent in the T-pose
    root        (F, 3)      or (2, F, 3)     m, the pelvis
    rotations   (F, 29, 4)  or (2, F, 29, 4) unit quaternions w, x, y, z, relative to the parent

All are float32 but `fps`, which is float64. Nothing is ever unpickled.
Other archives are read if they hold SMPL poses, or one array of joint positions or BlazePose landmarks.
"""

import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.conventions.axes import z_up_rotation
from rigs.files.conventions.conventions import Conventions, Stated, detect_conventions
from rigs.files.joint_positions import blazepose, hybrik
from rigs.files.joint_positions.array_headers import read_array_header
from rigs.files.smpl import smpl
from rigs.files.smpl.smpl_layouts import RATE_ARRAYS, ArchiveArrays, frame_rate
from rigs.motion import Motion
from rigs.skeleton import Skeleton

_OWN = Stated(up="Z", metres=1.0, unit_is_sure=True)
_SHAPES = {"root": ("F", 3), "offsets": (29, 3), "rotations": ("F", 29, 4)}
_MAX_BYTES = 2**30
"""Of unpacked arrays, hours of movement: a small archive can claim any size."""
_ZIP_ERRORS = (ValueError, TypeError, OSError, EOFError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancers of an archive: the project's own, SMPL poses, or joint positions. Raises BadFile."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            shapes = _array_shapes(path)
            if len(_SHAPES.keys() & shapes) < len(_SHAPES) - 1:
                clip = _read_foreign(ArchiveArrays(path, shapes, archive.__getitem__), options)
                if clip is not None:
                    return clip
            arrays = {name: np.asarray(archive[name]) for name in ("fps", *_SHAPES) if name in archive}
    except BadFile:
        raise
    except _ZIP_ERRORS:
        raise BadFile(f"{path.name}: a numpy archive of plain arrays expected") from None
    return _read_own(path, arrays, options)


def _array_shapes(path: Path) -> dict[str, tuple[int, ...] | None]:
    """The arrays of an archive by name with their shapes, read from their headers; None for pickled objects."""
    shapes: dict[str, tuple[int, ...] | None] = {}
    with zipfile.ZipFile(path) as archive:
        _expect_size(path, sum(member.file_size for member in archive.infolist()))
        for member in (member for member in archive.infolist() if member.filename.endswith(".npy")):
            with archive.open(member) as file:
                shape, dtype = read_array_header(file, member.file_size)
            shapes[member.filename.removesuffix(".npy")] = None if dtype.hasobject else shape
    return shapes


def _expect_size(path: Path, size: int) -> None:
    """Raise BadFile for an archive that would fill the memory."""
    if size > _MAX_BYTES:
        raise BadFile(f"{path.name}: at most {_MAX_BYTES >> 20:,} MB of arrays expected, {size >> 20:,} found")


def _read_foreign(archive: ArchiveArrays, options: ReadOptions) -> Clip | None:
    """Read an archive that another program wrote; None if it has no array but those of this project. Raises BadFile."""
    clip = smpl.read_smpl(archive, options)
    if clip is not None:
        return clip
    others = [name for name in archive.shapes if name not in RATE_ARRAYS]
    if len(others) == 1 and archive.shapes[others[0]]:
        rows = archive.numbers(others[0])
        options = replace(options, fps=options.fps or frame_rate(archive))
        if blazepose.is_blazepose(rows):
            return blazepose.to_clip(archive.path, rows, options)
        if hybrik.is_hybrik(rows):
            return hybrik.to_clip(archive.path, rows, options)
    if _SHAPES.keys() & archive.shapes:
        return None
    expected = ", ".join(f"'{name}'" for name in ("fps", *_SHAPES))
    raise BadFile(
        f"{archive.path.name}: arrays {expected}, or SMPL poses such as 'poses' and 'trans', expected, "
        f"found: {archive.describe()}"
    )


def _read_own(path: Path, arrays: dict[str, Array], options: ReadOptions) -> Clip:
    """Read the project's own arrays. Raises BadFile."""
    if options.fps is not None:
        arrays["fps"] = np.asarray(options.fps, dtype=float)
    for name in ("fps", *_SHAPES):
        if name not in arrays:
            raise BadFile(f"{path.name}: an array '{name}' expected, none found")
        if arrays[name].dtype.kind not in "fiu" or not np.isfinite(arrays[name]).all():
            raise BadFile(f"{path.name}, {name}: finite numbers expected")
    rate, is_pair = _frame_rate(path, arrays), arrays["root"].ndim == 3
    frames = arrays["root"].shape[-2] if arrays["root"].ndim > 1 else 0
    for name, shape in _SHAPES.items():
        expected = (2,) * is_pair + tuple(frames if size == "F" else size for size in shape)
        if arrays[name].shape != expected or frames == 0:
            one, both = (str(s).replace("'", "") for s in (shape, (2, *shape)))
            raise BadFile(f"{path.name}, {name}: shape {one} or {both} expected, {arrays[name].shape} found")
    if np.linalg.norm(arrays["rotations"], axis=-1).min() < 0.5:
        raise BadFile(f"{path.name}, rotations: unit quaternions expected")
    root, offsets, quaternions = (np.array(arrays[name], float, ndmin=len(_SHAPES[name]) + 1) for name in _SHAPES)
    dancers = zip(offsets, root, rotations.normalize(quaternions), strict=True)
    motions = tuple(Motion(rate, Skeleton(bones), positions, turns) for bones, positions, turns in dancers)
    first = motions[0]
    rest = first.skeleton.rest_positions()
    conventions = detect_conventions(path.name, first.positions, rate, _OWN, options, rest=rest)
    motions = tuple(_convert(motion, conventions) for motion in motions)
    return Clip(motions, Source(path, conventions.metres, conventions.up, rate, frames), conventions.warnings)


def _convert(motion: Motion, conventions: Conventions) -> Motion:
    """Bring a motion whose world is in other axes or another unit than this project's to Blender's space."""
    if conventions.metres != 1.0:
        scale = conventions.metres
        motion = replace(motion, skeleton=motion.skeleton.scale(scale), root=motion.root * scale)
    if conventions.up == conventions.rest_up:
        return motion
    turn = z_up_rotation(conventions.up, conventions.rest_up)
    local = motion.rotations.copy()
    local[:, 0] = rotations.multiply(turn, local[:, 0])
    return replace(motion, root=rotations.rotate(turn, motion.root), rotations=local)


def _frame_rate(path: Path, arrays: dict[str, Array]) -> float:
    """The checked `fps` array as a float."""
    fps = arrays["fps"]
    if fps.dtype.kind not in "fiu" or fps.shape != () or not 0.0 < fps < np.inf:
        raise BadFile(f"{path.name}, fps: one number above zero expected")
    return float(fps)


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of an archive with one or two dancers of the same length and frame rate. Raises BadFile."""
    if len(motions) not in (1, 2):
        raise BadFile(f"{path.name}: one or two dancers expected, {len(motions)} given")
    if len({(len(motion), motion.fps) for motion in motions}) > 1:
        raise BadFile(f"{path.name}: two dancers of one length and frame rate expected")
    dancers = [
        {"offsets": motion.skeleton.offsets, "root": motion.root, "rotations": motion.rotations} for motion in motions
    ]
    arrays = {name: np.stack([dancer[name] for dancer in dancers]).astype(np.float32) for name in dancers[0]}
    if len(dancers) == 1:
        arrays = {name: array[0] for name, array in arrays.items()}
    buffer = io.BytesIO()
    np.savez(buffer, fps=np.float64(motions[0].fps), **arrays)
    return buffer.getvalue()
