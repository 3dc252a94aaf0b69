"""Headers of numpy arrays, checked before the arrays are loaded: a damaged one must not claim all memory."""

from math import prod
from tokenize import TokenError
from typing import IO, Any

import numpy as np

MAGIC = b"\x93NUMPY"
_LENGTH_BYTES = {1: 2, 2: 4, 3: 4}
"""Bytes of the header's length by the major version of the format."""
_MAX_LENGTH = 65_535


def read_array_header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], Any]:
    """The shape and the numpy type of the array that begins at a file's position.

    size: bytes from there on.  Raises ValueError unless the header is one and the array is no larger than that.
    """
    formats: Any = np.lib.format
    begin = file.tell()
    start = file.read(len(MAGIC) + 2)
    length = _LENGTH_BYTES.get(start[-2], 0) if start.startswith(MAGIC) and len(start) == len(MAGIC) + 2 else 0
    if not length or int.from_bytes(file.read(length), "little") > _MAX_LENGTH:
        raise ValueError("the header of a numpy array expected")
    file.seek(begin + len(start))
    read_header = formats.read_array_header_1_0 if length == 2 else formats.read_array_header_2_0
    try:
        shape, _, dtype = read_header(file)
    except (SyntaxError, TokenError, TypeError, OverflowError, RecursionError, MemoryError, EOFError):
        raise ValueError("the header of a numpy array expected") from None
    if min(shape, default=0) < 0:
        raise ValueError(f"a shape without negative numbers expected, {shape} found")
    if not dtype.hasobject and prod(shape) * max(dtype.itemsize, 1) > size - (file.tell() - begin):
        raise ValueError(f"an array up to its end expected, {shape} stated, which is more than there is")
    return shape, dtype
