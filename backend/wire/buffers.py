"""Conversion of dancers and scores to the wire's float32 buffers and back; protocol.py specifies their layout."""

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backend.music.score import PARTS, Meter, Part, Score, part_from_note_array, part_to_note_array
from backend.wire import validation
from backend.wire.validation import ProtocolError, expect_members, quote
from rigs import Array
from rigs.motion import Motion
from rigs.rotations import normalize
from rigs.skeleton import Skeleton

_DANCER = ("offsets", "root", "rotations")
_SCORE = "score"


def read_buffers(entries: Any, parts: Sequence[bytes]) -> dict[str, Array]:
    """The arrays that a header declares, by name, in its order. Raises ProtocolError for parts that do not fit it."""
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ProtocolError(f"buffers: an array of objects expected, {quote(entries)} found")
    if len(entries) != len(parts):
        raise ProtocolError(f"buffers: {len(entries)} expected after the header, {len(parts)} found")
    arrays: dict[str, Array] = {}
    for entry, part in zip(entries, parts, strict=True):
        expect_members("buffers", entry, ("name", "shape"))
        name, shape = entry["name"], entry["shape"]
        if not isinstance(name, str) or name in arrays:
            raise ProtocolError(f"buffers: a name for each alone expected, {quote(name)} found")
        validation.shape(quote(name), shape)
        expected_bytes = 4 * math.prod(shape)
        if len(part) != expected_bytes:
            raise ProtocolError(f"{quote(name)}: {expected_bytes} bytes expected for its shape, {len(part)} found")
        arrays[name] = np.frombuffer(part, "<f4").reshape(shape)
    return arrays


def dancer_buffer_names(dancers: Iterable[str]) -> list[str]:
    """The names of these dancers' buffers, in their order."""
    return [f"{dancer}.{buffer}" for dancer in dancers for buffer in _DANCER]


def score_buffer_names(names: Container[str]) -> list[str]:
    """The names of a score's buffers, in their order; of the parts only those among `names`."""
    parts = [f"{_SCORE}.{part}" for part in PARTS]
    return [f"{_SCORE}.seconds", f"{_SCORE}.meters", *(part for part in parts if part in names)]


def dancers_to_arrays(dancers: Mapping[str, Motion]) -> dict[str, Array]:
    """The float32 buffers of dancers, by name."""
    arrays = [
        array for motion in dancers.values() for array in (motion.skeleton.offsets, motion.root, motion.rotations)
    ]
    return {name: array.astype("<f4") for name, array in zip(dancer_buffer_names(dancers), arrays, strict=True)}


def arrays_to_dancers(names: Sequence[str], fps: float, arrays: Mapping[str, Array]) -> dict[str, Motion]:
    """The dancers of these names, from untrusted buffers. Raises ProtocolError for those of no dancer."""
    dancers = {name: _to_motion(name, fps, arrays) for name in names}
    validation.check_dancers(dancers)
    return {name: _with_unit_quaternions(motion) for name, motion in dancers.items()}


def round_motion(motion: Motion) -> Motion:
    """The movement as it arrives at the other end: float32 numbers, and quaternions of length 1."""
    offsets, root, turns = (
        array.astype("<f4").astype(float) for array in (motion.skeleton.offsets, motion.root, motion.rotations)
    )
    return _with_unit_quaternions(Motion(float(motion.fps), Skeleton(offsets), root, turns))


def _to_motion(name: str, fps: float, arrays: Mapping[str, Array]) -> Motion:
    offsets, root, turns = (arrays[f"{name}.{buffer}"] for buffer in _DANCER)
    for buffer, array, shape in (
        ("offsets", offsets, (29, 3)),
        ("root", root, (len(root), 3)),
        ("rotations", turns, (len(root), 29, 4)),
    ):
        if array.shape != shape:
            raise ProtocolError(f"{name}.{buffer}: shape {shape} expected, {array.shape} found")
    return Motion(fps, Skeleton(offsets.astype(float)), root.astype(float), turns.astype(float))


def _with_unit_quaternions(motion: Motion) -> Motion:
    return replace(motion, rotations=normalize(motion.rotations))


def score_to_arrays(score: Score) -> dict[str, Array]:
    """The float32 buffers of a score, by name; those of parts that play nothing are left out."""
    tables = {part: part_to_note_array(getattr(score, part)) for part in PARTS}
    meters = np.array([(meter.step, meter.numerator, meter.denominator) for meter in score.meters])
    arrays = {"seconds": score.seconds, "meters": meters} | {
        part: notes for part, notes in tables.items() if len(notes)
    }
    return {f"{_SCORE}.{name}": array.astype("<f4") for name, array in arrays.items()}


def arrays_to_score(swing: float, arrays: Mapping[str, Array]) -> Score:
    """The score of valid buffers, as it arrives at the other end."""
    seconds = arrays[f"{_SCORE}.seconds"].astype(float)
    meters = tuple(Meter(*meter) for meter in arrays[f"{_SCORE}.meters"].astype(int).tolist())
    drums, bass, melody = (_to_part(arrays.get(f"{_SCORE}.{part}"), len(seconds) - 1) for part in PARTS)
    return Score(drums, bass, melody, seconds, meters, float(swing))


def _to_part(notes: Array | None, steps: int) -> Part:
    return part_from_note_array(np.zeros((0, 4), int) if notes is None else notes.astype(int), steps)
