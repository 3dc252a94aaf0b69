"""Convert a recording of any skeleton's moving bones to a dancer: bone mapping, units and up axis are detected.

A file reader supplies names, a bone hierarchy and every bone's world rotations and positions, in the units and axes of
its file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_map import REQUIRED, BoneMap, UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_confidence import doubtful_joints
from rigs.characters import body_measures, to_motion
from rigs.files import AS_STATED, BadFile, Clip, ReadOptions, Source
from rigs.files.conventions.axes import quaternions_to_z_up, reflect, reflect_quaternions, to_z_up, z_up_rotation
from rigs.files.conventions.conventions import Conventions, Stated, detect_conventions
from rigs.files.conventions.handedness import MIRRORED, is_mirrored
from rigs.files.dancer_trees import find_dancer_trees
from rigs.motion import Motion
from rigs.skeleton import INDEX, JOINTS

_SAMPLES = 200
_MAX_LISTED = 3
"""Doubtful bones that a warning lists."""
_MAX_PLACE = 1e9
"""In any unit beyond every stage."""
_MAX_STRETCH = 0.1
"""By which a quaternion may be longer or shorter than 1."""


@dataclass(frozen=True)
class Recording:
    """Animated nodes (bones, and end sites of leaf bones) in a file's own units and axes.

    names, parents: one for each node, a parent before its children and -1 for a root.
    fps: frames a second.
    world_rotations: (N, F, 4), identity in the rest pose.  positions: (N, F, 3).  rest_positions: (N, 3).
    units: metres in one unit as the file states it, or None.  units_are_sure: its format states them reliably.
    up: the up axis as the file states it, or None.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    fps: float
    world_rotations: Array
    positions: Array
    rest_positions: Array
    units: float | None = None
    up: str | None = None
    units_are_sure: bool = False

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

    def reflect(self) -> "Recording":
        """The recording in axes of the other handedness: its X axis points the other way."""
        return replace(
            self,
            world_rotations=reflect_quaternions(self.world_rotations),
            positions=reflect(self.positions),
            rest_positions=reflect(self.rest_positions),
        )


def to_clip(path: Path, recording: Recording, options: ReadOptions = AS_STATED) -> Clip:
    """Convert a recording to a clip of its dancers, in one world frame. Raises BadFile if the bones are no humanoid's.

    options: the up axis and the unit that the user gives override the detected ones.
    """
    trees, _ = find_dancer_trees(recording.names, recording.parents, recording.rest_positions)
    recordings = [recording.select(nodes) for nodes in trees] if len(trees) > 1 else [recording]
    bone_maps = [_map_bones(path, dancer) for dancer in recordings]
    for dancer, bone_map in zip(recordings, bone_maps, strict=True):
        _expect_movement(path, dancer, bone_map)
    warnings = [text for maps in zip(recordings, bone_maps, strict=True) for text in _doubts(path, *maps)]
    mirrored = is_mirrored(_joint_positions(recordings[0], bone_maps[0]))
    if mirrored:
        warnings.append(f"{path.name}: {MIRRORED}")
        recordings = [dancer.reflect() for dancer in recordings]
    tallest = _tallest(recordings, bone_maps)
    conventions = _conventions(path, recordings[tallest], bone_maps[tallest], options)
    dancers = [
        _to_motion(dancer, bone_map, conventions) for dancer, bone_map in zip(recordings, bone_maps, strict=True)
    ]
    motion, filled_joints = dancers[0]
    source = Source(path, conventions.metres, conventions.up, recording.fps, len(motion), filled_joints, mirrored)
    return Clip(tuple(motion for motion, _ in dancers), source, (*warnings, *conventions.warnings))


def _expect_movement(path: Path, recording: Recording, bone_map: BoneMap) -> None:
    """Raise BadFile for numbers that no bone has: of damaged files, and of bones scaled to nothing."""
    for at in sorted({*bone_map.bones, *bone_map.spine, *bone_map.neck} - {-1}):
        turns, places, rest = (
            rows[at] for rows in (recording.world_rotations, recording.positions, recording.rest_positions)
        )
        for what, is_good in (
            ("a rotation", (np.abs(np.linalg.norm(turns, axis=-1) - 1.0) < _MAX_STRETCH)),
            ("a place within reach", (np.abs(places) < _MAX_PLACE).all(axis=-1)),
            ("a place at rest within reach", (np.abs(rest[None]) < _MAX_PLACE).all(axis=-1)),
        ):
            if not is_good.all():
                frame = int(np.argmin(is_good)) + 1
                raise BadFile(f"{path.name}, {recording.names[at]}, frame {frame}: {what} expected, none found")


