"""BVH files, to and from `Motion`: any bone hierarchy, channel order and Euler order in, the 29 joints out.

A joint's position channels replace its offset, as in Blender's importer. Units and the up axis, which a BVH file does
not state, are detected from the dancer.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip, Source
from rigs.files.bvh_parser import Bvh, format_bvh, parse_bvh
from rigs.files.recording import Recording, to_clip, to_y_up
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, JOINTS, PARENTS

_EULER_ORDER = "ZXY"
_REST_ANGLE, _JUMP_ANGLE = np.radians(0.01), np.radians(10.0)
"""Joint angles that count as the rest pose, and that cannot be reached from it within one frame."""


def read(path: Path, fps: float | None = None) -> Clip:
    """Read the dancer of a BVH file; `fps` overrides its frame rate. Raises BadFile."""
    bvh = parse_bvh(path)
    world_rotations, positions = world_transforms(bvh)
    recording = Recording(bvh.names, bvh.parents, fps or bvh.fps, world_rotations, positions, rest_positions(bvh))
    clip = to_clip(path, recording)
    if _starts_in_rest_pose(bvh):
        return replace(clip, warnings=(f"{path.name}: the dance begins in frame 2, frame 1 holds the rest pose",))
    return clip


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of a BVH file with one dancer, in the units and up axis of `like`, or else in centimetres and Y up."""
    if len(motions) != 1:
        raise BadFile(f"{path.name}: one dancer expected in a BVH file, {len(motions)} given; .npz holds two")
    units, up = (like.units, like.up) if like else (0.01, "Y")
    return format_bvh(from_motion(motions[0], units, up)).encode("ascii")


def from_motion(motion: Motion, units: float, up: str) -> Bvh:
    """Convert a Motion to a BVH hierarchy in `units` metres, "Y" or "Z" up; the five leaf joints become end sites."""
    joints = [j for j in _depth_first(0) if CHILDREN[j]]
    ends = [j for j in range(29) if not CHILDREN[j]]
    nodes = [*joints, *ends]
    local_rotations = motion.rotations[:, joints]
    root, offsets = motion.root / units, motion.skeleton.offsets[nodes] / units
    if up == "Y":
        local_rotations = np.concatenate([local_rotations[..., :1], to_y_up(local_rotations[..., 1:])], axis=-1)
        root, offsets = to_y_up(root), to_y_up(offsets)
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


def world_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """Forward kinematics: world rotations (N, F, 4) and positions (N, F, 3) of all nodes, in the file's units."""
    world_rotations, positions = _local_transforms(bvh)
    for node, parent in enumerate(bvh.parents):
        if parent >= 0:
            positions[node] = positions[parent] + rotations.rotate(world_rotations[parent], positions[node])
            world_rotations[node] = (
                rotations.multiply(world_rotations[parent], world_rotations[node])
                if bvh.channels[node]
                else world_rotations[parent]
            )
    return world_rotations, positions


def rest_positions(bvh: Bvh) -> Array:
    """Rest-pose positions (N, 3) of all nodes, the root at its offset, in the file's units and axes."""
    positions = bvh.offsets.copy()
    for node, parent in enumerate(bvh.parents):
        if parent >= 0:
            positions[node] += positions[parent]
    return positions


def _starts_in_rest_pose(bvh: Bvh) -> bool:
    """Whether the first frame is the rest pose, with no joint below the root rotated, and the second jumps away."""
    if len(bvh.values) < 2 or len(bvh.names) < 2:
        return False
    first_frames = replace(bvh, values=bvh.values[:2])
    angles = rotations.angle_between(_local_transforms(first_frames)[0][1:], rotations.IDENTITY)
    return bool(angles[:, 0].max() < _REST_ANGLE and angles[:, 1].max() > _JUMP_ANGLE)


def _local_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """Rotations (N, F, 4), from the Euler channels, and translations (N, F, 3) of each node relative to its parent."""
    nodes, frames = len(bvh.names), len(bvh.values)
    quaternions = rotations.identity(nodes, frames)
    translations = np.repeat(bvh.offsets[:, None], frames, axis=1)
    columns = np.ascontiguousarray(bvh.values.T)
    nodes_by_order: dict[str, list[tuple[int, list[int]]]] = {}
    first_column = 0
    for node, channels in enumerate(bvh.channels):
        angle_columns = []
        for column, channel in enumerate(channels, first_column):
            if channel.endswith("position"):
                translations[node, :, "XYZ".index(channel[0])] = columns[column]
            else:
                angle_columns.append((channel[0], column))
        order = "".join(letter for letter, _ in angle_columns)
        nodes_by_order.setdefault(order, []).append((node, [column for _, column in angle_columns]))
        first_column += len(channels)
    for order, users in nodes_by_order.items():
        if order:
            angles = np.radians(columns[[of for _, of in users]])
            quaternions[[node for node, _ in users]] = rotations.from_euler(np.moveaxis(angles, 1, -1), order)
    return quaternions, translations


def _depth_first(j: int) -> list[int]:
    """Joint `j` and its descendants in depth-first order."""
    return [j, *(below for child in CHILDREN[j] for below in _depth_first(child))]
