"""Body measures from joint positions: height, and whether a rest pose stands upright and faces the front."""

import numpy as np

from rigs import Array, rotations
from rigs.skeleton import ANKLES, DEFAULT_SKELETON, HIPS, INDEX, SIDES


def body_height(bones: tuple[int, ...], positions: Array) -> float:
    """The body's height in the unit of `positions` (N, F, 3), estimated from the lengths of legs and trunk.

    bones: (29,) each joint's index among the N bones, or -1. The height hardly depends on the pose.
    """
    lengths, default = _chain_lengths(bones, positions)
    return 1.7 * float(sum(length.mean(axis=-1).sum() for length in lengths)) / default


def body_heights(bones: tuple[int, ...], positions: Array) -> Array:
    """The height (F,) as of `body_height` in every frame, whose median leaves out wrong positions of a capture."""
    lengths, default = _chain_lengths(bones, positions)
    return np.asarray(1.7 * np.sum([length.sum(axis=0) for length in lengths], axis=0) / default)


def _chain_lengths(bones: tuple[int, ...], positions: Array) -> tuple[list[Array], float]:
    """Bone lengths of the legs, and twice of the trunk, (bones, F) each, and their sum in the default skeleton."""
    available = [j for j in range(29) if bones[j] >= 0]
    joints = positions[[bones[j] for j in available]]
    default = DEFAULT_SKELETON.rest_positions()[available, None]
    spine = ("pelvis", "spine1", "spine3", "neck", "jaw")
    trunk = [available.index(INDEX[name]) for name in spine if INDEX[name] in available]
    legs = [[available.index(INDEX[f"{side}_{joint}"]) for joint in ("hip", "knee", "ankle")] for side in SIDES]

    def lengths(body: Array) -> list[Array]:
        return [np.linalg.norm(np.diff(body[chain], axis=0), axis=-1) for chain in (*legs, trunk, trunk)]

    return lengths(joints), float(sum(length.mean(axis=-1).sum() for length in lengths(default)))


def drop_implausible_crown(bones: tuple[int, ...], positions: Array) -> tuple[int, ...]:
    """Drop the crown of the head if it does not rise along the trunk: some exporters write arbitrary end sites.

    bones: (29,) each joint's index among the N bones, or -1; returned with -1 for the dropped crown.
    positions: (N, F, 3) of the N bones.
    """
    crown, jaw = bones[INDEX["head"]], bones[INDEX["jaw"]]
    if min(crown, jaw) < 0:
        return bones
    rise = rotations.normalize(positions[crown] - positions[jaw])
    trunk = rotations.normalize(_trunk_vector(positions[list(bones)]))
    upright = np.sum(rise * trunk, axis=-1).mean() > 0.5
    return bones if upright else tuple(-1 if j == INDEX["head"] else bone for j, bone in enumerate(bones))


def stands_upright(rest_positions: Array) -> bool:
    """Whether a rest pose (29, 3) m stands upright with arms aside, so that the twists of its bones are reliable."""
    trunk = rotations.normalize(_trunk_vector(rest_positions))
    left, across, reach = (rotations.normalize(_left_vector(rest_positions, j)) for j in ("hip", "shoulder", "wrist"))
    down = rotations.normalize(rest_positions[ANKLES] - rest_positions[HIPS])
    return bool(
        trunk[2] > 0.8
        and abs(left[2]) < 0.3
        and down[:, 2].max() < -0.7
        and across @ left > 0.8
        and reach @ left > 0.5
        and np.linalg.norm(np.cross(left, trunk)) > 0.9
    )


def faces_front(rest_positions: Array) -> bool:
    """Whether a rest pose (29, 3) in Blender's axes faces -Y."""
    return bool(rotations.normalize(_left_vector(rest_positions, "hip"))[0] > 0.9)


def lateral_frame(positions: Array, joint: str) -> Array:
    """Coordinate frame (F, 4) from hips or shoulders: x to the body's left along `joint`, z near the trunk's direction.

    positions: (29, F, 3).  joint: "hip" or "shoulder".
    """
    left, up = _left_vector(positions, joint), _trunk_vector(positions)
    return rotations.from_axes(left, np.cross(up, left))


def _trunk_vector(positions: Array) -> Array:
    """The vector from between the hips to between the shoulders; positions: (29, F, 3)."""
    hips = positions[INDEX["left_hip"]] + positions[INDEX["right_hip"]]
    return (positions[INDEX["left_shoulder"]] + positions[INDEX["right_shoulder"]] - hips) / 2.0


def _left_vector(positions: Array, joint: str) -> Array:
    """The vector from the right to the left joint."""
    return positions[INDEX[f"left_{joint}"]] - positions[INDEX[f"right_{joint}"]]
