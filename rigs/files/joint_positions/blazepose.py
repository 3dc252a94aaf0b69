"""BlazePose landmarks (MediaPipe's 33 points of one person, in metres) converted to the 29 joints of one dancer.

MediaPipe's world landmarks have the middle of the hips as origin and camera axes: x right, y down, z away. So a dancer
who faces the camera faces -Y, and the path across the floor is unknown. Joints between the landmarks (pelvis, spine,
neck, ball of the foot) follow from average proportions.
"""

from pathlib import Path

import numpy as np

from rigs import Array, pose_fitting, rotations
from rigs.characters.trunk_joints import left_vector, midpoint, trunk_joints
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, ReadOptions, Source
from rigs.files.joint_positions.hybrik import SMALLEST_UNIT, choose_frame_rate, expect_positions
from rigs.files.joint_positions.point_cloud import cloud_source, detect_cloud_conventions, to_blender_axes
from rigs.files.joint_positions.position_gaps import fill_position_gaps
from rigs.skeleton import INDEX, JOINTS, SIDES

LANDMARKS: tuple[str, ...] = (
    *("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky"),
    *("left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)
_SHARED_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_BALL_FRACTION = 0.71
"""Position of the ball of the foot on the line from the heel to the toes."""
_BELOW_EARS, _ABOVE_EARS = 0.03, 0.14
"""Metres from the middle of an adult's ears down to the base of the skull, and up to the crown."""


def is_blazepose(rows: Array) -> bool:
    """Whether an array has the shape of BlazePose landmarks: (F, 33, 3), or 4 or 5 with visibility and presence."""
    return rows.ndim == 3 and rows.shape[1] == len(LANDMARKS) and rows.shape[2] in (3, 4, 5) and len(rows) > 0


def to_clip(path: Path, rows: Array, options: ReadOptions) -> Clip:
    """Convert a file's landmarks to one dancer on the floor; without `options.fps` the rows are taken as 30 a second.

    rows: as for `is_blazepose`. Gaps are nan or zeros and are interpolated linearly. Raises BadFile.
    """
    rate, warnings = choose_frame_rate(path, options)
    landmarks, gaps = fill_position_gaps(path, rows[..., :3])
    expect_positions(path, landmarks, LANDMARKS, SMALLEST_UNIT)
    conventions = detect_cloud_conventions(path.name, [_measured_joints(landmarks)], rate, options)
    expect_positions(path, landmarks, LANDMARKS, conventions.metres)
    joints = joints_from_landmarks(to_blender_axes(landmarks, conventions))
    try:
        (motion,) = stand_on_floor(pose_fitting.fit_motion(joints, rate))
    except ValueError as error:
        raise BadFile(f"{path.name}, {error}") from None
    source = cloud_source(Source(path, units=1.0, up="Y", fps=rate, frames=len(rows)), conventions)
    return Clip((motion,), source, (*warnings, *gaps, *conventions.warnings))


def _measured_joints(landmarks: Array) -> Array:
    """The joints (F, 29, 3) that landmarks (F, 33, 3) give in any unit and axes, without average lengths; else nan."""
    points = {name: landmarks[:, at] for at, name in enumerate(LANDMARKS)}
    joints = np.full((len(landmarks), len(JOINTS), 3), np.nan)
    for j, name in enumerate(JOINTS):
        if name.endswith(_SHARED_JOINTS):
            joints[:, j] = points[name]
        elif name.endswith(("_foot", "_bigtoe")):
            joints[:, j] = points[f"{name.partition('_')[0]}_foot_index"]
    joints[:, INDEX["pelvis"]], joints[:, INDEX["jaw"]] = midpoint(points, "hip"), midpoint(points, "ear")
    return joints


def joints_from_landmarks(landmarks: Array) -> Array:
    """The 29 joints (F, 29, 3) of landmarks (F, 33, 3), both m in Blender's axes."""
    points = {name: landmarks[:, at] for at, name in enumerate(LANDMARKS)}
    joints = {name: points[name] for name in JOINTS if name.endswith(_SHARED_JOINTS)}
    for side in SIDES:
        heel, toes = points[f"{side}_heel"], points[f"{side}_foot_index"]
        knuckles = (points[f"{side}_index"] + points[f"{side}_pinky"]) / 2.0
        joints[f"{side}_bigtoe"] = toes
        joints[f"{side}_foot"] = heel + _BALL_FRACTION * (toes - heel)
        joints[f"{side}_thumb"] = knuckles
        joints[f"{side}_middle"] = 2.0 * knuckles - points[f"{side}_wrist"]
    joints |= trunk_joints(points) | _head_joints(points)
    return np.stack([joints[name] for name in JOINTS], axis=1)


def _head_joints(points: dict[str, Array]) -> dict[str, Array]:
    """The base of the skull and the crown, from the ears and the nose."""
    ears, left = midpoint(points, "ear"), left_vector(points, "ear")
    up = rotations.normalize(np.cross(left, ears - points["nose"]))
    return {"jaw": ears - _BELOW_EARS * up, "head": ears + _ABOVE_EARS * up}
