"""BVH files, to and from `Motion`: any bone hierarchy, channel order and Euler order in, the 29 joints out.

A joint's position channels replace its offset, as in Blender's importer. Units and the up axis, which a BVH file does
not state, are detected from the dancer.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.bvh.bvh_parser import Bvh, parse_bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.files.conventions.axes import from_z_up, quaternions_from_z_up, reflect, reflect_quaternions
from rigs.files.conventions.movement_checks import may_be_radians, path_scale
from rigs.files.dancer_trees import find_dancer_trees
from rigs.files.recording import Recording, to_clip, world_transforms
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, JOINTS, PARENTS, rest_positions

_EULER_ORDER = "ZXY"
_REST_ANGLE, _JUMP_ANGLE = np.radians(0.01), np.radians(10.0)
"""Joint angles that count as the rest pose, and that cannot be reached from it within one frame."""


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancers of a BVH file; other hierarchies, such as a prop, are left out. Raises BadFile."""
    bvh = parse_bvh(path, options.fps)
    warnings = list(bvh.warnings)
    dancers, others = find_dancer_trees(bvh.names, bvh.parents, rest_positions(bvh.offsets, bvh.parents))
    nodes = sorted(node for nodes in dancers for node in nodes) if dancers else range(len(bvh.names))
    if dancers and others:
        names = ", ".join(repr(bvh.names[node]) for node in others)
        warnings.append(f"{path.name}: no dancer's bones found below {names}, left out")
    clip = to_clip(path, _to_recording(bvh).select(nodes), options)
    scale = path_scale(clip.motions[0])
    if scale != 1.0:
        warnings.append(f"{path.name}: the path is in another unit than the bones, scaled by {scale:.4g}")
        bvh = _scale_paths(bvh, scale)
        clip = to_clip(path, _to_recording(bvh).select(nodes), options)
    rotation = [channel.endswith("rotation") for channels in bvh.channels for channel in channels]
    if may_be_radians(bvh.values[:, rotation], clip.motions[0].root):
        warnings.append(f"{path.name}: angles of degrees expected, all found are so small that they may be radians")
    if _starts_in_rest_pose(bvh):
        warnings.append(f"{path.name}: the dance begins in frame 2, frame 1 holds the rest pose")
    return replace(clip, warnings=(*warnings, *clip.warnings))


def _to_recording(bvh: Bvh) -> Recording:
    """The recording of all nodes, in the file's units and axes."""
    rest = rest_positions(bvh.offsets, bvh.parents)
    return Recording(bvh.names, bvh.parents, bvh.fps, *bvh_transforms(bvh), rest)


def _scale_paths(bvh: Bvh, scale: float) -> Bvh:
    """The file with the position channels of its roots scaled."""
    owners = [node for node, channels in enumerate(bvh.channels) for _ in channels]
    names = [channel for channels in bvh.channels for channel in channels]
    values = bvh.values.copy()
    for column, (node, channel) in enumerate(zip(owners, names, strict=True)):
        if bvh.parents[node] < 0 and channel.endswith("position"):
            values[:, column] *= scale
    return replace(bvh, values=values)


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of a BVH file with one dancer, in the units and up axis of `like`, or else in centimetres and Y up."""
    if len(motions) != 1:
        raise BadFile(f"{path.name}: one dancer expected in a BVH file, {len(motions)} given; .npz holds two")
    units, up, mirrored = (like.units, like.up, like.mirrored) if like else (0.01, "Y", False)
    return format_bvh(from_motion(motions[0], units, up, mirrored=mirrored)).encode("ascii")


def from_motion(motion: Motion, units: float, up: str, *, mirrored: bool = False) -> Bvh:
    """Convert a Motion to a BVH hierarchy in `units` metres `up` axis up; the leaf joints become end sites.

    mirrored: in left-handed axes, whose X axis points the other way.
    """
    joints = [j for j in _depth_first(0) if CHILDREN[j]]
    ends = [j for j in range(29) if not CHILDREN[j]]
    nodes = [*joints, *ends]
    local_rotations = motion.rotations[:, joints]
    root, offsets = motion.root / units, motion.skeleton.offsets[nodes] / units
    local_rotations = quaternions_from_z_up(local_rotations, up)
    root, offsets = from_z_up(root, up), from_z_up(offsets, up)
    if mirrored:
        local_rotations = reflect_quaternions(local_rotations)
        root, offsets = reflect(root), reflect(offsets)
    angles = np.degrees(np.unwrap(rotations.to_euler(local_rotations, _EULER_ORDER), axis=0))
    rotation_channels = tuple(f"{letter}rotation" for letter in _EULER_ORDER)
    return Bvh(
        names=(*(JOINTS[j] for j in joints), *(f"{JOINTS[PARENTS[j]]} end site" for j in ends)),
        parents=tuple(nodes.index(PARENTS[j]) if j else -1 for j in nodes),
        offsets=offsets,
        channels=(
            ("Xposition", "Yposition", "Zposition", *rotation_channels),
            *([rotation_channels] * (len(joints) - 1)),
            *([()] * len(ends)),
        ),
        fps=motion.fps,
        values=np.concatenate([root, angles.reshape(len(motion), -1)], axis=1),
    )


def bvh_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """Forward kinematics: world rotations (N, F, 4) and positions (N, F, 3) of all nodes, in the file's units."""
    return world_transforms(bvh.parents, *_local_transforms(bvh))


def _starts_in_rest_pose(bvh: Bvh) -> bool:
    """Whether the first frame is the rest pose, with no joint below a root rotated, and the second jumps away."""
    joints = [node for node, parent in enumerate(bvh.parents) if parent >= 0]
    if len(bvh.values) < 2 or not joints:
        return False
    first_frames = replace(bvh, values=bvh.values[:2])
    angles = rotations.angle_between(_local_transforms(first_frames)[0][joints], rotations.IDENTITY)
    return bool(angles[:, 0].max() < _REST_ANGLE and angles[:, 1].max() > _JUMP_ANGLE)


def _local_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """Rotations (N, F, 4), from the Euler channels, and translations (N, F, 3) of each node relative to its parent."""
    nodes, frames = len(bvh.names), len(bvh.values)
    quaternions = rotations.identity(nodes, frames)
    translations = np.repeat(bvh.offsets[:, None], frames, axis=1)
    columns = iter(np.ascontiguousarray(bvh.values.T))
    for node, channels in enumerate(bvh.channels):
        order, angles = "", []
        for channel, column in zip(channels, columns, strict=False):
            if channel.endswith("position"):
                translations[node, :, "XYZ".index(channel[0])] = column
            elif channel.endswith("rotation"):
                order += channel[0]
                angles.append(column)
        if angles:
            quaternions[node] = rotations.from_euler(np.radians(np.stack(angles, axis=-1)), order)
    return quaternions, translations


def _depth_first(j: int) -> list[int]:
    """Joint `j` and its descendants in depth-first order."""
    return [j, *(below for child in CHILDREN[j] for below in _depth_first(child))]
