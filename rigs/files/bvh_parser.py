"""Parser and formatter for the text of BVH files: hierarchy, channels, offsets and frames, to and from a `Bvh`."""

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
"""A keyword with more behind it on its line, and values with the next keyword behind them, as some exporters write."""


@dataclass(frozen=True)
class Bvh:
    """The content of a BVH file, in the file's own units and axes.

    names, parents: one for each joint and, after the joints, one for each end site, named "<joint> end site"; parents
    come before their children, the root's parent is -1. End sites without an offset are left out.
    offsets: (N, 3).  channels: each node's channels such as "Xposition"; an end site has none.
    fps: frames a second.  values: (F, C) channel values as written, degrees for rotations.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    fps: float
    values: Array


def parse_bvh(path: Path) -> Bvh:
    """Parse a BVH file. Raises BadFile with the line that is wrong."""
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    return _Parser(path.name, text).parse()


def format_bvh(bvh: Bvh) -> str:
    """Format a BVH file as text; the joints must be in depth-first order, in which the values are written."""
    lines = ["HIERARCHY", *_format_branch(bvh, 0, ""), "MOTION", f"Frames: {len(bvh.values)}"]
    lines.append(f"Frame Time: {1.0 / bvh.fps:.10f}")
    row = " ".join(["%.6f"] * bvh.values.shape[1])
    lines += [row % tuple(frame) for frame in _round_six_decimals(bvh.values).tolist()]
    return "\n".join(lines) + "\n"


def frame_rate(frame_time: str) -> float:
    """Frames a second for a frame time as written, snapped to a common rate whose rounded frame time it is."""
    last_digit = float(Decimal(1).scaleb(int(Decimal(frame_time).as_tuple().exponent)))
    seconds = float(frame_time)
    fps = 1.0 / seconds
    common_rate = min(_COMMON_RATES, key=lambda common: abs(common - fps))
    is_rounding = abs(seconds - 1.0 / common_rate) < last_digit and abs(common_rate - fps) < 0.012 * common_rate
    return common_rate if is_rounding else fps


def _format_branch(bvh: Bvh, node: int, indent: str) -> list[str]:
    """The lines of one joint and its descendants."""
    channels, parent = bvh.channels[node], bvh.parents[node]
    x, y, z = _round_six_decimals(bvh.offsets[node])
    heading = f"{'ROOT' if parent < 0 else 'JOINT'} {bvh.names[node]}" if channels else "End Site"
    lines = [indent + heading, indent + "{", f"{indent}\tOFFSET {x:.6f} {y:.6f} {z:.6f}"]
    if channels:
        lines.append(f"{indent}\tCHANNELS {len(channels)} {' '.join(channels)}")
    for child, above in enumerate(bvh.parents):
        if above == node:
            lines += _format_branch(bvh, child, indent + "\t")
    return [*lines, indent + "}"]


def _round_six_decimals(numbers: Array) -> Array:
    """Round to six decimals, without negative zeros."""
    return np.asarray(np.round(numbers, 6) + 0.0)


@dataclass
class _Node:
    """A joint or end site while it is being parsed."""

    name: str
    parent: int
    is_end: bool
    opened: bool = False
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: tuple[str, ...] = ()


def _parse_numbers(text: str) -> Array:
    """All numbers of a text (C,) at once, or none if it contains anything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text.strip(), sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


