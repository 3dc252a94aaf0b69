"""Copies of motion files in other axes and units, as other programs would have written them or got them wrong."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from rigs import Array, rotations
from rigs.files.bvh.bvh_parser import Bvh, parse_bvh
from rigs.files.bvh.bvh_writer import format_bvh
from rigs.files.conventions.axes import UNITS, UP_AXES, from_z_up, to_z_up

CONSISTENT, TURNED, MIRRORED = "whole file turned", "movement turned", "mirrored"


def axis_change(up: str, target: str) -> Array:
    """The rotation matrix (3, 3), all zeros and ones, from a file whose axis `up` points up to one with `target` up."""
    return from_z_up(to_z_up(np.eye(3), up), target).T


def in_unit(unit: str, metres: float) -> float:
    """The factor from lengths in units of `metres` to those in a unit of `UNITS`."""
    return metres / UNITS[unit]


def rewrite(source: Path, target: Path, matrix: Array, factor: float, *, rest: bool = True) -> bool:
    """Write a copy of a file with positions times `factor` (3, 3) `matrix`; False if its format has no such variant.

    rest: the rest pose is turned as well; otherwise the movement alone, as by a rotated root.
    """
    writers: dict[str, Callable[[Path, Path, Array, float, bool], bool]] = {
        ".bvh": _rewrite_bvh,
        ".amc": _rewrite_amc,
        ".npy": _rewrite_npy,
        ".npz": _rewrite_npz,
        ".json": _rewrite_json,
        ".csv": _rewrite_csv,
    }
    return writers[source.suffix](source, target, matrix, factor, rest)


def turned_root(bvh: Bvh, matrix: Array) -> Bvh:
    """The hierarchy below a new root that is rotated by `matrix` in all frames."""
    angles = np.degrees(rotations.to_euler(rotations.from_matrix(matrix), "ZXY"))
    return replace(
        bvh,
        names=("Reference", *bvh.names),
        parents=(-1, *(parent + 1 for parent in bvh.parents)),
        offsets=np.concatenate([np.zeros((1, 3)), bvh.offsets]),
        channels=(("Zrotation", "Xrotation", "Yrotation"), *bvh.channels),
        values=np.concatenate([np.tile(angles, (len(bvh.values), 1)), bvh.values], axis=1),
    )


def _rewrite_bvh(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    bvh = parse_bvh(source)
    if rest:
        bvh = _in_other_axes(bvh, matrix)
    elif not np.array_equal(matrix, np.eye(3)):
        bvh = turned_root(bvh, matrix)
    is_length = np.array([channel.endswith("position") for channels in bvh.channels for channel in channels])
    values = bvh.values * np.where(is_length, factor, 1.0)
    target.write_text(format_bvh(replace(bvh, offsets=bvh.offsets * factor, values=values)))
    return True


def _in_other_axes(bvh: Bvh, matrix: Array) -> Bvh:
    """The same movement with other letters and signs of the axes: `matrix` is a rotation of zeros and ones."""
    letters, signs = {}, {}
    for axis, letter in enumerate("XYZ"):
        to = int(np.argmax(np.abs(matrix[:, axis])))
        letters[letter], signs[letter] = "XYZ"[to], float(matrix[to, axis])
    flat = [channel for channels in bvh.channels for channel in channels]
    return replace(
        bvh,
        offsets=bvh.offsets @ matrix.T,
        channels=tuple(tuple(letters[name[0]] + name[1:] for name in channels) for channels in bvh.channels),
        values=bvh.values * np.array([signs[channel[0]] for channel in flat]),
    )


def _rewrite_amc(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    if rest and not np.array_equal(matrix, np.eye(3)):
        return False
    from rigs.files.acclaim.amc import _find_asf

    skeleton = []
    for line in _find_asf(source).read_text().splitlines():
        words = line.split()
        in_bone = words and words[0] == "length" and line.startswith("     ")
        skeleton.append(f"     length {float(words[1]) * factor:.9g}" if in_bone else line)
    target.with_suffix(".asf").write_text("\n".join(skeleton) + "\n")
    motion = []
    for line in source.read_text().splitlines():
        words = line.split()
        if words and words[0] == "root":
            numbers = np.array(words[1:], dtype=float)
            place = matrix @ numbers[:3] * factor
            turn = rotations.from_euler(np.radians(numbers[:2:-1]), "ZYX")
            turn = rotations.multiply(rotations.from_matrix(matrix), turn)
            angles = np.degrees(rotations.to_euler(turn, "ZYX"))[::-1]
            line = "root " + " ".join(f"{number:.9g}" for number in (*place, *angles))
        motion.append(line)
    target.write_text("\n".join(motion) + "\n")
    return True


def _rewrite_npy(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    np.save(target, np.load(source).astype(float) @ matrix.T * factor)
    return rest


def _rewrite_npz(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    with np.load(source) as archive:
        arrays = dict(archive)
    turn = rotations.from_matrix(matrix)
    arrays["root"] = arrays["root"] @ matrix.T * factor
    arrays["offsets"] = arrays["offsets"] * factor
    arrays["rotations"][..., 0, :] = rotations.multiply(turn, arrays["rotations"][..., 0, :])
    np.savez(target, **arrays)
    return not rest or np.array_equal(matrix, np.eye(3))


def _rewrite_json(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    detections = json.loads(source.read_text())
    for detection in detections:
        pose = np.array(detection["pred_xyz_jts"], dtype=float).reshape(-1, 3)
        detection["pred_xyz_jts"] = (pose @ matrix.T * factor).tolist()
    target.write_text(json.dumps(detections))
    return rest


def _rewrite_csv(source: Path, target: Path, matrix: Array, factor: float, rest: bool) -> bool:
    header, *lines = source.read_text().splitlines()
    rows = np.array([line.split(",") for line in lines], dtype=float)
    places = rows[:, 2:].reshape(len(rows), -1, 3) @ matrix.T * factor
    rows[:, 2:] = places.reshape(len(rows), -1)
    body = "\n".join(",".join(f"{value:.6f}" for value in row) for row in rows)
    target.write_text(f"{header}\n{body}\n")
    return rest


def variants(up: str, metres: float) -> dict[str, tuple[Array, float, bool]]:
    """Matrix, factor and whether the rest pose turns, by name, of all variants of a file with `up` up."""
    found: dict[str, tuple[Array, float, bool]] = {"as is": (np.eye(3), 1.0, True)}
    for target in UP_AXES:
        if target != up:
            found[f"{target} up"] = (axis_change(up, target), 1.0, True)
            found[f"movement {target} up"] = (axis_change(up, target), 1.0, False)
    upside_down = np.diag([-1.0, -1.0, -1.0])
    spared = "XYZ".index(up[-1]) - 1
    upside_down[spared, spared] = 1.0
    found["upside down"] = (upside_down, 1.0, False)
    for unit in ("mm", "cm", "in", "ft", "m"):
        if not np.isclose(UNITS[unit], metres):
            found[f"in {unit}"] = (np.eye(3), in_unit(unit, metres), True)
    found["axes swapped"] = (np.eye(3)[[0, 2, 1]], 1.0, True)
    return found
