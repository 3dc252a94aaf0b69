"""Parser for Acclaim files: the skeleton of an `.asf` file, and the joint angles per frame of an `.amc` file."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.bone_mapping.bone_hierarchy import topological_order
from rigs.files import BadFile
from rigs.files.channel_gaps import fill_channel_gaps
from rigs.files.frame_numbers import place_frames
from rigs.files.text import Text, read_numbers_text

_ROOT = "root"
_CHANNELS = ("rx", "ry", "rz", "tx", "ty", "tz")


@dataclass(frozen=True)
class Asf:
    """An Acclaim skeleton; the root is its first bone, and parents come before their children.

    names, parents: one for each bone; the root's parent is -1.
    tips: (N, 3) each bone's end relative to its start in the rest pose.  axes: (N, 4) each bone's local axes there.
    channels: each bone's degrees of freedom, such as "rx" or "tz".
    length_unit: the file's lengths are inches times this.  degrees: whether its angles are in degrees.
    warnings: sentences about its text.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    tips: Array
    axes: Array
    channels: tuple[tuple[str, ...], ...]
    length_unit: float
    degrees: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Line:
    """One statement: its words, the first in lower case, and the file and line number for error messages."""

    place: str
    number: int
    word: str
    rest: list[str]

    def error(self, complaint: str) -> BadFile:
        """A BadFile error at this line."""
        return BadFile(f"{self.place}, line {self.number}: {complaint}")

    def numbers(self, count: int) -> list[float]:
        """Parse `count` finite numbers after the keyword. Raises BadFile."""
        if len(self.rest) != count:
            raise self.error(f"{count} number{'s' * (count != 1)} expected for {self.word}, {len(self.rest)} found")
        try:
            values = [float(word) for word in self.rest]
        except ValueError:
            values = [np.nan]
        if not np.isfinite(values).all():
            raise self.error(f"numbers expected for {self.word}, '{' '.join(self.rest)}' found")
        return values


_Statements = dict[str, _Line]
"""The statements of one bone, of the root or of the units, by keyword."""


def parse_asf(path: Path) -> Asf:
    """Parse an Acclaim skeleton file. Raises BadFile with the line that is wrong."""
    units: _Statements = {}
    root: _Statements = {}
    bones: list[_Statements] = []
    hierarchy: list[_Line] = []
    section, depth = "", 0
    text = read_numbers_text(path)
    for line in _read_lines(path, text):
        if line.word.startswith(":"):
            section = line.word
        elif line.word in ("begin", "end"):
            depth += 1 if line.word == "begin" else -1
            if section == ":bonedata" and line.word == "begin":
                bones.append({"begin": line})
        elif section == ":units":
            units[line.word] = line
        elif section == ":root":
            root[line.word] = line
        elif section == ":bonedata" and bones:
            bones[-1][line.word] = line
        elif section == ":hierarchy":
            hierarchy.append(line)
    if depth or not bones or not hierarchy:
        raise BadFile(f"{path.name}: an Acclaim skeleton with :bonedata and :hierarchy, each to its end, expected")
    return replace(_build_skeleton(path, units, root, bones, hierarchy), warnings=text.warnings)


def parse_amc(path: Path, skeleton: Asf) -> tuple[tuple[Array, ...], tuple[str, ...]]:
    """Parse an Acclaim motion file: the channels (F, C) of each bone, in radians and the file's length unit.

    Frames whose numbers are missing are interpolated, and a cut-off last one is left out, with warnings, which are
    returned too. Raises BadFile with the line that is wrong.
    """
    text = read_numbers_text(path)
    frames, numbers, degrees, cut_off = _parse_frames(_read_lines(path, text), skeleton)
    if not frames:
        raise BadFile(f"{path.name}: at least one frame expected, none found")
    at, gap_warnings = place_frames(path.name, numbers)
    values = []
    for bone, channels in enumerate(skeleton.channels):
        angles = [c for c, channel in enumerate(channels) if channel[0] == "r"]
        column = np.full((at[-1] + 1, len(channels)), np.nan)
        if channels:
            column[at] = [frame[bone] for frame in frames]
        if degrees:
            column[:, angles] = np.radians(column[:, angles])
        names = [f"{channel[1]}{'rotation' if channel[0] == 'r' else 'position'}" for channel in channels]
        values.append(fill_channel_gaps(path.name, column, names, turn=2.0 * np.pi)[0])
    return tuple(values), (*text.warnings, *cut_off, *gap_warnings)


def _parse_frames(
    lines: Iterator[_Line], skeleton: Asf
) -> tuple[list[dict[int, list[float]]], list[int], bool, list[str]]:
    """The values of each frame by bone, the frames' numbers, whether angles are in degrees, and warnings.

    Raises BadFile with the line that is wrong.
    """
    bones = {name.lower(): bone for bone, name in enumerate(skeleton.names)}
    animated = {bone for bone, channels in enumerate(skeleton.channels) if channels}
    frames: list[dict[int, list[float]]] = []
    numbers: list[int] = []
    degrees = skeleton.degrees
    try:
        for line in lines:
            if line.word.startswith(":"):
                degrees = {":degrees": True, ":radians": False}.get(line.word, degrees)
            elif line.word.isdecimal() and not line.rest:
                _expect_all_bones(line, frames, animated, skeleton)
                frames.append({})
                numbers.append(int(line.word[:18]))
            elif line.word not in bones or not frames:
                expected = "a bone of its skeleton" if frames else "the number of a frame"
                raise line.error(f"{expected} expected, '{line.word}' found")
            else:
                bone = bones[line.word]
                frames[-1][bone] = line.numbers(len(skeleton.channels[bone]))
        if frames:
            _expect_all_bones(line, frames, animated, skeleton)
    except BadFile as error:
        if next(lines, None) is not None or len(frames) < 2:
            raise
        return frames[:-1], numbers[:-1], degrees, [f"{error}; the cut-off frame is left out"]
    return frames, numbers, degrees, []


