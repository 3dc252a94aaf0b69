"""Recognize JSON files of 2D keypoints (OpenPose, COCO, MMPose, MediaPipe), which do not tell a movement in space."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rigs.files import BadFile
from rigs.files.other_formats import NEEDED_FOR_2D

_SIGNATURES: tuple[tuple[str, frozenset[str]], ...] = (
    ("OpenPose", frozenset({"pose_keypoints_2d"})),
    ("OpenPose", frozenset({"people", "pose_keypoints"})),
    ("AlphaPose", frozenset({"bodies", "joints"})),
    ("MMPose", frozenset({"keypoints", "keypoint_scores"})),
    ("COCO", frozenset({"annotations", "keypoints"})),
    ("MediaPipe", frozenset({"poseLandmarks"})),
    ("MediaPipe", frozenset({"pose_landmarks"})),
    ("AlphaPose or COCO", frozenset({"image_id", "keypoints"})),
    ("OpenPifPaf", frozenset({"bbox", "keypoints", "category_id"})),
)
"""Who writes a file, and names that it has, in itself or in what it contains; the first that fits."""
_IN_SPACE = frozenset({"pred_xyz_jts"})
_MAX_DEPTH, _MAX_ITEMS = 5, 3
"""Levels and entries of each list that are looked at."""


def refuse_2d(path: Path, content: Any) -> None:
    """Raise BadFile if the content of a JSON file is 2D keypoints of a known program; says what is needed."""
    names = set(_names(content, _MAX_DEPTH))
    if names & _IN_SPACE:
        return
    for program, signature in _SIGNATURES:
        if signature <= names:
            raise BadFile(f"{path.name}: 3D joints expected, 2D keypoints of {program} found; {NEEDED_FOR_2D}")


def _names(content: Any, depth: int) -> Iterator[str]:
    """The names of all values in the outer levels of a JSON file's content."""
    if depth == 0:
        return
    if isinstance(content, dict):
        yield from content
        values = list(content.values())
    else:
        values = content[:_MAX_ITEMS] if isinstance(content, list) else []
    for value in values:
        yield from _names(value, depth - 1)
