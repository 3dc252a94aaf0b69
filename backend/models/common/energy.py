"""Energy of a movement as the models are conditioned on it: the logarithm of its speed."""

from backend.models.common.array_api import AnyArray, array_namespace

STILL_SPEED = 0.05
"""m/s added to a speed before its logarithm, so that standing still has a finite energy."""


def log_speed(speed: AnyArray) -> AnyArray:
    """Energy of a movement from the mean speed of its joints in m/s."""
    return array_namespace(speed).log(speed + STILL_SPEED)


def normalized_energy(speed: AnyArray, stats: AnyArray) -> AnyArray:
    """Energy condition (B, 2), normalized log speed and 1, of mean joint speeds (B,) m/s.

    stats: (2,) mean and standard deviation of the training data's log speed.
    """
    value = (log_speed(speed) - stats[0]) / stats[1]
    xp = array_namespace(value)
    return xp.stack([value, xp.ones_like(value)], axis=1)
