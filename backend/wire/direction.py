"""`Direction`: how an animator directs the generated partner, and which values contradict the dancers of a request."""

from dataclasses import dataclass, fields

from backend.model_registry import ModelRegistry
from backend.wire import validation
from backend.wire.validation import ProtocolError, Rule
from rigs.motion import Motion
from rigs.post_processing.post_process import PARTS

__all__ = ["DIRECTION_RULES", "PARTS", "UNDIRECTED", "Direction", "check_direction", "expect_direction_support"]


@dataclass(frozen=True)
class Direction:
    """An animator's direction of the partner; its defaults direct nothing.

    place: where the partner stands in the first frame, as the leader of that frame sees it: m ahead, m to the left, and
    degrees by which it is turned away from facing the leader, counter-clockwise from above.
    closeness: how strongly the leader is followed, 0 to 2: scales classifier-free guidance; 1 by default, 0 not at all.
    energy: how much movement, 0.5 to 2 times the model's own.
    keep: keyframes of the draft, from 0 and rising, whose poses the partner takes.
    redo: the first and the last frame, from 0, to generate again; the draft's others do not change.
    without: the parts of post-processing to leave out, see rigs/post_processing/post_process.py.
    """

    place: tuple[float, float, float] | None = None
    closeness: float = 1.0
    energy: float = 1.0
    keep: tuple[int, ...] = ()
    redo: tuple[int, int] | None = None
    without: tuple[str, ...] = ()

    @property
    def directed_fields(self) -> tuple[str, ...]:
        """The names of the fields that direct something."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) != field.default)


UNDIRECTED = Direction()
DIRECTION_RULES: dict[str, Rule] = {
    "place": validation.place,
    "closeness": validation.number(0, 2),
    "energy": validation.number(0.5, 2),
    "keep": validation.frames,
    "redo": validation.span,
    "without": validation.subset_of(PARTS),
}
"""What checks each field of a direction."""


def check_direction(direction: Direction, leader: Motion, history: Motion | None, draft: Motion | None) -> None:
    """Raise ProtocolError for a direction that contradicts the dancers, and for dancers that contradict each other."""
    if history is not None and draft is not None:
        raise ProtocolError("history and draft: one of them expected, both found")
    if direction.place is not None and (history is not None or draft is not None):
        dancer = "draft" if history is None else "history"
        raise ProtocolError(f"place: no {dancer} expected beside it, which says already where the partner stands")
    frames = {"keep": direction.keep, "redo": direction.redo or ()}
    if draft is None:
        for name, numbers in frames.items():
            if numbers:
                raise ProtocolError(f"{name}: a draft expected with it, none found")
        return
    if not any(frames.values()):
        raise ProtocolError("draft: keep or redo expected with it, neither found")
    if len(draft) != len(leader):
        raise ProtocolError(f"draft: {len(leader)} frames as in leader expected, {len(draft)} found")
    for name, numbers in frames.items():
        if numbers and max(numbers) >= len(leader):
            raise ProtocolError(f"{name}: frames of 0 to {len(leader) - 1} expected, {max(numbers)} found")


def expect_direction_support(model: str, direction: Direction, draft: Motion | None, registry: ModelRegistry) -> None:
    """Raise ValueError if something is directed and the model, or choreographic device, takes no direction."""
    directed_names = (*direction.directed_fields, *(["draft"] if draft is not None else []))
    supporting_models = [spec.name for spec in registry if spec.direction]
    if directed_names and model not in supporting_models:
        expected = validation.join_choices(supporting_models)
        raise ValueError(f"{model} takes no direction ({', '.join(directed_names)}): {expected} expected")
