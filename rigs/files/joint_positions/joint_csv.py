"""Tables of joint positions (`.csv`), for spreadsheets and analysis: metres, Z up, a row for each frame.

    frame,time,pelvis_x,pelvis_y,pelvis_z,left_hip_x,...                      one dancer
    frame,time,leader_pelvis_x,leader_pelvis_y,...,partner_pelvis_x,...       two

`time` is in seconds. A table is read back by its column names, in any order, also with semicolons and decimal commas as
spreadsheets of other countries write them; bone lengths and rotations follow from the positions. Twists of bones and
the leaves beyond SMPL's 24 joints are lost where the positions do not tell them.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rigs import Array
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.conventions.conventions import Stated
from rigs.files.frame_numbers import place_frames
from rigs.files.joint_positions import hybrik
from rigs.files.joint_positions.point_cloud import detect_cloud_conventions, to_blender_axes
from rigs.files.joint_positions.position_gaps import fill_position_gaps
from rigs.files.text import read_text
from rigs.motion import Motion
from rigs.skeleton import JOINTS

_STATED = Stated(up="Z", metres=1.0)
_ROLES = ("leader", "partner")
_AXES = "xyz"
_DECIMALS = 6
_EVEN = 0.5
"""Frames by which a step between two rows may differ from one, as times are rounded and clocks vary."""
_EXPECTED = "columns frame, time, pelvis_x, pelvis_y, pelvis_z and so on for each joint expected"
_QUOTES = "\" '\t"
_MISSING = {"", "nan", "na", "n/a", "null", "none"}
"""What stands in a cell of a joint that was not captured."""


@dataclass(frozen=True)
class _Table:
    """Cells of a table: names (C,) of the columns, numbers (F, C) with nan for empty cells, and the lines' numbers."""

    names: tuple[str, ...]
    rows: Array
    warnings: tuple[str, ...]


def write(path: Path, motions: tuple[Motion, ...], like: Source | None) -> bytes:
    """The bytes of a table with one or two dancers of the same length and frame rate. Raises BadFile."""
    if len(motions) not in (1, 2):
        raise BadFile(f"{path.name}: one or two dancers expected, {len(motions)} given")
    if len({(len(motion), motion.fps) for motion in motions}) > 1:
        raise BadFile(f"{path.name}: two dancers of one length and frame rate expected")
    prefixes = [""] if len(motions) == 1 else [f"{role}_" for role in _ROLES]
    names = [f"{prefix}{joint}_{axis}" for prefix in prefixes for joint in JOINTS for axis in _AXES]
    frames = len(motions[0])
    positions = np.concatenate([motion.positions.reshape(frames, -1) for motion in motions], axis=1)
    positions = np.round(positions, _DECIMALS) + 0.0  # no -0.000000
    lines = [",".join(["frame", "time", *names])]
    for frame, row in enumerate(positions):
        cells = ",".join(f"{value:.{_DECIMALS}f}" for value in row)
        lines.append(f"{frame},{frame / motions[0].fps:.{_DECIMALS}f},{cells}")
    return ("\n".join(lines) + "\n").encode()


def read(path: Path, options: ReadOptions) -> Clip:
    """Read one or two dancers. Raises BadFile."""
    table = _parse_table(path)
    columns = {_plain_name(name): at for at, name in reversed(list(enumerate(table.names)))}
    prefixes = [f"{role}_" for role in _ROLES if f"{role}_pelvis_x" in columns] or [""]
    if "time" in columns:
        table = _sort_by_time(path, table, columns["time"])
    rate, warnings = _frame_rate(path, table, columns, options)
    if "time" in columns and options.fps is None:
        table = _insert_missing_rows(path, table, columns["time"], rate)
    captures, motions = [], []
    for prefix in prefixes:
        positions = _joint_columns(path, table, columns, prefix)
        who = prefix.rstrip("_")
        positions, gaps = fill_position_gaps(path, positions, f"the {who}" if who else "")
        warnings += gaps
        hybrik.expect_positions(path, positions, JOINTS, hybrik.SMALLEST_UNIT)
        captures.append(positions)
    conventions = detect_cloud_conventions(path.name, captures, rate, options, _STATED)
    for positions in captures:
        hybrik.expect_positions(path, positions, JOINTS, conventions.metres)
        try:
            motions.append(hybrik.motion_from_positions(to_blender_axes(positions, conventions), rate))
        except ValueError as error:
            raise BadFile(f"{path.name}, {error}") from None
    source = Source(path, conventions.metres, conventions.up, rate, len(table.rows))
    return Clip(tuple(motions), source, (*table.warnings, *warnings, *conventions.warnings))


