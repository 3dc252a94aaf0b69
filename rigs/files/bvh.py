"""BVH files, to and from `Motion`: any hierarchy and channel order in, our 29 joints out.

A joint's position channels replace its offset, as in Blender's importer. Units and the up axis, which a BVH does not
state, are recognised from the dancer.
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
"""Turns of a joint up to which it rests, and past which it did not get there by dancing for one frame."""


def read(path: Path, fps: float | None = None) -> Clip:
    """One dancer's file; `fps` overrides what it says. Raises BadFile."""
    bvh = parse_bvh(path)
    turned, places = world_transforms(bvh)
    recording = Recording(bvh.names, bvh.parents, fps or bvh.fps, turned, places, rest_positions(bvh))
    clip = to_clip(path, recording)
    if _starts_in_rest_pose(bvh):
        return replace(clip, warnings=(f"{path.name}: the dance begins in frame 2, frame 1 holds the rest pose",))
    return clip


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of a file with one dancer, in the units and up axis of `like`, or else in centimetres and Y up."""
    if len(motions) != 1:
        raise BadFile(f"{path.name}: one dancer expected in a BVH file, {len(motions)} given; .npz holds two")
    units, up = (like.units, like.up) if like else (0.01, "Y")
    return format_bvh(from_motion(motions[0], units, up)).encode("ascii")


def from_motion(motion: Motion, units: float, up: str) -> Bvh:
    """The 29 joints as a BVH hierarchy in `units` metres, "Y" or "Z" up; the five leaves become end sites."""
    joints = [j for j in _depth_first(0) if CHILDREN[j]]
    ends = [j for j in range(29) if not CHILDREN[j]]
    nodes = [*joints, *ends]
    angled = motion.rotations[:, joints]
    root, offsets = motion.root / units, motion.skeleton.offsets[nodes] / units
    if up == "Y":
        angled = np.concatenate([angled[..., :1], to_y_up(angled[..., 1:])], axis=-1)
        root, offsets = to_y_up(root), to_y_up(offsets)
    angles = np.degrees(np.unwrap(rotations.to_euler(angled, _EULER_ORDER), axis=0))
    turns = tuple(f"{letter}rotation" for letter in _EULER_ORDER)
    return Bvh(
        names=(*(JOINTS[j] for j in joints), *(f"{JOINTS[PARENTS[j]]} end site" for j in ends)),
        parents=tuple(nodes.index(PARENTS[j]) if j else -1 for j in nodes),
        offsets=offsets,
        channels=(("Xposition", "Yposition", "Zposition", *turns), *([turns] * (len(joints) - 1)), *([()] * len(ends))),
        fps=motion.fps,
        values=np.concatenate([root, angles.reshape(len(motion), -1)], axis=1),
    )


def world_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """World rotations (N, F, 4) and positions (N, F, 3) of all nodes, in the file's units and axes."""
    turned, places = _local_transforms(bvh)
    for node, parent in enumerate(bvh.parents):
        if parent >= 0:
            places[node] = places[parent] + rotations.rotate(turned[parent], places[node])
            turned[node] = rotations.multiply(turned[parent], turned[node]) if bvh.channels[node] else turned[parent]
    return turned, places


def rest_positions(bvh: Bvh) -> Array:
    """Positions (N, 3) of all nodes when nothing is turned, the root at its offset, in the file's units and axes."""
    positions = bvh.offsets.copy()
    for node, parent in enumerate(bvh.parents):
        if parent >= 0:
            positions[node] += positions[parent]
    return positions


def _starts_in_rest_pose(bvh: Bvh) -> bool:
    """Whether no joint below the root is turned in the first frame, though in the next one some are, by a jump."""
    if len(bvh.values) < 2 or len(bvh.names) < 2:
        return False
    first = replace(bvh, values=bvh.values[:2])
    away = rotations.angle_between(_local_transforms(first)[0][1:], rotations.IDENTITY)
    return bool(away[:, 0].max() < _REST_ANGLE and away[:, 1].max() > _JUMP_ANGLE)


def _local_transforms(bvh: Bvh) -> tuple[Array, Array]:
    """Each node's rotation (N, F, 4) and place (N, F, 3) relative to its parent."""
    nodes, frames = len(bvh.names), len(bvh.values)
    turned = rotations.identity(nodes, frames)
    places = np.repeat(bvh.offsets[:, None], frames, axis=1)
    columns = np.ascontiguousarray(bvh.values.T)
    same_order: dict[str, list[tuple[int, list[int]]]] = {}
    at = 0
    for node, channels in enumerate(bvh.channels):
        turns = []
        for column, channel in enumerate(channels, at):
            if channel.endswith("position"):
                places[node, :, "XYZ".index(channel[0])] = columns[column]
            else:
                turns.append((channel[0], column))
        order = "".join(letter for letter, _ in turns)
        same_order.setdefault(order, []).append((node, [column for _, column in turns]))
        at += len(channels)
    for order, users in same_order.items():
        if order:
            angles = np.radians(columns[[of for _, of in users]])
            turned[[node for node, _ in users]] = rotations.from_euler(np.moveaxis(angles, 1, -1), order)
    return turned, places


def _depth_first(j: int) -> list[int]:
    return [j, *(below for child in CHILDREN[j] for below in _depth_first(child))]
