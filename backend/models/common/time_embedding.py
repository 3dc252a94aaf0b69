"""Sinusoidal embedding of flow times, for networks and for the conditions that they are given."""

from backend.models.common.array_api import AnyArray, array_namespace, constant_like

TIME_DIM = 64
"""Size of a time embedding."""


def time_embedding(t: AnyArray, max_log_frequency: float) -> AnyArray:
    """Sinusoidal embedding (B, TIME_DIM) of times (B,) from 0 to 1; log frequencies are even, from 0 to the largest."""
    xp = array_namespace(t)
    steps = [max_log_frequency * n / (TIME_DIM // 2 - 1) for n in range(TIME_DIM // 2)]
    angles = t[:, None] * xp.exp(constant_like(steps, t))
    return xp.concat([xp.sin(angles), xp.cos(angles)], axis=-1)
