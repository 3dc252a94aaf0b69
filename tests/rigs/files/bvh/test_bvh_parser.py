"""BVH parser: layouts of all kinds, and errors that name the line and what was expected."""

from pathlib import Path

import numpy as np
import pytest

from rigs.files import BadFile, read
from rigs.files.bvh import bvh_frames
from rigs.files.bvh.bvh import bvh_transforms
from rigs.files.bvh.bvh_parser import parse_bvh
from tests.rigs.files.bvh.bvh_files import SMALL


def small_with(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "x.bvh: empty file, a BVH hierarchy expected"),
        ("\x00\xff junk", "x.bvh, line 1: HIERARCHY expected"),
        ("HIERARCHY\n", "x.bvh, line 1: MOTION expected, the end of the file found"),
        (SMALL.split("MOTION")[0], "x.bvh, line 15: MOTION expected, the end of the file found"),
        ("HIERARCHY\nMOTION\n", "x.bvh, line 2: a joint"),
        (small_with("ROOT hips\n{", "ROOT hips\n"), "x.bvh, line 4: a { expected, 'OFFSET' found"),
        (small_with("ROOT", "JOINT"), "x.bvh, line 2: every joint below a ROOT"),
        (small_with("JOINT", "ROOT"), "x.bvh, line 6: every joint below a ROOT"),
        (small_with("}\n}\nMOTION", "}\nMOTION"), "x.bvh, line 15: a } for every { expected, 'MOTION' found"),
        (small_with("MOTION", "}\nMOTION"), "x.bvh, line 16: a joint"),
        (small_with("OFFSET 10 0 0", "OFFSET 10 0"), "x.bvh, line 8: 3 numbers expected, 2 found"),
        (small_with("OFFSET 10 0 0", "OFFSET 10 nan 0"), "x.bvh, line 8: a number expected, 'nan' found"),
        (small_with("CHANNELS 3 Yrot", "CHANNELS 3 Wrot"), "x.bvh, line 9: a channel such as Xrotation"),
        (small_with("OFFSET 5 0 0", "JOINT below"), "x.bvh, line 12: nothing below an End Site"),
        (
            small_with("0.033333", "0"),
            "x.bvh, line 18: a frame time in seconds expected, '0' found; give the frame rate (--fps)",
        ),
        (small_with("0.033333", "-0.1"), "x.bvh, line 18: a frame time in seconds expected, '-0.1' found"),
        (small_with("0.033333", "soon"), "x.bvh, line 18: a frame time in seconds expected, 'soon' found"),
        (small_with("Frame Time: 0.033333\n", ""), "x.bvh, line 17: a frame time in seconds expected, none found"),
        (small_with("1 2 3 4 5 6 7 8 9\n2 3 4 5 6 7 8 9 10", ""), "x.bvh, line 19: at least one frame expected"),
        (small_with("1 2 3", "2 3"), "x.bvh, line 19: 9 numbers expected, 8 found"),
        (small_with(" 8 9 10", " 8 9 10 11"), "x.bvh, line 20: 9 numbers expected, 10 found"),
        (small_with(" 8 9 10", " 8 inf 10"), "x.bvh, line 20: a number of ordinary size expected, 'inf' found"),
        (small_with(" 8 9 10", " 8 9 1e300"), "x.bvh, line 20: a number of ordinary size expected, '1e300' found"),
        (small_with("OFFSET 5 0 0", "OFFSET 5 0 1e160"), "x.bvh, line 12: a number of ordinary size expected"),
        (small_with("1 2 3 4", "1 two 3 4"), "x.bvh, line 19: a number expected, 'two' found"),
        (SMALL, "x.bvh: no bone for left_hip; a humanoid with two arms and two legs expected"),
    ],
)
def test_a_broken_file_is_refused_with_the_line_that_is_wrong(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "x.bvh").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadFile) as refused:
        read(tmp_path / "x.bvh")
    assert str(refused.value).startswith(complaint)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "rows", "warning"),
    [
        (small_with("Frames: 2", "Frames: 3"), 2, "x.bvh: 3 frames stated, 2 found and read"),
        (small_with("Frames: 2", "Frames: 1"), 2, "x.bvh: 1 frame stated, 2 found and read"),
        (small_with("Frames: 2", "Frames: 0"), 2, "x.bvh: 0 frames stated, 2 found and read"),
        (small_with("Frames: 2", "Frames: -2"), 2, "x.bvh: no number of frames stated, 2 found and read"),
        (small_with("Frames: 2", "Frames:"), 2, "x.bvh: no number of frames stated, 2 found and read"),
        (small_with("Frames: 2\n", ""), 2, "x.bvh: no number of frames stated, 2 found and read"),
        (small_with("Frames: 2", "Frames: 99999999999999"), 2, "x.bvh: 99999999999999 frames stated, 2 found and read"),
        (small_with("CHANNELS 3", "CHANNELS 4"), 2, "x.bvh, line 9: 4 channels stated, 3 found and read"),
        (
            small_with(" 8 9 10", " 8 9"),
            1,
            "x.bvh, line 20: 9 numbers expected, 8 found; the cut-off frame is left out",
        ),
    ],
)
def test_what_other_programs_read_is_read_with_a_warning(tmp_path: Path, text: str, rows: int, warning: str) -> None:
    (tmp_path / "x.bvh").write_text(text)
    result = parse_bvh(tmp_path / "x.bvh")
    assert result.warnings[0] == warning
    np.testing.assert_array_equal(result.values, [np.arange(1.0, 10.0), np.arange(2.0, 11.0)][:rows])


