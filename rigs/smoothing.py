"""Smoothing over frames: moving averages and maxima, runs of frames, and offsets blended around them.

Frames are the first axis. Beyond the ends the first and the last value are held, unless a docstring says otherwise.
"""

from typing import Literal

import numpy as np

from rigs import Array
from rigs.easing import smoothstep


def hann_average(values: Array, reach: int) -> Array:
    """Moving average under a Hann window of `reach` frames to either side: (F, ...) as `values`."""
    return np.asarray(_windows(values, reach) @ _hann_window(reach))


def moving_maximum(values: Array, reach: int) -> Array:
    """Highest of each value and those up to `reach` frames before and after it: (F, ...) as `values`."""
    return np.asarray(_windows(values, reach).max(axis=-1))


def upper_envelope(values: Array, reach: int) -> Array:
    """Smooth curve (F,) that is nowhere below `values` (F,) and rises up to 2 * `reach` frames before them."""
    if reach < 1:
        return values
    maximum = moving_maximum(np.pad(values, reach, mode="edge"), reach)
    return np.convolve(maximum, _hann_window(reach), mode="valid")


def gaussian_average(
    values: Array, sigma: float, *, reach: int | None = None, pad: Literal["edge", "symmetric"] = "edge"
) -> Array:
    """Gaussian filter over frames: (F, ...) as `values`.

    sigma: standard deviation in frames.  reach: frames to either side at which it is cut, without it 3 sigma.
    pad: what lies beyond the ends: the end's value held, or the values mirrored.
    """
    reach = max(1, int(np.ceil(3.0 * sigma))) if reach is None else reach
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    columns = np.reshape(values, (len(values), -1)).T
    averages = [np.convolve(np.pad(column, reach, mode=pad), kernel, mode="valid") for column in columns]
    return np.stack(averages, axis=-1).reshape(np.shape(values))


def exponential_average(values: Array, time_constant: float) -> Array:
    """Two-sided exponential filter over frames, with zeros beyond the ends: (F,) real or complex.

    time_constant: frames after which a value counts for 1 / e. Weights sum to about 2.
    """
    reach = int(np.ceil(8.0 * time_constant))
    kernel = np.exp(-np.abs(np.arange(-reach, reach + 1)) / time_constant) / time_constant
    return np.convolve(values, kernel)[reach : reach + len(values)]


def _windows(values: Array, reach: int) -> Array:
    """Each of the values (F, ...) with its neighbours: (F, ..., 2 * reach + 1)."""
    padded = np.pad(values, ((reach, reach), *((0, 0),) * (values.ndim - 1)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)


def _hann_window(reach: int) -> Array:
    """Hann window (2 * reach + 1,) with the sum 1."""
    window = np.hanning(2 * reach + 3)[1:-1]
    return window / window.sum()


def true_runs(mask: Array, shortest: int = 1) -> list[tuple[int, int]]:
    """Runs of at least `shortest` True in `mask` (F,) bool: of each its first frame, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]


def debounced_runs(mask: Array, shortest: int) -> list[tuple[int, int]]:
    """Runs of True in `mask` (F,) bool once gaps under `shortest` frames are closed, without runs under `shortest`."""
    closed = np.ones(len(mask), bool)
    for first, last in true_runs(~mask, shortest):
        closed[first:last] = False
    return true_runs(closed, shortest)


def blend_offsets(offsets: Array, runs: list[tuple[int, int]], blend: int) -> Array:
    """Offsets (F, n) kept in the runs and faded to zero by smoothstep over `blend` frames to either side of them.

    Between two runs closer than two blends, the last offset of one blends into the first offset of the next.
    """
    blended = np.zeros_like(offsets)
    for n, (first, last) in enumerate(runs):
        blended[first:last] = offsets[first:last]
        before = runs[n - 1][1] if n else -blend - 1
        if first - before > 2 * blend or not n:
            rise = np.arange(max(first - blend, 0), first)
            blended[rise] = offsets[first] * smoothstep((rise - (first - blend)) / blend)[:, None]
        else:
            gap = np.arange(before, first)
            t = smoothstep((gap - (before - 1)) / (first - before + 1))[:, None]
            blended[gap] = offsets[before - 1] * (1.0 - t) + offsets[first] * t
        after = runs[n + 1][0] if n + 1 < len(runs) else len(offsets) + 2 * blend + 1
        if after - last > 2 * blend:
            fall = np.arange(last, min(last + blend, len(offsets)))
            blended[fall] = offsets[last - 1] * smoothstep(1.0 - (fall - last + 1) / blend)[:, None]
    return blended
