"""Sentences that quote anything stay one line that every terminal shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.map_io import BadMap
from rigs.files import BadFile
from rigs.one_line import MAX_LETTERS, one_line


@pytest.mark.parametrize("text", ["a.bvh, line 2: 93 numbers expected", "Café 舞踏　帯.bvh\xa0: 1 °", "'quoted' \\n"])
def test_a_line_stays_as_it_is(text):
    assert one_line(text) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\0\x1b[2J", r"\x00\x1b[2J"),
        ("\u2028\u202e", r"\u2028\u202e"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_breaks_a_line_is_escaped(text, line):
    assert one_line(text) == line


@pytest.mark.parametrize("error", [BadFile, BadMap, UnmappableRig])
@given(text=st.text(st.characters(), max_size=3000))
def test_every_error_about_a_file_or_rig_is_one_line(error, text):
    line = str(error(text))
    assert len(line.splitlines()) <= 1
    assert len(line) <= 10 * (MAX_LETTERS + 5)
    line.encode("utf-8")


def test_a_long_quotation_gives_way_in_the_middle():
    line = one_line(f"a.amc, line 3: a bone expected, {'x' * 100_000} found")
    assert line.startswith("a.amc, line 3: a bone expected, xxx")
    assert line.endswith("xxx found")
    assert len(line) < 1_010