@pytest.mark.parametrize("frame_time", ["0.033333", "0", "soon", ""])
def test_a_given_frame_rate_counts_whatever_the_file_says(tmp_path: Path, frame_time: str) -> None:
    (tmp_path / "x.bvh").write_text(small_with("Frame Time: 0.033333", f"Frame Time: {frame_time}"))
    assert parse_bvh(tmp_path / "x.bvh", 25.0).fps == 25.0
    (tmp_path / "x.bvh").write_text(small_with("Frame Time: 0.033333\n", ""))
    assert parse_bvh(tmp_path / "x.bvh", 25.0).fps == 25.0


@pytest.mark.parametrize("word", ["nan", "NaN", "-nan", "-nan(ind)", "1.#QNAN0", "-1.#IND", "-1.#IND00"])
def test_gaps_are_interpolated_and_told(tmp_path: Path, word: str) -> None:
    rows = f"1 2 3 4 5 6 7 8 9\n{word} 2 3 4 5 6 {word} 8 9\n3 2 3 4 5 6 8 8 9\n"
    (tmp_path / "x.bvh").write_text(small_with("Frames: 2", "Frames: 3").split("1 2 3 4")[0] + rows)
    result = parse_bvh(tmp_path / "x.bvh")
    assert result.warnings == ("x.bvh: gaps written as nan found in 1 of 3 frames, interpolated",)
    np.testing.assert_array_equal(result.values[1], [2, 2, 3, 4, 5, 6, 7.5, 8, 9])


def test_an_angle_is_interpolated_the_short_way(tmp_path: Path) -> None:
    (tmp_path / "x.bvh").write_text(
        small_with("Frames: 2", "Frames: 3").split("1 2 3 4")[0]
        + "0 0 0 350 0 0 0 0 0\n0 0 0 nan 0 0 0 0 0\n0 0 0 10 0 0 0 0 0\n"
    )
    assert parse_bvh(tmp_path / "x.bvh").values[1, 3] % 360.0 == 0.0


def test_a_channel_of_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bvh").write_text(small_with("Frames: 2", "Frames: 1").split("1 2 3 4")[0] + "nan" + " 0" * 8)
    with pytest.raises(BadFile, match=r"x.bvh: numbers expected for channel 1, Xposition, only nan found"):
        parse_bvh(tmp_path / "x.bvh")


@pytest.mark.parametrize("cut", [0.3, 0.7, 0.999])
def test_a_truncated_recording_is_read_up_to_its_end_with_a_warning(corpus: Path, tmp_path: Path, cut: float) -> None:
    whole = (corpus / "salsa/salsa_10_leader.bvh").read_bytes()
    (tmp_path / "cut.bvh").write_bytes(whole[: int(len(whole) * cut)])
    result, original = parse_bvh(tmp_path / "cut.bvh"), parse_bvh(corpus / "salsa/salsa_10_leader.bvh")
    np.testing.assert_array_equal(result.values[:-1], original.values[: len(result.values) - 1])
    assert f"cut.bvh: 1197 frames stated, {len(result.values)} found and read" in result.warnings
    assert 0 < len(result.values) < len(original.values)


