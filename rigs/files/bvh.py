"""BVH files: a hierarchy of named joints and Euler angles for every frame, read into a `Bvh` and from there a `Motion`.

Any channel order and hierarchy is read. A joint's position channels replace its offset, as in Blender's importer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from rigs import Array, canonical, rotations
from rigs.files import BadFile, Clip, Source
from rigs.mapping import Mapping, NoDancer, map_bones

_COMMON_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 72.0, 90.0, 100.0, 120.0, 144.0, 200.0, 240.0)
_UNITS = (
    # the least and greatest height in metres, and the units that it makes believable: a rare unit has to fit well
    (1.2, 2.3, (1.0, 0.01, 0.001)),
    (1.4, 2.1, (0.1, 0.0254, 0.3048, 0.0254 / 0.45)),
)


@dataclass(frozen=True)
class Bvh:
    """What a BVH file says, in the file's own units and axes.

    names, parents: one for each joint and, after the joints, one for each end site, whose name is its joint's with
    " end" behind it; parents come before their children, the root's parent is -1.
    offsets: (N, 3).  channels: each node's channels such as "Xposition", an end site's are empty.
    fps: frames a second.  values: (F, C) the channels' numbers as written, degrees for rotations.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    fps: float
    values: Array

    @cached_property
    def local(self) -> tuple[Array, Array]:
        """Each node's rotation (N, F, 4) relative to its parent and place (N, F, 3) in it, nodes first."""
        nodes, frames = len(self.names), len(self.values)
        turned = rotations.identity(nodes, frames)
        places = np.repeat(self.offsets[:, None], frames, axis=1)
        columns = self.values.T
        by_order: dict[str, list[tuple[int, list[int]]]] = {}
        column = 0
        for node, channels in enumerate(self.channels):
            angles = []
            for at, channel in enumerate(channels, column):
                if channel.endswith("position"):
                    places[node, :, "XYZ".index(channel[0])] = columns[at]
                else:
                    angles.append(at)
            order = "".join(self.channels[node][at - column][0] for at in angles)
            if order:
                by_order.setdefault(order, []).append((node, angles))
            column += len(channels)
        for order, users in by_order.items():
            angles_of = np.radians(np.stack([columns[at] for _, at in users]))
            turned[[node for node, _ in users]] = _turns(angles_of, order)
        return turned, places

    @cached_property
    def world(self) -> tuple[Array, Array]:
        """World rotations (N, F, 4) and positions (N, F, 3) of all nodes, nodes first."""
        turned, places = self.local
        world, positions = turned.copy(), places.copy()
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                if self.channels[node]:
                    world[node] = rotations.multiply(world[parent], turned[node])
                else:
                    world[node] = world[parent]
                positions[node] = positions[parent] + rotations.rotate(world[parent], places[node])
        return world, positions

    @cached_property
    def rest_positions(self) -> Array:
        """Positions (N, 3) of all nodes when no joint is turned, the root at its offset."""
        positions = self.offsets.copy()
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                positions[node] += positions[parent]
        return positions


