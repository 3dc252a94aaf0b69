"""What a message may hold: the limits of the specification in protocol.py, and the checks that refuse the rest."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import JOINTS

MAX_HEADER = 65_536
"""Bytes of a header."""
MAX_FRAMES = 100_000
MAX_SECONDS = 1_800.0
MAX_PLACE = 10_000.0
"""Metres that a pelvis may be from the origin on each axis."""
MAX_BONE = 100.0
"""Metres that a joint may be from its parent on each axis."""
UNIT = 1e-3
"""What a quaternion's length may be away from 1."""
MAX_SEED = 2**32 - 1
MAX_TAKES = 16
MAX_KEPT = 1_000
"""Frames of a draft that may be named one by one."""
NEAREST, FURTHEST = 0.3, 100.0
"""Metres along the floor from the leader at which a partner may be placed."""
MAX_TEXT = 2_000
"""Characters of a text parameter."""
ROLES = ("follow", "lead")
CODES = ("refused", "cancelled", "fault")


class ProtocolError(ValueError):
    """A message that breaks the specification, in one sentence.  id: the message's own where it can be read, or ""."""

    def __init__(self, text: str, id: str = "") -> None:
        super().__init__(text)
        self.id = id


Rule = Callable[[str, Any], None]
"""Raises ProtocolError if the parameter of this name may not have this value."""


def number(low: float, high: float) -> Rule:
    def rule(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ProtocolError(f"{name}: a number of {low:g} to {high:g} expected, {shown(value)} found")

    return rule


def whole(low: int, high: int) -> Rule:
    def rule(name: str, value: Any) -> None:
        if type(value) is not int or not low <= value <= high:
            raise ProtocolError(f"{name}: a whole number of {low} to {high} expected, {shown(value)} found")

    return rule


def one_of(names: Sequence[str]) -> Rule:
    def rule(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in names:
            raise ProtocolError(f"{name}: {either(names)} expected, {shown(value)} found")

    return rule


def text(name: str, value: Any) -> None:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ProtocolError(f"{name}: a text of at most {MAX_TEXT} characters expected, {shown(value)} found")


def model(name: str, value: Any) -> None:
    if not isinstance(value, str) or not _MODEL.fullmatch(value):
        raise ProtocolError(f"{name}: 1 to 64 small letters, digits or - expected, {shown(value)} found")


def models(name: str, value: Any) -> None:
    if not isinstance(value, list | tuple):
        raise ProtocolError(f"{name}: an array of names expected, {shown(value)} found")
    for entry in value:
        model(name, entry)


def truth(name: str, value: Any) -> None:
    if type(value) is not bool:
        raise ProtocolError(f"{name}: true or false expected, {shown(value)} found")


def some_of(names: Sequence[str]) -> Rule:
    def rule(name: str, value: Any) -> None:
        plain = isinstance(value, list | tuple) and all(isinstance(entry, str) and entry in names for entry in value)
        if not plain or len(set(value)) != len(value):
            found = value
            if isinstance(value, list | tuple):
                found = next((entry for entry in value if entry not in names), value)
            raise ProtocolError(f"{name}: some of {', '.join(names)}, each once, expected, {shown(found)} found")

    return rule


def place(name: str, value: Any) -> None:
    """Nothing, or metres ahead, metres to the left and degrees."""
    if value is None:
        return
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ProtocolError(f"{name}: metres ahead, metres to the left and degrees expected, {shown(value)} found")
    for part, limit in zip(value, (FURTHEST, FURTHEST, 360.0), strict=True):
        number(-limit, limit)(name, part)
    away = math.hypot(value[0], value[1])
    if not NEAREST <= away <= FURTHEST:
        raise ProtocolError(f"{name}: {NEAREST:g} to {FURTHEST:g} m from the leader expected, {away:.3g} found")


def frames(name: str, value: Any) -> None:
    """Frames, from 0 and each later than the one before."""
    plain = isinstance(value, list | tuple) and len(value) <= MAX_KEPT and all(map(_frame, value))
    if not plain or any(late <= early for early, late in pairwise(value)):
        raise ProtocolError(f"{name}: at most {MAX_KEPT} frames in rising order expected, {shown(value)} found")


def span(name: str, value: Any) -> None:
    """Nothing, or the first and the last of some frames, from 0."""
    plain = isinstance(value, list | tuple) and len(value) == 2 and all(map(_frame, value))
    if value is not None and not (plain and value[0] <= value[1]):
        raise ProtocolError(f"{name}: a first frame and a last one not before it expected, {shown(value)} found")


def _frame(value: Any) -> bool:
    return type(value) is int and 0 <= value < MAX_FRAMES


def shape(name: str, value: Any) -> None:
    plain = isinstance(value, list) and 1 <= len(value) <= 3
    if not plain or not all(type(side) is int and 0 < side <= MAX_FRAMES for side in value):
        raise ProtocolError(f"{name}: a shape of at most 3 numbers of 1 to {MAX_FRAMES} expected, {shown(value)} found")


fps = number(1, 1000)


def exactly(where: str, found: Mapping[str, Any], names: Sequence[str]) -> None:
    """Refuse an object that has other members than those named."""
    if set(found) != set(names):
        wanted = ", ".join(names) or "none"
        raise ProtocolError(f"{where}: {wanted} expected, {shown(', '.join(found))} found")


def check_dancers(dancers: Mapping[str, Motion]) -> None:
    """Refuse a message's dancers unless each can be danced and all have the first one's rate."""
    for name, motion in dancers.items():
        first, leader = next(iter(dancers.items()))
        if motion.fps != leader.fps:
            raise ProtocolError(f"{name}: the {leader.fps:g} fps of {first} expected, {motion.fps:g} found")
        fps(f"{name}, fps", float(motion.fps))
        if not 1 <= len(motion) <= MAX_FRAMES:
            raise ProtocolError(f"{name}: 1 to {MAX_FRAMES} frames expected, {len(motion)} found")
        if motion.seconds > MAX_SECONDS:
            raise ProtocolError(f"{name}: at most {MAX_SECONDS:g} seconds expected, {motion.seconds:.0f} found")
        _check_within(f"{name}.offsets", motion.skeleton.offsets, MAX_BONE)
        _check_within(f"{name}.root", motion.root, MAX_PLACE)
        length = np.linalg.norm(motion.rotations, axis=-1)
        wrong = np.argwhere(~(np.abs(length - 1.0) <= UNIT))
        if len(wrong):
            f, j = wrong[0]
            place = f"{name}.rotations, frame {f}, {JOINTS[j]}"
            raise ProtocolError(f"{place}: a unit quaternion expected, one of length {length[f, j]:.3g} found")


def _check_within(name: str, array: Array, limit: float) -> None:
    wrong = np.argwhere(~(np.abs(array) <= limit))
    if len(wrong):
        row, column = wrong[0]
        found = f"{array[row, column]:.3g}"
        raise ProtocolError(f"{name}, row {row}: numbers within {limit:g} m expected, {found} found")


def shown(value: Any) -> str:
    """What was found, short and on one line."""
    text = "nothing" if value is None or value == "" else ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def either(names: Sequence[str]) -> str:
    """The names as people list a choice."""
    return " or ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


_MODEL = re.compile(r"[a-z0-9-]{1,64}")
