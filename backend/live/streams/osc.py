"""Open Sound Control 1.0: read and write the messages of one datagram.

The reader is for datagrams of anybody's: sizes are checked against what is there, and bundles nest at most 4 deep.
Specification: https://opensoundcontrol.stanford.edu/spec-1_0.html
"""

import struct
from collections.abc import Iterator, Sequence

Argument = int | float | str
Message = tuple[str, tuple[Argument, ...]]

_BUNDLE = b"#bundle\x00"
_IMMEDIATELY = struct.pack(">Q", 1)
_DEEPEST = 4


def encode_message(address: str, *arguments: Argument) -> bytes:
    """One OSC message of int32, float32 and string arguments."""
    tags, data = ",", b""
    for argument in arguments:
        if isinstance(argument, str):
            tags, data = tags + "s", data + _padded(argument)
        elif isinstance(argument, int):
            tags, data = tags + "i", data + struct.pack(">i", argument)
        else:
            tags, data = tags + "f", data + struct.pack(">f", argument)
    return _padded(address) + _padded(tags) + data


def encode_bundle(messages: Sequence[bytes]) -> bytes:
    """One OSC bundle, to be acted on immediately, of encoded messages."""
    return _BUNDLE + _IMMEDIATELY + b"".join(struct.pack(">i", len(message)) + message for message in messages)


def decode_datagram(data: bytes) -> list[Message]:
    """Messages of a datagram, those of its bundles in their order; ValueError if any of it is malformed."""
    return list(_messages(data, 0))


def _messages(data: bytes, depth: int) -> Iterator[Message]:
    if not data.startswith(_BUNDLE):
        yield _message(data)
        return
    if depth == _DEEPEST or len(data) < 16:
        raise ValueError("OSC bundle: nested too deep or cut short")
    at = 16
    while at < len(data):
        if at + 4 > len(data):
            raise ValueError("OSC bundle: size of an element expected")
        (size,) = struct.unpack_from(">i", data, at)
        at += 4
        if size <= 0 or size % 4 or at + size > len(data):
            raise ValueError(f"OSC bundle: element of {size} bytes, {len(data) - at} are left")
        yield from _messages(data[at : at + size], depth + 1)
        at += size


def _message(data: bytes) -> Message:
    address, at = _string(data, 0)
    if not address.startswith("/"):
        raise ValueError("OSC message: address expected")
    if at == len(data):
        return address, ()
    tags, at = _string(data, at)
    if not tags.startswith(","):
        raise ValueError("OSC message: type tags expected")
    arguments: list[Argument] = []
    for tag in tags[1:]:
        argument: Argument
        if tag == "s":
            argument, at = _string(data, at)
        elif tag in "if":
            if at + 4 > len(data):
                raise ValueError("OSC message: cut short")
            (argument,) = struct.unpack_from(f">{tag}", data, at)
            at += 4
        elif tag in "TF":
            argument = int(tag == "T")
        else:
            raise ValueError(f"OSC message: argument of type {tag!r}")
        arguments.append(argument)
    return address, tuple(arguments)


def _string(data: bytes, at: int) -> tuple[str, int]:
    """String at a position, and the position after its padding."""
    end = data.find(b"\x00", at)
    after = end + 4 - (end - at) % 4
    if end < 0 or after > len(data):
        raise ValueError("OSC string: no end")
    return data[at:end].decode("utf-8"), after


def _padded(text: str) -> bytes:
    data = text.encode("utf-8") + b"\x00"
    return data + b"\x00" * (-len(data) % 4)
