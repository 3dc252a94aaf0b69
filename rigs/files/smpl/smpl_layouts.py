"""Layouts of archives with SMPL poses: which arrays hold the rotations and the path of each person, by their names.

SMPL (Loper et al. 2015) has 24 joints, SMPL-H 52 and SMPL-X 55. The first 22, the body without hands, are the same in
all. Poses are rotation vectors or rotation matrices relative to the parent joint.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile

BODY_JOINTS, SMPL_JOINTS = 22, 24
_JOINT_COUNTS = (BODY_JOINTS, SMPL_JOINTS, 52, 55)
"""Joints of the body alone, of SMPL, SMPL-H and SMPL-X, each with the pelvis."""
_MAX_ANGLE = 20.0
"""Radians beyond any rotation vector; larger ones are degrees."""
_SEPARATORS = "_./:- "


@dataclass(frozen=True)
class Layout:
    """One way in which an archive may name the arrays of SMPL poses.

    name: for people.  pose: rotations of all joints, or without the pelvis's, which `root` then holds.
    translation: the path.  up: the up axis of its world.  fps: its usual frame rate if the archive states none.
    scaling: an array by which the path is divided.  no_depth: the path's depth is of a made-up camera.
    """

    name: str
    pose: str
    translation: str
    root: str = ""
    up: str = "Y"
    fps: float = 30.0
    scaling: str = ""
    no_depth: bool = False

    @property
    def arrays(self) -> tuple[str, ...]:
        """The names of the arrays that it needs."""
        return tuple(name for name in (self.root, self.pose, self.translation) if name)


LAYOUTS: tuple[Layout, ...] = (
    Layout("AIST++", "smpl_poses", "smpl_trans", fps=60.0, scaling="smpl_scaling"),
    Layout("SMPL-X of AMASS", "pose_body", "trans", root="root_orient", up="Z"),
    Layout("AMASS", "poses", "trans", up="Z"),
    Layout("WHAM", "pose_world", "trans_world"),
    Layout("WHAM", "poses_world", "trans_world"),
    Layout("WHAM", "poses_body", "trans_world", root="poses_root_world"),
    Layout("GVHMR", "body_pose", "transl", root="global_orient"),
    Layout("SMPL", "body_pose", "trans", root="global_orient"),
    *(
        Layout("4D-Humans", "body_pose", translation, root="global_orient", up="-Y", no_depth=True)
        for translation in ("camera", "pred_cam_t", "camera_translation", "cam_t")
    ),
    Layout("WHAM in the camera", "pose", "trans", up="-Y"),
)
"""The layouts that are recognized, the preferred one first. To add one: an entry here."""
RATE_ARRAYS = ("mocap_framerate", "mocap_frame_rate", "fps", "frame_rate", "framerate")
_FRAME_ARRAYS = ("frame_ids", "frame_id")
_POSE_ARRAYS = {layout.pose for layout in LAYOUTS}
_IN_CAMERA = re.compile(r"incam|in_cam|camera")
_CAMERA_UP = "-Y"


@dataclass(frozen=True)
class PoseTrack:
    """SMPL poses of one person.

    local: (F, 24, 4) rotations relative to the parent in SMPL's axes; the first is relative to the file's world.
    path: (F, 3) the translation in the file's units and axes.  frames: (F,) frame numbers.
    betas: the coefficients of the body's shape, none if the archive has none.
    Rows that the archive leaves open are nan.
    """

    local: Array
    path: Array
    frames: Array
    betas: Array


@dataclass(frozen=True)
class ArchiveArrays:
    """The arrays of an archive, loaded when they are needed.

    shapes: of each array by its name, None for one that would have to be unpickled.  load: an array by its name.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...] | None]
    load: Callable[[str], Array]

    def describe(self) -> str:
        """The names and shapes of the arrays, for error messages."""
        shown = [f"{name} {'(objects)' if shape is None else shape}" for name, shape in list(self.shapes.items())[:8]]
        return ", ".join([*shown, "..."] if len(self.shapes) > len(shown) else shown)

    def numbers(self, name: str) -> Array:
        """An array of numbers as floats. Raises BadFile."""
        if self.shapes[name] is None:
            raise BadFile(f"{self.path.name}, {name}: an array of numbers expected, pickled objects found")
        array = self.load(name)
        if array.dtype.kind not in "fiu":
            raise BadFile(f"{self.path.name}, {name}: an array of numbers expected, type {array.dtype} found")
        return np.asarray(array, dtype=float)


