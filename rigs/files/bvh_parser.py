"""The text of BVH files: a hierarchy of named joints, then numbers for every frame, to and from a `Bvh`."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.files import BadFile

_COMMON_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 72.0, 90.0, 100.0, 120.0, 144.0, 180.0, 200.0, 240.0)
_MAX_MAGNITUDE = 1e9
_SEPARATORS = re.compile(r"([{}])|(?=\b(?:offset\s+[-+.\d]|channels\s+\d))|(?=\bframe\s*time\s*:)", re.IGNORECASE)
_LONE_KEYWORD = re.compile(r"(\s*(?:hierarchy|motion))\s+(.+)", re.IGNORECASE)
_RUN_ON_LINE = re.compile(r"((?:offset|channels)\s.*?)\s+((?:root|joint|end|motion)\b.*)", re.IGNORECASE)
"""A word that says nothing more, and values behind which no name can stand, with what else is on the line."""


@dataclass(frozen=True)
class Bvh:
    """What a BVH file says, in the file's own units and axes.

    names, parents: one for each joint and, after the joints, one for each end site, whose name is its joint's with
    " end site" behind it; parents come before their children, the root's parent is -1. An end site at its joint's own
    place says nothing and is left out.
    offsets: (N, 3).  channels: each node's channels such as "Xposition"; an end site has none.
    fps: frames a second.  values: (F, C) the channels' numbers as written, degrees for rotations.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    fps: float
    values: Array


def parse_bvh(path: Path) -> Bvh:
    """Read a BVH file as it is; raises BadFile with the line that is wrong."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    return _Parser(path.name, text).parse()


def format_bvh(bvh: Bvh) -> str:
    """The text of a BVH file; its joints must come depth first, as the values are written in that order."""
    lines = ["HIERARCHY", *_format_branch(bvh, 0, ""), "MOTION", f"Frames: {len(bvh.values)}"]
    lines.append(f"Frame Time: {1.0 / bvh.fps:.10f}")
    row = " ".join(["%.6f"] * bvh.values.shape[1])
    lines += [row % tuple(frame) for frame in _rounded(bvh.values).tolist()]
    return "\n".join(lines) + "\n"


def frame_rate(frame_time: str) -> float:
    """Frames a second for a frame time as it is written: a common rate where the text is a rounding of its time."""
    seconds, last_digit = float(frame_time), float(Decimal(1).scaleb(_decimal_exponent(frame_time)))
    fps = 1.0 / seconds
    nearest = min(_COMMON_RATES, key=lambda common: abs(common - fps))
    rounded = abs(seconds - 1.0 / nearest) < last_digit and abs(nearest - fps) < 0.012 * nearest
    return nearest if rounded else fps


def _decimal_exponent(number: str) -> int:
    """The power of ten of a number's last digit: -4 for "0.0167"."""
    exponent = Decimal(number).as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _format_branch(bvh: Bvh, node: int, indent: str) -> list[str]:
    """The lines of one joint and all below it."""
    channels, parent = bvh.channels[node], bvh.parents[node]
    x, y, z = _rounded(bvh.offsets[node])
    heading = f"{'ROOT' if parent < 0 else 'JOINT'} {bvh.names[node]}" if channels else "End Site"
    lines = [indent + heading, indent + "{", f"{indent}\tOFFSET {x:.6f} {y:.6f} {z:.6f}"]
    if channels:
        lines.append(f"{indent}\tCHANNELS {len(channels)} {' '.join(channels)}")
    for child, above in enumerate(bvh.parents):
        if above == node:
            lines += _format_branch(bvh, child, indent + "\t")
    return [*lines, indent + "}"]


def _rounded(numbers: Array) -> Array:
    """Six decimals, and no negative zeros."""
    return np.asarray(np.round(numbers, 6) + 0.0)


@dataclass
class _Node:
    """A joint or end site while its lines are being read."""

    name: str
    parent: int
    is_end: bool
    opened: bool = False
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: tuple[str, ...] = ()