def read(path: Path, fps: float | None = None) -> Clip:
    """One dancer's file as a Clip; `fps` overrides the file's own rate. Raises BadFile."""
    bvh = parse(path)
    try:
        mapping = map_bones(bvh.names, bvh.parents)
    except NoDancer as error:
        raise BadFile(f"{path.name}: {error}") from None
    world, positions = bvh.world
    some = positions[:, :: max(1, len(bvh.values) // 400)]
    up = canonical.up_axis(mapping.bones, some)
    units = metres_per_unit(mapping, canonical.stature(mapping.bones, some))
    rest = bvh.rest_positions * units
    positions = positions * units
    if up == "Y":
        world = np.concatenate([world[..., :1], _to_z_up(world[..., 1:])], axis=-1)
        positions, rest = _to_z_up(positions), _to_z_up(rest)
    rate = fps or bvh.fps
    motion = canonical.to_motion(rate, mapping.bones, world, positions, rest)
    return Clip((motion,), Source(path, units, up, rate, len(motion)))


def metres_per_unit(mapping: Mapping, stature: float) -> float:
    """Which unit makes a body of `stature` units a person; where none does, the one that makes it 1.7 m tall."""
    if mapping.dialect.units and 1.2 < stature * mapping.dialect.units < 2.3:
        return mapping.dialect.units
    fitting = [unit for low, high, units in _UNITS for unit in units if low < stature * unit < high]
    return min(fitting, key=lambda unit: abs(np.log(stature * unit / 1.7)), default=1.7 / stature)


def _to_z_up(v: Array) -> Array:
    """From Y up and Z to the front to Blender's Z up and -Y to the front: vectors, or axes of rotation (..., 3)."""
    return np.stack([v[..., 0], -v[..., 2], v[..., 1]], axis=-1)


def parse(path: Path) -> Bvh:
    """Read a BVH file as it is; raises BadFile with the line that is wrong."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    return _Parser(path.name, text).bvh()


def _turns(angles: Array, order: str) -> Array:
    """Rotations (N, F, 4) of angles (N, K, F) in radians about the axes in `order`, the first outermost."""
    if len(order) == 3:
        return rotations.from_euler(np.moveaxis(angles, 1, -1), order)
    turned = rotations.identity(1)
    for k, letter in enumerate(order):
        turned = rotations.multiply(turned, rotations.from_axis_angle(np.eye(3)["XYZ".index(letter)], angles[:, k]))
    return turned


def _rate(frame_time: float) -> float:
    """Frames a second; a common rate where the time is a rounding of it."""
    fps = 1.0 / frame_time
    nearest = min(_COMMON_RATES, key=lambda rate: abs(rate - fps))
    return nearest if abs(nearest - fps) < 4e-4 * nearest else fps


class _Parser:
    """Walks over the lines of a file and remembers where it is, so that every complaint has its line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.at = 0

    def bad(self, expected: str) -> BadFile:
        return BadFile(f"{self.name}, line {self.at}: {expected}")

    def words(self) -> Iterator[tuple[str, str]]:
        """The first word of each next line that is not blank, and the rest of it; braces stand alone."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            for piece in re.split(r"([{}])", line):
                if piece.strip():
                    word, _, rest = piece.strip().replace("\t", " ").partition(" ")
                    yield word, rest.strip()

    def bvh(self) -> Bvh:
        names: list[str] = []
        parents: list[int] = []
        offsets: list[list[float]] = []
        channels: list[tuple[str, ...]] = []
        ends: list[tuple[int, list[float]]] = []
        open_nodes: list[int] = []
        words = self.words()
        first = next(words, ("", ""))[0]
        if first.upper() != "HIERARCHY":
            raise self.bad("HIERARCHY expected, as at the start of every BVH")
        for word, rest in words:
            keyword = word.upper()
            if keyword in ("ROOT", "JOINT"):
                if keyword == "ROOT" and names:
                    raise self.bad(f"one ROOT expected, a second found ({rest})")
                names.append(rest or f"joint {len(names)}")
                parents.append(open_nodes[-1] if open_nodes else -1)
                offsets.append([0.0, 0.0, 0.0])
                channels.append(())
                node = len(names) - 1
            elif keyword == "END":
                ends.append((open_nodes[-1] if open_nodes else -1, [0.0, 0.0, 0.0]))
                node = -1
            elif word == "{":
                open_nodes.append(node)
            elif word == "}":
                if not open_nodes:
                    raise self.bad("a } closes nothing")
                open_nodes.pop()
            elif keyword == "OFFSET" and open_nodes:
                offset = self.numbers(rest, 3)
                if open_nodes[-1] < 0:
                    ends[-1] = (ends[-1][0], offset)
                else:
                    offsets[open_nodes[-1]] = offset
            elif keyword == "CHANNELS" and open_nodes:
                channels[open_nodes[-1]] = self.channels(rest)
            elif keyword == "MOTION":
                break
            else:
                raise self.bad(f"JOINT, OFFSET, CHANNELS, End Site or MOTION expected, '{word}' found")
        else:
            raise self.bad("MOTION expected, the file ends")
        if open_nodes:
            raise self.bad(f"{len(open_nodes)} more }} expected before MOTION")
        if not names:
            raise self.bad("a ROOT expected before MOTION")
        fps, values = self.motion(words, sum(map(len, channels)))
        return Bvh(
            names=(*names, *(f"{names[parent]} end" for parent, _ in ends)),
            parents=(*parents, *(parent for parent, _ in ends)),
            offsets=np.array([*offsets, *(offset for _, offset in ends)]),
            channels=(*channels, *(() for _ in ends)),
            fps=fps,
            values=values,
        )

    def numbers(self, text: str, count: int) -> list[float]:
        try:
            numbers = [float(word) for word in text.split()]
        except ValueError:
            raise self.bad(f"{count} numbers expected, '{text}' found") from None
        if len(numbers) != count:
            raise self.bad(f"{count} numbers expected, {len(numbers)} found")
        if not np.isfinite(numbers).all():
            raise self.bad(f"finite numbers expected, '{text}' found")
        return numbers

    def channels(self, text: str) -> tuple[str, ...]:
        count, *found = text.split() or [""]
        known = tuple(channel.capitalize() for channel in found)
        for channel in known:
            if not re.fullmatch("[XYZ](position|rotation)", channel):
                raise self.bad(f"a channel such as Xrotation expected, '{channel}' found")
        if count != str(len(known)):
            raise self.bad(f"{count or 'a number of'} channels expected, {len(known)} found")
        return known

    def motion(self, words: Iterator[tuple[str, str]], width: int) -> tuple[float, Array]:
        """The frame rate and the values (F, width)."""
        word, rest = next(words, ("", ""))
        if word.upper() != "FRAMES:" or not rest.isdigit():
            raise self.bad(f"'Frames:' and a whole number expected, '{word} {rest}' found")
        frames = int(rest)
        if frames == 0:
            raise self.bad("at least one frame expected, 0 found")
        word, rest = next(words, ("", ""))
        if word.upper() != "FRAME" or not rest.upper().startswith("TIME:"):
            raise self.bad(f"'Frame Time:' and seconds expected, '{word} {rest}' found")
        (frame_time,) = self.numbers(rest[len("Time:") :], 1)
        if frame_time <= 0.0:
            raise self.bad(f"a frame time above zero expected, {frame_time:g} found")
        rows = self.lines[self.at :]
        try:
            flat = np.array(list(map(float, " ".join(rows).split())))
        except ValueError:
            flat = np.empty(0)
        if flat.size != frames * width or not np.isfinite(flat).all():
            raise self.wrong_row(rows, frames, width)
        return _rate(frame_time), flat.reshape(frames, width)

    def wrong_row(self, rows: list[str], frames: int, width: int) -> BadFile:
        """Find the line that spoils the numbers."""
        found = 0
        for row in rows:
            self.at += 1
            if not row.strip():
                continue
            self.numbers(row, width)
            found += 1
        return self.bad(f"{frames} frames expected, {found} found")
