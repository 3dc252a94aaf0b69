"""AlphaPose results (`.json`) with HybrIK's three-dimensional joints: who was seen in each frame, linked to dancers.

Every detection has 24 or 29 joints in metres about its own pelvis, in a camera's axes, and the same joints in pixels.
The pixels tell where in the picture a dancer is; one scale for the whole file, the median of the pixels in a metre,
turns that into metres to the side and up. The depth between the dancers is not known and stays 0.
Results with nothing but pixels are refused: a pose in a plane is no dance.
"""

import json
import re
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from rigs import Array, pose_fitting
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, Source, hybrik
from rigs.skeleton import JOINTS

_MAX_DANCERS = 2
"""Dancers that a file can hold: whoever else is seen now and then is a mistake or walks by."""
_MAX_STEP = 0.3
"""Body heights a frame that a dancer's joints move at most, in the picture and in their pose together."""
_MISSED_COST = 10.0
"""More body heights than any step, so that a dancer is left unseen only where none is possible."""
_NEAR_ZERO = 1e-9
_POSE_WEIGHT = 1.0
"""How far apart two poses are that differ by a metre, in body heights between their places in the picture."""


def read(path: Path, fps: float | None = None) -> Clip:
    """The one or two dancers of a file; without `fps` its frames are taken as 30 a second. Raises BadFile."""
    rate = fps or hybrik.DEFAULT_FPS
    frames, poses, pixels, scores = _parse_detections(path)
    hybrik.expect_positions(path, poses, JOINTS)
    dancers = _track_dancers(frames, poses, pixels, scores)
    places = _picture_positions(path, poses, pixels)
    motions, warnings = [], []
    for number, dancer in enumerate(dancers, start=1):
        seen = np.full((frames[-1] + 1, *poses.shape[1:]), np.nan)
        seen[frames[dancer]] = places[dancer]
        whole, unseen = pose_fitting.fill_gaps(seen)
        if unseen:
            warnings.append(f"{path.name}: dancer {number} not seen in {unseen} of {len(seen)} frames, bridged")
        try:
            motions.append(hybrik.motion_from_positions(hybrik.camera_to_z_up(whole), rate))
        except ValueError as error:
            raise BadFile(f"{path.name}, dancer {number}, {error}") from None
    standing = stand_on_floor(*motions)
    return Clip(standing, Source(path, 1.0, "Y", rate, len(standing[0])), tuple(warnings))


