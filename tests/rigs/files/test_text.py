"""Text files of other encodings and locales."""

from pathlib import Path

import numpy as np
import pytest

from rigs.files import read
from rigs.files.bvh.bvh_parser import parse_bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.files.text import read_numbers_text, read_text
from tests.rigs.files.bvh.bvh_files import SMALL

UTF16 = "x.bvh: text in UTF-16 found and read; UTF-8 is usual"


@pytest.mark.parametrize(
    ("content", "warnings"),
    [
        ("é 日本".encode(), ()),
        ("é 日本".encode("utf-8-sig"), ()),
        ("é 日本 and more".encode("utf-16"), (UTF16,)),
        (b"\xfe\xff" + "é 日本 and more".encode("utf-16-be"), (UTF16,)),
        ("plain ASCII without a mark".encode("utf-16-le"), (UTF16,)),
        ("plain ASCII without a mark".encode("utf-16-be"), (UTF16,)),
        ("é 日本".encode("utf-32"), ("x.bvh: text in UTF-32 found and read; UTF-8 is usual",)),
        ("JOINT tête".encode("cp1252"), ("x.bvh: text in Windows-1252 found and read; UTF-8 is usual",)),
        ("JOINT 左ひじ".encode("cp932"), ("x.bvh: text in Shift-JIS found and read; UTF-8 is usual",)),
    ],
)
def test_every_usual_encoding_is_read(tmp_path: Path, content: bytes, warnings: tuple[str, ...]) -> None:
    (tmp_path / "x.bvh").write_bytes(content)
    found = read_text(tmp_path / "x.bvh")
    expected = ("é 日本 and more", "é 日本", "plain ASCII without a mark", "JOINT tête", "JOINT 左ひじ")
    assert found.text in expected
    assert found.warnings == warnings


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_whole_file_in_another_encoding_is_the_same(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "plain.bvh").write_text(SMALL)
    (tmp_path / "x.bvh").write_bytes(SMALL.encode(encoding))
    plain, other = parse_bvh(tmp_path / "plain.bvh"), parse_bvh(tmp_path / "x.bvh")
    assert (other.names, other.channels, other.fps) == (plain.names, plain.channels, plain.fps)
    np.testing.assert_array_equal(other.values, plain.values)
    assert len(other.warnings) == 1


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("OFFSET 0,5 -1,25 ,5\n1,5e3 2 -,5", "OFFSET 0.5 -1.25 .5\n1.5e3 2 -.5"),
        ("Frame Time: 0,0333333", "Frame Time: 0.0333333"),
        ("OFFSET 0.5, 1.25, 3", "OFFSET 0.5  1.25  3"),
        ("1,2,3\n1.5;2;3", "1 2 3\n1.5 2 3"),
        ("JOINT Left,Arm\nJOINT a, b", "JOINT Left,Arm\nJOINT a, b"),
    ],
)
def test_commas_are_read_as_they_were_meant(tmp_path: Path, written: str, meant: str) -> None:
    (tmp_path / "x.bvh").write_text(written)
    found = read_numbers_text(tmp_path / "x.bvh")
    assert found.text == meant
    assert bool(found.warnings) == (written != meant)


def test_a_recording_with_decimal_commas_is_the_same(corpus: Path, tmp_path: Path) -> None:
    path = corpus / "salsa/salsa_10_leader.bvh"
    text = format_bvh(parse_bvh(path))
    (tmp_path / "x.bvh").write_text(text.replace(".", ","))
    (tmp_path / "plain.bvh").write_text(text)
    commas, plain = read(tmp_path / "x.bvh"), read(tmp_path / "plain.bvh")
    np.testing.assert_array_equal(commas.motions[0].positions, plain.motions[0].positions)
    assert (commas.source.fps, commas.source.units) == (plain.source.fps, plain.source.units)
    assert commas.warnings == ("x.bvh: decimal commas found and read",)