class _Parser:
    """BVH parser that tracks its line number, so that every error names its line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.at = 0

    def error(self, complaint: str) -> BadFile:
        """A BadFile error at the current line."""
        return BadFile(f"{self.name}, line {self.at}: {complaint}")

    def statements(self) -> Iterator[tuple[str, str]]:
        """The keyword and the rest of each statement; braces are statements of their own."""
        while self.at < len(self.lines):
            line = self.lines[self.at]
            self.at += 1
            pieces = [piece for piece in _SEPARATORS.split(line) if piece and piece.strip()]
            while pieces:
                piece = pieces.pop(0)
                run_on = _LONE_KEYWORD.fullmatch(piece) or _RUN_ON_LINE.fullmatch(piece)
                if run_on:
                    piece = run_on[1]
                    pieces.insert(0, run_on[2])
                word, *rest = piece.split(maxsplit=1)
                yield word, rest[0].strip() if rest else ""

    def parse(self) -> Bvh:
        """Parse the whole file."""
        statements = self.statements()
        nodes = self.hierarchy(statements)
        fps, values = self.motion(statements, sum(len(node.channels) for node in nodes))
        used = (node for node in nodes if not node.is_end or any(node.offset))
        used_nodes = sorted(used, key=lambda node: node.is_end)
        index = {id(node): at for at, node in enumerate(used_nodes)}
        return Bvh(
            names=tuple(node.name for node in used_nodes),
            parents=tuple(-1 if node.parent < 0 else index[id(nodes[node.parent])] for node in used_nodes),
            offsets=np.array([node.offset for node in used_nodes]),
            channels=tuple(node.channels for node in used_nodes),
            fps=fps,
            values=values,
        )

    def hierarchy(self, statements: Iterator[tuple[str, str]]) -> list[_Node]:
        """Parse all joints and end sites in the file's order, up to and including MOTION."""
        nodes: list[_Node] = []
        open_nodes: list[int] = []  # the nodes whose braces are open
        if next(statements, ("", ""))[0].upper() != "HIERARCHY":
            raise self.error("HIERARCHY expected, as at the start of every BVH file")
        for word, rest in statements:
            keyword = word.upper()
            brace_expected = bool(nodes) and not nodes[-1].opened
            if brace_expected != (word == "{"):
                raise self.error(f"a {{ expected, '{word}' found" if brace_expected else "a joint expected, a { found")
            if word == "{":
                nodes[-1].opened = True
                open_nodes.append(len(nodes) - 1)
            elif word == "}" and open_nodes:
                open_nodes.pop()
            elif keyword in ("ROOT", "JOINT", "END", "ENDSITE"):
                nodes.append(self.node(keyword, rest, nodes, open_nodes))
            elif keyword == "OFFSET" and open_nodes:
                nodes[open_nodes[-1]].offset = self.numbers(rest, 3)
            elif keyword == "CHANNELS" and open_nodes and not nodes[open_nodes[-1]].is_end:
                nodes[open_nodes[-1]].channels = self.channels(rest)
            elif keyword == "MOTION" and nodes and not open_nodes:
                return nodes
            else:
                unclosed = keyword == "MOTION" and open_nodes
                expected = "a } for every {" if unclosed else "a joint, its OFFSET or its CHANNELS"
                raise self.error(f"{expected} expected, '{word}' found")
        raise self.error("MOTION expected, the end of the file found")

    def node(self, keyword: str, rest: str, nodes: list[_Node], open_nodes: list[int]) -> _Node:
        """Parse one ROOT, JOINT or End Site."""
        if (keyword == "ROOT") != (not open_nodes) or (keyword == "ROOT" and nodes):
            raise self.error(f"one ROOT and every joint below it expected, '{keyword} {rest}' found")
        if open_nodes and nodes[open_nodes[-1]].is_end:
            raise self.error(f"nothing below an End Site expected, '{keyword} {rest}' found")
        parent = open_nodes[-1] if open_nodes else -1
        if keyword.startswith("END"):
            return _Node(f"{nodes[parent].name} end site", parent, is_end=True)
        return _Node(rest or f"joint {len(nodes)}", parent, is_end=False)

    def numbers(self, text: str, count: int) -> list[float]:
        """Parse `count` numbers."""
        words = text.split()
        if len(words) != count:
            raise self.error(f"{count} number{'s' if count != 1 else ''} expected, {len(words)} found")
        return [self.number(word) for word in words]

    def number(self, word: str) -> float:
        """Parse one finite number."""
        try:
            number = float(word)
        except ValueError:
            number = np.nan
        if not abs(number) < _MAX_MAGNITUDE:
            kind = "number of ordinary size" if abs(number) >= _MAX_MAGNITUDE else "number"
            raise self.error(f"a {kind} expected, '{word}' found")
        return number

    def channels(self, text: str) -> tuple[str, ...]:
        """Parse a list of channels, checked against its count."""
        count, *words = text.split() or ["0"]
        for word in words:
            if not re.fullmatch("[XYZ](position|rotation)", word.capitalize()):
                raise self.error(f"a channel such as Xrotation expected, '{word}' found")
        if count != str(len(words)):
            raise self.error(f"{count} channels expected, {len(words)} found")
        return tuple(word.capitalize() for word in words)

    def labelled_value(self, statements: Iterator[tuple[str, str]], label: str, expected: str) -> str:
        """The value after a label such as "Frames:"; text after the value is put back as a line of its own."""
        line = " ".join(next(statements, ("the end of", "the file"))).strip()
        match = re.fullmatch(label + r"\s*:\s*(\S+)(?:\s+(\S.*))?", line, re.IGNORECASE)
        if not match:
            raise self.error(f"{expected} expected, '{line[:60]}' found")
        if match[2]:
            self.at -= 1
            self.lines[self.at] = match[2]
        return match[1]

    def motion(self, statements: Iterator[tuple[str, str]], width: int) -> tuple[float, Array]:
        """Parse the frame rate and the values (F, width)."""
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
        """The error for the first line whose numbers are wrong, or for their number of lines."""
        rows_read = 0
        for row in rows:
            self.at += 1
            if row.strip():
                self.numbers(row, width)
                rows_read += 1
        return self.error(f"{frames} frames expected, {rows_read} found")
