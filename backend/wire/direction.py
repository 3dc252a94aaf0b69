"""`Direction`: how an animator directs the generated partner, what it may hold and what of a request contradicts it.

It leans on numpy alone, so that Blender has it too.
"""

from dataclasses import dataclass, fields

from backend.wire import validation
from backend.wire.validation import ProtocolError, Rule
from rigs.motion import Motion
from rigs.post_processing.post_process import PARTS

__all__ = ["DIRECTED", "PARTS", "RULES", "UNDIRECTED", "Direction", "check_direction", "expect_direction_support"]

DIRECTED: tuple[str, ...] = ("partner-flow",)
"""The models that take a direction."""


@dataclass(frozen=True)
class Direction:
    """What the partner is to be like; without anything said, as the model would have it.

    place: where the partner stands in the first frame, as the leader of that frame sees it: m ahead, m to the left, and
    degrees by which it is turned away from facing the leader, counter-clockwise from above.
    closeness: how strongly the leader is followed, 0 to 2: at 1 as trained, at 0 it is not looked at.
    energy: how much movement, 0.5 to 2, beside what the model would do.
    keep: frames of the draft, from 0 and rising, whose poses are to be met.
    redo: the first and the last frame, from 0, to be danced anew; the draft's others do not change.
    without: parts of the finishing, of those in rigs/post_processing/post_process.py, to leave out.
    """

    place: tuple[float, float, float] | None = None
    closeness: float = 1.0
    energy: float = 1.0
    keep: tuple[int, ...] = ()
    redo: tuple[int, int] | None = None
    without: tuple[str, ...] = ()

    @property
    def directed_fields(self) -> tuple[str, ...]:
        """What is directed, by name."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) != field.default)


UNDIRECTED = Direction()
RULES: dict[str, Rule] = {
    "place": validation.place,
    "closeness": validation.number(0, 2),
    "energy": validation.number(0.5, 2),
    "keep": validation.frames,
    "redo": validation.span,
    "without": validation.subset_of(PARTS),
}
"""What each of a direction's values may be."""


def check_direction(direction: Direction, leader: Motion, history: Motion | None, draft: Motion | None) -> None:
    """Raise ProtocolError for a value that none may be, and for what contradicts the dancers or another value."""
    for name, rule in RULES.items():
        rule(name, getattr(direction, name))
    if history is not None and draft is not None:
        raise ProtocolError("history and draft: one of them expected, both found")
    if direction.place is not None and (history is not None or draft is not None):
        stands = "draft" if history is None else "history"
        raise ProtocolError(f"place: no {stands} expected beside it, which says already where the partner stands")
    frames = {"keep": direction.keep, "redo": direction.redo or ()}
    if draft is None:
        for name, chosen in frames.items():
            if chosen:
                raise ProtocolError(f"{name}: a draft expected with it, none found")
        return
    if not any(frames.values()):
        raise ProtocolError("draft: keep or redo expected with it, neither found")
    if draft.fps != leader.fps:
        raise ProtocolError(f"draft: the {leader.fps:g} fps of leader expected, {draft.fps:g} found")
    if len(draft) != len(leader):
        raise ProtocolError(f"draft: {len(leader)} frames as in leader expected, {len(draft)} found")
    for name, chosen in frames.items():
        if chosen and max(chosen) >= len(leader):
            raise ProtocolError(f"{name}: frames of 0 to {len(leader) - 1} expected, {max(chosen)} found")


def expect_direction_support(model: str, direction: Direction, draft: Motion | None) -> None:
    """Raise ProtocolError where something is directed and the model, or device, takes no direction."""
    said = (*direction.directed_fields, *(["draft"] if draft is not None else []))
    if said and model not in DIRECTED:
        raise ProtocolError(
            f"{model} takes no direction ({', '.join(said)}): {validation.join_choices(DIRECTED)} expected"
        )
