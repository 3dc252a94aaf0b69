"""AlphaPose results (`.json`) with HybrIK's 3D joints: detections per image, tracked as one or two dancers.

Every detection has 24 or 29 joints in metres about its own pelvis, in camera axes, and the same joints in pixels.
The pixels give the place in the image; one scale for the whole file, the median of pixels per metre, converts it to
metres sideways and up. The depth between the dancers is unknown and stays 0. 2D-only results are refused.
"""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from rigs import Array
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.conventions.axes import from_z_up, to_z_up
from rigs.files.joint_positions import hybrik
from rigs.files.joint_positions.image_frames import image_frames
from rigs.files.joint_positions.keypoints_2d import refuse_2d
from rigs.files.joint_positions.point_cloud import CAMERA_UP, cloud_source, detect_cloud_conventions, to_blender_axes
from rigs.files.joint_positions.position_gaps import fill_position_gaps
from rigs.files.text import read_text
from rigs.skeleton import JOINTS

_MAX_DANCERS = 2
"""Dancers in one file: further people are false detections or passers-by."""
_MAX_STEP = 0.3
"""Body heights per frame that a dancer moves at most, in the image and in the pose together."""
_MISSED_COST = 10.0
"""Body heights, more than any step: the cost of a missed detection, so that it is chosen only as a last resort."""
_NEAR_ZERO = 1e-9
_POSE_WEIGHT = 1.0
"""Weight of pose difference: body heights in the image that count as much as one metre between two poses."""


def read(path: Path, options: ReadOptions) -> Clip:
    """Read one or two dancers; without `options.fps` the frames are taken as 30 a second. Raises BadFile."""
    rate, assumed = hybrik.choose_frame_rate(path, options)
    frames, poses, pixels, scores, doubts = _parse_detections(path)
    hybrik.expect_positions(path, poses, JOINTS, hybrik.SMALLEST_UNIT)
    conventions = detect_cloud_conventions(path.name, [poses], rate, options)
    hybrik.expect_positions(path, poses, JOINTS, conventions.metres)
    poses = np.ascontiguousarray(from_z_up(to_blender_axes(poses, conventions), CAMERA_UP))
    dancers = _track_dancers(frames, poses, pixels, scores)
    positions_in_picture = _picture_positions(path, poses, pixels)
    motions, warnings = [], [*assumed, *doubts, *conventions.warnings]
    for number, dancer in enumerate(dancers, start=1):
        positions = np.full((frames[-1] + 1, *poses.shape[1:]), np.nan)
        positions[frames[dancer]] = positions_in_picture[dancer]
        gapless, gaps = fill_position_gaps(path, positions, f"dancer {number}")
        warnings += gaps
        try:
            motions.append(hybrik.motion_from_positions(to_z_up(gapless, CAMERA_UP), rate))
        except ValueError as error:
            raise BadFile(f"{path.name}, dancer {number}, {error}") from None
    grounded = stand_on_floor(*motions)
    source = cloud_source(Source(path, 1.0, "Y", rate, len(grounded[0])), conventions)
    return Clip(grounded, source, tuple(warnings))


def _parse_detections(path: Path) -> tuple[Array, Array, Array, Array, list[str]]:
    """All detections sorted by frame, and warnings.

    frames (D,) from 0, poses (D, J, 3) m, pixels (D, J, 3), scores (D,).
    """
    text = read_text(path)
    try:
        detections = json.loads(text.text)
    except (ValueError, RecursionError):
        raise BadFile(f"{path.name}: AlphaPose results expected, no JSON found") from None
    refuse_2d(path, detections)
    if not isinstance(detections, list) or not detections or not all(isinstance(one, dict) for one in detections):
        raise BadFile(f"{path.name}: AlphaPose results expected, a list of detections")
    if not any("pred_xyz_jts" in one for one in detections):
        raise BadFile(f"{path.name}: joints in metres ('pred_xyz_jts', as HybrIK adds) expected, only pixels found")
    parsed = [_parse_detection(path, at, one) for at, one in enumerate(detections)]
    poses, pixels, scores = (list(column) for column in zip(*parsed, strict=True))
    if len({len(pose) for pose in poses}) > 1:
        raise BadFile(f"{path.name}: the same number of joints in all detections expected")
    frames, doubts = image_frames(path, [one.get("image_id") for one in detections])
    order = np.argsort(frames, kind="stable")
    doubts = [*text.warnings, *doubts]
    return frames[order], np.array(poses)[order], np.array(pixels)[order], np.array(scores)[order], doubts


