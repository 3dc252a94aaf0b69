"""A partner's direction as the command takes it: frames counted from 1 as in Blender, the draft from a file."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from backend.wire.direction import Direction
from rigs.motion import Motion, resample

ALIKE = 1e-3
"""Part of a frame rate by which two count as one: BVH rounds the time between frames."""
SPARE = 1.5
"""Frames of the slower rate by which a draft of another rate may be shorter or longer than its leader."""


@dataclass(frozen=True)
class DirectionOptions:
    """What the partner of a model is to be like."""

    place: Annotated[tuple[float, float, float] | None, arg(metavar="AHEAD LEFT TURN", help_behavior_hint="")] = (
        Direction.place
    )
    """where the partner starts: metres ahead of the leader, metres to its left, degrees turned left from facing it."""
    closeness: Annotated[float, arg(metavar="C")] = Direction.closeness
    """how strongly the leader is followed: 1 as learnt, up to 2 for more, down to 0 for a partner on its own."""
    energy: Annotated[float, arg(metavar="E")] = Direction.energy
    """how much movement, from 0.5 for a calm partner to 2 for a lively one."""
    draft: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """the partner as it stands, such as a take that you have changed; --keep or --redo say what becomes of it."""
    keep: Annotated[str | None, arg(metavar="FRAMES", help_behavior_hint="")] = None
    """the draft's frames whose poses are to be met, such as 31,60,121-130; the first frame is 1."""
    redo: Annotated[str | None, arg(metavar="FIRST-LAST", help_behavior_hint="")] = None
    """the draft's frames to be danced anew, such as 121-180; all others stay as they are."""
    without: Annotated[tuple[str, ...], arg(metavar="PART [PART ...]", help_behavior_hint="")] = Direction.without
    """finishing to leave out: seams (blended), bodies (kept apart), hands (held), feet (planted), floor (stood on)."""


NONE = DirectionOptions()


def read_direction(options: DirectionOptions, frames: int) -> Direction:
    """The direction of a partner to a leader of so many frames. Raises ValueError for frames that are none of them."""
    keep = sorted({frame for first, last in _spans("keep", options.keep, frames) for frame in range(first, last + 1)})
    spans = _spans("redo", options.redo, frames)
    if len(spans) > 1:
        raise ValueError(f"--redo {options.redo}: one first and one last frame expected, such as 121-180")
    redo = spans[0] if spans else None
    return Direction(options.place, options.closeness, options.energy, tuple(keep), redo, options.without)


def fit_draft(draft: Motion, leader: Motion, name: str) -> Motion:
    """A draft, from the file of this name, at the leader's rate. Raises ValueError for one that is of other length."""
    if abs(draft.fps / leader.fps - 1.0) < ALIKE:
        if len(draft) != len(leader):
            raise ValueError(f"{name}: the leader's {len(leader)} frames expected, {len(draft)} found")
        return replace(draft, fps=leader.fps)
    if abs(draft.seconds - leader.seconds) > SPARE / min(draft.fps, leader.fps):
        raise ValueError(f"{name}: the leader's {leader.seconds:.2f} seconds expected, {draft.seconds:.2f} found")
    return resample(draft, leader.fps, len(leader))


def _spans(option: str, said: str | None, frames: int) -> list[tuple[int, int]]:
    """What such as "31,121-130" names: first and last frames, from 0. Raises ValueError."""
    if said is None:
        return []
    spans = []
    for part in said.split(","):
        numbers = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not numbers:
            raise ValueError(f"--{option} {said}: frames such as 31,60,121-130 expected")
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        if not 1 <= first <= last <= frames:
            found = part.strip()
            raise ValueError(
                f"--{option}: frames of 1 to {frames}, the first not after the last, expected, {found} found"
            )
        spans.append((first - 1, last - 1))
    return spans
