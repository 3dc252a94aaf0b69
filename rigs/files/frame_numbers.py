"""Frames by their numbers in a file, which tell of frames that are missing."""

from collections.abc import Sequence

import numpy as np

from rigs import Array

_MAX_SPARSENESS = 10
"""Frames by number for each frame in the file, beyond which the numbers are damaged."""


def place_frames(name: str, numbers: Sequence[int]) -> tuple[Array, list[str]]:
    """The places (F,) from 0 at which numbered frames lie, and warnings; numbers that do not count up are ignored."""
    places = np.array(numbers) - numbers[0]
    steps = np.diff(places)
    if (steps == 1).all():
        return places, []
    if (steps < 1).any() or places[-1] > _MAX_SPARSENESS * len(places):
        return np.arange(len(places)), [f"{name}: frame numbers that count up expected, taken in their order"]
    gaps = places[-1] + 1 - len(places)
    return places, [f"{name}: {gaps} of {places[-1] + 1} frames missing by their numbers, interpolated"]
