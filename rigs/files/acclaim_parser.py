"""The text of Acclaim's files: the bones of an `.asf`, and the numbers that an `.amc` gives them in every frame."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.characters.rig import topological_order
from rigs.files import BadFile

_ROOT = "root"
_CHANNELS = ("rx", "ry", "rz", "tx", "ty", "tz")


@dataclass(frozen=True)
class Asf:
    """A skeleton; the root is its first bone, and each bone comes before those that hang on it.

    names, parents: one for each bone; the root's parent is -1.
    tips: (N, 3) each bone's end from its start, in the rest pose.  axes: (N, 4) each bone's own axes there.
    channels: for each bone what moves it, such as "rx" or "tz".
    length: what the file divides lengths by, to be inches.  degrees: how it writes angles.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    tips: Array
    axes: Array
    channels: tuple[tuple[str, ...], ...]
    length_unit: float
    degrees: bool


@dataclass(frozen=True)
class _Line:
    """A line's words, its first one in lower case, and the place to name in a complaint."""

    place: str
    number: int
    word: str
    rest: list[str]

    def error(self, complaint: str) -> BadFile:
        return BadFile(f"{self.place}, line {self.number}: {complaint}")

    def numbers(self, count: int) -> list[float]:
        """So many finite numbers behind the word. Raises BadFile."""
        if len(self.rest) != count:
            raise self.error(f"{count} number{'s' * (count != 1)} expected for {self.word}, {len(self.rest)} found")
        try:
            found = [float(word) for word in self.rest]
        except ValueError:
            found = [np.nan]
        if not np.isfinite(found).all():
            raise self.error(f"numbers expected for {self.word}, '{' '.join(self.rest)}' found")
        return found


_Statements = dict[str, _Line]
"""The lines of one bone, of the root or of the units, by their first word."""


def parse_asf(path: Path) -> Asf:
    """Read a skeleton. Raises BadFile with the line that is wrong."""
    units: _Statements = {}
    root: _Statements = {}
    bones: list[_Statements] = []
    branches: list[_Line] = []
    section, depth = "", 0
    for line in _read_lines(path):
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
            branches.append(line)
    if depth or not bones or not branches:
        raise BadFile(f"{path.name}: an Acclaim skeleton with :bonedata and :hierarchy, each to its end, expected")
    return _build_skeleton(path, units, root, bones, branches)


def parse_amc(path: Path, skeleton: Asf) -> tuple[Array, ...]:
    """Each bone's channels (F, C), radians and the file's lengths. Raises BadFile with the line that is wrong."""
    bones = {name.lower(): bone for bone, name in enumerate(skeleton.names)}
    moved = {bone for bone, channels in enumerate(skeleton.channels) if channels}
    frames: list[dict[int, list[float]]] = []
    degrees = skeleton.degrees
    for line in _read_lines(path):
        if line.word.startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(line.word, degrees)
        elif line.word.isdecimal() and not line.rest:
            _expect_all_bones(line, frames, moved, skeleton)
            frames.append({})
        elif line.word not in bones or not frames:
            expected = "a bone of its skeleton" if frames else "the number of a frame"
            raise line.error(f"{expected} expected, '{line.word}' found")
        else:
            bone = bones[line.word]
            frames[-1][bone] = line.numbers(len(skeleton.channels[bone]))
    if not frames:
        raise BadFile(f"{path.name}: at least one frame expected, none found")
    _expect_all_bones(line, frames, moved, skeleton)
    values = []
    for bone, channels in enumerate(skeleton.channels):
        numbers = np.array([frame[bone] for frame in frames]) if bone in moved else np.zeros((len(frames), 0))
        turns = [at for at, channel in enumerate(channels) if channel[0] == "r"]
        numbers[:, turns] = np.radians(numbers[:, turns]) if degrees else numbers[:, turns]
        values.append(numbers)
    return tuple(values)


def _read_lines(path: Path) -> Iterator[_Line]:
    """The lines that say something; what follows a # does not."""
    for number, text in enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), start=1):
        words = text.partition("#")[0].split()
        if words:
            yield _Line(path.name, number, words[0].lower(), words[1:])


