"""Binary FBX files that contradict themselves are refused before Blender claims memory for what they state."""

import struct
import tracemalloc
import zlib
from pathlib import Path

import pytest

from rigs.files import BadFile
from rigs.files.takes.fbx_header import read_header
from rigs.files.takes.fbx_nodes import expect_sound_nodes

HEAD = b"Kaydara FBX Binary  \x00\x1a\x00"


def node(at: int, name: bytes, properties: list[bytes], children: bytes = b"", *, count: int | None = None) -> bytes:
    """A node of version 7400 that begins at byte `at`."""
    data = b"".join(properties)
    end = at + 13 + len(name) + len(data) + len(children)
    counted = len(properties) if count is None else count
    return struct.pack("<IIIB", end, counted, len(data), len(name)) + name + data + children


def array(values: int, packed: bytes, encoding: int = 1) -> bytes:
    return b"d" + struct.pack("<III", values, encoding, len(packed)) + packed


def write_fbx(path: Path, *properties: bytes, count: int | None = None, cut: int = 0) -> Path:
    """A file of two nodes, of which the second lies in the first."""
    at = len(HEAD) + 4
    inner = node(at + 13 + 7, b"Vertices", list(properties), count=count) + b"\0" * 13
    content = HEAD + struct.pack("<I", 7400) + node(at, b"Objects", [], inner) + b"\0" * 13
    path.write_bytes(content[: len(content) - cut])
    return path


def test_sound_nodes_pass(tmp_path: Path) -> None:
    text = b"S" + struct.pack("<I", 3) + b"abc"
    packed = array(100, zlib.compress(b"\0" * 800))
    properties = (b"I\1\0\0\0", b"C\1", b"Y\1\0", text, packed, array(2, b"\0" * 16, encoding=0))
    expect_sound_nodes(write_fbx(tmp_path / "a.fbx", *properties), 7400)


@pytest.mark.parametrize(
    ("properties", "options", "sentence"),
    [
        ((b"I\1\0\0\0",), {"count": 2**32 - 1}, "a.fbx, byte 47: a node that ends within the file expected"),
        ((b"I\1\0\0\0",), {"cut": 30}, "a.fbx, byte 27: a node that ends within the file expected"),
        ((array(2**31, zlib.compress(b"")),), {}, "a.fbx, byte 68: an array no longer than its bytes expected"),
        ((array(2**20, b"", encoding=0),), {}, "a.fbx, byte 68: a property that ends within its node expected"),
        ((b"S" + struct.pack("<I", 2**31),), {}, "a.fbx, byte 68: a property that ends within its node expected"),
        ((b"?\1\0\0\0",), {}, "a.fbx, byte 68: a property of a node expected"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_byte(
    tmp_path: Path, properties: tuple[bytes, ...], options: dict[str, int], sentence: str
) -> None:
    path = write_fbx(tmp_path / "a.fbx", *properties, **options)
    tracemalloc.start()
    with pytest.raises(BadFile) as caught:
        expect_sound_nodes(path, 7400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value) == f"{sentence}; export it again, or copy it again"
    assert peak < 2**20


def test_zeros_among_nodes_are_refused(tmp_path: Path) -> None:
    path = write_fbx(tmp_path / "a.fbx", b"I\1\0\0\0", array(100, zlib.compress(b"\0" * 800)))
    content = bytearray(path.read_bytes())
    content[47:51] = bytes(4)  # where the inner node states its end
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"^a\.fbx, byte 47: a node expected, an empty one found"):
        expect_sound_nodes(path, 7400)


def test_a_file_cut_off_between_nodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"^a\.fbx, byte \d+: a node expected, the file is cut off"):
        expect_sound_nodes(write_fbx(tmp_path / "a.fbx", b"I\1\0\0\0", cut=13), 7400)


def test_real_files_are_sound(corpus: Path) -> None:
    checked = 0
    for path in sorted(corpus.joinpath("fbx_zoo").glob("*.fbx")):
        header = read_header(path)
        if not header.is_text and header.version >= 7000:
            expect_sound_nodes(path, header.version)
            checked += 1
    assert checked >= 5
