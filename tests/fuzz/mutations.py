"""Mutations of file contents: damage as disks, networks, editors and other programs do it, and as no one would.

Each mutation is a function of the content and a random generator; `mutate` applies some of those that suit the family.
"""

import copy
import io
import json
import re
import struct
import zipfile
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Literal

Family = Literal["text", "binary", "json", "archive"]
Mutation = Callable[[bytes, Random], bytes]

NUMBER = re.compile(rb"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
"""A number in a text file."""
ODD_NUMBERS = (
    *(b"nan", b"-nan", b"inf", b"-inf", b"Infinity", b"1e308", b"-1e308", b"1e400", b"1e-320", b"1#QNAN", b"1.#IND"),
    *(b"0", b"-0", b"-1", b"1", b"3", b"29", b"99999999999999999999", b"2147483648", b"1000000", b"0x10", b"1_000"),
    *(b"0.5", b"1,5", b"1.5.2", b"--1", b"", b"x", "٣".encode(), "½".encode(), b"1e9", b"1e-9", b"360"),
)
ODD_BYTES = (b"\0", b"\n", b"\r", b"\t", b"\xff", b"\x80", b'"', b"{", b"}", b"[", b"]", b"\xef\xbb\xbf", b"\x1a", b" ")
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1.5, 1e308, -1e308, float("nan"), float("inf"), 2**31, 2**63, 10**30, 1e-320),
    *("", "nan", "x" * 1000, "a\nb", "\u2028", "\ud800", "É", [], {}, [[]], [None], {"": 0}, [1e308] * 3, "1e5"),
)
_LENGTHS = (0, 1, 2, 4, 7, 8, 255, 256, 65_535, 2**31 - 1, 2**31, 2**32 - 1)
_FLOATS = (float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e38, -1e38, 1e-40, 1e300, 1.0, 1e6)


def mutate(content: bytes, family: Family, random: Random) -> bytes:
    """Damage a file's content with one to four mutations that suit its family."""
    for _ in range(random.choice((1, 1, 1, 2, 2, 4))):
        content = random.choice(_MUTATIONS[family])(content, random)
    return content