def test_values_and_names_are_read_as_written(tmp_path: Path) -> None:
    (tmp_path / "small.bvh").write_text(SMALL)
    small = parse_bvh(tmp_path / "small.bvh")
    assert small.names == ("hips", "left arm", "left arm end site")
    assert small.parents == (-1, 0, 1)
    assert small.channels[1] == ("Yrotation", "Xrotation", "Zrotation")
    np.testing.assert_array_equal(small.values, [np.arange(1.0, 10.0), np.arange(2.0, 11.0)])


@pytest.mark.parametrize(
    "dressed",
    [
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\r"),
        SMALL.replace(" ", "\t").replace("left\tarm", "left arm"),
        SMALL.replace("\n  ", "\n").replace("\n{", " {"),
        SMALL.replace("ROOT", "\n\n  root").replace("Zrotation", "ZROTATION"),
        SMALL.replace("Frame Time: ", "Frame Time:\t").replace("7 8 9\n", "7\n8 9\n"),
        SMALL.replace("OFFSET", "offset").replace("CHANNELS", "Channels").replace("MOTION", "Motion"),
        SMALL.replace("Frames: 2", "FRAMES :\t2")
        .replace("Frame Time:", "frame  time :")
        .replace("End Site", "END SITE"),
        SMALL.replace("\n  {\n", " {").replace("End Site\n    {", "End Site {"),
        " ".join(SMALL.split("MOTION")[0].split()) + "\nMOTION" + SMALL.split("MOTION")[1],
        " ".join(SMALL.split()),
        "\ufeff" + SMALL + "\n  \n",
    ],
    ids=[
        *("crlf", "cr", "tabs", "flat", "case and blank lines", "a wrapped frame", "lower case", "odd labels"),
        *("braces beside names", "a hierarchy on one line", "all on one line", "byte order mark"),
    ],
)
def test_layout_does_not_matter(tmp_path: Path, dressed: str) -> None:
    (tmp_path / "plain.bvh").write_text(SMALL)
    (tmp_path / "dressed.bvh").write_bytes(dressed.encode())
    plain, result = parse_bvh(tmp_path / "plain.bvh"), parse_bvh(tmp_path / "dressed.bvh")
    assert (result.names, result.channels, result.fps) == (plain.names, plain.channels, plain.fps)
    np.testing.assert_array_equal(result.values, plain.values)
    np.testing.assert_array_equal(result.offsets, plain.offsets)


@pytest.mark.parametrize("name", ["ns:Left Arm 01", "offset bone", "the end", "Motion", "Hips|root joint", "ROOT"])
def test_names_may_hold_anything_but_braces(tmp_path: Path, name: str) -> None:
    (tmp_path / "small.bvh").write_text(SMALL.replace("left arm", name))
    assert parse_bvh(tmp_path / "small.bvh").names == ("hips", name, f"{name} end site")


@pytest.mark.parametrize(
    ("frame_time", "fps"),
    [
        ("0.0333333", 30.0), (".03333", 30.0), ("0.033", 30.0), ("0.008333", 120.0), ("0.0083333", 120.0),
        ("0.01666667", 60.0), ("0.016666", 60.0), ("0.0167", 60.0), ("0.010000", 100.0), ("1.0", 1.0),
        ("0.0417083750417", 1 / 0.0417083750417), ("0.0333667", 1 / 0.0333667), ("0.03", 1 / 0.03),
    ],
)  # fmt: skip
def test_a_rounded_frame_time_snaps_to_the_common_rate(frame_time: str, fps: float) -> None:
    assert bvh_frames.frame_rate(frame_time) == fps


def test_channels_of_scale_are_left_out_with_a_warning(tmp_path: Path) -> None:
    text = small_with("Xrotation Yrotation\n", "Xrotation Yrotation Xscale Yscale Zscale\n").replace(
        "CHANNELS 6", "CHANNELS 9"
    )
    text = text.replace("1 2 3 4 5 6 7", "1 2 3 4 5 6 1 1 1 7").replace("2 3 4 5 6 7 8", "2 3 4 5 6 7 1 1 1 8")
    (tmp_path / "scaled.bvh").write_text(text)
    (tmp_path / "x.bvh").write_text(SMALL)
    scaled, plain = parse_bvh(tmp_path / "scaled.bvh"), parse_bvh(tmp_path / "x.bvh")
    assert scaled.warnings == ("scaled.bvh, line 5: channels of scale found, left out",)
    for found, expected in zip(bvh_transforms(scaled), bvh_transforms(plain), strict=True):
        np.testing.assert_allclose(found, expected)
