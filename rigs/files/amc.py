"""Acclaim recordings: the joint angles of an `.amc` file on the skeleton of the `.asf` file beside it.

The format is Acclaim's of 1992 as described by Lander ("Working with Motion Capture File Formats", Game Developer,
January 1998): every bone has local axes C in the rest pose; the Euler angles R rotate it about these, so that it is
rotated by C R C^-1 relative to its parent. Angles apply in the order in which they are listed, the first one first.
"""

from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip
from rigs.files.acclaim_parser import Asf, parse_amc, parse_asf
from rigs.files.recording import Recording, to_clip

_DEFAULT_FPS = 120.0
"""CMU's frame rate; an AMC file states none."""
_INCH = 0.0254


def read(path: Path, fps: float | None = None) -> Clip:
    """Read the dancer of an `.amc`; without `fps` its frames are taken as CMU's 120 a second. Raises BadFile."""
    skeleton = parse_asf(_find_asf(path))
    values = parse_amc(path, skeleton)
    world_rotations, positions = _world_transforms(skeleton, values)
    names, parents, rest = _skeleton_nodes(skeleton)
    return to_clip(
        path,
        Recording(names, parents, fps or _DEFAULT_FPS, world_rotations, positions, rest, _INCH / skeleton.length_unit),
    )


def _find_asf(path: Path) -> Path:
    """The `.asf` beside a recording: of the same name, of its subject (05.asf for 05_02.amc), or the only one."""
    candidates = sorted(file for file in path.parent.iterdir() if file.suffix.lower() == ".asf")
    subject = path.stem.rpartition("_")[0] or path.stem
    for name in (path.stem, subject):
        for file in candidates:
            if file.stem.lower() == name.lower():
                return file
    if len(candidates) == 1:
        return candidates[0]
    number = f"{len(candidates)} others" if candidates else "none"
    raise BadFile(f"{path.name}: its skeleton {subject}.asf expected beside it, {number} found")


def _skeleton_nodes(skeleton: Asf) -> tuple[tuple[str, ...], tuple[int, ...], Array]:
    """Names, parents and rest positions (N, 3) of the root, the bones, and the end sites of leaf bones."""
    ends = [bone for bone in range(len(skeleton.names)) if bone not in skeleton.parents]
    names = (*skeleton.names, *(f"{skeleton.names[bone]} end site" for bone in ends))
    rest = np.zeros((len(names), 3))
    for bone, parent in enumerate(skeleton.parents):
        if parent >= 0:
            rest[bone] = rest[parent] + skeleton.tips[parent]
    rest[len(skeleton.names) :] = rest[ends] + skeleton.tips[ends]
    return names, (*skeleton.parents, *ends), rest


def _world_transforms(skeleton: Asf, values: tuple[Array, ...]) -> tuple[Array, Array]:
    """Forward kinematics: world rotations (N, F, 4) and positions (N, F, 3) of the nodes, in the file's units and axes.

    values: for each bone (F, C), radians and lengths, in the order of its channels.
    """
    bones, frames = len(skeleton.names), len(values[0])
    world_rotations, positions = rotations.identity(bones, frames), np.zeros((bones, frames, 3))
    for bone, (parent, channels, numbers) in enumerate(zip(skeleton.parents, skeleton.channels, values, strict=True)):
        axes = skeleton.axes[bone]
        angles = [at for at, channel in enumerate(channels) if channel[0] == "r"]
        order = "".join(channels[at][1] for at in reversed(angles)).upper()
        rotation = rotations.from_euler(numbers[:, angles[::-1]], order) if angles else rotations.identity(frames)
        local = rotations.multiply(rotations.multiply(axes, rotation), rotations.inverse(axes))
        translation = np.zeros((frames, 3))
        for at, channel in enumerate(channels):
            if channel[0] == "t":
                translation[:, "xyz".index(channel[1])] = numbers[:, at]
        if parent < 0:
            world_rotations[bone], positions[bone] = local, translation
        else:
            step = skeleton.tips[parent] + rotations.rotate(axes, translation)
            world_rotations[bone] = rotations.multiply(world_rotations[parent], local)
            positions[bone] = positions[parent] + rotations.rotate(world_rotations[parent], step)
    ends = [bone for bone in range(bones) if bone not in skeleton.parents]
    tips = positions[ends] + rotations.rotate(world_rotations[ends], skeleton.tips[ends][:, None])
    return np.concatenate([world_rotations, world_rotations[ends]]), np.concatenate([positions, tips])
