"""Validation of messages: the limits of the specification in protocol.py, and the checks that enforce them."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backend.music.score import PARTS, PITCHES, Score
from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import JOINTS

MAX_HEADER = 65_536
"""Bytes in a header."""
MAX_FRAMES = 100_000
MAX_SECONDS = 1_800.0
MAX_ROOT = 10_000.0
"""m from the origin to a pelvis, along each axis."""
MAX_OFFSET = 100.0
"""m from a joint's parent to it, along each axis."""
QUATERNION_TOLERANCE = 1e-3
"""Allowed difference of a quaternion's length from 1."""
MAX_SEED = 2**32 - 1
MAX_TAKES = 16
MAX_KEEP_FRAMES = 1_000
"""Frames of a draft that can be listed one by one."""
MIN_PLACE_DISTANCE, MAX_PLACE_DISTANCE = 0.3, 100.0
"""m along the floor from the leader to the partner's first place."""
MAX_STEPS = 65_536
"""Sixteenths in a score."""
MAX_NOTES = 100_000
"""Notes in a part."""
MAX_METERS = 4_096
MAX_UPPER, MAX_LOWER = 255, 2_048
"""The numbers of a time signature."""
MIN_BARS = 2
"""Fewest bars of music for a dance."""
MIN_SECONDS = 1.0
"""Shortest dance that music is composed for, in s."""
MAX_TEXT = 2_000
"""Characters in a text parameter."""
ROLES = ("follow", "lead")
CODES = ("refused", "cancelled", "fault")


class ProtocolError(ValueError):
    """A message that violates the specification, in one sentence.  id: the message's own if it could be read, or ""."""

    def __init__(self, text: str, id: str = "") -> None:
        super().__init__(text)
        self.id = id


Rule = Callable[[str, Any], None]
"""Raises ProtocolError if the parameter of this name cannot have this value."""