def _plain_name(name: str) -> str:
    """A column's name without case and separators of its own: 'Pelvis.X [m]' is 'pelvis_x'."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"[\[(].*?[\])]", "", name).strip().lower()).strip("_")


def _parse_table(path: Path) -> _Table:
    """The cells of a table. Raises BadFile."""
    text = read_text(path)
    lines = text.text.splitlines()
    header = next((at for at, line in enumerate(lines) if line.strip() and not line.startswith("#")), None)
    if header is None:
        raise BadFile(f"{path.name}: {_EXPECTED}")
    delimiter = max(",;\t", key=lines[header].count)
    names = tuple(cell.strip(_QUOTES) for cell in lines[header].split(delimiter))
    if not any(_plain_name(name).endswith("pelvis_x") for name in names):
        found = ", ".join(names[:5])
        raise BadFile(f"{path.name}: {_EXPECTED}, found: {found:.80}{', ...' * (len(names) > 5)}")
    rows = []
    for number, line in enumerate(lines[header + 1 :], start=header + 2):
        cells = [cell.strip(_QUOTES) for cell in line.split(delimiter)]
        if not any(cells):
            continue
        if len(cells) != len(names):
            raise BadFile(f"{path.name}, line {number}: {len(names)} cells expected, {len(cells)} found")
        rows.append([_parse_cell(path, number, cell, delimiter) for cell in cells])
    if not rows:
        raise BadFile(f"{path.name}: a row for each frame expected, none found")
    return _Table(names, np.array(rows), text.warnings)


def _parse_cell(path: Path, line: int, cell: str, delimiter: str) -> float:
    """The number of a cell, nan if it is empty. Raises BadFile."""
    text = cell.lower()
    if text in _MISSING:
        return float("nan")
    try:
        return float(text if delimiter == "," else text.replace(",", "."))
    except ValueError:
        raise BadFile(f"{path.name}, line {line}: a number expected, {cell[:40]!r} found") from None


def _sort_by_time(path: Path, table: _Table, column: int) -> _Table:
    """The table with its rows in the order of their times, and each time once, with a warning where it was not so."""
    times = table.rows[:, column]
    if not np.isfinite(times).all() or len(np.unique(times)) == 1 or (np.diff(times) > 0.0).all():
        return table
    _, order = np.unique(times, return_index=True)
    repeated = len(times) - len(order)
    said = f"{repeated} rows with the time of another left out" if repeated else "rows sorted by their times"
    return replace(table, rows=table.rows[order], warnings=(*table.warnings, f"{path.name}: {said}"))


def _insert_missing_rows(path: Path, table: _Table, column: int, rate: float) -> _Table:
    """The table with rows of nan where its times leave gaps of a frame or more, and a warning that says so."""
    times = table.rows[:, column]
    steps = np.diff(times) * rate
    if not np.isfinite(times).all() or (np.abs(steps - 1.0) < _EVEN).all():
        return table
    places, warnings = place_frames(path.name, np.rint((times - times[0]) * rate).astype(int).tolist())
    rows = np.full((places[-1] + 1, table.rows.shape[1]), np.nan)
    rows[places] = table.rows
    return replace(table, rows=rows, warnings=(*table.warnings, *warnings))


def _joint_columns(path: Path, table: _Table, columns: dict[str, int], prefix: str) -> Array:
    """Positions (F, 29, 3) or (F, 24, 3) of a dancer's columns. Raises BadFile for a missing one."""
    leaves = [f"{prefix}{joint}_{axis}" for joint in JOINTS[hybrik.SMPL_JOINTS :] for axis in _AXES]
    joints = JOINTS if any(name in columns for name in leaves) else JOINTS[: hybrik.SMPL_JOINTS]
    names = [f"{prefix}{joint}_{axis}" for joint in joints for axis in _AXES]
    missing = [name for name in names if name not in columns]
    if missing:
        more = f" and {len(missing) - 3} more" * (len(missing) > 3)
        raise BadFile(f"{path.name}: columns {', '.join(missing[:3])}{more} expected, none found")
    return table.rows[:, [columns[name] for name in names]].reshape(len(table.rows), len(joints), 3)


def _frame_rate(
    path: Path, table: _Table, columns: dict[str, int], options: ReadOptions
) -> tuple[float, tuple[str, ...]]:
    """The frame rate by the times of the rows, and a warning without them."""
    if options.fps is not None:
        return options.fps, ()
    steps = np.diff(table.rows[:, columns["time"]]) if "time" in columns else np.zeros(0)
    steps = steps[np.isfinite(steps)]
    step = float(np.median(steps)) if len(steps) else 0.0
    if step > 0.0:
        # times are rounded, so the whole clip tells the rate more exactly than a step
        frames = np.rint(steps / step)
        return round(float(frames.sum() / steps.sum()), 3), ()
    rate = hybrik.DEFAULT_FPS
    return rate, (f"{path.name}: no times of the frames found, {rate:g} a second assumed; --fps gives the true one",)
