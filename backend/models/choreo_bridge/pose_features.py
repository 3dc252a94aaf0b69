"""What the choreographic bridge sees of a dancer: joints around the pelvis, ours or BlazePose's 33 landmarks."""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.files import blazepose
from rigs.motion import Motion, interpolate
from rigs.skeleton import INDEX, JOINTS

OURS, BLAZEPOSE = len(JOINTS), len(blazepose.LANDMARKS)
_ADDED = {
    # the landmarks that are no joints of ours: the joint they hang on, and where from it in the T-pose of an adult, m
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
_MIDDLE = ("jaw",)


def poses(motion: Motion, seconds: Array, joints: int) -> Array:
    """A dancer's poses at some seconds (N,): (N, joints, 3) m from the pelvis, turned as in the world.

    joints: 29, or 33 for BlazePose's landmarks, whose origin is the middle of the hips. The ends of the motion hold.
    """
    at = interpolate(motion, motion.fps, seconds * motion.fps)
    if joints == BLAZEPOSE:
        found = landmarks(at)
        hips = [blazepose.LANDMARKS.index(f"{side}_hip") for side in ("left", "right")]
        return np.asarray(found - found[:, hips].mean(axis=1, keepdims=True))
    return np.asarray(at.positions - at.root[:, None])


def landmarks(motion: Motion) -> Array:
    """Where BlazePose would see its landmarks: (F, 33, 3) m; `rigs.files.blazepose.joints` is the way back."""
    places = motion.positions
    world = kinematics.global_rotations(motion.rotations)
    found = []
    for name in blazepose.LANDMARKS:
        if name in INDEX and name.removeprefix("left_").removeprefix("right_") not in _ADDED:
            found.append(places[:, INDEX[name]])
            continue
        side, bare = _parted(name)
        hangs_on, left, back, up = _ADDED[bare]
        joint = INDEX[hangs_on if hangs_on in _MIDDLE else f"{side}_{hangs_on}"]
        outward = -left if side == "right" else left
        found.append(places[:, joint] + rotations.rotate(world[:, joint], np.array([outward, back, up])))
    return np.stack(found, axis=1)


def _parted(landmark: str) -> tuple[str, str]:
    """The side of a landmark, "" for the nose, and its name without it."""
    for side in ("left", "right"):
        if side in landmark.split("_"):
            return side, "_".join(word for word in landmark.split("_") if word != side)
    return "", landmark
