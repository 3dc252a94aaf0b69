"""Frames on the pipes between a server and a worker process: a JSON header and raw parts, each with its length before.

A frame is eight bytes (the header's length and 0, little-endian uint32), the header, and the parts whose lengths the
header names in "parts". Nothing is pickled.
"""

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

_LENGTH = struct.Struct("<II")
_MAX_HEADER = 2**20
"""Bytes; more is no header."""


@dataclass(frozen=True)
class Frame:
    """What one process tells the other: what it is about, values by name, and bytes."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    parts: Sequence[bytes] = ()


def write_frame(file: IO[bytes], frame: Frame) -> None:
    """Write a frame. Raises OSError, and ValueError for a file that is closed."""
    lengths = [len(part) for part in frame.parts]
    header = json.dumps({"kind": frame.kind, "values": dict(frame.values), "parts": lengths}).encode()
    file.write(_LENGTH.pack(len(header), 0) + header)
    for part in frame.parts:
        file.write(part)
    file.flush()


def read_frame(file: IO[bytes]) -> Frame | None:
    """Read a frame, or None where the stream ends. Raises ValueError for bytes that are no frame."""
    start = _read(file, _LENGTH.size)
    if start is None:
        return None
    length, zero = _LENGTH.unpack(start)
    if zero or length > _MAX_HEADER:
        raise ValueError("worker: a frame expected, other bytes found")
    header = _read(file, length)
    if header is None:
        return None
    about = json.loads(header)
    parts = []
    for size in about["parts"]:
        part = _read(file, size)
        if part is None:
            return None
        parts.append(part)
    return Frame(about["kind"], about["values"], parts)


def _read(file: IO[bytes], count: int) -> bytes | None:
    """So many bytes of a file, or None where it ends before."""
    data = file.read(count)
    return data if len(data) == count else None