def _parse_detections(path: Path) -> tuple[Array, Array, Array, Array]:
    """All detections in the order of time: frames (D,) from 0, poses (D, J, 3) m, pixels (D, J, 3), scores (D,)."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError):
        raise BadFile(f"{path.name}: AlphaPose's results expected, no JSON found") from None
    if not isinstance(found, list) or not found or not all(isinstance(one, dict) for one in found):
        raise BadFile(f"{path.name}: AlphaPose's results expected, a list of detections")
    if not any("pred_xyz_jts" in one for one in found):
        raise BadFile(f"{path.name}: joints in metres ('pred_xyz_jts', as HybrIK adds) expected, only pixels found")
    frames, poses, pixels, scores = (
        list(column) for column in zip(*(_parse_detection(path, at, one) for at, one in enumerate(found)), strict=True)
    )
    if len({len(pose) for pose in poses}) > 1:
        raise BadFile(f"{path.name}: the same number of joints in all detections expected")
    order = np.argsort(frames, kind="stable")
    numbers = np.array(frames)[order] - min(frames)
    if numbers[-1] > 10 * len(found) + 1000:
        raise BadFile(
            f"{path.name}: pictures numbered one by one expected, {numbers[-1] + 1} for {len(found)} poses found"
        )
    return numbers, np.array(poses)[order], np.array(pixels)[order], np.array(scores)[order]


def _parse_detection(path: Path, at: int, one: dict[str, Any]) -> tuple[int, Array, Array, float]:
    """One person in one picture: its number, joints (J, 3) m, (J, 3) pixels and their certainty, and a score."""
    place = f"{path.name}, detection {at}"
    digits = re.findall(r"\d+", Path(str(one.get("image_id"))).stem)
    if not digits:
        raise BadFile(f"{place}: a picture with a number expected as 'image_id', {one.get('image_id')!r} found")
    try:
        pose = np.array(one.get("pred_xyz_jts", ()), dtype=float).reshape(-1, 3)
        pixels = np.array(one.get("keypoints", ()), dtype=float).reshape(-1, 3)
        score = float(one.get("score", 0.0))
    except (ValueError, TypeError):
        raise BadFile(f"{place}: numbers in threes expected as 'pred_xyz_jts' and 'keypoints'") from None
    if len(pose) not in (hybrik.SMPL_JOINTS, len(JOINTS)) or len(pixels) < len(pose):
        raise BadFile(f"{place}: 24 or 29 joints, each with pixels, expected, {len(pose)} and {len(pixels)} found")
    if not (np.isfinite(pixels).all() and np.isfinite(score)):
        raise BadFile(f"{place}: finite numbers expected as 'keypoints' and 'score'")
    return int(digits[-1]), pose, pixels[: len(pose)], score


def _track_dancers(frames: Array, poses: Array, pixels: Array, scores: Array) -> list[Array]:
    """For each dancer the indices of the detections that are this dancer, at most one a frame.

    In every frame the surest detections are given to the dancers so that these move least since they were last seen;
    one that is too far from every dancer is a mistake, or the other dancer seen twice.
    """
    groups = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames)) + 1)
    usual = int(np.clip(np.median([len(group) for group in groups]), 1, _MAX_DANCERS))
    surest = [group[np.argsort(-scores[group], kind="stable")[:usual]] for group in groups]
    start = next(at for at, group in enumerate(surest) if len(group) == usual)
    tracks = [[at] for at in surest[start]]
    for rest in (surest[start + 1 :], surest[:start][::-1]):
        last = [track[0] for track in tracks]
        for group in rest:
            steps = _detection_distances(last, group, poses, pixels)
            farthest = _MAX_STEP * np.abs(frames[group[0]] - frames[last])
            for track, at in _assign_detections(steps, farthest):
                tracks[track].append(group[at])
                last[track] = group[at]
    return [np.array(sorted(track)) for track in tracks]


def _assign_detections(steps: Array, farthest: Array) -> list[tuple[int, int]]:
    """Pairs of a dancer and a detection: as many as no dancer's `farthest` step forbids, with the shortest steps.

    steps: (dancers, detections).  farthest: (dancers,).
    """
    dancers, found = steps.shape
    possible = np.where(steps <= farthest[:, None], steps, np.inf)
    costs = np.concatenate([possible, np.full((dancers, dancers), _MISSED_COST)], axis=1)
    best = min(permutations(range(found + dancers), dancers), key=lambda way: float(sum(costs[range(dancers), way])))
    return [(dancer, at) for dancer, at in enumerate(best) if at < found]


def _detection_distances(last: list[int], group: Array, poses: Array, pixels: Array) -> Array:
    """How far each of the `last` detections is from each one of `group`, in body heights: (dancers, len(group))."""
    size = np.median(np.ptp(pixels[..., 1], axis=1))
    moved = pixels[last][:, None, :, :2] - pixels[group][None, :, :, :2]
    posed = poses[last][:, None] - poses[group][None]
    steps = np.linalg.norm(moved, axis=-1).mean(axis=-1) / size
    return np.asarray(steps + _POSE_WEIGHT * np.linalg.norm(posed, axis=-1).mean(axis=-1))


def _picture_positions(path: Path, poses: Array, pixels: Array) -> Array:
    """The poses (D, J, 3) m where the picture shows them, to the side and in height from the first one."""
    sure = pixels[..., 2:] / np.maximum(pixels[..., 2].sum(axis=1), _NEAR_ZERO)[:, None, None]
    flat, seen = poses[..., :2], pixels[..., :2]
    middle, seen_middle = (np.sum(sure * points, axis=1, keepdims=True) for points in (flat, seen))
    across, seen_across = flat - middle, seen - seen_middle
    sizes = np.maximum(np.sum(sure * across**2, axis=(1, 2)), _NEAR_ZERO)
    scale = float(np.median(np.sum(sure * across * seen_across, axis=(1, 2)) / sizes))
    if not scale > _NEAR_ZERO:
        raise BadFile(f"{path.name}: pixels that show the joints in metres expected, others found")
    shift = seen_middle / scale - middle
    return poses + np.concatenate([shift - shift[:1], np.zeros((len(poses), 1, 1))], axis=-1)
