"""BlazePose landmarks (MediaPipe's 33 points of one person, in metres) as the 29 joints of one dancer.

MediaPipe's world landmarks have the middle of the hips as their origin and a camera's axes: x right, y down, z away.
So a dancer who faces the camera faces -Y, and where they went is not known. What lies between the landmarks (pelvis,
spine, neck, the ball of the foot) follows from common proportions.
"""

from pathlib import Path

import numpy as np

from rigs import Array, pose_fitting, rotations
from rigs.contacts import stand_on_floor
from rigs.files import BadFile, Clip, Source
from rigs.files.hybrik import DEFAULT_FPS, camera_to_z_up, expect_positions
from rigs.skeleton import DEFAULT_SKELETON, INDEX, JOINTS

LANDMARKS: tuple[str, ...] = (
    *("nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer"),
    *("left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky"),
    *("left_index", "right_index", "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee"),
    *("left_ankle", "right_ankle", "left_heel", "right_heel", "left_foot_index", "right_foot_index"),
)
_SHARED_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_BALL_FRACTION = 0.71
"""Where the ball of the foot lies on the way from the heel to the toes."""
_BELOW_EARS, _ABOVE_EARS = 0.03, 0.14
"""Metres from the middle of an adult's ears to the joint below the skull, and to the crown."""


def is_blazepose(rows: Array) -> bool:
    """Whether an array holds landmarks: (F, 33, 3), or (F, 33, 4) or 5 with what the detector thinks of them."""
    return rows.ndim == 3 and rows.shape[1] == len(LANDMARKS) and rows.shape[2] in (3, 4, 5) and len(rows) > 0


def to_clip(path: Path, rows: Array, fps: float | None = None) -> Clip:
    """One dancer from a file's landmarks, on the floor; without `fps` the rows are taken as 30 a second.

    rows: as `fits` says. Frames in which nobody was found are nan; straight lines bridge them. Raises BadFile.
    """
    rate = fps or DEFAULT_FPS
    landmarks, unseen = pose_fitting.fill_gaps(rows[..., :3])
    expect_positions(path, landmarks, LANDMARKS)
    try:
        (motion,) = stand_on_floor(pose_fitting.fit_motion(joints_from_landmarks(camera_to_z_up(landmarks)), rate))
    except ValueError as error:
        raise BadFile(f"{path.name}, {error}") from None
    warnings = (f"{path.name}: nobody seen in {unseen} of {len(rows)} frames, bridged",) if unseen else ()
    return Clip((motion,), Source(path, units=1.0, up="Y", fps=rate, frames=len(rows)), warnings)


def joints_from_landmarks(landmarks: Array) -> Array:
    """The 29 joints (F, 29, 3) of landmarks (F, 33, 3), both m in Blender's axes."""
    seen = {name: landmarks[:, at] for at, name in enumerate(LANDMARKS)}
    found = {name: seen[name] for name in JOINTS if name.endswith(_SHARED_JOINTS)}
    for side in ("left", "right"):
        heel, toes = seen[f"{side}_heel"], seen[f"{side}_foot_index"]
        knuckles = (seen[f"{side}_index"] + seen[f"{side}_pinky"]) / 2.0
        found[f"{side}_bigtoe"] = toes
        found[f"{side}_foot"] = heel + _BALL_FRACTION * (toes - heel)
        found[f"{side}_thumb"] = knuckles
        found[f"{side}_middle"] = 2.0 * knuckles - seen[f"{side}_wrist"]
    found |= _trunk_joints(seen) | _head_joints(seen)
    return np.stack([found[name] for name in JOINTS], axis=1)


def _trunk_joints(seen: dict[str, Array]) -> dict[str, Array]:
    """Pelvis, spine, neck and collars between the hips and the shoulders."""
    hips, shoulders = _midpoint(seen, "hip"), _midpoint(seen, "shoulder")
    rest = DEFAULT_SKELETON.rest_positions()
    rest_hips, rest_shoulders = (
        (rest[INDEX[f"left_{joint}"]] + rest[INDEX[f"right_{joint}"]]) / 2.0 for joint in ("hip", "shoulder")
    )
    size = np.linalg.norm(shoulders - hips, axis=-1, keepdims=True) / np.linalg.norm(rest_shoulders - rest_hips)
    below, above = (_trunk_rotation(shoulders - hips, _left_vector(seen, joint)) for joint in ("hip", "shoulder"))

    def carried(name: str) -> Array:
        of_hips = hips + rotations.rotate(below, rest[INDEX[name]] - rest_hips) * size
        of_shoulders = shoulders + rotations.rotate(above, rest[INDEX[name]] - rest_shoulders) * size
        share = float(np.clip((rest[INDEX[name]] - rest_hips)[2] / (rest_shoulders - rest_hips)[2], 0.0, 1.0))
        return (1.0 - share) * of_hips + share * of_shoulders

    names = ("pelvis", "spine1", "spine2", "spine3", "neck", "left_collar", "right_collar")
    return {name: carried(name) for name in names}


def _head_joints(seen: dict[str, Array]) -> dict[str, Array]:
    """The joint below the skull and the crown, from the ears and the nose."""
    ears, left = _midpoint(seen, "ear"), _left_vector(seen, "ear")
    up = rotations.normalize(np.cross(left, ears - seen["nose"]))
    return {"jaw": ears - _BELOW_EARS * up, "head": ears + _ABOVE_EARS * up}


def _trunk_rotation(up: Array, left: Array) -> Array:
    """The turn (F, 4) of a trunk that points along `up` with its left side near `left`, both (F, 3)."""
    forward = np.cross(up, left)
    return rotations.from_axes(np.cross(forward, up), forward)


def _midpoint(seen: dict[str, Array], landmark: str) -> Array:
    return (seen[f"left_{landmark}"] + seen[f"right_{landmark}"]) / 2.0


def _left_vector(seen: dict[str, Array], landmark: str) -> Array:
    return seen[f"left_{landmark}"] - seen[f"right_{landmark}"]
