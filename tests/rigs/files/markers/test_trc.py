"""Marker tables of OpenSim and Cortex: the same markers as a C3D recording give the same dancer."""

import time
from pathlib import Path

import numpy as np
import pytest

from rigs import Array
from rigs.files import BadFile, read
from rigs.files.conventions.axes import from_z_up
from rigs.sample_dance.salsa import sample_dance
from tests.rigs.files.markers.c3d_files import markers_on, write_markers

FRAMES = 60


def write_trc(path: Path, markers: dict[str, Array], *, rate: float = 30.0, unit: str = "mm", up: str = "Y") -> Path:
    """Write markers (F, 3) m; nan is an empty cell."""
    scale = {"m": 1.0, "mm": 1000.0}[unit]
    points = scale * from_z_up(np.stack(list(markers.values()), axis=1), up)
    frames = len(points)
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{path.name}",
        "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames",
        f"{rate}\t{rate}\t{frames}\t{len(markers)}\t{unit}\t{rate}\t1\t{frames}",
        "Frame#\tTime\t" + "\t\t\t".join(markers) + "\t\t",
        "\t\t" + "\t".join(f"{axis}{number}" for number in range(1, len(markers) + 1) for axis in "XYZ"),
        "",
    ]
    for frame, row in enumerate(points.reshape(frames, -1)):
        cells = ["" if np.isnan(value) else f"{value:.5f}" for value in row]
        lines.append("\t".join([str(frame + 1), f"{frame / max(rate, 1.0):.5f}", *cells]))
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def markers() -> dict[str, Array]:
    return markers_on(sample_dance()[:FRAMES])


@pytest.mark.parametrize("unit", ["m", "mm"])
def test_a_table_gives_the_same_dancer_as_a_c3d_recording(tmp_path: Path, unit: str) -> None:
    reference = read(write_markers(tmp_path / "x.c3d", markers(), fps=30.0)).motions[0]
    clip = read(write_trc(tmp_path / "x.trc", markers(), unit=unit))
    assert (clip.source.fps, clip.source.up, clip.source.frames, clip.warnings) == (30.0, "Y", FRAMES, ())
    np.testing.assert_allclose(clip.motions[0].positions, reference.positions, atol=1e-3)


def test_empty_cells_are_hidden_markers(tmp_path: Path) -> None:
    hidden = markers()
    hidden["RKNE"][10:14] = np.nan
    clip = read(write_trc(tmp_path / "x.trc", hidden))
    expected = "1 marker hidden in some frames and interpolated, the right knee marker in 4 of 60"
    assert clip.warnings == (f"x.trc: {expected}",)


def test_another_up_axis_is_detected_and_told(tmp_path: Path) -> None:
    clip = read(write_trc(tmp_path / "x.trc", markers_on(sample_dance()[:200]), up="Z"))
    assert clip.source.up == "Z"
    assert ["--up" in warning for warning in clip.warnings] == [True]


def test_a_missing_rate_is_rescued_by_the_one_that_is_given(tmp_path: Path) -> None:
    path = write_trc(tmp_path / "x.trc", markers(), rate=0.0)
    with pytest.raises(BadFile, match=r"x.trc: a frame rate above zero expected, 0 found; --fps gives it"):
        read(path)
    assert read(path, fps=60.0).source.fps == 60.0


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("Frame#", "Number", r"x.trc: a table of markers expected, with a line that begins with Frame#"),
        ("\t60\t", "\tmany\t", r"x.trc, line 3: numbers expected as DataRate and NumFrames"),
        ("\r\n3\t0.06667\t", "\r\n3\t0.06667\tup\t", r"x.trc, line 9: 90 coordinates expected, 91 found"),
        ("\r\n3\t0.06667\t", "\r\n3\t0.06667\tup", r"x.trc, line 9: a number expected, 'up"),
        ("LKNE", "L1", r"x.trc: markers LKNE expected as in Plug-in Gait, labels seen: LASI"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_the_place(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    path = write_trc(tmp_path / "x.trc", markers())
    content = path.read_bytes().decode()
    assert old in content
    path.write_bytes(content.replace(old, new, 1).encode())
    with pytest.raises(BadFile, match=complaint):
        read(path)


def test_a_table_without_frames_is_refused(tmp_path: Path) -> None:
    path = write_trc(tmp_path / "x.trc", markers())
    path.write_text("\n".join(path.read_text().splitlines()[:6]))
    with pytest.raises(BadFile, match=r"x.trc: a row for each frame and a label for each marker expected, none found"):
        read(path)


def test_a_label_as_long_as_a_file_takes_no_longer(tmp_path: Path) -> None:
    path = write_trc(tmp_path / "a.trc", markers())
    path.write_text(path.read_text().replace("LASI", "_-" * 100_000 + "LASI", 1))
    start = time.process_time()
    read(path)
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize("number", ["inf", "-1e400", "1e308", "1e30", "nan"])
def test_a_place_where_no_marker_can_be_is_a_hidden_one(tmp_path: Path, number: str) -> None:
    path = write_trc(tmp_path / "a.trc", markers())
    whole = read(path).motions[0].positions
    lines = path.read_text().split("\n")
    cells = lines[15].split("\t")
    for cell in range(2, len(cells), 7):
        cells[cell] = number
    lines[15] = "\t".join(cells)
    path.write_text("\n".join(lines))
    found = read(path).motions[0].positions
    assert np.abs(found - whole).max() < 0.03


def test_frames_that_are_missing_by_their_numbers_keep_their_time(tmp_path: Path) -> None:
    lines = write_trc(tmp_path / "x.trc", markers()).read_text().split("\n")
    facts = lines[2].split("\t")
    facts[2] = str(FRAMES - 6)
    (tmp_path / "x.trc").write_text("\n".join([*lines[:2], "\t".join(facts), *lines[3:26], *lines[32:]]))
    whole = read(write_trc(tmp_path / "whole.trc", markers())).motions[0]
    clip = read(tmp_path / "x.trc")
    assert clip.warnings[0] == f"x.trc: 6 of {FRAMES} frames missing by their numbers, interpolated"
    np.testing.assert_allclose(clip.motions[0].positions[26:], whole.positions[26:], atol=0.02)
