"""Acclaim recordings: the joint angles of an `.amc` file on the skeleton of the `.asf` file beside it.

The format is Acclaim's of 1992 as described by Lander ("Working with Motion Capture File Formats", Game Developer,
January 1998): every bone has local axes C in the rest pose; the Euler angles R rotate it about these, so that it is
rotated by C R C^-1 relative to its parent. Angles apply in the order in which they are listed, the first one first.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files import BadFile, Clip, ReadOptions
from rigs.files.acclaim.acclaim_parser import Asf, parse_amc, parse_asf
from rigs.files.recording import Recording, to_clip, world_transforms
from rigs.skeleton import rest_positions

_DEFAULT_FPS = 120.0
"""CMU's frame rate; an AMC file states none."""
_INCH = 0.0254


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancer of an `.amc`; without `options.fps` it has CMU's 120 frames a second. Raises BadFile."""
    skeleton = parse_asf(_find_asf(path))
    values, warnings = parse_amc(path, skeleton)
    clip = to_clip(path, to_recording(skeleton, values, options.fps or _DEFAULT_FPS), options)
    return replace(clip, warnings=(*skeleton.warnings, *warnings, *clip.warnings))


def to_recording(skeleton: Asf, values: tuple[Array, ...], fps: float) -> Recording:
    """Convert a skeleton and its channel values to the nodes of a recording: the bones, then their end sites."""
    ends = [bone for bone in range(len(skeleton.names)) if bone not in skeleton.parents]
    names = (*skeleton.names, *(f"{skeleton.names[bone]} end site" for bone in ends))
    parents = (*skeleton.parents, *ends)
    offsets = skeleton.tips[list(parents)]
    offsets[0] = 0.0
    world, positions = world_transforms(parents, *_local_transforms(skeleton, values, offsets))
    rest = rest_positions(offsets, parents)
    return Recording(names, parents, fps, world, positions, rest, _INCH / skeleton.length_unit)


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


def _local_transforms(skeleton: Asf, values: tuple[Array, ...], offsets: Array) -> tuple[Array, Array]:
    """Rotations (N, F, 4) and translations (N, F, 3) of the nodes relative to their parents.

    values: for each bone (F, C), radians and lengths, in the order of its channels.
    offsets: (N, 3) of the bones, and of the end sites of leaf bones after them.
    """
    frames = len(values[0])
    local_rotations, translations = rotations.identity(len(offsets), frames), np.repeat(offsets[:, None], frames, 1)
    for bone, (axes, channels, numbers) in enumerate(zip(skeleton.axes, skeleton.channels, values, strict=True)):
        angles = [at for at, channel in enumerate(channels) if channel[0] == "r"]
        order = "".join(channels[at][1] for at in reversed(angles)).upper()
        rotation = rotations.from_euler(numbers[:, angles[::-1]], order)
        local_rotations[bone] = rotations.multiply(rotations.multiply(axes, rotation), rotations.inverse(axes))
        translation = np.zeros((frames, 3))
        for at, channel in enumerate(channels):
            if channel[0] == "t":
                translation[:, "xyz".index(channel[1])] = numbers[:, at]
        translations[bone] += rotations.rotate(axes, translation) if bone else translation
    return local_rotations, translations
