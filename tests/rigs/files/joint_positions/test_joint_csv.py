"""Tables of joint positions: what is written, and reading it back also from spreadsheets of other countries."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rigs.files import BadFile, ReadOptions, Source, read, write
from rigs.motion import Motion, translate
from rigs.sample_dance.salsa import sample_dance
from rigs.skeleton import INDEX, JOINTS

FRAMES = 60


def dance() -> Motion:
    return sample_dance()[:FRAMES]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_row_for_each_frame_has_the_time_and_all_joints_in_metres(tmp_path: Path) -> None:
    write(tmp_path / "dance.csv", dance())
    rows = rows_of(tmp_path / "dance.csv")
    assert len(rows) == FRAMES
    assert list(rows[0])[:5] == ["frame", "time", "pelvis_x", "pelvis_y", "pelvis_z"]
    assert len(rows[0]) == 2 + 3 * len(JOINTS)
    assert [(row["frame"], float(row["time"])) for row in rows[:2]] == [
        ("0", 0.0),
        ("1", pytest.approx(1 / 30, abs=1e-6)),
    ]
    wrist = [[float(row[f"left_wrist_{axis}"]) for axis in "xyz"] for row in rows]
    np.testing.assert_allclose(wrist, dance().positions[:, INDEX["left_wrist"]], atol=1e-6)


def test_two_dancers_have_columns_of_their_own(tmp_path: Path) -> None:
    pair = (dance(), translate(dance(), np.array([0.0, -1.0, 0.0])))
    write(tmp_path / "duet.csv", pair)
    rows = rows_of(tmp_path / "duet.csv")
    assert float(rows[9]["leader_head_y"]) - float(rows[9]["partner_head_y"]) == pytest.approx(1.0, abs=1e-5)
    clip = read(tmp_path / "duet.csv")
    for motion, written in zip(clip.motions, pair, strict=True):
        np.testing.assert_allclose(motion.positions, written.positions, atol=1e-4)
    with pytest.raises(BadFile, match=r"three.csv: one or two dancers expected, 3 given"):
        write(tmp_path / "three.csv", [dance()] * 3)


def test_a_partner_has_the_leaders_rate_and_length(tmp_path: Path) -> None:
    write(tmp_path / "partner.csv", dance(), like=Source(tmp_path / "leader.bvh", 0.01, "Y", 59.94, 100))
    clip = read(tmp_path / "partner.csv")
    assert clip.source == Source(tmp_path / "partner.csv", 1.0, "Z", 59.94, 100)
    assert clip.warnings == ()


def in_excel_of_france(text: str) -> bytes:
    return text.replace(",", ";").replace(".", ",").replace("\n", "\r\n").encode("utf-8-sig")


SPREADSHEETS: dict[str, Callable[[str], bytes]] = {
    "as written": str.encode,
    "Excel of France": in_excel_of_france,
    "UTF-16 with tabs": lambda text: text.replace(",", "\t").encode("utf-16"),
    "quoted and in capitals": lambda text: "\n".join(
        ",".join(f'"{cell}"' for cell in line.split(",")) for line in text.upper().splitlines()
    ).encode(),
    "with a comment and an empty line": lambda text: f"# from the studio\n{text}\n\n".encode(),
    "columns in another order": lambda text: "\n".join(
        ",".join(reversed(line.split(","))) for line in text.splitlines()
    ).encode(),
}


@pytest.mark.parametrize("spreadsheet", SPREADSHEETS)
def test_a_table_is_read_back_from_any_spreadsheet(tmp_path: Path, spreadsheet: str) -> None:
    write(tmp_path / "x.csv", dance())
    (tmp_path / "x.csv").write_bytes(SPREADSHEETS[spreadsheet]((tmp_path / "x.csv").read_text()))
    clip = read(tmp_path / "x.csv")
    assert clip.source.fps == 30.0
    np.testing.assert_allclose(clip.motions[0].positions, dance().positions, atol=1e-4)


def test_empty_cells_are_filled_and_told(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", dance())
    lines = (tmp_path / "x.csv").read_text().splitlines()
    lines[30] = "29,0.966667" + "," * (3 * len(JOINTS))
    (tmp_path / "x.csv").write_text("\n".join(lines))
    clip = read(tmp_path / "x.csv")
    assert clip.warnings == ("x.csv: joints not detected in 1 of 60 frames, interpolated",)
    np.testing.assert_allclose(clip.motions[0].positions, dance().positions, atol=0.05)


def test_a_table_of_smpls_24_joints_without_times_is_read_at_30_and_told(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", dance())
    cut = [line.split(",")[2 : 2 + 3 * 24] for line in (tmp_path / "x.csv").read_text().splitlines()]
    (tmp_path / "x.csv").write_text("\n".join(",".join(cells) for cells in cut))
    clip = read(tmp_path / "x.csv")
    assert clip.warnings == ("x.csv: no times of the frames found, 30 a second assumed; --fps gives the true one",)
    np.testing.assert_allclose(clip.motions[0].positions[:, :24], dance().positions[:, :24], atol=1e-4)
    assert read(tmp_path / "x.csv", fps=50.0).warnings == ()


def test_unit_and_up_axis_are_given_or_detected_and_told(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", dance())
    header, *lines = (tmp_path / "x.csv").read_text().splitlines()
    for at, line in enumerate(lines):
        frame, time, *cells = line.split(",")
        x, y, z = (100.0 * np.array(cells[axis::3], dtype=float) for axis in range(3))
        lines[at] = ",".join(
            [frame, time, *(f"{value:.4f}" for joint in zip(x, z, -y, strict=True) for value in joint)]
        )
    (tmp_path / "x.csv").write_text("\n".join([header, *lines]))
    clip = read(tmp_path / "x.csv", ReadOptions(up="Y", unit="cm"))
    assert clip.warnings == ()
    np.testing.assert_allclose(clip.motions[0].positions, dance().positions, atol=1e-4)
    told = read(tmp_path / "x.csv")
    assert (told.source.up, told.source.units) == ("Y", 0.01)
    assert ["--up" in told.warnings[0], "--unit" in told.warnings[1], len(told.warnings)] == [True, True, 2]
    np.testing.assert_allclose(told.motions[0].positions, dance().positions, atol=1e-4)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("name,age\nAda,36\n", r"x.csv: columns frame, time, pelvis_x, .* expected, found: name, age"),
        ("\n\n", r"x.csv: columns frame, time, pelvis_x, pelvis_y, pelvis_z and so on for each joint expected"),
        (
            "pelvis_x,pelvis_y\n1,2\n",
            r"x.csv: columns pelvis_z, left_hip_x, left_hip_y and 67 more expected, none found",
        ),
        ("pelvis_x,pelvis_y\n1\n", r"x.csv, line 2: 2 cells expected, 1 found"),
        ("pelvis_x,pelvis_y\n1,2\n3,up\n", r"x.csv, line 3: a number expected, 'up' found"),
        ("pelvis_x,pelvis_y\n", r"x.csv: a row for each frame expected, none found"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_place(tmp_path: Path, content: str, complaint: str) -> None:
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(BadFile, match=complaint):
        read(tmp_path / "x.csv")


def test_a_joint_that_is_hidden_in_some_frames_is_filled_and_told(tmp_path: Path) -> None:
    write(tmp_path / "x.csv", dance())
    lines = (tmp_path / "x.csv").read_text().splitlines()
    column = lines[0].split(",").index("left_wrist_x")
    for row in (11, 12):
        cells = lines[row].split(",")
        cells[column : column + 3] = ["", "NaN", ""]
        lines[row] = ",".join(cells)
    (tmp_path / "x.csv").write_text("\n".join(lines))
    clip = read(tmp_path / "x.csv")
    assert clip.warnings == ("x.csv: joints not detected in 2 of 60 frames, interpolated",)
    np.testing.assert_allclose(clip.motions[0].positions, dance().positions, atol=0.03)


def edit_lines(path: Path, edit: Callable[[list[str]], list[str]]) -> None:
    """Write the table of a dance with its rows edited."""
    write(path, dance())
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *edit(rows)]) + "\n")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda rows: rows[::-1], "rows sorted by their times"),
        (lambda rows: [*rows[30:], *rows[:30]], "rows sorted by their times"),
        (lambda rows: [row for row in rows for _ in range(2)], "60 rows with the time of another left out"),
    ],
)
def test_times_tell_the_order_of_the_rows(
    tmp_path: Path, edit: Callable[[list[str]], list[str]], expected: str
) -> None:
    edit_lines(tmp_path / "x.csv", edit)
    clip = read(tmp_path / "x.csv")
    assert (clip.warnings, clip.source.fps) == ((f"x.csv: {expected}",), 30.0)
    np.testing.assert_allclose(clip.motions[0].positions, dance().positions, atol=1e-4)


def test_rows_that_are_missing_by_their_times_keep_their_time(tmp_path: Path) -> None:
    edit_lines(tmp_path / "x.csv", lambda rows: rows[:20] + rows[26:])
    clip = read(tmp_path / "x.csv")
    assert clip.warnings == (
        "x.csv: 6 of 60 frames missing by their numbers, interpolated",
        "x.csv: joints not detected in 6 of 60 frames, interpolated",
    )
    assert (clip.source.fps, clip.source.frames) == (30.0, FRAMES)
    np.testing.assert_allclose(clip.motions[0].positions[26:], dance().positions[26:], atol=0.02)
