"""Marker tables (`.trc`) as Cortex, OpenSim and OpenCap write them: labelled 3D points in text, mostly with Y up.

    PathFileType  4  (X/Y/Z)  dance.trc
    DataRate  CameraRate  NumFrames  NumMarkers  Units  ...
    120  120  600  39  mm  ...
    Frame#  Time  LASI        RASI  ...
                  X1  Y1  Z1  X2    ...
    1       0.0   ...

Cells are separated by tabs. A hidden marker has empty cells.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs.files import BadFile, Clip, ReadOptions
from rigs.files.frame_numbers import place_frames
from rigs.files.markers.marker_recording import MarkerRecording, to_clip
from rigs.files.text import read_text

_USUAL_UP = "Y"
_HIDDEN = ("", "nan", "none")


def read(path: Path, options: ReadOptions) -> Clip:
    """Read the dancers of a table. Raises BadFile."""
    recording, warnings = _parse(path)
    clip = to_clip(path, recording, options)
    return replace(clip, warnings=(*warnings, *clip.warnings))


def _parse(path: Path) -> tuple[MarkerRecording, list[str]]:
    """Parse a file; also warnings about its frames. Raises BadFile."""
    lines = read_text(path).text.splitlines()
    header = next((at for at, line in enumerate(lines[:10]) if line.lower().startswith("frame#")), None)
    if header is None or header < 2:
        raise BadFile(f"{path.name}: a table of markers expected, with a line that begins with Frame#")
    facts = dict(zip(lines[header - 2].split("\t"), lines[header - 1].split("\t"), strict=False))
    labels = tuple(label.strip() for label in lines[header].split("\t")[2:] if label.strip())
    frame_lines = [
        (number, line)
        for number, line in enumerate(lines[header + 1 :], start=header + 2)
        if line.strip() and line.split("\t", 1)[0].strip()  # the line of X1, Y1, Z1 has no frame number
    ]
    rows = [_parse_row(path, number, line, 3 * len(labels)) for number, line in frame_lines]
    if not rows or not labels:
        raise BadFile(f"{path.name}: a row for each frame and a label for each marker expected, none found")
    numbers = [line.split("\t", 1)[0].strip() for _, line in frame_lines]
    counted = [int(number[:18]) if number.isdecimal() else 0 for number in numbers]
    places, warnings = place_frames(path.name, counted)
    points = np.full((places[-1] + 1, len(labels), 3), np.nan)
    points[places] = np.array(rows).reshape(len(rows), len(labels), 3)
    points[(points == 0.0).all(axis=-1)] = np.nan
    try:
        rate, frames = float(facts.get("DataRate", 0.0)), int(facts.get("NumFrames", len(rows)))
    except ValueError:
        raise BadFile(f"{path.name}, line {header}: numbers expected as DataRate and NumFrames") from None
    rate = rate if np.isfinite(rate) else 0.0
    missing = max(0, frames - len(points))
    return MarkerRecording(labels, points, rate, facts.get("Units", ""), _USUAL_UP, missing), warnings


def _parse_row(path: Path, number: int, line: str, count: int) -> list[float]:
    """The coordinates of a frame, nan where a cell is empty. Raises BadFile."""
    cells = [cell.strip() for cell in line.split("\t")[2:]]
    if len(cells) > count and any(cells[count:]):
        raise BadFile(f"{path.name}, line {number}: {count} coordinates expected, {len(cells)} found")
    return [_parse_cell(path, number, cell) for cell in (cells + [""] * count)[:count]]


def _parse_cell(path: Path, number: int, cell: str) -> float:
    """The number of a cell, nan if it is empty. Raises BadFile."""
    if cell.lower() in _HIDDEN:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        raise BadFile(f"{path.name}, line {number}: a number expected, {cell[:40]!r} found") from None