def _parse_numbers(text: str) -> Array:
    """All numbers of a text (C,) at once, or none if anything else is in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text.strip(), sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


class _Parser:
    """Walks over the lines of a file and remembers where it is, so that every complaint has its line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.at = 0

    def error(self, complaint: str) -> BadFile:
        return BadFile(f"{self.name}, line {self.at}: {complaint}")

    def statements(self) -> Iterator[tuple[str, str]]:
        """The first word of each next statement and the rest of it; braces stand alone."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            pieces = [piece for piece in _SEPARATORS.split(line) if piece and piece.strip()]
            while pieces:
                piece = pieces.pop(0)
                several = _LONE_KEYWORD.fullmatch(piece) or _RUN_ON_LINE.fullmatch(piece)
                if several:
                    piece = several[1]
                    pieces.insert(0, several[2])
                word, *rest = piece.split(maxsplit=1)
                yield word, rest[0].strip() if rest else ""

    def parse(self) -> Bvh:
        statements = self.statements()
        nodes = self.hierarchy(statements)
        fps, values = self.motion(statements, sum(len(node.channels) for node in nodes))
        kept = [node for node in nodes if not node.is_end] + [
            node for node in nodes if node.is_end and any(node.offset)
        ]
        place = {id(node): at for at, node in enumerate(kept)}
        return Bvh(
            names=tuple(node.name for node in kept),
            parents=tuple(-1 if node.parent < 0 else place[id(nodes[node.parent])] for node in kept),
            offsets=np.array([node.offset for node in kept]),
            channels=tuple(node.channels for node in kept),
            fps=fps,
            values=values,
        )

    def hierarchy(self, statements: Iterator[tuple[str, str]]) -> list[_Node]:
        """All joints and end sites in the file's order, up to and with the word MOTION."""
        nodes: list[_Node] = []
        path: list[int] = []  # the nodes whose braces are open
        if next(statements, ("", ""))[0].upper() != "HIERARCHY":
            raise self.error("HIERARCHY expected, as at the start of every BVH file")
        for word, rest in statements:
            keyword = word.upper()
            waiting = bool(nodes) and not nodes[-1].opened
            if waiting != (word == "{"):
                raise self.error(f"a {{ expected, '{word}' found" if waiting else "a joint expected, a { found")
            if word == "{":
                nodes[-1].opened = True
                path.append(len(nodes) - 1)
            elif word == "}" and path:
                path.pop()
            elif keyword in ("ROOT", "JOINT", "END", "ENDSITE"):
                nodes.append(self.node(keyword, rest, nodes, path))
            elif keyword == "OFFSET" and path:
                nodes[path[-1]].offset = self.numbers(rest, 3)
            elif keyword == "CHANNELS" and path and not nodes[path[-1]].is_end:
                nodes[path[-1]].channels = self.channels(rest)
            elif keyword == "MOTION" and nodes and not path:
                return nodes
            else:
                expected = "a } for every {" if keyword == "MOTION" and path else "a joint, its OFFSET or its CHANNELS"
                raise self.error(f"{expected} expected, '{word}' found")
        raise self.error("MOTION expected, the end of the file found")

    def node(self, keyword: str, rest: str, nodes: list[_Node], path: list[int]) -> _Node:
        if (keyword == "ROOT") != (not path) or (keyword == "ROOT" and nodes):
            raise self.error(f"one ROOT and every joint below it expected, '{keyword} {rest}' found")
        if path and nodes[path[-1]].is_end:
            raise self.error(f"nothing below an End Site expected, '{keyword} {rest}' found")
        parent = path[-1] if path else -1
        if keyword.startswith("END"):
            return _Node(f"{nodes[parent].name} end site", parent, is_end=True)
        return _Node(rest or f"joint {len(nodes)}", parent, is_end=False)

    def numbers(self, text: str, count: int) -> list[float]:
        words = text.split()
        if len(words) != count:
            raise self.error(f"{count} number{'s' if count != 1 else ''} expected, {len(words)} found")
        return [self.number(word) for word in words]

    def number(self, word: str) -> float:
        try:
            number = float(word)
        except ValueError:
            number = np.nan
        if not abs(number) < _MAX_MAGNITUDE:
            raise self.error(
                f"a number{' of ordinary size' if abs(number) >= _MAX_MAGNITUDE else ''} expected, '{word}' found"
            )
        return number

    def channels(self, text: str) -> tuple[str, ...]:
        count, *words = text.split() or ["0"]
        for word in words:
            if not re.fullmatch("[XYZ](position|rotation)", word.capitalize()):
                raise self.error(f"a channel such as Xrotation expected, '{word}' found")
        if count != str(len(words)):
            raise self.error(f"{count} channels expected, {len(words)} found")
        return tuple(word.capitalize() for word in words)

    def labelled_value(self, statements: Iterator[tuple[str, str]], label: str, what: str) -> str:
        """What stands behind a label such as "Frames:"; numbers behind that stay, as a line of their own."""
        line = " ".join(next(statements, ("the end of", "the file"))).strip()
        found = re.fullmatch(label + r"\s*:\s*(\S+)(?:\s+(\S.*))?", line, re.IGNORECASE)
        if not found:
            raise self.error(f"{what} expected, '{line[:60]}' found")
        if found[2]:
            self.at -= 1
            self.lines[self.at] = found[2]
        return found[1]

    def motion(self, statements: Iterator[tuple[str, str]], width: int) -> tuple[float, Array]:
        """The frame rate and the values (F, width)."""
        count = self.labelled_value(statements, "Frames", "'Frames:' and their number")
        if not count.isdecimal() or int(count) == 0:
            raise self.error(f"at least one frame expected, {count} found")
        frames = int(count)
        frame_time = self.labelled_value(statements, r"Frame\s*Time", "'Frame Time:' and seconds")
        if self.number(frame_time) <= 0.0:
            raise self.error(f"a frame time above zero expected, {frame_time} found")
        rows = self.lines[self.at :]
        values = _parse_numbers(" ".join(rows))
        if values.size != frames * width or not (np.abs(values) < _MAX_MAGNITUDE).all():
            raise self.row_error(rows, frames, width)
        return frame_rate(frame_time), values.reshape(frames, width)

    def row_error(self, rows: list[str], frames: int, width: int) -> BadFile:
        """The complaint about the first line whose numbers are wrong, or about their number of lines."""
        found = 0
        for row in rows:
            self.at += 1
            if row.strip():
                self.numbers(row, width)
                found += 1
        return self.error(f"{frames} frames expected, {found} found")
