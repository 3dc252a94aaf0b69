"""C3D recordings of markers (`.c3d`, c3d.org): labelled 3D points with rate and unit; analog channels are skipped.

A file has a header of 512 bytes, blocks of parameters in groups, and the frames. Numbers are those of Intel, MIPS or
DEC processors; points are 32-bit floats or scaled 16-bit integers. A point with a negative residual was not seen.
"""

import math
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.files import BadFile, Clip, ReadOptions
from rigs.files.conventions.axes import UP_AXES
from rigs.files.markers.marker_recording import MarkerRecording, to_clip

_BLOCK = 512
_MAGIC = 0x50
_INTEL, _DEC, _MIPS = 84, 85, 86
"""Processor types of the parameter section."""
_TYPES = {-1: 1, 1: 1, 2: 2, 4: 4}
"""Bytes of the types of parameters: characters, bytes, 16-bit integers and 32-bit floats."""
_MAX_FRAMES_IN_HEADER = 65535
_USUAL_UP = "Z"

Parameter = tuple[str, ...] | Array
"""Texts, or numbers as floats."""


class _Numbers:
    """Decoder of one processor's numbers."""

    def __init__(self, processor: int) -> None:
        self.order = ">" if processor == _MIPS else "<"
        self.is_dec = processor == _DEC

    def integers(self, content: bytes) -> Array:
        """Signed 16-bit integers (N,)."""
        return np.frombuffer(content, f"{self.order}i2", len(content) // 2)

    def floats(self, content: bytes) -> Array:
        """32-bit floats (N,); DEC's have their words swapped and are four times as large."""
        count = len(content) // 4
        if not self.is_dec:
            return np.frombuffer(content, f"{self.order}f4", count).astype(float)
        words = np.frombuffer(content, "<u2", 2 * count).reshape(-1, 2)[:, ::-1]
        return np.frombuffer(words.tobytes(), "<f4").astype(float) / 4.0


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancers of a recording. Raises BadFile."""
    return to_clip(path, _parse(path), options)


def _parse(path: Path) -> MarkerRecording:
    """Parse a file. Raises BadFile."""
    content = path.read_bytes()
    if len(content) < 2 * _BLOCK or content[1] != _MAGIC:
        raise BadFile(f"{path.name}: a C3D file expected, its second byte is no 50 in hexadecimal")
    start = _BLOCK * (content[0] - 1)
    if not 0 < start < len(content) - 4 or content[start + 3] not in (_INTEL, _DEC, _MIPS):
        raise BadFile(f"{path.name}: a section of parameters expected in the block {content[0]} that the header names")
    numbers = _Numbers(content[start + 3])
    parameters = _parse_parameters(content, start + 4, numbers)
    header = numbers.integers(content[:24]).astype(np.uint16)
    counts = int(header[1]), int(header[2])
    scale, fps = (float(numbers.floats(content[at : at + 4])[0]) for at in (12, 20))
    stated = _number(parameters, "POINT:SCALE", scale), _number(parameters, "POINT:RATE", fps)
    data_block = int(header[8]) or int(_number(parameters, "POINT:DATA_START", 0.0))
    if data_block < 2 or counts[0] == 0:
        raise BadFile(f"{path.name}: points expected, the C3D file has none")
    frames = _stated_frames(parameters, header)
    points, found = _read_points(content[_BLOCK * (data_block - 1) :], numbers, counts, stated[0] or scale, frames)
    if found == 0:
        raise BadFile(f"{path.name}: {frames} frames expected, the C3D file ends before the first")
    rate, up = stated[1] if np.isfinite(stated[1]) else 0.0, _text(parameters, "POINT:Y_SCREEN").upper().lstrip("+")
    up = up if up in UP_AXES else _USUAL_UP
    labels, unit = _labels(parameters, counts[0]), _text(parameters, "POINT:UNITS")
    return MarkerRecording(labels, points, rate, unit, up, max(0, frames - found))


def _parse_parameters(content: bytes, at: int, numbers: _Numbers) -> dict[str, Parameter]:
    """The parameters by "GROUP:NAME", as far as the section can be read."""
    groups: dict[int, str] = {}
    found: list[tuple[int, str, Parameter]] = []
    while at + 4 < len(content) and content[at] != 0:
        length, number = abs(_to_signed(content[at])), _to_signed(content[at + 1])
        after_name = at + 2 + length
        name = content[at + 2 : after_name].decode("latin-1").strip().upper()
        step = int.from_bytes(content[after_name : after_name + 2], "big" if numbers.order == ">" else "little")
        if number < 0:
            groups[-number] = name
        elif (value := _parse_value(content, after_name + 2, numbers)) is not None:
            found.append((number, name, value))
        if step == 0:
            break
        at = after_name + step
    return {f"{groups[number]}:{name}": value for number, name, value in found if number in groups}


def _to_signed(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def _parse_value(content: bytes, at: int, numbers: _Numbers) -> Parameter | None:
    """The value of a parameter; None if it is of no known type or ends beyond the file."""
    if at + 2 > len(content):
        return None
    kind, rank = _to_signed(content[at]), content[at + 1]
    shape = tuple(content[at + 2 : at + 2 + rank])
    size = math.prod(shape)
    data = content[at + 2 + rank : at + 2 + rank + size * _TYPES.get(kind, 0)]
    if kind not in _TYPES or len(data) < size * _TYPES[kind]:
        return None
    if kind == -1:
        width = shape[0] if shape else 1
        texts = (data[start : start + width] for start in range(0, size, max(1, width)))
        return tuple(text.decode("latin-1").strip(" \0") for text in texts)
    if kind == 1:
        return np.frombuffer(data, np.uint8).astype(float)
    return numbers.floats(data) if kind == 4 else numbers.integers(data).astype(float)


def _text(parameters: dict[str, Parameter], name: str) -> str:
    """The first text of a parameter, '' if there is none."""
    value = parameters.get(name)
    return value[0] if isinstance(value, tuple) and value else ""


def _number(parameters: dict[str, Parameter], name: str, default: float) -> float:
    """The first number of a parameter."""
    value = parameters.get(name)
    return float(value[0]) if isinstance(value, np.ndarray) and len(value) else default


def _stated_frames(parameters: dict[str, Parameter], header: Array) -> int:
    """The number of frames: a long file's exceeds the 16 bits of the header and stands in other parameters."""
    ends = [parameters.get(f"TRIAL:ACTUAL_{end}_FIELD") for end in ("START", "END")]
    if all(isinstance(end, np.ndarray) and len(end) > 1 for end in ends):
        first, last = (int(end[0]) % 65536 + 65536 * (int(end[1]) % 65536) for end in ends)  # type: ignore[index]
        if last >= first:
            return last - first + 1
    long = int(_number(parameters, "POINT:LONG_FRAMES", 0.0))
    counted = int(_number(parameters, "POINT:FRAMES", 0.0)) % (_MAX_FRAMES_IN_HEADER + 1)
    return long if long > 0 else max(counted, int(header[4]) - int(header[3]) + 1)


def _read_points(
    content: bytes, numbers: _Numbers, counts: tuple[int, int], scale: float, frames: int
) -> tuple[Array, int]:
    """Points (F, P, 3), nan where they were not seen, and the number F of frames that are there.

    counts: points, and analog measurements, of each frame.  scale: of integers; negative for floats.
    """
    points, analog = counts
    is_float = scale < 0.0
    width = (4 * points + analog) * (4 if is_float else 2)
    frames = min(frames, len(content) // width)
    values = (numbers.floats if is_float else numbers.integers)(content[: frames * width])
    rows = values.reshape(frames, 4 * points + analog)[:, : 4 * points].reshape(frames, points, 4)
    places = rows[..., :3] * (1.0 if is_float else abs(scale))
    seen = np.isfinite(places).all(axis=-1) & (rows[..., 3] >= 0.0) & (places != 0.0).any(axis=-1)
    return np.where(seen[..., None], places, np.nan), frames


def _labels(parameters: dict[str, Parameter], count: int) -> tuple[str, ...]:
    """The labels of the points; more than 255 go on in LABELS2 and so on."""
    names = ["POINT:LABELS", *(f"POINT:LABELS{number}" for number in range(2, 100))]
    texts = [text for name in names if isinstance(value := parameters.get(name), tuple) for text in value]
    return tuple((texts + [""] * count)[:count])