def flip_bits(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 3, 10, 100))):
        if changed:
            changed[_place(random, len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def set_bytes(content: bytes, random: Random) -> bytes:
    at = _place(random, len(content))
    return content[:at] + random.choice(ODD_BYTES) * random.choice((1, 1, 4, 64)) + content[at + 1 :]


def insert_bytes(content: bytes, random: Random) -> bytes:
    at = _place(random, len(content))
    return (
        content[:at]
        + random.choice((random.choice(ODD_BYTES), random.randbytes(random.randrange(1, 40))))
        + content[at:]
    )


def delete_chunk(content: bytes, random: Random) -> bytes:
    start, stop = _span(random, len(content))
    return content[:start] + content[stop:]


def duplicate_chunk(content: bytes, random: Random) -> bytes:
    start, stop = _span(random, len(content))
    return content[:stop] + content[start:stop] * random.choice((1, 1, 3)) + content[stop:]


def swap_chunks(content: bytes, random: Random) -> bytes:
    first, second = sorted(_span(random, len(content)) for _ in range(2))
    if first[1] > second[0]:
        return content
    chunks = (content[: first[0]], content[slice(*second)], content[first[1] : second[0]], content[slice(*first)])
    return b"".join((*chunks, content[second[1] :]))


def zero_chunk(content: bytes, random: Random) -> bytes:
    start, stop = _span(random, len(content))
    return content[:start] + random.choice((b"\0", b"\xff")) * (stop - start) + content[stop:]


def truncate(content: bytes, random: Random) -> bytes:
    return content[: _place(random, len(content))]


def edit_length(content: bytes, random: Random) -> bytes:
    """Overwrite what may be a length, a count or an offset."""
    code = random.choice(("<I", ">I", "<H", ">H", "<Q"))
    at = _place(random, len(content))
    if at + struct.calcsize(code) > len(content):
        return content
    (value,) = struct.unpack_from(code, content, at)
    edited = random.choice((value + 1, value - 1, value * 2, value // 2, *_LENGTHS))
    return (
        content[:at]
        + struct.pack(code, edited % 2 ** (8 * struct.calcsize(code)))
        + content[at + struct.calcsize(code) :]
    )


def edit_float(content: bytes, random: Random) -> bytes:
    """Overwrite what may be a number in an array."""
    code = random.choice(("<f", "<d", ">f"))
    size = struct.calcsize(code)
    at = _place(random, len(content)) // size * size + len(content) % size
    if at + size > len(content):
        return content
    value = random.choice(_FLOATS)
    count = random.choice((1, 1, 1, 20))
    packed = struct.pack(code, value if code == "<d" or abs(value) < 1e39 else 1e38) * count
    return (content[:at] + packed + content[at + len(packed) :])[: max(len(content), at + size)]


def edit_number(content: bytes, random: Random) -> bytes:
    """Replace one number of a text, or one wherever it occurs, or those of a line."""
    found = list(NUMBER.finditer(content))
    if not found:
        return content
    number, odd = (
        random.choice((random.choice(found), found[min(random.randrange(20), len(found) - 1)])),
        random.choice(ODD_NUMBERS),
    )
    how = random.randrange(8)
    if how == 0:
        return content.replace(number[0], odd)
    if how == 1:
        start, stop = content.rfind(b"\n", 0, number.start()) + 1, content.find(b"\n", number.end())
        stop = stop if stop > 0 else len(content)
        return content[:start] + NUMBER.sub(odd.replace(b"\\", b""), content[start:stop]) + content[stop:]
    if how == 2:
        at = random.randrange(number.start(), number.end())
        return content[:at] + random.choice((b"9", b"-", b".", b"e", b"0000000", b",", b" ")) + content[at + 1 :]
    return content[: number.start()] + odd + content[number.end() :]


def edit_lines(content: bytes, random: Random) -> bytes:
    """Drop, double, swap, join or split lines, or change how they end."""
    lines = content.split(b"\n")
    at, other = _place(random, len(lines)), random.randrange(len(lines))
    how = random.randrange(7)
    if how == 0:
        del lines[at]
    elif how == 1:
        lines.insert(other, lines[at])
    elif how == 2:
        lines[at], lines[other] = lines[other], lines[at]
    elif how == 3:
        lines[at : at + 2] = [b" ".join(lines[at : at + 2])]
    elif how == 4:
        lines[at] = lines[at].replace(b" ", b"\n", 1)
    elif how == 5:
        lines[at] = b" ".join(random.sample(words := lines[at].split(), len(words)))
    else:
        return random.choice((b"\r\n", b"\r", b"\n\n", b" ")).join(lines)
    return b"\n".join(lines)


def edit_words(content: bytes, random: Random) -> bytes:
    """Replace a word by another of the same file, or change its letters' case."""
    words = list(re.finditer(rb"\S+", content[:20_000]))
    if not words:
        return content
    word, other = words[_place(random, len(words))], random.choice(words)
    changed = random.choice(
        (other[0], word[0].swapcase(), word[0] * 2, b"", b"a" * random.choice((100, 100_000)), "骨盤".encode())
    )
    return content[: word.start()] + changed + content[word.end() :]


def reencode(content: bytes, random: Random) -> bytes:
    """The text in another encoding."""
    return content.decode("utf-8", "replace").encode(
        random.choice(("utf-16", "utf-16-be", "utf-8-sig", "utf-32")), "replace"
    )


def edit_json(content: bytes, random: Random) -> bytes:
    """Replace, delete, double or move a value of a JSON document."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return flip_bits(content, random)
    holder = [document]
    for _ in range(random.choice((1, 1, 2, 20))):
        _edit_value(holder, random)
    return json.dumps(holder[0]).encode() if holder else b""


def nest_json(content: bytes, random: Random) -> bytes:
    """Wrap a JSON document, also deeper than a parser's stack."""
    depth = random.choice((1, 3, 100_000))
    opening, closing = random.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opening * depth + content + closing * depth


def edit_member(content: bytes, random: Random) -> bytes:
    """Mutate, drop, rename or swap members of a zip archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except Exception:
        return flip_bits(content, random)
    if not members:
        return content
    name = random.choice(list(members))
    how = random.randrange(6)
    if how == 0:
        del members[name]
    elif how == 1:
        members[random.choice(("poses.npy", "trans.npy", "fps.npy", "x.npy", "../x.npy", "readme.txt", "é.npy"))] = (
            members[name]
        )
    elif how == 2:
        other = random.choice(list(members))
        members[name], members[other] = members[other], members[name]
    else:
        edit = random.choice((edit_array_header, edit_float, edit_float, truncate, flip_bits))
        members[name] = edit(members[name], random)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return written.getvalue()


def edit_array_header(content: bytes, random: Random) -> bytes:
    """Change the type, order or shape that the header of a numpy array states."""
    end = content.find(b"\n")
    header = content[:end]
    how = random.randrange(4)
    if how == 0:
        types = (b"<f4", b"<f8", b"<f2", b"<i8", b"|b1", b"|O", b"<U8", b"<c16", b">f8", b"|S0", b"<M8[s]", b"|V0")
        header = re.sub(rb"[<>|][a-zA-Z]\d*(?:\[s\])?", lambda _: random.choice(types), header, count=1)
    elif how == 1:
        header = header.replace(b"False", b"True")
    elif how == 2:
        numbers = (b"0", b"1", b"2", b"3", b"29", b"-1", b"1000000000000", b"9" * 30, b"None")
        header = re.sub(rb"(?<=[( ])\d+(?=[,)])", lambda _: random.choice(numbers), header, count=random.choice((1, 2)))
    else:
        header = flip_bits(header, random)
    return header + content[end:] if end > 0 else flip_bits(content, random)


def _edit_value(holder: list[Any], random: Random) -> None:
    """Change one value somewhere in a tree of lists and objects."""
    container: Any = holder
    while True:
        keys = list(container) if isinstance(container, dict) else list(range(len(container)))
        if not keys:
            return
        key = keys[_place(random, len(keys))]
        value = container[key]
        if not isinstance(value, list | dict) or not value or random.random() < 0.2:
            break
        container = value
    how = random.randrange(6)
    if how == 0 and container is not holder:
        del container[key]
    elif how == 1 and isinstance(container, dict):
        container[random.choice(("", "x", str(key).upper(), "image_id"))] = container.pop(key)
    elif how == 2 and isinstance(container, list):
        container.insert(key, copy.deepcopy(value))
    elif how == 3 and isinstance(value, int | float) and not isinstance(value, bool):
        container[key] = random.choice(
            (-value, value * 1e6, str(value), [value], int(value) if abs(value) < 1e300 else 0)
        )
    else:
        container[key] = copy.deepcopy(random.choice(ODD_VALUES))


def _place(random: Random, length: int) -> int:
    """An index below `length` (0 for 0): half of the time anywhere, else near the beginning, where headers are."""
    if length <= 1:
        return 0
    return random.randrange(length if random.random() < 0.5 else min(length, random.choice((16, 64, 256, 2048))))


def _span(random: Random, length: int) -> tuple[int, int]:
    start = _place(random, length)
    longest = max(length - start, 1)
    return start, start + random.randrange(1, 1 + min(longest, random.choice((4, 64, 1024, longest))))


_BYTES: Sequence[Mutation] = (
    *(flip_bits, set_bytes, insert_bytes, delete_chunk, duplicate_chunk, swap_chunks, zero_chunk, truncate),
)
_MUTATIONS: dict[Family, Sequence[Mutation]] = {
    "text": (*_BYTES, *3 * (edit_number, edit_number, edit_lines, edit_words), reencode),
    "binary": (*_BYTES, *3 * (edit_length, edit_float)),
    "json": (*_BYTES, *6 * (edit_json,), edit_number, nest_json, reencode),
    "archive": (*_BYTES, *8 * (edit_member,), edit_length),
}
