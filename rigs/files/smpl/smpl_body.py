"""The neutral body that stands in for SMPL's, whose own are under a licence: `DEFAULT_SKELETON` in SMPL's rest pose.

SMPL's rest pose stands with Y up and faces +Z. It is no exact T-pose: its thighs stand apart, its shanks lean back, and
so on. `_REST_DIRECTIONS` tells how its bones lie, so that those of the neutral body point where SMPL's do.
"""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton

REST_UP = "Y"
PELVIS_IN_REST = np.array([0.0, -0.22, 0.03])
"""m, about where an adult's pelvis lies in the rest pose; the path of an SMPL pose does not include it."""
_REST_DIRECTIONS = {
    # joint of the mean body in the rest pose, from its parent: degrees outwards, forwards and upwards, rounded
    "hip": (37, -4, -53),
    "spine1": (0, -14, 76),
    "knee": (5, -1, -85),
    "spine2": (0, 0, 90),
    "ankle": (-2, -6, -84),
    "spine3": (0, 26, 64),
    "foot": (11, 63, -25),
    "neck": (0, -11, 79),
    "collar": (32, -13, 55),
    "jaw": (0, 38, 52),
    "shoulder": (71, -5, 18),
    "elbow": (83, -6, -3),
    "wrist": (88, 0, 2),
    "thumb": (79, -10, -5),
}


def _rest_direction(joint: str) -> Array | None:
    """Unit vector (3,) from a joint's parent to the joint in SMPL's rest pose, in Blender's axes, None for a leaf."""
    angles = _REST_DIRECTIONS.get(joint.removeprefix("left_").removeprefix("right_"))
    if angles is None:
        return None
    outwards, forwards, upwards = np.sin(np.radians(angles))
    side = outwards * (-1.0 if joint.startswith("right_") else 1.0)
    return rotations.normalize(np.array([side, -forwards, upwards]))


def _neutral_skeleton() -> Skeleton:
    """The default skeleton, with the bones that leave pelvis and chest in the directions of SMPL's rest pose."""
    offsets = DEFAULT_SKELETON.offsets.copy()
    for joint in (j for name in ("pelvis", "spine3") for j in CHILDREN[INDEX[name]]):
        direction = _rest_direction(JOINTS[joint])
        assert direction is not None
        offsets[joint] = direction * np.linalg.norm(offsets[joint])
    offsets[0, 2] -= Skeleton(offsets).rest_positions()[:, 2].min()
    return Skeleton(offsets)


def _rest_swings() -> Array:
    """Swings (29, 4) from the bone that follows a joint in the T-pose to where it points in SMPL's rest pose.

    Hands and toes, for which SMPL has no bone, follow on straight; the head stands upright.
    """
    swings = rotations.identity(len(JOINTS))
    for j, children in enumerate(CHILDREN):
        direction = _rest_direction(JOINTS[children[0]]) if len(children) == 1 else None
        if direction is not None:
            swings[j] = rotations.between(DEFAULT_SKELETON.offsets[children[0]], direction)
        elif len(children) < 2 and JOINTS[j] not in ("jaw", "head"):
            swings[j] = swings[PARENTS[j]]
    return swings


NEUTRAL_SKELETON = _neutral_skeleton()
"""The body that stands in for SMPL's: the default skeleton's lengths, standing on the floor in SMPL's rest pose."""
REST_SWINGS = _rest_swings()
"""(29, 4) rotation by which each joint of the neutral body is turned further than SMPL's."""
