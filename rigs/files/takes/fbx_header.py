"""The head of an FBX file: version, up axis and unit, of which Blender's importers say nothing."""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"Kaydara FBX Binary  \x00"
_HEAD = 1 << 16  # bytes in which version 7 has its global settings
_AXES = ("X", "Y", "Z")
_NUMBER_TYPES = {b"I": "<i", b"D": "<d", b"L": "<q", b"F": "<f"}


@dataclass(frozen=True)
class FbxHeader:
    """version: such as 7400; 0 where it is not FBX.  is_text: ASCII FBX.  up: one of `axes.UP_AXES`.

    metres: in one unit of the file.
    """

    version: int
    is_text: bool
    up: str = "Y"
    metres: float = 0.01


def read_header(path: Path) -> FbxHeader:
    """Read the head of a file with the suffix .fbx; what it does not say is as in most files. Raises OSError."""
    with path.open("rb") as file:
        data = file.read(_HEAD)
        if b"UnitScaleFactor" not in data:  # version 6 has it at the end
            data += file.read()
    is_text = not data.startswith(_MAGIC)
    if is_text:
        found = re.search(rb"FBXVersion:\s*(\d+)", data)
        version = int(found[1]) if found else 0
        numbers = _text_number
    else:
        (version,) = struct.unpack_from("<I", data.ljust(27, b"\0"), 23)
        numbers = _binary_number
    axis, sign, unit = (numbers(data, name) for name in (b"UpAxis", b"UpAxisSign", b"UnitScaleFactor"))
    up = _AXES[int(axis)] if axis in (0.0, 1.0, 2.0) else "Y"
    return FbxHeader(
        version, is_text, f"-{up}" if sign is not None and sign < 0.0 else up, unit / 100.0 if unit else 0.01
    )


def _text_number(data: bytes, name: bytes) -> float | None:
    """The number of a property of an ASCII file; None without it."""
    found = re.search(rb'P(?:roperty)?:\s*"%b"[^\n]*,\s*([-+.\deE]+)\s*\r?\n' % name, data)
    try:
        return float(found[1]) if found else None
    except ValueError:
        return None


def _binary_number(data: bytes, name: bytes) -> float | None:
    """The number of a property of a binary file; None without it. Strings come before it: name, type, flags."""
    at = data.find(b"S" + struct.pack("<I", len(name)) + name)
    while at >= 0 and data[at : at + 1] == b"S" and at + 5 <= len(data):
        at += 5 + struct.unpack_from("<I", data, at + 1)[0]
    code = _NUMBER_TYPES.get(data[at : at + 1]) if at >= 0 else None
    if code is None or at + 1 + struct.calcsize(code) > len(data):
        return None
    return float(struct.unpack_from(code, data, at + 1)[0])
