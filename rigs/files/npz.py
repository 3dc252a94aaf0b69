"""The project's own numpy archive (`.npz`) for one or two dancers, in Blender's space.

    fps         ()                           frames a second
    offsets     (29, 3)     or (2, 29, 3)    m, each joint from its parent in the T-pose
    root        (F, 3)      or (2, F, 3)     m, the pelvis
    rotations   (F, 29, 4)  or (2, F, 29, 4) unit quaternions w, x, y, z, relative to the parent

All are float32 but `fps`, which is float64. Nothing is ever unpickled.
An archive whose only array but `fps` holds BlazePose landmarks is read as these.
"""

import io
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip, ReadOptions, Source, blazepose
from rigs.motion import Motion
from rigs.skeleton import Skeleton

_SHAPES = {"root": ("F", 3), "offsets": (29, 3), "rotations": ("F", 29, 4)}


def read(path: Path, options: ReadOptions) -> Clip:
    """Read one or two dancers. Raises BadFile."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            others = set(archive.files) - {"fps"}
            names = others if len(others) == 1 else _SHAPES
            arrays = {name: np.asarray(archive[name]) for name in ("fps", *names) if name in archive}
    except (ValueError, TypeError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error):
        raise BadFile(f"{path.name}: a numpy archive of plain arrays expected") from None
    if options.fps is not None:
        arrays["fps"] = np.asarray(options.fps, dtype=float)
    landmarks = next((array for name, array in arrays.items() if name != "fps" and blazepose.is_blazepose(array)), None)
    if landmarks is not None and landmarks.dtype.kind == "f":
        rate = _frame_rate(path, arrays) if "fps" in arrays else None
        return blazepose.to_clip(path, landmarks.astype(float), replace(options, fps=rate))
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
    return Clip(motions, Source(path, 1.0, "Z", rate, frames))


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
