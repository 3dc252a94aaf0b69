"""`StreamFrame`, one frame of a leader that comes from a stream."""

from dataclasses import dataclass

import numpy as np

from rigs import Array
from rigs.skeleton import JOINTS, Skeleton

_SHORTEST, _LONGEST = 1e-3, 3.0  # m, of a bone


@dataclass(frozen=True)
class StreamFrame:
    """One frame of a dancer in Blender's space: right-handed, Z up, metres.

    seconds: the sender's time of the frame, None where it sends none.
    root: (3,) m, the pelvis.  rotations: (29, 4) unit quaternions relative to the parent.
    skeleton: the dancer's body; joints that the stream has not are placed between those that it has.
    Raises ValueError, naming the joint, for a bone without length.
    """

    seconds: float | None
    root: Array
    rotations: Array
    skeleton: Skeleton

    def __post_init__(self) -> None:
        lengths = np.linalg.norm(self.skeleton.offsets[1:], axis=-1)
        wrong = ~((lengths > _SHORTEST) & (lengths < _LONGEST))
        if wrong.any():
            joint = JOINTS[1 + int(np.argmax(wrong))]
            raise ValueError(f"{joint}: a bone of 1 mm to 3 m expected, the stream's has {lengths[wrong][0]:.4g} m")
