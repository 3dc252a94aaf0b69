"""Estimate a dancer's size from the steps, where only rotations and the path of the pelvis are known."""

import numpy as np

from rigs import Array
from rigs.motion import Motion
from rigs.skeleton import BALLS

_SIZES = np.linspace(0.5, 1.5, 201)
"""Sizes that are tried, as multiples of the motion's own skeleton."""
_PERSON = 0.6, 1.35
"""Sizes of people, as multiples of an adult of 1.7 m."""
_PLANTED = 0.4
"""m/s under which a foot is planted; faster ones all weigh alike, so that they do not matter."""
_STRIDE = 0.1
"""Seconds over which velocities are measured."""
_MIN_TRAVEL = 3.0
"""m that the pelvis travels over planted feet, from which on the steps tell the size."""


def size_from_steps(motion: Motion) -> float | None:
    """The multiple of the motion's skeleton at which the planted foot stays in place, or None if the steps do not tell.

    The pelvis moves with velocity v and the lower ball of the foot moves relative to it with velocity u, which grows
    with the size s. While that foot is planted, v + s u = 0; s has the least mean of min(|v + s u|, a planted foot's
    limit) over all frames.
    """
    step = max(1, round(_STRIDE * motion.fps))
    if len(motion) <= 2 * step:
        return None
    seconds = step / motion.fps
    relative = motion.positions[:, BALLS] - motion.root[:, None]
    lower = np.argmin(relative[..., 2], axis=1)
    foot, still = lower[:-step], lower[:-step] == lower[step:]
    rows = np.arange(len(foot))
    foot_velocity = (relative[step:][rows, foot] - relative[:-step][rows, foot])[still] / seconds
    velocity = ((motion.root[step:] - motion.root[:-step]) / seconds)[still]
    size, planted = _fit_size(velocity, foot_velocity)
    travel = float(np.linalg.norm(velocity[planted], axis=-1).sum() / motion.fps)
    return size if travel > _MIN_TRAVEL and _PERSON[0] < size < _PERSON[1] else None


def _fit_size(velocity: Array, foot_velocity: Array) -> tuple[float, Array]:
    """The size at which most frames have a planted foot, and those frames (N,) bool; velocities: (N, 3) m/s."""
    costs = [np.minimum(np.linalg.norm(velocity + s * foot_velocity, axis=-1), _PLANTED).sum() for s in _SIZES]
    size = float(_SIZES[int(np.argmin(costs))])
    planted = np.linalg.norm(velocity + size * foot_velocity, axis=-1) < _PLANTED
    return size, planted
