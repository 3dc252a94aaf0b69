"""`StreamFrame`, one frame of a leader that comes from a stream."""

from dataclasses import dataclass

from rigs import Array
from rigs.skeleton import Skeleton


@dataclass(frozen=True)
class StreamFrame:
    """One frame of a dancer in Blender's space: right-handed, Z up, metres.

    seconds: the sender's time of the frame, None where it sends none.
    root: (3,) m, the pelvis.  rotations: (29, 4) unit quaternions relative to the parent.
    skeleton: the dancer's body; joints that the stream has not are placed between those that it has.
    """

    seconds: float | None
    root: Array
    rotations: Array
    skeleton: Skeleton
