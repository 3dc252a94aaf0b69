"""HybrIK `.npy`: joint positions that a pose extraction saw in a video, read as one or two dancers.

HybrIK (Li et al. 2021) gives every person 29 joints, or SMPL's 24, in metres and in camera axes: x right, y down,
z away. Here they become Blender's axes, so a dancer who faces the camera faces -Y.

What the file does not know, the motions do not know: both pelvises have z near 0, so the depth between the dancers
is lost, and a root-centred file has lost their places altogether. The two keep the one frame that the file gives them.
"""

from pathlib import Path

import numpy as np

from rigs import Array, pointcloud, rotations
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, Source
from rigs.motion import Motion
from rigs.skeleton import DEFAULT, JOINTS, PARENTS, Skeleton

_FPS = 30.0
_SMPL_JOINTS = 24
_FARTHEST = 1000.0
"""Metres from the camera beyond which a number is no dancer's place."""
_LEAVES = list(range(_SMPL_JOINTS, len(JOINTS)))


def read(path: Path, fps: float | None = None) -> Clip:
    """Read one dancer, or two whose frames alternate, from a HybrIK `.npy`; without `fps` it is taken as 30.

    The file holds (F, 29, 3), (2F, 29, 3), (F, 24, 3) or (2F, 24, 3) m. Bone lengths become constant, and one constant
    for the whole clip puts the feet on the floor. Joints that are missing from 24 follow from common proportions.
    Raises BadFile.
    """
    rows = _rows(path)
    rate = _FPS if fps is None else fps
    dancers = [rows[0::2], rows[1::2]] if _interleaved(rows) else [rows]
    try:
        motions = stand_on_floor(*(_motion(positions, rate) for positions in dancers))
    except ValueError as error:
        raise BadFile(f"{path.name}, {error}") from None
    return Clip(motions, Source(path, units=1.0, up="Y", fps=rate, frames=len(dancers[0])))


def _rows(path: Path) -> Array:
    """The file's positions (rows, 29 or 24, 3) in Blender's axes."""
    expected = "a numpy array of joint positions, (rows, 29, 3) or (rows, 24, 3), expected"
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise BadFile(f"{path.name}: no such file") from None
    except (OSError, ValueError, EOFError, SyntaxError):
        raise BadFile(f"{path.name}: {expected}") from None
    if not isinstance(stored, np.ndarray):
        raise BadFile(f"{path.name}: {expected}, an archive found")
    if stored.dtype.kind != "f":
        raise BadFile(f"{path.name}: {expected}, values of type {stored.dtype} found")
    if (
        stored.ndim != 3
        or stored.shape[1] not in (_SMPL_JOINTS, len(JOINTS))
        or stored.shape[2] != 3
        or not len(stored)
    ):
        raise BadFile(f"{path.name}: {expected}, {stored.shape} found")
    camera = np.array(stored, dtype=float)
    absurd = ~(np.abs(camera) < _FARTHEST).all(axis=-1)
    if absurd.any():
        row, joint = np.argwhere(absurd)[0]
        raise BadFile(
            f"{path.name}, row {row}, {JOINTS[joint]}: a position in metres expected, {camera[row, joint]} found"
        )
    return camera[..., [0, 2, 1]] * np.array([1.0, 1.0, -1.0])


def _interleaved(rows: Array) -> bool:
    """Whether two dancers alternate: then a row is nearer to the row after next than to the next one."""
    if len(rows) < 4 or len(rows) % 2:
        return False

    def step(stride: int) -> float:
        return float(np.median(np.linalg.norm(rows[stride:] - rows[:-stride], axis=-1)))

    return step(1) > 2.0 * step(2)


def _motion(positions: Array, fps: float) -> Motion:
    """One dancer's movement from positions (F, 29 or 24, 3) m."""
    if positions.shape[1] == len(JOINTS):
        return pointcloud.solve(positions, fps)
    parents = [PARENTS[leaf] for leaf in _LEAVES]
    grandparents = [PARENTS[parent] for parent in parents]
    beyond = 2.0 * positions[:, parents] - positions[:, grandparents]
    solved = pointcloud.solve(np.concatenate([positions, beyond], axis=1), fps)
    offsets, turned = solved.skeleton.offsets.copy(), solved.rotations.copy()
    for leaf, parent in zip(_LEAVES, parents, strict=True):
        length, common = (np.linalg.norm(bones[parent]) for bones in (offsets, DEFAULT.offsets))
        offsets[leaf] = DEFAULT.offsets[leaf] * length / common
        turned[:, parent] = rotations.IDENTITY
    return Motion(fps, Skeleton(offsets), solved.root, turned)