def _parse_detection(path: Path, at: int, detection: dict[str, Any]) -> tuple[Array, Array, float]:
    """One detection: joints (J, 3) m, (J, 3) pixels and their confidence, and the score."""
    place = f"{path.name}, detection {at}"
    try:
        pose = np.array(detection.get("pred_xyz_jts", ()), dtype=float).reshape(-1, 3)
        pixels = np.array(detection.get("keypoints", ()), dtype=float).reshape(-1, 3)
        score = float(detection.get("score", 0.0))
    except (ValueError, TypeError):
        raise BadFile(f"{place}: numbers in groups of three expected as 'pred_xyz_jts' and 'keypoints'") from None
    if len(pose) not in (hybrik.SMPL_JOINTS, len(JOINTS)) or len(pixels) < len(pose):
        raise BadFile(f"{place}: 24 or 29 joints, each with pixels, expected, {len(pose)} and {len(pixels)} found")
    if not (np.isfinite(pixels).all() and np.isfinite(score)):
        raise BadFile(f"{place}: finite numbers expected as 'keypoints' and 'score'")
    return pose, pixels[: len(pose)], score


def _track_dancers(frames: Array, poses: Array, pixels: Array, scores: Array) -> list[Array]:
    """Track dancers across frames: for each dancer the indices of its detections, at most one per frame.

    In every frame the detections of the highest score are assigned to the dancers at the least total distance from
    their last detections; one that is too far from every dancer is a false or duplicate detection.
    """
    groups = np.split(np.arange(len(frames)), np.flatnonzero(np.diff(frames)) + 1)
    dancers = int(np.clip(np.median([len(group) for group in groups]), 1, _MAX_DANCERS))
    candidates = [group[np.argsort(-scores[group], kind="stable")[:dancers]] for group in groups]
    start = next(at for at, group in enumerate(candidates) if len(group) == dancers)
    tracks = [[at] for at in candidates[start]]
    for groups_in_order in (candidates[start + 1 :], candidates[:start][::-1]):
        last = [track[0] for track in tracks]
        for group in groups_in_order:
            distances = _detection_distances(last, group, poses, pixels)
            max_distances = _MAX_STEP * np.abs(frames[group[0]] - frames[last])
            for track, at in _assign_detections(distances, max_distances):
                tracks[track].append(group[at])
                last[track] = group[at]
    return [np.array(sorted(track)) for track in tracks]


def _assign_detections(distances: Array, max_distances: Array) -> list[tuple[int, int]]:
    """Minimum-cost assignment of detections to dancers: (dancer, detection) pairs, none farther than `max_distances`.

    distances: (dancers, detections).  max_distances: (dancers,).
    """
    dancers, detections = distances.shape
    possible = np.where(distances <= max_distances[:, None], distances, np.inf)
    costs = np.concatenate([possible, np.full((dancers, dancers), _MISSED_COST)], axis=1)
    best = min(
        permutations(range(detections + dancers), dancers),
        key=lambda assignment: float(sum(costs[range(dancers), assignment])),
    )
    return [(dancer, at) for dancer, at in enumerate(best) if at < detections]


def _detection_distances(last: list[int], group: Array, poses: Array, pixels: Array) -> Array:
    """Distances in body heights between the `last` detections and those of `group`: (dancers, len(group))."""
    size = np.median(np.ptp(pixels[..., 1], axis=1))
    pixel_offsets = pixels[last][:, None, :, :2] - pixels[group][None, :, :, :2]
    pose_offsets = poses[last][:, None] - poses[group][None]
    distances = np.linalg.norm(pixel_offsets, axis=-1).mean(axis=-1) / size
    return np.asarray(distances + _POSE_WEIGHT * np.linalg.norm(pose_offsets, axis=-1).mean(axis=-1))


def _picture_positions(path: Path, poses: Array, pixels: Array) -> Array:
    """The poses (D, J, 3) m moved to their place in the image, sideways and up, relative to the first one."""
    weights = pixels[..., 2:] / np.maximum(pixels[..., 2].sum(axis=1), _NEAR_ZERO)[:, None, None]
    image_plane, pixel_plane = poses[..., :2], pixels[..., :2]
    centre, pixel_centre = (np.sum(weights * points, axis=1, keepdims=True) for points in (image_plane, pixel_plane))
    centred, pixel_centred = image_plane - centre, pixel_plane - pixel_centre
    variances = np.maximum(np.sum(weights * centred**2, axis=(1, 2)), _NEAR_ZERO)
    scale = float(np.median(np.sum(weights * centred * pixel_centred, axis=(1, 2)) / variances))
    if not scale > _NEAR_ZERO:
        raise BadFile(f"{path.name}: pixel coordinates that match the joints in metres expected")
    shift = pixel_centre / scale - centre
    return poses + np.concatenate([shift - shift[:1], np.zeros((len(poses), 1, 1))], axis=-1)
