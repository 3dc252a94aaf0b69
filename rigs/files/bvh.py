"""BVH files, to and from `Motion`: any hierarchy and channel order in, our 29 joints out.

A joint's position channels replace its offset, as in Blender's importer. Units and the up axis, which a BVH does not
state, are recognised from the dancer.
"""

from pathlib import Path

import numpy as np

from rigs import Array, canonical, rotations
from rigs.files import BadFile, Clip, Source
from rigs.files.bvh_text import Bvh, parse, to_text
from rigs.mapping import Mapping, NoDancer, map_bones
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, JOINTS, PARENTS

__all__ = ["Bvh", "from_motion", "parse", "read", "rest_positions", "to_text", "to_y_up", "to_z_up", "world", "write"]

_UNITS = (
    # the least and greatest height in metres, and the units that it makes believable: a rare unit has to fit well
    (1.2, 2.3, (1.0, 0.01, 0.001)),
    (1.4, 2.1, (0.1, 0.0254, 0.3048, 0.0254 / 0.45)),  # decimetre, inch, foot, and the unit of CMU's Acclaim files
)
_SAMPLES = 200
_ORDER = "ZXY"


def read(path: Path) -> Clip:
    """One dancer's file. Raises BadFile."""
    bvh = parse(path)
    try:
        mapping = map_bones(bvh.names, bvh.parents)
    except NoDancer as error:
        raise BadFile(f"{path.name}: {error}") from None
    turned, places = world(bvh)
    rest, some = rest_positions(bvh), places[:, :: max(1, len(bvh.values) // _SAMPLES)]
    ours = mapping.dialect.t_pose
    up = canonical.up_axis(mapping.bones, rest[:, None] if ours else some, rest)
    stature = canonical.stature(mapping.bones, some)
    if not stature > 0.0:
        raise BadFile(f"{path.name}: bones of a dancer's size expected, a body {stature:g} units tall found")
    units = _metres_per_unit(mapping, stature)
    bones = mapping.bones if ours else canonical.believable(mapping.bones, some)
    places, rest = places * units, rest * units
    if up == "Y":
        turned = np.concatenate([turned[..., :1], to_z_up(turned[..., 1:])], axis=-1)
        places, rest = to_z_up(places), to_z_up(rest)
    motion = canonical.to_motion(bvh.fps, bones, turned, places, rest, in_t_pose=ours)
    filled = tuple(name for name, bone in zip(JOINTS, bones, strict=True) if bone < 0)
    return Clip((motion,), Source(path, units, up, bvh.fps, len(motion), filled))


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of a file with one dancer, in the units and up axis of `like`, or else in centimetres and Y up."""
    if len(motions) != 1:
        raise BadFile(f"{path.name}: one dancer expected in a BVH file, {len(motions)} given; .npz holds two")
    units, up = (like.units, like.up) if like else (0.01, "Y")
    return to_text(from_motion(motions[0], units, up)).encode("ascii")


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
    angles = np.degrees(np.unwrap(rotations.to_euler(angled, _ORDER), axis=0))
    turns = tuple(f"{letter}rotation" for letter in _ORDER)
    return Bvh(
        names=(*(JOINTS[j] for j in joints), *(f"{JOINTS[PARENTS[j]]} end site" for j in ends)),
        parents=tuple(nodes.index(PARENTS[j]) if j else -1 for j in nodes),
        offsets=offsets,
        channels=(("Xposition", "Yposition", "Zposition", *turns), *([turns] * (len(joints) - 1)), *([()] * len(ends))),
        fps=motion.fps,
        values=np.concatenate([root, angles.reshape(len(motion), -1)], axis=1),
    )


def world(bvh: Bvh) -> tuple[Array, Array]:
    """World rotations (N, F, 4) and positions (N, F, 3) of all nodes, in the file's units and axes."""
    turned, places = _local(bvh)
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


def to_z_up(v: Array) -> Array:
    """From Y up and Z to the front to Blender's Z up and -Y to the front: vectors, or axes of rotation (..., 3)."""
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], axis=-1)


def to_y_up(v: Array) -> Array:
    """From Blender's Z up to Y up: vectors, or axes of rotation (..., 3)."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1)


def _local(bvh: Bvh) -> tuple[Array, Array]:
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


def _metres_per_unit(mapping: Mapping, stature: float) -> float:
    """Which unit makes a body of `stature` units a person; where none does, the one that makes it 1.7 m tall."""
    own = mapping.dialect.units
    if own and 1.2 < stature * own < 2.3:
        return own
    fitting = [unit for low, high, units in _UNITS for unit in units if low < stature * unit < high]
    return min(fitting, key=lambda unit: abs(np.log(stature * unit / 1.7)), default=1.7 / stature)


def _depth_first(j: int) -> list[int]:
    return [j, *(below for child in CHILDREN[j] for below in _depth_first(child))]