def find_layout(archive: ArchiveArrays) -> tuple[Layout, tuple[str, ...]] | None:
    """The layout of an archive and the prefix of each person's arrays, or None if it holds no SMPL poses.

    Raises BadFile where an array of a layout is missing.
    """
    for layout in LAYOUTS:
        prefixes = [
            p for p in _prefixes(archive, layout.pose) if all(p + name in archive.shapes for name in layout.arrays)
        ]
        in_world = [prefix for prefix in prefixes if not _IN_CAMERA.search(prefix)]
        if prefixes and not in_world:
            layout = replace(layout, up=_CAMERA_UP)
        if prefixes:
            return layout, tuple(in_world or prefixes)
    for layout in LAYOUTS:
        for prefix in _prefixes(archive, layout.pose):
            missing = next(name for name in layout.arrays if prefix + name not in archive.shapes)
            expected = f"an array '{prefix}{missing}' expected beside '{prefix}{layout.pose}' as in {layout.name}"
            raise BadFile(f"{archive.path.name}: {expected}, found: {archive.describe()}")
    return None


def read_tracks(archive: ArchiveArrays, layout: Layout, prefixes: tuple[str, ...]) -> list[PoseTrack]:
    """The poses of all persons. Raises BadFile."""
    return [track for prefix in prefixes for track in _read_person(archive, layout, prefix)]


def _prefixes(archive: ArchiveArrays, name: str) -> list[str]:
    """What stands before an array's name in the archive, of each array that ends with it: '' or '0_', 'person1.'."""
    fitting = [array.removesuffix(name) for array in archive.shapes if array.endswith(name)]
    prefixes = [prefix for prefix in fitting if not prefix or prefix[-1] in _SEPARATORS]
    return sorted(
        prefixes, key=lambda prefix: [int(part) if part.isdigit() else 0 for part in re.split(r"(\d+)", prefix)]
    )


