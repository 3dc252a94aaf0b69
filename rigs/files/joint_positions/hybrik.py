"""HybrIK arrays: 3D joint positions from a pose-estimation network, read as one or two dancers.

HybrIK (Li et al. 2021) gives every person 29 joints, or SMPL's 24, in metres and in camera axes: x right, y down,
z away. They are converted to Blender's axes, so a dancer who faces the camera faces -Y.

Both pelvises have z near 0, so the depth between the dancers is unknown; in a root-centred file their positions are
unknown too. Two dancers keep the one coordinate frame of the file.
"""

from pathlib import Path

import numpy as np

from rigs import Array, pose_fitting, rotations
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.joint_positions.point_cloud import cloud_source, detect_cloud_conventions, to_blender_axes
from rigs.files.joint_positions.position_gaps import fill_position_gaps
from rigs.motion import Motion
from rigs.skeleton import DEFAULT_SKELETON, JOINTS, PARENTS, Skeleton

DEFAULT_FPS = 30.0
"""Frame rate of files of joint positions, which state none."""
SMPL_JOINTS = 24
JOINT_COUNTS = (SMPL_JOINTS, len(JOINTS))
_MAX_DISTANCE = 1000.0
"""Metres from the camera beyond which a position is invalid."""
SMALLEST_UNIT = 0.001
"""Metres in the smallest unit that positions may be in, as long as it is unknown."""
_NEAR_ZERO = 1e-9
_MAX_LENGTH_SPREAD = 0.2
"""Standard deviation of bone lengths, relative to their means, below which bones are bones."""
_LEAVES = list(range(SMPL_JOINTS, len(JOINTS)))


def is_hybrik(rows: Array) -> bool:
    """Whether an array has the shape of HybrIK's or SMPL's joints."""
    return rows.ndim == 3 and rows.shape[1] in JOINT_COUNTS and rows.shape[2] == 3 and len(rows) > 0


def is_flat(rows: Array) -> bool:
    """Whether an array (F, 72 or 87) is one of joints' coordinates in one row, not of as many rotation vectors.

    Joints keep their distance from their parents; what would be bones between rotation vectors does not.
    """
    if rows.ndim != 2 or rows.shape[1] not in [3 * joints for joints in JOINT_COUNTS] or not len(rows):
        return False
    joints = rows.reshape(len(rows), -1, 3)[:, :SMPL_JOINTS]
    lengths = np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:SMPL_JOINTS])], axis=-1)
    spread = np.nanstd(lengths, axis=0) / np.maximum(np.nanmean(lengths, axis=0), _NEAR_ZERO)
    return bool(np.median(spread) < _MAX_LENGTH_SPREAD)


def to_clip(path: Path, rows: Array, options: ReadOptions, *, interleaved: bool | None = None) -> Clip:
    """Convert a file's rows to one dancer, or to two whose frames alternate; without `options.fps` at 30 a second.

    rows: (F, 29, 3), (2F, 29, 3), (F, 24, 3) or (2F, 24, 3), in metres and camera axes unless the movement tells that
    they are in others. Bone lengths become constant, and one constant height offset puts the feet on the floor. Joints
    missing from 24 follow from average proportions.  interleaved: whether two dancers alternate; by default as it
    seems.  Raises BadFile.
    """
    rate, warnings = choose_frame_rate(path, options)
    is_pair = _is_interleaved(rows) if interleaved is None else interleaved
    stride = 2 if is_pair else 1
    filled = rows.copy()
    for number in range(stride):
        who = f"dancer {number + 1}" if stride > 1 else ""
        filled[number::stride], warning = fill_position_gaps(path, rows[number::stride], who)
        warnings += warning
    expect_positions(path, filled, JOINTS, SMALLEST_UNIT)
    dancers = [filled[number::stride] for number in range(stride)]
    conventions = detect_cloud_conventions(path.name, dancers, rate, options)
    expect_positions(path, filled, JOINTS, conventions.metres)
    dancers = [to_blender_axes(dancer, conventions) for dancer in dancers]
    try:
        motions = stand_on_floor(*(motion_from_positions(positions, rate) for positions in dancers))
    except ValueError as error:
        raise BadFile(f"{path.name}, {error}") from None
    source = cloud_source(Source(path, units=1.0, up="Y", fps=rate, frames=len(dancers[0])), conventions)
    return Clip(motions, source, (*warnings, *conventions.warnings))


def choose_frame_rate(path: Path, options: ReadOptions) -> tuple[float, list[str]]:
    """The frame rate that the user gives for a file that states none; else 30 a second, with a warning."""
    if options.fps is not None:
        return options.fps, []
    return DEFAULT_FPS, [
        f"{path.name}: no frame rate found, {DEFAULT_FPS:g} a second assumed; --fps gives the true one"
    ]


def expect_positions(path: Path, rows: Array, names: tuple[str, ...], metres: float = 1.0) -> None:
    """Raise BadFile for the first of `rows` (F, J, 3), in units of `metres` m, with a joint not finite or too far."""
    invalid = ~(np.abs(rows * metres) < _MAX_DISTANCE).all(axis=-1)
    if invalid.any():
        row, joint = np.argwhere(invalid)[0]
        place = f"{path.name}, row {row}, {names[joint]}"
        raise BadFile(f"{place}: a position in metres expected, {rows[row, joint]} found")


def _is_interleaved(rows: Array) -> bool:
    """Whether two dancers alternate: then a row is nearer to the row after next than to the next one."""
    if len(rows) < 4 or len(rows) % 2 or np.isnan(rows).all():
        return False

    def step(stride: int) -> float:
        return float(np.nanmedian(np.linalg.norm(rows[stride:] - rows[:-stride], axis=-1)))

    return step(1) > 2.0 * step(2)


def motion_from_positions(positions: Array, fps: float) -> Motion:
    """Fit one dancer's Motion to positions (F, 29 or 24, 3) m in Blender's axes. Raises ValueError."""
    if positions.shape[1] == len(JOINTS):
        return pose_fitting.fit_motion(positions, fps)
    parents = [PARENTS[leaf] for leaf in _LEAVES]
    grandparents = [PARENTS[parent] for parent in parents]
    extrapolated = 2.0 * positions[:, parents] - positions[:, grandparents]
    solved = pose_fitting.fit_motion(np.concatenate([positions, extrapolated], axis=1), fps)
    offsets, local_rotations = solved.skeleton.offsets.copy(), solved.rotations.copy()
    for leaf, parent in zip(_LEAVES, parents, strict=True):
        length, common = (np.linalg.norm(bones[parent]) for bones in (offsets, DEFAULT_SKELETON.offsets))
        offsets[leaf] = DEFAULT_SKELETON.offsets[leaf] * length / common
        local_rotations[:, parent] = rotations.IDENTITY
    return Motion(fps, Skeleton(offsets), solved.root, local_rotations)
