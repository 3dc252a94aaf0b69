"""Convert a recording of any skeleton's moving bones to a dancer: bone mapping, units and up axis are detected.

A file reader supplies names, a bone hierarchy and every bone's world rotations and positions, in the units and axes of
its file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.characters import body_measures, to_motion
from rigs.files import AS_STATED, BadFile, Clip, ReadOptions, Source
from rigs.files.axes import quaternions_to_z_up, to_z_up
from rigs.files.dancer_trees import find_dancer_trees
from rigs.skeleton import JOINTS

_UNITS = (
    # range of plausible heights in metres, and units in it: a rare unit has to fit more closely
    (1.2, 2.3, (1.0, 0.01, 0.001)),
    (1.4, 2.1, (0.1, 0.0254, 0.3048, 0.0254 / 0.45)),  # decimetre, inch, foot, and the unit of CMU's Acclaim files
)
_SAMPLES = 200


@dataclass(frozen=True)
class Recording:
    """Animated nodes (bones, and end sites of leaf bones) in a file's own units and axes.

    names, parents: one for each node, a parent before its children and -1 for a root.
    fps: frames a second.
    world_rotations: (N, F, 4), identity in the rest pose.  positions: (N, F, 3).  rest_positions: (N, 3).
    units: metres in one unit as the file states it, or None.  up: "Y" or "Z" likewise.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    fps: float
    world_rotations: Array
    positions: Array
    rest_positions: Array
    units: float | None = None
    up: str | None = None

    def select(self, nodes: Sequence[int]) -> "Recording":
        """The recording of these nodes alone; one whose parent is not among them becomes a root."""
        index = {node: at for at, node in enumerate(nodes)}
        return replace(
            self,
            names=tuple(self.names[node] for node in nodes),
            parents=tuple(index.get(self.parents[node], -1) for node in nodes),
            world_rotations=self.world_rotations[list(nodes)],
            positions=self.positions[list(nodes)],
            rest_positions=self.rest_positions[list(nodes)],
        )


def to_clip(path: Path, recording: Recording, options: ReadOptions = AS_STATED) -> Clip:
    """Convert a recording to a clip of its dancers, in one world frame. Raises BadFile if the bones are no humanoid's.

    options: the up axis and the unit that the user gives override the detected ones.
    """
    trees, _ = find_dancer_trees(recording.names, recording.parents, recording.rest_positions)
    if len(trees) < 2:
        return _to_solo_clip(path, recording, options)
    first, *others = (recording.select(nodes) for nodes in trees)
    clip = _to_solo_clip(path, first, options)
    for other in others:
        shared_frame = replace(other, units=clip.source.units, up=clip.source.up)
        another = _to_solo_clip(path, shared_frame, options)
        clip = replace(clip, motions=(*clip.motions, *another.motions), warnings=(*clip.warnings, *another.warnings))
    return clip


def _to_solo_clip(path: Path, recording: Recording, options: ReadOptions) -> Clip:
    """Convert the recording of one dancer to a clip. Raises BadFile if the bones are no humanoid's."""
    world, positions, rest = recording.world_rotations, recording.positions, recording.rest_positions
    samples = positions[:, :: max(1, positions.shape[1] // _SAMPLES)]
    try:
        bone_map = map_bones(recording.names, recording.parents, rest)
    except UnmappableRig as error:
        raise BadFile(f"{path.name}: {error}") from None
    in_t_pose = bone_map.convention.t_pose
    up = (
        options.up
        or recording.up
        or body_measures.up_axis(bone_map.bones, rest[:, None] if in_t_pose else samples, rest)
    )
    height = body_measures.body_height(bone_map.bones, samples)
    if not height > 0.0:
        raise BadFile(f"{path.name}: bones of a dancer's size expected, a body {height:g} units tall found")
    units = options.metres_per_unit or _metres_per_unit(recording.units, bone_map.convention.metres_per_unit, height)
    bones = bone_map.bones if in_t_pose else body_measures.drop_implausible_crown(bone_map.bones, samples)
    positions, rest = positions * units, rest * units
    world = quaternions_to_z_up(world, up)
    positions, rest = to_z_up(positions, up), to_z_up(rest, up)
    motion = to_motion.motion_from_bones(recording.fps, bones, world, positions, rest, in_t_pose=in_t_pose)
    followed_bones = to_motion.drop_unfollowed_mid_spine(bones, positions)
    filled_joints = tuple(name for name, bone in zip(JOINTS, followed_bones, strict=True) if bone < 0)
    return Clip((motion,), Source(path, units, up, recording.fps, len(motion), filled_joints))


def world_transforms(parents: Sequence[int], local_rotations: Array, offsets: Array) -> tuple[Array, Array]:
    """Forward kinematics of any hierarchy: world rotations (N, F, 4) and positions (N, F, 3) of its nodes.

    parents: each node's parent, which comes before it; the root's is -1.
    local_rotations: (N, F, 4) and offsets: (N, F, 3), relative to the parent.
    """
    world, positions = local_rotations.copy(), offsets.copy()
    for node, parent in enumerate(parents):
        if parent >= 0:
            world[node] = rotations.multiply(world[parent], local_rotations[node])
            positions[node] = positions[parent] + rotations.rotate(world[parent], offsets[node])
    return world, positions


def _metres_per_unit(own_unit: float | None, convention_unit: float | None, height: float) -> float:
    """Detect the unit that makes a body of `height` units human-sized; if none does, one that makes it 1.7 m tall.

    own_unit: as the file states it.  convention_unit: as files of the same naming convention have it.
    """
    for unit, low, high in ((own_unit, 0.8, 2.6), (convention_unit, 1.2, 2.3)):
        if unit and low < height * unit < high:
            return unit
    fitting = [unit for low, high, units in _UNITS for unit in units if low < height * unit < high]
    return min(fitting, key=lambda unit: abs(np.log(height * unit / 1.7)), default=1.7 / height)
