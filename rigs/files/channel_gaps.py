"""Gaps in the channels of a recording, frames without numbers, filled by interpolation."""

from collections.abc import Sequence

import numpy as np

from rigs import Array
from rigs.files import BadFile


def fill_channel_gaps(place: str, values: Array, channels: Sequence[str], *, turn: float = 360.0) -> tuple[Array, int]:
    """Interpolate the nan of each channel linearly over time, those of rotations the short way.

    values: (F, C).  channels: such as "Xrotation" and "Xposition".  turn: a full turn in the unit of
    the rotations.  Returns the values and the number of filled frames. Raises BadFile for a channel without a number.
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values, 0
    frames, filled = np.arange(len(values)), values.copy()
    for c in np.flatnonzero(gaps.any(axis=0)):
        known = ~gaps[:, c]
        if not known.any():
            raise BadFile(f"{place}: numbers expected for channel {c + 1}, {channels[c]}, only nan found")
        column = values[known, c]
        if channels[c].endswith("rotation"):
            column = np.unwrap(column, period=turn)
        filled[gaps[:, c], c] = np.interp(frames[gaps[:, c]], frames[known], column)
    return filled, int(gaps.any(axis=1).sum())