def _read_person(archive: ArchiveArrays, layout: Layout, prefix: str) -> list[PoseTrack]:
    """The tracks of one prefix: several if the arrays have a leading axis of persons. Raises BadFile."""
    path = archive.numbers(prefix + layout.translation)
    if path.ndim == 3 and path.shape[1] == 1:
        path = path[:, 0]
    if path.ndim not in (2, 3) or path.shape[-1] != 3 or path.size == 0:
        raise BadFile(f"{archive.path.name}, {prefix}{layout.translation}: shape (F, 3) expected, {path.shape} found")
    rows = path.shape[:-1]
    if layout.root:
        root = _read_rotations(archive, prefix + layout.root, rows, (1,))
        body = _read_rotations(archive, prefix + layout.pose, rows, tuple(count - 1 for count in _JOINT_COUNTS))
        local = np.concatenate([root, body], axis=-2)
    else:
        local = _read_rotations(archive, prefix + layout.pose, rows, _JOINT_COUNTS)
    if local.shape[-2] != SMPL_JOINTS:  # the fingers of SMPL-H and SMPL-X, which are not read, have no joint for a hand
        hands = rotations.identity(*rows, SMPL_JOINTS - BODY_JOINTS)
        local = np.concatenate([local[..., :BODY_JOINTS, :], hands], axis=-2)
    if layout.scaling and prefix + layout.scaling in archive.shapes:
        path = path / _single_number(archive, prefix + layout.scaling)
    if layout.no_depth:
        path = path * [1.0, 1.0, 0.0]
    frames = rows[-1]
    numbers = _frame_numbers(archive, prefix, frames)
    persons = zip(
        local.reshape(-1, frames, SMPL_JOINTS, 4),
        path.reshape(-1, frames, 3),
        _read_betas(archive, prefix, path.size // (3 * frames)),
        strict=True,
    )
    return [PoseTrack(turns, places, numbers, betas) for turns, places, betas in persons]


def _read_rotations(archive: ArchiveArrays, name: str, rows: tuple[int, ...], counts: tuple[int, ...]) -> Array:
    """Rotations (*rows, J, 4) of an array of rotation vectors or matrices. Raises BadFile.

    rows: (F,) or (P, F).  counts: the numbers J of joints that are expected.
    """
    array = archive.numbers(name)
    each = array.shape[len(rows) :]
    is_matrix = each[-2:] == (3, 3)
    joints, rest = divmod(int(np.prod(each)), 9 if is_matrix else 3)
    if array.shape[: len(rows)] != rows or not each or rest or joints not in counts:
        vectors = " or ".join(str((*rows, 3 * count)) for count in counts)
        found = f"{array.shape} found"
        raise BadFile(f"{archive.path.name}, {name}: rotation vectors {vectors} or rotation matrices expected, {found}")
    if is_matrix:
        return _from_matrices(archive.path, name, array.reshape(*rows, joints, 3, 3))
    largest = np.abs(array[np.isfinite(array)]).max(initial=0.0)
    if largest > _MAX_ANGLE:
        raise BadFile(f"{archive.path.name}, {name}: rotation vectors in radians expected, {largest:g} found")
    return rotations.from_rotation_vector(array.reshape(*rows, joints, 3))


def _from_matrices(path: Path, name: str, matrices: Array) -> Array:
    """Quaternions (..., 4) of rotation matrices (..., 3, 3), nan where these are. Raises BadFile."""
    known = np.isfinite(matrices).all(axis=(-1, -2))
    turned = np.where(known[..., None, None], matrices, np.eye(3))
    error = np.abs(turned @ np.swapaxes(turned, -1, -2) - np.eye(3)).max(initial=0.0)
    if error > 0.05 or np.linalg.det(turned).min(initial=1.0) < 0.0:
        raise BadFile(f"{path.name}, {name}: rotation matrices expected, others found")
    return np.where(known[..., None], rotations.from_matrix(turned), np.nan)


def _frame_numbers(archive: ArchiveArrays, prefix: str, frames: int) -> Array:
    """The frame numbers (F,) of a person's rows, as trackers state them, else all in a row."""
    for name in _FRAME_ARRAYS:
        if archive.shapes.get(prefix + name) == (frames,):
            numbers = archive.numbers(prefix + name)
            if np.isfinite(numbers).all() and (np.diff(numbers) > 0).all() and np.ptp(numbers) < 10 * frames + 1000:
                return numbers.astype(int)
    return np.arange(frames)


def _read_betas(archive: ArchiveArrays, prefix: str, persons: int) -> Array:
    """The shape coefficients (P, N) of the persons, or none of the file, (P, 0)."""
    name = prefix + "betas"
    if not archive.shapes.get(name):
        return np.zeros((persons, 0))
    betas = archive.numbers(name)
    rows = betas.reshape(-1, betas.shape[-1])
    if len(rows) % persons or len(rows) == 0:
        return np.zeros((persons, 0))
    return np.asarray(rows.reshape(persons, -1, betas.shape[-1]).mean(axis=1))


def _single_number(archive: ArchiveArrays, name: str) -> float:
    """The one number above zero of an array. Raises BadFile."""
    array = archive.numbers(name)
    if array.size != 1 or not 0.0 < float(array.reshape(())) < np.inf:
        raise BadFile(f"{archive.path.name}, {name}: one number above zero expected")
    return float(array.reshape(()))


def frame_rate(archive: ArchiveArrays) -> float | None:
    """The frame rate that an archive states, or None. Raises BadFile."""
    name = next((name for name in RATE_ARRAYS if name in archive.shapes), None)
    return None if name is None else _single_number(archive, name)
