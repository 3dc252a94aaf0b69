"""Dancers and scores as the arrays that go over the wire, and back; their layout is specified in protocol.py."""

import math
from collections.abc import Container, Mapping, Sequence
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


def declared(entries: Any, parts: Sequence[bytes]) -> dict[str, Array]:
    """The arrays that a header declares, by name, in its order. Raises ProtocolError for parts that are others."""
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
        if len(part) != 4 * math.prod(shape):
            wanted = 4 * math.prod(shape)
            raise ProtocolError(f"{quote(name)}: {wanted} bytes expected for its shape, {len(part)} found")
        arrays[name] = np.frombuffer(part, "<f4").reshape(shape)
    return arrays


def names_of_dancers(dancers: Sequence[str]) -> list[str]:
    """The names of the buffers of these dancers."""
    return [f"{dancer}.{buffer}" for dancer in dancers for buffer in _DANCER]


def names_of_score(found: Container[str]) -> list[str]:
    """The names of a score's buffers, of which those of parts are only there if they are found."""
    parts = [f"{_SCORE}.{part}" for part in PARTS]
    return [f"{_SCORE}.seconds", f"{_SCORE}.meters", *(part for part in parts if part in found)]


def from_dancers(dancers: Mapping[str, Motion]) -> dict[str, Array]:
    """The buffers of dancers, by name. Raises ProtocolError for what none may be."""
    validation.check_dancers(dancers)
    arrays = [
        array for motion in dancers.values() for array in (motion.skeleton.offsets, motion.root, motion.rotations)
    ]
    return {name: array.astype("<f4") for name, array in zip(names_of_dancers(list(dancers)), arrays, strict=True)}


def to_dancers(dancers: Sequence[str], fps: float, buffers: Mapping[str, Array]) -> dict[str, Motion]:
    """The dancers of these names whose buffers these are. Raises ProtocolError for buffers of none."""
    motions = {name: _motion(name, fps, buffers) for name in dancers}
    validation.check_dancers(motions)
    return {name: replace(motion, rotations=normalize(motion.rotations)) for name, motion in motions.items()}


def _motion(name: str, fps: float, buffers: Mapping[str, Array]) -> Motion:
    offsets, root, turned = (buffers[f"{name}.{buffer}"] for buffer in _DANCER)
    for buffer, array, shape in (
        ("offsets", offsets, (29, 3)),
        ("root", root, (len(root), 3)),
        ("rotations", turned, (len(root), 29, 4)),
    ):
        if array.shape != shape:
            raise ProtocolError(f"{name}.{buffer}: shape {shape} expected, {array.shape} found")
    return Motion(fps, Skeleton(offsets.astype(float)), root.astype(float), turned.astype(float))


def from_score(score: Score) -> dict[str, Array]:
    """The buffers of a score, by name. Raises ProtocolError for what none may be."""
    tables = {part: part_to_note_array(getattr(score, part)) for part in PARTS}
    meters = np.array([(meter.step, meter.numerator, meter.denominator) for meter in score.meters])
    every = {"seconds": score.seconds, "meters": meters} | {part: notes for part, notes in tables.items() if len(notes)}
    arrays = {name: array.astype("<f4") for name, array in every.items()}
    validation.check_music(_SCORE, arrays)
    return {f"{_SCORE}.{name}": array for name, array in arrays.items()}


def to_score(swing: float, buffers: Mapping[str, Array]) -> Score:
    """The score whose buffers these are. Raises ProtocolError for buffers of none."""
    arrays = {name.removeprefix(f"{_SCORE}."): array for name, array in buffers.items()}
    validation.check_music(_SCORE, arrays)
    seconds = arrays["seconds"].astype(float)
    meters = tuple(Meter(*meter) for meter in arrays["meters"].astype(int).tolist())
    drums, bass, melody = (_part(arrays.get(part), len(seconds) - 1) for part in PARTS)
    return Score(drums, bass, melody, seconds, meters, float(swing))


def _part(notes: Array | None, steps: int) -> Part:
    return part_from_note_array(np.zeros((0, 4), int) if notes is None else notes.astype(int), steps)
