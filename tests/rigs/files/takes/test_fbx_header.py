"""The head of FBX files, binary and text, against what is written into them."""

import struct
from pathlib import Path

import pytest

from rigs.files.takes.fbx_header import FbxHeader, read_header


def binary_property(name: bytes, *strings: bytes, code: bytes, data: bytes) -> bytes:
    return b"".join(b"S" + struct.pack("<I", len(text)) + text for text in (name, *strings)) + code + data


@pytest.mark.parametrize(("axis", "sign", "up"), [(0, 1, "X"), (1, 1, "Y"), (2, 1, "Z"), (1, -1, "-Y")])
@pytest.mark.parametrize("pad", [0, 100_000])
def test_binary(tmp_path: Path, axis: int, sign: int, up: str, pad: int) -> None:
    content = (
        b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", 7400) + bytes(pad)
        + binary_property(b"UpAxis", b"int", b"Integer", b"", code=b"I", data=struct.pack("<i", axis))
        + binary_property(b"UpAxisSign", b"int", b"Integer", b"", code=b"I", data=struct.pack("<i", sign))
        + binary_property(b"OriginalUnitScaleFactor", b"double", b"Number", b"", code=b"D", data=struct.pack("<d", 7))
        + binary_property(b"UnitScaleFactor", b"double", b"Number", b"", code=b"D", data=struct.pack("<d", 2.54))
    )  # fmt: skip
    (tmp_path / "a.fbx").write_bytes(content)
    assert read_header(tmp_path / "a.fbx") == FbxHeader(7400, False, up, pytest.approx(0.0254))


@pytest.mark.parametrize("line", ['P: "{}", "{}", "{}", "",{}\n', '\tProperty: "{}", "{}", "{}",{}\r\n'])
def test_text(tmp_path: Path, line: str) -> None:
    content = "; FBX 6.1.0 project file\nFBXHeaderExtension:  {\n\tFBXVersion: 6100\n"
    content += line.format("UpAxis", "int", "", 2) + line.format("UpAxisSign", "int", "", 1)
    content += line.format("UnitScaleFactor", "double", "", 100)
    (tmp_path / "a.fbx").write_bytes(content.encode())
    assert read_header(tmp_path / "a.fbx") == FbxHeader(6100, True, "Z", 1.0)


BINARY = b"Kaydara FBX Binary  \x00\x1a\x00"


@pytest.mark.parametrize("content", [b"not an fbx", BINARY, BINARY + b"\xe8\x1c\0\0S\xff"])
def test_what_is_cut_off_or_something_else_has_the_usual_axes(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.fbx").write_bytes(content)
    header = read_header(tmp_path / "a.fbx")
    assert (header.up, header.metres) == ("Y", 0.01)
