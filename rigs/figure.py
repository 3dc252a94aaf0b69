"""`Figure`: a movement on a `Body`, between retargeting and the rig's bones; feet and hands are finished on it."""

from dataclasses import dataclass, replace

from rigs import Array


@dataclass(frozen=True)
class Figure:
    """A movement on a body, joint by joint.

    positions: (F, 29, 3) m.  world: (F, 29, 4) the joints' world rotations.
    bends: for those of the body's moved bones that share a bend, how far they have turned in the world since rest,
    (F, 4); the other bones' turns follow from `world`.
    resting: (F, 4) bool, where the source's feet rest: left ankle, left foot, right ankle, right foot.
    steps: (F, 2, 2) m, the way of the source's balls of the feet along the floor, as far as it goes on this body.
    floor: m, the height of the floor that is danced on.
    """

    fps: float
    positions: Array
    world: Array
    bends: dict[int, Array]
    resting: Array
    steps: Array
    floor: float

    def carried(self, offset: Array) -> "Figure":
        """The figure moved by `offset` (F, 3) m."""
        return replace(self, positions=self.positions + offset[:, None])