def number(low: float, high: float) -> Rule:
    """Expect a number within bounds."""

    def rule(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ProtocolError(f"{name}: a number of {low:g} to {high:g} expected, {quote(value)} found")

    return rule


def integer(low: int, high: int) -> Rule:
    """Expect an integer within bounds."""

    def rule(name: str, value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ProtocolError(f"{name}: a whole number of {low} to {high} expected, {quote(value)} found")

    return rule


def one_of(names: Sequence[str]) -> Rule:
    """Expect one of some names."""

    def rule(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in names:
            raise ProtocolError(f"{name}: {join_choices(names)} expected, {quote(value)} found")

    return rule


def text(name: str, value: Any) -> None:
    """Expect a text that is not too long."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ProtocolError(f"{name}: a text of at most {MAX_TEXT} characters expected, {quote(value)} found")


def model(name: str, value: Any) -> None:
    """Expect what could be a model's name."""
    if not isinstance(value, str) or not _MODEL.fullmatch(value):
        raise ProtocolError(f"{name}: 1 to 64 small letters, digits or - expected, {quote(value)} found")


def models(name: str, value: Any) -> None:
    """Expect an array of what could be models' names."""
    if not isinstance(value, list | tuple):
        raise ProtocolError(f"{name}: an array of names expected, {quote(value)} found")
    for entry in value:
        model(name, entry)


def boolean(name: str, value: Any) -> None:
    """Expect true or false."""
    if type(value) is not bool:
        raise ProtocolError(f"{name}: true or false expected, {quote(value)} found")


def subset_of(names: Sequence[str], min_count: int = 0) -> Rule:
    """Expect an array of some names, each at most once."""

    def rule(name: str, value: Any) -> None:
        well_formed = isinstance(value, list | tuple) and all(isinstance(item, str) and item in names for item in value)
        if not well_formed or len(set(value)) != len(value) or len(value) < min_count:
            wrong = value
            if isinstance(value, list | tuple):
                wrong = next((item for item in value if item not in names), value)
            raise ProtocolError(f"{name}: some of {', '.join(names)}, each once, expected, {quote(wrong)} found")

    return rule


def tempo(name: str, value: Any) -> None:
    """Expect nothing, or beats a minute."""
    if value is not None:
        number(30, 300)(name, value)


def place(name: str, value: Any) -> None:
    """Expect nothing, or metres ahead, metres to the left and degrees."""
    if value is None:
        return
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ProtocolError(f"{name}: metres ahead, metres to the left and degrees expected, {quote(value)} found")
    for part, limit in zip(value, (MAX_PLACE_DISTANCE, MAX_PLACE_DISTANCE, 360.0), strict=True):
        number(-limit, limit)(name, part)
    distance = math.hypot(value[0], value[1])
    if not MIN_PLACE_DISTANCE <= distance <= MAX_PLACE_DISTANCE:
        bounds = f"{MIN_PLACE_DISTANCE:g} to {MAX_PLACE_DISTANCE:g} m"
        raise ProtocolError(f"{name}: {bounds} from the leader expected, {distance:.3g} found")


def frames(name: str, value: Any) -> None:
    """Expect frames, from 0, each later than the one before."""
    well_formed = isinstance(value, list | tuple) and len(value) <= MAX_KEEP_FRAMES and all(map(_is_frame, value))
    if not well_formed or any(late <= early for early, late in pairwise(value)):
        raise ProtocolError(f"{name}: at most {MAX_KEEP_FRAMES} frames in rising order expected, {quote(value)} found")


def span(name: str, value: Any) -> None:
    """Expect nothing, or the first and the last of a range of frames, from 0."""
    well_formed = isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_frame, value))
    if value is not None and not (well_formed and value[0] <= value[1]):
        raise ProtocolError(f"{name}: a first frame and a last one not before it expected, {quote(value)} found")


def _is_frame(value: Any) -> bool:
    return type(value) is int and 0 <= value < MAX_FRAMES


def shape(name: str, value: Any) -> None:
    """Expect the shape of a buffer."""
    well_formed = isinstance(value, list) and 1 <= len(value) <= 3
    if not well_formed or not all(type(side) is int and 0 < side <= MAX_FRAMES for side in value):
        raise ProtocolError(f"{name}: a shape of at most 3 numbers of 1 to {MAX_FRAMES} expected, {quote(value)} found")


fps = number(1, 1000)
swing = number(0.5, 0.75)
parts = subset_of(PARTS, min_count=1)


def expect_members(where: str, members: Mapping[str, Any], names: Sequence[str]) -> None:
    """Raise ProtocolError for an object with other members than these."""
    if set(members) != set(names):
        expected = ", ".join(names) or "none"
        raise ProtocolError(f"{where}: {expected} expected, {quote(', '.join(members))} found")


def check_dancers(dancers: Mapping[str, Motion]) -> None:
    """Raise ProtocolError for movement out of bounds, for no quaternions, and for rates other than the first one's."""
    for name, motion in dancers.items():
        first, leader = next(iter(dancers.items()))
        if motion.fps != leader.fps:
            raise ProtocolError(f"{name}: the {leader.fps:g} fps of {first} expected, {motion.fps:g} found")
        fps(f"{name}, fps", float(motion.fps))
        if not 1 <= len(motion) <= MAX_FRAMES:
            raise ProtocolError(f"{name}: 1 to {MAX_FRAMES} frames expected, {len(motion)} found")
        if motion.seconds > MAX_SECONDS:
            raise ProtocolError(f"{name}: at most {MAX_SECONDS:g} seconds expected, {motion.seconds:.0f} found")
        _check_bounds(f"{name}.offsets", motion.skeleton.offsets, MAX_OFFSET)
        _check_bounds(f"{name}.root", motion.root, MAX_ROOT)
        length = np.linalg.norm(motion.rotations, axis=-1)
        wrong = np.argwhere(~(np.abs(length - 1.0) <= QUATERNION_TOLERANCE))
        if len(wrong):
            f, j = wrong[0]
            place = f"{name}.rotations, frame {f}, {JOINTS[j]}"
            raise ProtocolError(f"{place}: a unit quaternion expected, one of length {length[f, j]:.3g} found")


def dance_frames(score: Score, fps: float) -> int:
    """F, the frames of a dance to music: all that come no later than its end, as the wire rounds it."""
    return int(float(np.float32(score.seconds[-1])) * fps) + 1


def check_danceable(name: str, score: Score, fps: float) -> None:
    """Raise ProtocolError for music too short or too long for a dance at a rate; `name` is where it comes from."""
    seconds, frames = float(np.float32(score.seconds[-1])), dance_frames(score, fps)
    if len(score.bars) < MIN_BARS:
        raise ProtocolError(f"{name}: at least {MIN_BARS} bars of music expected, {len(score.bars)} found")
    if seconds > MAX_SECONDS:
        raise ProtocolError(f"{name}: at most {MAX_SECONDS:g} seconds of music expected, {seconds:.0f} found")
    if frames > MAX_FRAMES:
        raise ProtocolError(f"{name}: music of at most {MAX_FRAMES} frames expected, {frames} found")


def check_dance(dancers: Mapping[str, Motion]) -> None:
    """Raise ProtocolError for dancers of different lengths, and for a dance too short to compose music for."""
    for name, motion in dancers.items():
        first = next(iter(dancers.values()))
        if motion.seconds < MIN_SECONDS:
            found = f"{motion.seconds:.3g}"
            raise ProtocolError(f"{name}: at least {MIN_SECONDS:g} second of dance expected, {found} found")
        if len(motion) != len(first):
            raise ProtocolError(f"{name}: {len(first)} frames as in dancer1 expected, {len(motion)} found")


def check_score(name: str, arrays: Mapping[str, Array]) -> None:
    """Raise ProtocolError unless float32 buffers, by their names on the wire, are those of the score of this name."""
    seconds, meters = arrays[f"{name}.seconds"], arrays[f"{name}.meters"]
    if seconds.ndim != 1 or not 2 <= len(seconds) <= MAX_STEPS + 1:
        raise ProtocolError(f"{name}.seconds: shape (S + 1), S of 1 to {MAX_STEPS}, expected, {seconds.shape} found")
    _expect(f"{name}.seconds", "finite numbers", seconds, np.isfinite(seconds))
    rising = np.append(seconds[0] == 0.0, np.diff(seconds) > 0.0)
    _expect(f"{name}.seconds", "numbers that rise from 0", seconds, rising)
    if seconds[-1] > MAX_SECONDS:
        raise ProtocolError(f"{name}.seconds: at most {MAX_SECONDS:g} seconds expected, {seconds[-1]:.0f} found")
    steps = len(seconds) - 1
    begin, upper, lower = _columns(f"{name}.meters", meters, 3, MAX_METERS)
    rising = np.append(begin[0] == 0, np.diff(begin) > 0) & (begin < steps)
    _expect(f"{name}.meters", f"steps that rise from 0 and stay below {steps}", begin, rising)
    _expect(f"{name}.meters", f"an upper number of 1 to {MAX_UPPER}", upper, (upper >= 1) & (upper <= MAX_UPPER))
    powers = 2 ** np.arange(MAX_LOWER.bit_length())
    _expect(f"{name}.meters", f"a power of 2 up to {MAX_LOWER} as lower number", lower, np.isin(lower, powers))
    _expect(f"{name}.meters", "bars of a sixteenth or more", 16 * upper / lower, 16 * upper >= lower)
    for part in PARTS:
        if f"{name}.{part}" in arrays:
            _check_notes(f"{name}.{part}", arrays[f"{name}.{part}"], steps)


def _check_notes(name: str, notes: Array, steps: int) -> None:
    pitch, velocity, start, end = _columns(name, notes, 4, MAX_NOTES)
    _expect(name, f"a pitch of 0 to {PITCHES - 1}", pitch, (pitch >= 0) & (pitch < PITCHES))
    _expect(name, "a velocity of 1 to 127", velocity, (velocity >= 1) & (velocity <= 127))
    _expect(name, f"a start of 0 to {steps - 1}", start, (start >= 0) & (start < steps))
    _expect(name, f"an end behind the start and up to {steps}", end, (start < end) & (end <= steps))
    order = np.lexsort((start, pitch))
    overlaps = (np.diff(pitch[order]) == 0) & (start[order][1:] < end[order][:-1])
    separate = np.ones(len(notes), bool)
    separate[order[1:][overlaps]] = False
    _expect(name, "a start after the last note of its pitch has ended", start, separate)


def _columns(name: str, table: Array, columns: int, max_rows: int) -> Array:
    """The columns of a table of integers, of one row or more."""
    if table.ndim != 2 or table.shape[1] != columns or not 1 <= len(table) <= max_rows:
        raise ProtocolError(f"{name}: shape (N, {columns}), N of 1 to {max_rows}, expected, {table.shape} found")
    whole = np.isfinite(table) & (np.rint(table) == table)
    _expect(name, "whole numbers", table[np.arange(len(table)), whole.argmin(axis=1)], whole.all(axis=1))
    return table.T


def _expect(name: str, what: str, values: Array, valid: Array) -> None:
    if not valid.all():
        row = int(valid.argmin())
        raise ProtocolError(f"{name}, row {row}: {what} expected, {values[row]:g} found")


def _check_bounds(name: str, array: Array, limit: float) -> None:
    wrong = np.argwhere(~(np.abs(array) <= limit))
    if len(wrong):
        row, column = wrong[0]
        found = f"{array[row, column]:.3g}"
        raise ProtocolError(f"{name}, row {row}: numbers within {limit:g} m expected, {found} found")


def quote(value: Any) -> str:
    """A value for an error message, short and on one line."""
    text = "nothing" if value is None or value == "" else ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def join_choices(names: Sequence[str]) -> str:
    """Names as a choice: "a, b or c"."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


_MODEL = re.compile(r"[a-z0-9-]{1,64}")
