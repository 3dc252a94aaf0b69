"""(specification to come)"""

from dataclasses import dataclass

from rigs.motion import Motion


class Cancelled(Exception):
    """The work was called off by the one who asked for it."""


@dataclass(frozen=True)
class PartnerRequest:
    """What a caller asks for when it wants the other dancer.

    leader: the dancer that is there, at any frame rate.
    history: the partner's own first frames, in the leader's world and at the leader's rate, to continue from.
    role: what the generated partner does, "follow" or "lead".
    takes: how many different results.  seed: equal seeds give equal takes.
    """

    leader: Motion
    history: Motion | None = None
    model: str = "duet-vae"
    role: str = "follow"
    seed: int = 0
    takes: int = 1