def _map_bones(path: Path, recording: Recording) -> BoneMap:
    """Map the bones to the joints. Raises BadFile."""
    try:
        return map_bones(recording.names, recording.parents, recording.rest_positions)
    except UnmappableRig as error:
        raise BadFile(f"{path.name}: {error}") from None


def _tallest(recordings: Sequence[Recording], bone_maps: Sequence[BoneMap]) -> int:
    """The number of the tallest dancer: beside a child, whose size may be an adult's in another unit, the adult."""
    heights = [
        body_measures.body_height(bone_map.bones, dancer.positions[:, :1])
        for dancer, bone_map in zip(recordings, bone_maps, strict=True)
    ]
    return int(np.argmax(heights))


def _doubts(path: Path, recording: Recording, bone_map: BoneMap) -> list[str]:
    """A warning that names the doubtful bones of a dancer's pelvis and limbs, if there are any."""
    joints = [joint for joint in doubtful_joints(bone_map) if joint in REQUIRED]
    bones = [(joint, bone_map.bones[INDEX[joint]]) for joint in joints]
    if not bones:
        return []
    listed = ", ".join(f"{recording.names[bone]} as {joint}" for joint, bone in bones[:_MAX_LISTED])
    more = f" and {len(bones) - _MAX_LISTED} more" if len(bones) > _MAX_LISTED else ""
    return [f"{path.name}: bones that may be wrong, by their names or places: {listed}{more}"]


def _conventions(path: Path, recording: Recording, bone_map: BoneMap, options: ReadOptions) -> Conventions:
    """Detect up axis and unit of the file from the movement of one dancer. Raises BadFile for a body without size."""
    stated = Stated(
        up=recording.up,
        metres=recording.units,
        convention_metres=bone_map.convention.metres_per_unit,
        unit_is_sure=recording.units_are_sure,
    )
    joints, rest = _joint_positions(recording, bone_map), recording.rest_positions[list(bone_map.bones)]
    return detect_conventions(path.name, joints, recording.fps, stated, options, rest=rest)


def _joint_positions(recording: Recording, bone_map: BoneMap) -> Array:
    """The joints' positions (F, 29, 3) in the file's units and axes, nan for those that it lacks."""
    bones = list(bone_map.bones)
    joints = recording.positions[bones].swapaxes(0, 1)
    joints[:, [j for j, bone in enumerate(bones) if bone < 0]] = np.nan
    return joints


def _to_motion(recording: Recording, bone_map: BoneMap, conventions: Conventions) -> tuple[Motion, tuple[str, ...]]:
    """Convert one dancer's recording to a Motion; also the joints that it lacks and that were estimated."""
    rest = to_z_up(recording.rest_positions * conventions.metres, conventions.rest_up)
    in_t_pose = bone_map.convention.t_pose and body_measures.faces_front(rest[list(bone_map.bones)])
    samples = recording.positions[:, :: max(1, recording.positions.shape[1] // _SAMPLES)]
    bones = bone_map.bones if in_t_pose else body_measures.drop_implausible_crown(bone_map.bones, samples)
    positions = to_z_up(recording.positions * conventions.metres, conventions.up)
    world = quaternions_to_z_up(recording.world_rotations, conventions.up)
    if conventions.rest_up != conventions.up:
        world = rotations.multiply(world, z_up_rotation(conventions.up, conventions.rest_up))
    motion = to_motion.motion_from_bones(recording.fps, bones, world, positions, rest, in_t_pose=in_t_pose)
    followed_bones = to_motion.drop_unfollowed_mid_spine(bones, positions)
    return motion, tuple(name for name, bone in zip(JOINTS, followed_bones, strict=True) if bone < 0)


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
