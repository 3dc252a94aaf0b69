"""Parser for the frames of a BVH file: rows of channel values, and the frame rate.

As in other readers the rows count, not their stated number; a last row that is cut off is left out, and gaps written as
nan are interpolated, each with a warning.
"""

import re
import warnings
from collections.abc import Iterator, Sequence
from decimal import Decimal

import numpy as np

from rigs import Array
from rigs.files import BadFile
from rigs.files.channel_gaps import fill_channel_gaps

MAX_MAGNITUDE = 1e9
"""Numbers beyond this size are damaged ones."""
_COMMON_RATES = (24.0, 25.0, 30.0, 48.0, 50.0, 60.0, 72.0, 90.0, 100.0, 120.0, 144.0, 180.0, 200.0, 240.0)
_NAN = re.compile(r"[-+]?(?:nan|1?\.?#?(?:ind|qnan|snan))(?:\(\w*\))?0*|[-+]?1\.#(?:ind|qnan|snan)0*", re.IGNORECASE)
"""Not a number, as Python and Microsoft's and other C libraries write it."""


def frame_rate(frame_time: str) -> float:
    """Frames a second for a frame time as written, snapped to a common rate whose rounded frame time it is."""
    last_digit = float(Decimal(1).scaleb(int(Decimal(frame_time).as_tuple().exponent)))
    seconds = float(frame_time)
    fps = 1.0 / seconds
    common_rate = min(_COMMON_RATES, key=lambda common: abs(common - fps))
    is_rounding = abs(seconds - 1.0 / common_rate) < last_digit and abs(common_rate - fps) < 0.012 * common_rate
    return common_rate if is_rounding else fps


def parse_frames(
    place: str, rows: Sequence[tuple[int, str]], channels: Sequence[str], stated: int | None
) -> tuple[Array, tuple[str, ...]]:
    """Parse the rows of channel values: (F, C), and warnings about them.

    rows: the number and the text of each line.  channels: such as "Xrotation", whose gaps are interpolated as angles.
    stated: the number of frames that the file states.  Raises BadFile with the line that is wrong.
    """
    width, complaints = len(channels), list[str]()
    texts = [text for _, text in rows]
    values = _parse_numbers(" ".join(texts))
    if not (width and values.size == (stated or 0) * width and _is_ordinary(values)):
        lines = [(number, words) for number, text in rows if (words := text.split())]
        if lines and lines[:-1] and len(lines[-1][1]) < width:
            number, words = lines.pop()
            complaints.append(
                f"{place}, line {number}: {width} numbers expected, {len(words)} found; the cut-off frame is left out"
            )
        one_a_line = all(len(words) == width for _, words in lines)
        if complaints or not (one_a_line and values.size == len(lines) * width and _is_ordinary(values)):
            values = np.array(list(_parse_line_by_line(place, lines, width)))
    values = values.reshape(-1, max(width, 1))
    if not (width and len(values)):
        raise BadFile(f"{place}, line {rows[-1][0] if rows else 0}: at least one frame expected, none found")
    if len(values) != stated:
        said = "no number of frames" if stated is None else f"{stated} frame{'s' * (stated != 1)}"
        complaints.append(f"{place}: {said} stated, {len(values)} found and read")
    filled, gaps = fill_channel_gaps(place, values, channels)
    if gaps:
        complaints.append(f"{place}: gaps written as nan found in {gaps} of {len(values)} frames, interpolated")
    return filled, tuple(complaints)


def _parse_line_by_line(place: str, lines: Sequence[tuple[int, list[str]]], width: int) -> Iterator[list[float]]:
    """The numbers of each line, nan where one is written as such. Raises BadFile."""
    for number, words in lines:
        if len(words) != width:
            raise BadFile(f"{place}, line {number}: {width} number{'s' * (width != 1)} expected, {len(words)} found")
        yield [np.nan if _NAN.fullmatch(word) else parse_number(f"{place}, line {number}", word) for word in words]


def parse_number(place: str, word: str) -> float:
    """Parse one finite number. Raises BadFile."""
    try:
        number = float(word)
    except ValueError:
        number = np.nan
    if not abs(number) < MAX_MAGNITUDE:
        kind = "number of ordinary size" if abs(number) >= MAX_MAGNITUDE else "number"
        raise BadFile(f"{place}: a {kind} expected, '{word[:60]}' found")
    return number


def _parse_numbers(text: str) -> Array:
    """All numbers of a text (C,) at once, or none if it contains anything else."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            return np.fromstring(text.strip(), sep=" ")
        except (ValueError, DeprecationWarning):
            return np.empty(0)


def _is_ordinary(values: Array) -> bool:
    """Whether all values are numbers of ordinary size."""
    return bool((np.abs(values) < MAX_MAGNITUDE).all())
