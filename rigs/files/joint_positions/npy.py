"""Numpy `.npy` arrays of positions: HybrIK's 24 or 29 joints, or BlazePose's 33 landmarks, by their number."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from rigs import Array
from rigs.files import BadFile, Clip, ReadOptions
from rigs.files.joint_positions import blazepose, hybrik
from rigs.files.joint_positions.array_headers import MAGIC, read_array_header

_TRANSPOSED = tuple((joints, 3) for joints in hybrik.JOINT_COUNTS)
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
    rows, dancers = joint_rows(np.array(array, dtype=float))
    if blazepose.is_blazepose(rows) and dancers == 1:
        return blazepose.to_clip(path, rows, options)
    if hybrik.is_hybrik(rows):
        return hybrik.to_clip(path, rows, options, interleaved=dancers == 2 or None)
    hint = "; SMPL's poses belong into an .npz as 'poses' and 'trans'" if rows.ndim == 2 else ""
    raise BadFile(f"{path.name}: {_EXPECTED}, {array.shape} found{hint}")


def joint_rows(array: Array) -> tuple[Array, int]:
    """The rows (F, J, 3) of an array of joints in one of the layouts in which programs write them, and its dancers.

    Layouts: (F, J * 3), (J, 3, F), (1, F, J, 3); two dancers (2, F, J, 3) or (F, 2, J, 3), whose frames alternate then;
    confidences as the fourth number of HybrIK's and SMPL's joints are left out. Any other array is returned as it is.
    """
    rows, dancers = array, 1
    while rows.ndim > 3 and len(rows) == 1:
        rows = rows[0]
    if hybrik.is_flat(rows):
        rows = rows.reshape(len(rows), -1, 3)
    elif rows.ndim == 3 and rows.shape[:2] in _TRANSPOSED:
        rows = np.moveaxis(rows, 2, 0)
    elif rows.ndim == 4 and 2 in rows.shape[:2] and rows.shape[2] in hybrik.JOINT_COUNTS:
        rows = rows.swapaxes(0, 1) if len(rows) == 2 else rows
        rows, dancers = rows.reshape(-1, *rows.shape[2:]), 2
    if rows.ndim == 3 and rows.shape[1] in hybrik.JOINT_COUNTS and rows.shape[2] == 4:
        rows = rows[..., :3]
    return rows, dancers
