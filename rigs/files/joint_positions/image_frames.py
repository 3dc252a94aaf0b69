"""Frame numbers from the names of a video's images, such as "clip_2024-05-01_0007_1080p.png"."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rigs import Array
from rigs.files import BadFile

_MAX_SPARSENESS, _MIN_LIMIT = 10, 1000
"""Frames for each image, and in any file, beyond which the numbers are no frames: time stamps, for example."""


def image_frames(path: Path, image_ids: Sequence[Any]) -> tuple[Array, list[str]]:
    """The frames (D,) from 0 of the images with these names or numbers, one for each detection, and warnings.

    The number in the names that is another one in every image counts the frames, of several the one that counts in the
    smallest steps. Where none does, the images are in the order of all their numbers. Raises BadFile.
    """
    names = [Path(str(image)).stem if isinstance(image, str | int) else "" for image in image_ids]
    numbers = {name: tuple(int(digits) for digits in re.findall(r"\d{1,18}", name)) for name in names}
    for at, name in enumerate(names):
        if not numbers[name]:
            place = f"{path.name}, detection {at}"
            raise BadFile(f"{place}: an image file name with a number expected as 'image_id', {image_ids[at]!r} found")
    counter = _find_counter(list(numbers.values()))
    if counter is not None:
        frames = np.array([numbers[name][counter] for name in names])
        frames -= frames.min()
        if frames.max() <= _MAX_SPARSENESS * len(numbers) + _MIN_LIMIT:
            return frames, []
    elif len(set(numbers.values())) < len(numbers):
        raise BadFile(f"{path.name}: a number that counts up expected in the image file names ('image_id'), none found")
    rank = {name: at for at, name in enumerate(sorted(numbers, key=numbers.__getitem__))}
    warning = f"{path.name}: no number that counts one by one found in the image names; taken as frames in their order"
    return np.array([rank[name] for name in names]), [warning]


def _find_counter(rows: Sequence[tuple[int, ...]]) -> int | None:
    """The place, from the end, of the number that differs in all rows and counts in the smallest steps."""
    counters = []
    for place in range(-1, -1 - min(len(row) for row in rows), -1):
        values = sorted({row[place] for row in rows})
        if len(values) == len(rows):
            counters.append((np.diff(values).mean() if len(values) > 1 else 0.0, -place, place))
    return min(counters)[2] if counters else None
