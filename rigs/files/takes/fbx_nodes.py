"""Check of the nodes of a binary FBX file before Blender imports it: a damaged count must not claim all memory.

Format: "FBX binary file format specification" (Blender Foundation, 2013). A node states where it ends, how many
properties it has, how many bytes these take, and its name; then come the properties and its children.
"""

import struct
from pathlib import Path

from rigs.files import BadFile

_HEAD_BYTES = 27
_LONG_VERSION = 7500
"""From this version on offsets and counts have eight bytes, before four."""
_ARRAY_ITEM_BYTES = {b"f": 4, b"d": 8, b"l": 8, b"i": 4, b"b": 1, b"c": 1}
_VALUE_BYTES = {b"Y": 2, b"C": 1, b"B": 1, b"I": 4, b"F": 4, b"D": 8, b"L": 8}
_TEXT_TYPES = b"SR"
_PACKED_RATIO = 1032
"""Times by which zlib packs at most."""
_MAX_DEPTH = 64


def expect_sound_nodes(path: Path, version: int) -> None:
    """Raise BadFile with the byte at which a binary FBX file of version 7 contradicts itself. Raises OSError."""
    content = path.read_bytes()
    at = _HEAD_BYTES
    try:
        while (end := _check_node(content, at, len(content), version, 0)) > 0:
            at = end
    except _Unsound as error:
        raise BadFile(
            f"{path.name}, byte {error.args[0]}: {error.args[1]}; export it again, or copy it again"
        ) from None


class _Unsound(Exception):
    """The byte at which a file is wrong, and what was expected there."""


def _check_node(content: bytes, at: int, stop: int, version: int, depth: int) -> int:
    """Check the node at a byte, which ends before `stop`; returns where it ends, 0 for the end of a list of nodes."""
    layout = struct.Struct("<QQQB" if version >= _LONG_VERSION else "<IIIB")
    if at + layout.size > stop:
        raise _Unsound(at, "a node expected, the file is cut off")
    end, count, size, name_length = layout.unpack_from(content, at)
    if end == 0:
        return 0
    properties = at + layout.size + name_length
    if not properties + size <= end <= stop or count > size or depth > _MAX_DEPTH:
        raise _Unsound(at, "a node that ends within the file expected")
    child = _check_properties(content, properties, count, properties + size)
    while child < end - layout.size:  # an empty node ends the children
        child_end = _check_node(content, child, end, version, depth + 1)
        if child_end == 0:
            raise _Unsound(child, "a node expected, an empty one found")
        child = child_end
    return end


def _check_properties(content: bytes, at: int, count: int, stop: int) -> int:
    """Check the properties of a node, which lie before `stop`; returns where they end."""
    for _ in range(count):
        kind, begin = content[at : at + 1], at
        at += 1
        if kind in _VALUE_BYTES:
            at += _VALUE_BYTES[kind]
        elif kind in _ARRAY_ITEM_BYTES and at + 12 <= stop:
            length, encoding, packed = struct.unpack_from("<III", content, at)
            at += 12 + (packed if encoding else length * _ARRAY_ITEM_BYTES[kind])
            if encoding and length * _ARRAY_ITEM_BYTES[kind] > _PACKED_RATIO * max(packed, 1):
                raise _Unsound(begin, "an array no longer than its bytes expected")
        elif kind and kind in _TEXT_TYPES and at + 4 <= stop:
            at += 4 + struct.unpack_from("<I", content, at)[0]
        else:
            raise _Unsound(begin, "a property of a node expected")
        if at > stop:
            raise _Unsound(begin, "a property that ends within its node expected")
    return at
