"""The bones of a rig as some file moves them, and the dancer whom they are.

A reader brings names, a hierarchy and every bone's turns and places, in whatever units and axes its file has. Which
bone is which joint, the units and the up axis are recognised here, from the dancer.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.bone_mapping.bone_mapper import UnmappableRig, map_bones
from rigs.characters import body_measures, to_motion
from rigs.files import BadFile, Clip, Source
from rigs.skeleton import JOINTS

_UNITS = (
    # the least and greatest height in metres, and the units that it makes believable: a rare unit has to fit well
    (1.2, 2.3, (1.0, 0.01, 0.001)),
    (1.4, 2.1, (0.1, 0.0254, 0.3048, 0.0254 / 0.45)),  # decimetre, inch, foot, and the unit of CMU's Acclaim files
)
_SAMPLES = 200


@dataclass(frozen=True)
class Recording:
    """Nodes (bones, and end sites where a bone ends in none) that move, in a file's own units and axes.

    names, parents: one for each node, a parent before its children and -1 for a root.
    fps: frames a second.
    turned: (N, F, 4) world rotations, identity in the rest pose.  places: (N, F, 3).  rest: (N, 3), the rest pose.
    units: metres in one unit by the file's own account, or None.  up: "Y" or "Z" likewise.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    fps: float
    world_rotations: Array
    positions: Array
    rest_positions: Array
    units: float | None = None
    up: str | None = None


def to_clip(path: Path, recording: Recording) -> Clip:
    """The one dancer of a recording. Raises BadFile where it is none."""
    rest, places, turned = recording.rest_positions, recording.positions, recording.world_rotations
    some = places[:, :: max(1, places.shape[1] // _SAMPLES)]
    try:
        mapping = map_bones(recording.names, recording.parents, rest)
    except UnmappableRig as error:
        raise BadFile(f"{path.name}: {error}") from None
    ours = mapping.convention.t_pose
    up = recording.up or body_measures.up_axis(mapping.bones, rest[:, None] if ours else some, rest)
    stature = body_measures.body_height(mapping.bones, some)
    if not stature > 0.0:
        raise BadFile(f"{path.name}: bones of a dancer's size expected, a body {stature:g} units tall found")
    units = _metres_per_unit(recording.units, mapping.convention.metres_per_unit, stature)
    bones = mapping.bones if ours else body_measures.drop_implausible_crown(mapping.bones, some)
    places, rest = places * units, rest * units
    if up == "Y":
        turned = np.concatenate([turned[..., :1], to_z_up(turned[..., 1:])], axis=-1)
        places, rest = to_z_up(places), to_z_up(rest)
    motion = to_motion.motion_from_bones(recording.fps, bones, turned, places, rest, in_t_pose=ours)
    own = to_motion.drop_unfollowed_mid_spine(bones, places)
    filled = tuple(name for name, bone in zip(JOINTS, own, strict=True) if bone < 0)
    return Clip((motion,), Source(path, units, up, recording.fps, len(motion), filled))


def to_z_up(v: Array) -> Array:
    """From Y up and Z to the front to Blender's Z up and -Y to the front: vectors, or axes of rotation (..., 3)."""
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], axis=-1)


def to_y_up(v: Array) -> Array:
    """From Blender's Z up to Y up: vectors, or axes of rotation (..., 3)."""
    return np.stack([v[..., 0], v[..., 2], -v[..., 1]], axis=-1)


def _metres_per_unit(own_unit: float | None, convention_unit: float | None, height: float) -> float:
    """Which unit makes a body of `stature` units a person; where none does, the one that makes it 1.7 m tall.

    stated: the file's own.  usual: what others of its dialect have.
    """
    for unit, low, high in ((own_unit, 0.8, 2.6), (convention_unit, 1.2, 2.3)):
        if unit and low < height * unit < high:
            return unit
    fitting = [unit for low, high, units in _UNITS for unit in units if low < height * unit < high]
    return min(fitting, key=lambda unit: abs(np.log(height * unit / 1.7)), default=1.7 / height)