def _expect_all_bones(line: _Line, frames: list[dict[int, list[float]]], moved: set[int], skeleton: Asf) -> None:
    """Raise BadFile unless the frame before this line has every bone that moves."""
    absent = moved - frames[-1].keys() if frames else set()
    if absent:
        raise line.error(f"numbers for {skeleton.names[min(absent)]} in frame {len(frames)} expected, none found")


def _build_skeleton(
    path: Path, units: _Statements, root: _Statements, bones: list[_Statements], branches: list[_Line]
) -> Asf:
    for bone in bones:
        for word in ("name", "direction", "length"):
            if word not in bone:
                raise bone["begin"].error(f"a bone with a {word} expected")
    names = [_ROOT, *(" ".join(bone["name"].rest) for bone in bones)]
    parents = _parents(path, names, branches)
    order = topological_order(parents)
    degrees = "angle" not in units or units["angle"].rest[:1] != ["rad"]
    length = units["length"].numbers(1)[0] if "length" in units else 1.0
    if not length > 0.0:
        raise units["length"].error(f"a unit of length above zero expected, {length:g} found")
    directions = rotations.normalize(np.array([[0.0, 0.0, 0.0], *(bone["direction"].numbers(3) for bone in bones)]))
    lengths = np.array([0.0, *(bone["length"].numbers(1)[0] for bone in bones)])
    axes = [_root_axis_rotation(root, degrees), *(_axis_rotation(bone.get("axis"), degrees) for bone in bones)]
    channels = [_channels(path, root, "order"), *(_channels(path, bone, "dof") for bone in bones)]
    return Asf(
        names=tuple(names[bone] for bone in order),
        parents=tuple(order.index(parents[bone]) if parents[bone] >= 0 else -1 for bone in order),
        tips=(directions * lengths[:, None])[order],
        axes=np.array(axes)[order],
        channels=tuple(channels[bone] for bone in order),
        length_unit=length,
        degrees=degrees,
    )


def _parents(path: Path, names: list[str], branches: list[_Line]) -> list[int]:
    """Each bone's parent; every bone must hang on the root in the end."""
    known = {name.lower(): bone for bone, name in enumerate(names)}
    parents = [-1] * len(names)
    for line in branches:
        for name in (line.word, *line.rest):
            if name.lower() not in known:
                raise line.error(f"a bone of :bonedata expected, '{name}' found")
        for name in line.rest:
            parents[known[name.lower()]] = known[line.word]
    loose = [name for name, parent in zip(names[1:], parents[1:], strict=True) if parent < 0]
    if loose or parents[0] >= 0:
        raise BadFile(f"{path.name}: every bone below the root expected in :hierarchy, {(loose or [_ROOT])[0]} is not")
    try:
        topological_order(parents)
    except ValueError:
        raise BadFile(f"{path.name}: every bone below the root expected in :hierarchy, a ring of bones found") from None
    return parents


def _channels(path: Path, words: _Statements, word: str) -> tuple[str, ...]:
    """What moves a bone; only the root has to move."""
    if word not in words:
        if word == "order":
            raise BadFile(f"{path.name}: an order such as TX TY TZ RX RY RZ expected for the root, none found")
        return ()
    listed = tuple(channel.lower() for channel in words[word].rest)
    if not set(listed) <= set(_CHANNELS):
        raise words[word].error(f"turns and moves such as rx expected, '{' '.join(listed)}' found")
    return listed


def _root_axis_rotation(root: _Statements, degrees: bool) -> Array:
    """The root's axes (4,): its angles stand in one line and their order in another."""
    if "orientation" not in root:
        return rotations.IDENTITY
    line = root["orientation"]
    order = root["axis"].rest[:1] if "axis" in root else []
    return _axis_rotation(replace(line, rest=[*line.rest, *order]), degrees)


def _axis_rotation(line: _Line | None, degrees: bool) -> Array:
    """The rotation (4,) of a line's three angles about fixed axes, of which the first letter's turns first."""
    if line is None:
        return rotations.IDENTITY
    letters = line.rest[3].upper() if len(line.rest) > 3 else "XYZ"
    if sorted(letters) != ["X", "Y", "Z"]:
        raise line.error(f"an order of axes such as XYZ expected, '{letters}' found")
    angles = np.array(replace(line, rest=line.rest[:3]).numbers(3))
    return rotations.from_euler((np.radians(angles) if degrees else angles)[::-1], letters[::-1])