def _read_lines(path: Path, text: Text) -> Iterator[_Line]:
    """Split a file into statements, without empty lines and # comments."""
    for number, line in enumerate(text.text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words:
            yield _Line(path.name, number, words[0].lower(), words[1:])


def _expect_all_bones(line: _Line, frames: list[dict[int, list[float]]], animated: set[int], skeleton: Asf) -> None:
    """Raise BadFile unless the frame before this line has values for every animated bone."""
    missing = animated - frames[-1].keys() if frames else set()
    if missing:
        raise line.error(f"numbers for {skeleton.names[min(missing)]} in frame {len(frames)} expected, none found")


def _build_skeleton(
    path: Path, units: _Statements, root: _Statements, bones: list[_Statements], hierarchy: list[_Line]
) -> Asf:
    """Build the skeleton from its parsed sections, in topological order."""
    for bone in bones:
        for word in ("name", "direction", "length"):
            if word not in bone:
                raise bone["begin"].error(f"a bone with a {word} expected")
    names = [_ROOT, *(" ".join(bone["name"].rest) for bone in bones)]
    parents, order = _parents(path, names, hierarchy)
    degrees = "angle" not in units or units["angle"].rest[:1] != ["rad"]
    length = units["length"].numbers(1)[0] if "length" in units else 1.0
    if not length > 0.0:
        raise units["length"].error(f"a unit of length above zero expected, {length:g} found")
    directions = rotations.normalize(np.array([[0.0, 0.0, 0.0], *(bone["direction"].numbers(3) for bone in bones)]))
    lengths = np.array([0.0, *(bone["length"].numbers(1)[0] for bone in bones)])
    axes = [_root_axis_rotation(root, degrees), *(_axis_rotation(bone.get("axis"), degrees) for bone in bones)]
    if "order" not in root:
        raise BadFile(f"{path.name}: an order such as TX TY TZ RX RY RZ expected for the root, none found")
    channels = [_channels(root, "order"), *(_channels(bone, "dof") for bone in bones)]
    return Asf(
        names=tuple(names[bone] for bone in order),
        parents=tuple(order.index(parents[bone]) if parents[bone] >= 0 else -1 for bone in order),
        tips=(directions * lengths[:, None])[order],
        axes=np.array(axes)[order],
        channels=tuple(channels[bone] for bone in order),
        length_unit=length,
        degrees=degrees,
    )


def _parents(path: Path, names: list[str], hierarchy: list[_Line]) -> tuple[list[int], list[int]]:
    """Each bone's parent, from :hierarchy, and the topological order of the bones.

    Raises BadFile unless every bone descends from the root.
    """
    bone_index = {name.lower(): bone for bone, name in enumerate(names)}
    parents = [-1] * len(names)
    for line in hierarchy:
        for name in (line.word, *line.rest):
            if name.lower() not in bone_index:
                raise line.error(f"a bone of :bonedata expected, '{name}' found")
        for name in line.rest:
            parents[bone_index[name.lower()]] = bone_index[line.word]
    unattached = [name for name, parent in zip(names[1:], parents[1:], strict=True) if parent < 0]
    expected = f"{path.name}: every bone below the root expected in :hierarchy"
    if unattached or parents[0] >= 0:
        raise BadFile(f"{expected}, {(unattached or [_ROOT])[0]} is not")
    try:
        return parents, topological_order(parents)
    except ValueError:
        raise BadFile(f"{expected}, a cycle found") from None


def _channels(words: _Statements, word: str) -> tuple[str, ...]:
    """The degrees of freedom of a bone in lower case."""
    if word not in words:
        return ()
    channels = tuple(channel.lower() for channel in words[word].rest)
    if not set(channels) <= set(_CHANNELS):
        raise words[word].error(f"degrees of freedom such as rx expected, '{' '.join(channels)}' found")
    return channels


def _root_axis_rotation(root: _Statements, degrees: bool) -> Array:
    """The root's local axes (4,): its angles and their Euler order stand in two lines."""
    if "orientation" not in root:
        return rotations.IDENTITY
    line = root["orientation"]
    order = root["axis"].rest[:1] if "axis" in root else []
    return _axis_rotation(replace(line, rest=[*line.rest, *order]), degrees)


def _axis_rotation(line: _Line | None, degrees: bool) -> Array:
    """The rotation (4,) of three Euler angles about fixed axes, the first letter's applied first."""
    if line is None:
        return rotations.IDENTITY
    letters = line.rest[3].upper() if len(line.rest) > 3 else "XYZ"
    if sorted(letters) != ["X", "Y", "Z"]:
        raise line.error(f"an order of axes such as XYZ expected, '{letters}' found")
    angles = np.array(replace(line, rest=line.rest[:3]).numbers(3))
    return rotations.from_euler((np.radians(angles) if degrees else angles)[::-1], letters[::-1])
