"""Parser for the text of BVH files: hierarchy, channels, offsets and frames, to a `Bvh`.

What other programs read is read, with a warning: see `text` and `bvh_frames`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.files import MAX_FPS, MIN_FPS, BadFile
from rigs.files.bvh.bvh_frames import frame_rate, parse_frames, parse_number
from rigs.files.text import read_numbers_text

_SEPARATORS = re.compile(r"([{}])|(?=\b(?:offset\s+[-+.\d]|channels\s+\d))|(?=\bframe\s*time\s*:)", re.IGNORECASE)
_LABEL = re.compile(r"(frames|frame\s*time)\s*:\s*(\S*)(?:\s+(\S.*))?", re.IGNORECASE)
_LONE_KEYWORD = re.compile(r"(\s*(?:hierarchy|motion))\s+(.+)", re.IGNORECASE)
_RUN_ON_LINE = re.compile(r"((?:offset|channels)\s.*?)\s+((?:root|joint|end|motion)\b.*)", re.IGNORECASE)
"""A keyword with more behind it on its line, and values with the next keyword behind them, as some exporters write."""


@dataclass(frozen=True)
class Bvh:
    """The content of a BVH file, in the file's own units and axes.

    names, parents: one for each joint and, after the joints, one for each end site, named "<joint> end site"; parents
    come before their children, a root's parent is -1. End sites without an offset are left out.
    offsets: (N, 3).  channels: each node's channels such as "Xposition"; an end site has none.
    fps: frames a second.  values: (F, C) channel values as written, degrees for rotations.
    warnings: sentences about what was read although it is not as it should be.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    fps: float
    values: Array
    warnings: tuple[str, ...] = ()


def parse_bvh(path: Path, fps: float | None = None) -> Bvh:
    """Parse a BVH file; `fps` overrides its frame rate. Raises BadFile with the line that is wrong."""
    text = read_numbers_text(path)
    bvh = _Parser(path.name, text.text).parse(fps)
    return replace(bvh, warnings=(*text.warnings, *bvh.warnings))


@dataclass
class _Node:
    """A joint or end site while it is being parsed."""

    name: str
    parent: int
    is_end: bool
    opened: bool = False
    offset: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    channels: tuple[str, ...] = ()


class _Parser:
    """BVH parser that tracks its line number, so that every error names its line."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.at = 0
        self.warnings: list[str] = []

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

    def parse(self, fps: float | None) -> Bvh:
        """Parse the whole file; `fps` overrides its frame rate."""
        statements = self.statements()
        nodes = self.hierarchy(statements)
        fps, values = self.motion(statements, [channel for node in nodes for channel in node.channels], fps)
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
            warnings=tuple(self.warnings),
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
        if (keyword == "ROOT") != (not open_nodes):
            raise self.error(f"every joint below a ROOT expected, '{keyword} {rest}' found")
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
        return [parse_number(f"{self.name}, line {self.at}", word) for word in words]

    def channels(self, text: str) -> tuple[str, ...]:
        """Parse a list of channels; the names count, not their stated number."""
        count, *words = text.split() or ["0"]
        for word in words:
            if not re.fullmatch("[XYZ](position|rotation|scale)", word.capitalize()):
                raise self.error(f"a channel such as Xrotation expected, '{word}' found")
        if count != str(len(words)):
            self.warnings.append(f"{self.name}, line {self.at}: {count} channels stated, {len(words)} found and read")
        if any(word.lower().endswith("scale") for word in words):
            self.warnings.append(f"{self.name}, line {self.at}: channels of scale found, left out")
        return tuple(word.capitalize() for word in words)

    def motion(
        self, statements: Iterator[tuple[str, str]], channels: list[str], fps: float | None
    ) -> tuple[float, Array]:
        """Parse the frame rate, overridden by `fps`, and the values (F, C)."""
        count, frame_time = self.motion_labels(statements)
        if fps is None:
            fps = self.frame_rate(frame_time)
        stated = int(count) if count is not None and re.fullmatch(r"\d{1,18}", count) else None
        rows = list(enumerate(self.lines[self.at :], start=self.at + 1))
        values, warnings = parse_frames(self.name, rows or [(self.at, "")], channels, stated)
        self.warnings += warnings
        return fps, values

    def motion_labels(self, statements: Iterator[tuple[str, str]]) -> tuple[str | None, str | None]:
        """Parse the lines "Frames:" and "Frame Time:": their values as written, None where a line is missing.

        Text after a value is put back as a line of its own.
        """
        labels: dict[str, str] = {}
        for word, rest in statements:
            match = _LABEL.fullmatch(f"{word} {rest}".strip())
            if not match:
                self.at -= 1
                break
            labels["time" if "time" in match[1].lower() else "frames"] = match[2]
            if match[3]:
                self.at -= 1
                self.lines[self.at] = match[3]
        return labels.get("frames"), labels.get("time")

    def frame_rate(self, frame_time: str | None) -> float:
        """The frame rate of a frame time as written."""
        try:
            rate = frame_rate(frame_time or "")
        except (ArithmeticError, ValueError):
            rate = 0.0
        if not MIN_FPS <= rate <= MAX_FPS:
            found = "none" if frame_time is None else f"'{frame_time[:60]}'"
            raise self.error(f"a frame time in seconds expected, {found} found; give the frame rate (--fps)")
        return rate
