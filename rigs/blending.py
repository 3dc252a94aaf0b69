"""Corrections that hold in some runs of frames, and how they fade around them."""

import numpy as np

from rigs import Array


def spans(marked: Array, shortest: int) -> list[tuple[int, int]]:
    """The runs of True in `marked` (F,) with at least `shortest` frames: first frame, and the one after the last."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(int), [0]])))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a >= shortest]


def spread(offsets: Array, runs: list[tuple[int, int]], blend: int) -> Array:
    """Offsets (F, n) that are known in the runs, blended: fading over `blend` frames outside, from one to the next.

    Between two runs that lie nearer than two blends the one offset goes over into the other.
    """
    found = np.zeros_like(offsets)
    for n, (first, last) in enumerate(runs):
        found[first:last] = offsets[first:last]
        before = runs[n - 1][1] if n else -blend - 1
        if first - before > 2 * blend or not n:
            lead = np.arange(max(first - blend, 0), first)
            found[lead] = offsets[first] * eased((lead - (first - blend)) / blend)[:, None]
        else:
            gap = np.arange(before, first)
            t = eased((gap - (before - 1)) / (first - before + 1))[:, None]
            found[gap] = offsets[before - 1] * (1.0 - t) + offsets[first] * t
        after = runs[n + 1][0] if n + 1 < len(runs) else len(offsets) + 2 * blend + 1
        if after - last > 2 * blend:
            tail = np.arange(last, min(last + blend, len(offsets)))
            found[tail] = offsets[last - 1] * eased(1.0 - (tail - last + 1) / blend)[:, None]
    return found


def widened(values: Array, frames: int) -> Array:
    """A smooth curve (F,) that is nowhere below `values`, for `frames` to either side."""
    if frames < 1:
        return values
    padded = np.pad(values, 2 * frames, mode="edge")
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * frames + 1).max(axis=-1)
    kernel = np.hanning(2 * frames + 3)[1:-1]
    return np.convolve(highest, kernel / kernel.sum(), mode="valid")


def eased(t: Array) -> Array:
    """From 0 at 0 to 1 at 1, smoothly."""
    t = np.clip(t, 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))
