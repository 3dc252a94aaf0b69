"""Running means and running highest values over the frames of a movement."""

import numpy as np

from rigs import Array


def averaged(values: Array, frames: int) -> Array:
    """The values (F, ...), each averaged with those up to `frames` before and after it, nearer ones counting for more.

    The ends are held on.
    """
    kernel = np.hanning(2 * frames + 3)[1:-1]
    return np.asarray(_windows(values, frames) @ (kernel / kernel.sum()))


def highest(values: Array, frames: int) -> Array:
    """The highest of the values (F, ...) up to `frames` before and after each."""
    return np.asarray(_windows(values, frames).max(axis=-1))


def _windows(values: Array, frames: int) -> Array:
    """Each of the values (F, ...) with those around it: (F, ..., 2 * frames + 1)."""
    padded = np.pad(values, ((frames, frames), *((0, 0),) * (values.ndim - 1)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * frames + 1, axis=0)
