"""choreo-bridge's pose features: root-relative positions of the 29 joints or of BlazePose's 33 landmarks."""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.files.joint_positions import blazepose
from rigs.motion import Motion, interpolate
from rigs.skeleton import INDEX

BLAZEPOSE = len(blazepose.LANDMARKS)
_LANDMARK_OFFSETS = {
    # landmarks that are not among the 29 joints: their parent joint, and the offset in m in an adult's T-pose
    # (away from the body's middle, backwards, upwards)
    "nose": ("jaw", 0.0, -0.11, 0.03),
    "eye_inner": ("jaw", 0.015, -0.09, 0.07),
    "eye": ("jaw", 0.03, -0.09, 0.07),
    "eye_outer": ("jaw", 0.045, -0.08, 0.07),
    "ear": ("jaw", 0.075, 0.0, 0.03),
    "mouth": ("jaw", 0.025, -0.09, -0.01),
    "pinky": ("thumb", 0.0, 0.03, 0.0),
    "index": ("thumb", 0.0, -0.03, 0.0),
    "thumb": ("wrist", 0.05, -0.04, 0.0),
    "heel": ("ankle", 0.0, 0.04, -0.036),
    "foot_index": ("bigtoe", 0.0, 0.0, 0.0),
}
_UNSIDED_JOINTS = ("jaw",)


def root_relative_poses(motion: Motion, seconds: Array, joints: int) -> Array:
    """Root-relative joint positions at some seconds (N,), oriented as in the world: (N, joints, 3) m.

    joints: 29, or 33 for BlazePose's landmarks, whose origin is the middle of the hips. The ends of the motion hold.
    """
    poses = interpolate(motion, motion.fps, seconds * motion.fps)
    if joints == BLAZEPOSE:
        landmarks = blazepose_landmarks(poses)
        hips = [blazepose.LANDMARKS.index(f"{side}_hip") for side in ("left", "right")]
        return np.asarray(landmarks - landmarks[:, hips].mean(axis=1, keepdims=True))
    return np.asarray(poses.positions - poses.root[:, None])


def blazepose_landmarks(motion: Motion) -> Array:
    """Estimate BlazePose's landmarks of a Motion: (F, 33, 3) m; inverse of `blazepose.joints_from_landmarks`."""
    positions = motion.positions
    global_rotations = kinematics.global_rotations(motion.rotations)
    landmarks = []
    for landmark in blazepose.LANDMARKS:
        side, name = _split_side(landmark)
        if landmark in INDEX and name not in _LANDMARK_OFFSETS:
            landmarks.append(positions[:, INDEX[landmark]])
            continue
        parent, outward, back, up = _LANDMARK_OFFSETS[name]
        joint = INDEX[parent if parent in _UNSIDED_JOINTS else f"{side}_{parent}"]
        offset = np.array([-outward if side == "right" else outward, back, up])
        landmarks.append(positions[:, joint] + rotations.rotate(global_rotations[:, joint], offset))
    return np.stack(landmarks, axis=1)


def _split_side(landmark: str) -> tuple[str, str]:
    """Split a landmark's name into its side, "" for the nose, and the rest."""
    for side in ("left", "right"):
        if side in landmark.split("_"):
            return side, "_".join(word for word in landmark.split("_") if word != side)
    return "", landmark
