"""Numpy `.npy` arrays of positions: HybrIK's 24 or 29 joints, or BlazePose's 33 landmarks, by their number."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from rigs import Array
from rigs.files import BadFile, Clip, ReadOptions, blazepose, hybrik
from rigs.files.array_headers import MAGIC, read_array_header

_EXPECTED = "a numpy array of joint positions, (rows, 29, 3) or (rows, 24, 3) or landmarks (rows, 33, 3), expected"


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancers of an array; such a file states no frame rate. Raises BadFile."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) == MAGIC:
                file.seek(0)
                read_array_header(file, path.stat().st_size)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile):
        raise BadFile(f"{path.name}: {_EXPECTED}") from None
    if not isinstance(array, np.ndarray):
        raise BadFile(f"{path.name}: {_EXPECTED}, an archive found")
    if array.dtype.kind not in "fiu":
        raise BadFile(f"{path.name}: {_EXPECTED}, values of type {array.dtype} found")
    rows: Array = np.array(array, dtype=float)
    if hybrik.is_flat(rows):
        rows = rows.reshape(len(rows), -1, 3)
    if blazepose.is_blazepose(rows):
        return blazepose.to_clip(path, rows, options)
    if hybrik.is_hybrik(rows):
        return hybrik.to_clip(path, rows, options)
    hint = "; SMPL's poses belong into an .npz as 'poses' and 'trans'" if rows.ndim == 2 else ""
    raise BadFile(f"{path.name}: {_EXPECTED}, {array.shape} found{hint}")
