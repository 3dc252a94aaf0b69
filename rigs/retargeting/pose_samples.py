"""`PoseSamples`: where a motion puts a rig's bones in a few frames, to compare with what is shown there."""

from dataclasses import dataclass

import numpy as np

from rigs import Array


@dataclass(frozen=True)
class PoseSamples:
    """The pose of N animated bones in S frames of a motion.

    frames: the frames, counted from the motion's first.  bones: in topological order.
    parents: (N,) the index of each bone's nearest animated ancestor, or -1.
    rotations: (S, N, 4) in the world since rest.  heads: (S, N, 3) m.
    object_rotations: (S, 4) and object_locations: (S, 3) m, those of the armature's object.
    rest_rotations: (N, 4) and rest_heads: (N, 3) m, in the world, of the bones at rest.
    inherit_rotation: (N,) bool, whether each bone inherits its parent's rotation.
    unit_scale: metres in one unit of the bones' own space.
    """

    frames: tuple[int, ...]
    bones: tuple[str, ...]
    parents: tuple[int, ...]
    rotations: Array
    heads: Array
    object_rotations: Array
    object_locations: Array
    rest_rotations: Array
    rest_heads: Array
    inherit_rotation: Array
    unit_scale: float

    @property
    def size(self) -> float:
        """The extent in m of the bones at rest: the body's height or its reach."""
        return float(np.ptp(self.rest_heads, axis=0).max())


def choose_frames(speed: Array, *, spread: int = 5, fastest: int = 2) -> tuple[int, ...]:
    """Choose frames to check a motion in: `spread` evenly over its length and the `fastest` ones.

    speed: (F,) how far each frame is from the one before.
    """
    even = np.linspace(0, len(speed) - 1, min(spread, len(speed))).round().astype(int)
    largest = np.argsort(speed, kind="stable")[-fastest:]
    return tuple(int(frame) for frame in np.unique([*even, *largest]))
