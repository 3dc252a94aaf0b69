"""Pose fitting: a `Motion` with joint rotations from joint positions, as of a point-cloud capture or a model's output.

Pelvis and chest are fitted rigidly to the points around them (Kabsch). Upper arms and thighs are swung onto their bone
and twisted into the plane in which the elbow or knee bends. Every other joint takes the smallest swing from its
parent's rotation onto its bone.
"""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.easing import smoothstep
from rigs.motion import Motion
from rigs.skeleton import ANKLES, CHILDREN, DEFAULT_SKELETON, HINGE_AXES, INDEX, JOINTS, LIMB_JOINTS, PARENTS, Skeleton
from rigs.smoothing import exponential_average

_PELVIS, _SPINE1, _SPINE2, _CHEST = (INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3"))
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]
_WIDE, _NARROW = 0.06, 0.02
"""m of spread of neck and collars from which they determine the chest's twist, and up to which only shoulders can."""
_LIMB_BONES = [*LIMB_JOINTS, *ANKLES]
_THIGH_TWIST, _ARM_TWIST = np.radians([80.0, 115.0])
"""Twist up to which a bend is not noise: 99.9 % of the thighs of real salsa stay within 60 degrees, of the arms within
119."""
_TWIST_MARGIN = np.radians(30.0)
"""Twist beyond that limit at which the bending plane of a frame has no weight any more."""
_STRAIGHT, _BENT = 0.1, 0.4
"""Sines of the bend angle up to which a frame's bending plane has no weight, and from which it has all."""
_PLANE_TIME = 0.08
"""s, the time constant over which neighbouring frames determine the bending plane of a straight limb."""
_UNTWISTED_WEIGHT = 0.005
"""Weight of the untwisted limb beside the bending planes of neighbouring frames."""
_AT_ORIGIN = 1e-6
"""How far from the origin a joint of a capture that is centred on it may be, as numbers are rounded."""
_SHORTEST = 1e-4
"""m under which a bone has no direction."""


def fit_motion(positions: Array, fps: float, *, skeleton: Skeleton | None = None) -> Motion:
    """Fit joint rotations to joint positions, the inverse of forward kinematics.

    positions: (F, 29, 3) m, Z up.  skeleton: the dancer's bones, without it those of `fit_skeleton`.
    The pelvis stays in place. Bones keep their directions and take the skeleton's lengths; those that leave the pelvis
    or the chest are rigid and take the directions of the best fit.
    A joint that lies on its parent in every frame takes its parent's direction; a bone of a limb may not.
    Raises ValueError, naming frame and joint, where a position is not finite or a bone has no direction.
    """
    positions = np.asarray(positions, dtype=float)
    if positions.ndim != 3 or positions.shape[1:] != (29, 3) or len(positions) == 0:
        raise ValueError(f"positions: shape (frames, 29, 3) expected, {positions.shape} found")
    bones = _bone_vectors(positions)
    _check_bones(bones)
    if skeleton is None:
        skeleton = fit_skeleton(positions)
    world = _world_rotations(positions, bones, fps, skeleton)
    local = rotations.unroll(kinematics.local_rotations(world))
    return Motion(fps, skeleton, positions[:, _PELVIS], local)


def fit_skeleton(positions: Array) -> Skeleton:
    """Measure the bone offsets of a dancer from joint positions (F, 29, 3) m.

    Lengths are medians over the frames. Directions are those of the T-pose, except in pelvis and chest, whose shape is
    the dancer's own. The rest pose stands on the floor.
    """
    bones = _bone_vectors(np.asarray(positions, dtype=float))
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    offsets = rotations.normalize(DEFAULT_SKELETON.offsets) * lengths[:, None]
    guess = Skeleton(offsets)
    for joint in (_PELVIS, _CHEST):
        children = list(CHILDREN[joint])
        world = _fit_rigid_joint(positions, guess, joint)
        local_bones = rotations.rotate(rotations.inverse(world)[:, None], bones[:, children])
        offsets[children] = rotations.normalize(np.median(local_bones, axis=0)) * lengths[children, None]
    offsets[_PELVIS] = 0.0
    offsets[_PELVIS, 2] = -Skeleton(offsets).rest_positions()[:, 2].min()
    return Skeleton(offsets)


def fill_gaps(positions: Array) -> tuple[Array, int]:
    """Fill gaps in a capture, joints of `positions` (F, J, 3) that are nan, by linear interpolation over time.

    A frame of nothing but zeros is a gap too. So is a joint at the origin, but for the first one, the pelvis, on which
    captures are centred, and joints that never leave it. Returns the positions and the number of frames with a gap.
    Before the first and after the last captured frame of a joint its nearest position is held; a joint that is never
    captured stays nan.
    """
    at_origin = (positions == 0.0).all(axis=-1)
    empty = at_origin.all(axis=1)
    leaves_origin = (np.abs(positions) > _AT_ORIGIN).any(axis=(0, 2))
    leaves_origin[:1] = False
    missing = np.isnan(positions).any(axis=-1) | (at_origin & leaves_origin) | (empty & ~empty.all())[:, None]
    if not missing.any():
        return positions, 0
    frames, filled = np.arange(len(positions)), positions.copy()
    filled[missing] = np.nan
    for j in np.flatnonzero(missing.any(axis=0) & ~missing.all(axis=0)):
        gap, captured = frames[missing[:, j]], frames[~missing[:, j]]
        at = np.interp(gap, captured, np.arange(len(captured)))
        before = np.floor(at).astype(int)
        after = np.minimum(before + 1, len(captured) - 1)
        t = (at - before)[:, None]
        filled[gap, j] = (1.0 - t) * positions[captured[before], j] + t * positions[captured[after], j]
    return filled, int(missing.any(axis=1).sum())


def _bone_vectors(positions: Array) -> Array:
    """Vectors (F, 29, 3) m from each joint's parent to the joint; the pelvis's row is its position."""
    bones = positions - positions[:, list(PARENTS)]
    bones[:, _PELVIS] = positions[:, _PELVIS]
    return bones


def _check_bones(bones: Array) -> None:
    """Raise ValueError for a bone that is not finite, or has no length although it is a limb's or mostly has one."""
    lengths = np.linalg.norm(bones, axis=-1)
    not_finite = ~np.isfinite(lengths)
    if not_finite.any():
        frame, joint = np.argwhere(not_finite)[0]
        raise ValueError(f"frame {frame}, {JOINTS[joint]}: a finite position expected")
    required = np.median(lengths, axis=0) >= _SHORTEST
    required[_LIMB_BONES] = True
    required[_PELVIS] = False
    short = (lengths < _SHORTEST) & required
    if short.any():
        frame, joint = np.argwhere(short)[0]
        parent = JOINTS[PARENTS[joint]]
        raise ValueError(f"frame {frame}, {JOINTS[joint]}: a place apart from {parent} expected, both are at one point")


def _world_rotations(positions: Array, bones: Array, fps: float, skeleton: Skeleton) -> Array:
    """World rotations (F, 29, 4) of all joints, parents before children."""
    world = np.empty((*positions.shape[:2], 4))
    pelvis, chest = (_fit_rigid_joint(positions, skeleton, joint) for joint in (_PELVIS, _CHEST))
    for j, parent in enumerate(PARENTS):
        if j in (_PELVIS, _CHEST):
            world[:, j] = pelvis if j == _PELVIS else chest
        elif not CHILDREN[j]:
            world[:, j] = world[:, parent]
        else:
            (child,) = CHILDREN[j]
            guess = world[:, parent]
            if j in (_SPINE1, _SPINE2):
                guess = rotations.slerp(pelvis, chest, 1 / 3 if j == _SPINE1 else 2 / 3)
            world[:, j] = rotations.swing(guess, skeleton.offsets[child], bones[:, child])
            if JOINTS[j] in HINGE_AXES:
                (end,) = CHILDREN[child]
                limit = _THIGH_TWIST if JOINTS[j].endswith("_hip") else _ARM_TWIST
                hinge = np.array(HINGE_AXES[JOINTS[j]])
                world[:, j] = _twist_to_bend_plane(world[:, j], hinge, limit, bones[:, child], bones[:, end], fps)
    return world


def _fit_rigid_joint(positions: Array, skeleton: Skeleton, joint: int) -> Array:
    """World rotations (F, 4) of the pelvis or the chest, fitted to the points around it (Kabsch)."""
    rest = skeleton.rest_positions()
    around = list(CHILDREN[joint])
    shape = rest[around] - rest[joint]
    if joint == _CHEST:
        # shoulders move on the chest: they weigh in where neck and collars lie too near one line to determine the twist
        spread = np.linalg.svd(shape, compute_uv=False)[1]
        weight = 0.1 - 0.09 * smoothstep((spread - _NARROW) / (_WIDE - _NARROW))
        around = around + _SHOULDERS
        shape = np.concatenate([shape, weight * (rest[_SHOULDERS] - rest[joint])])
    lengths = np.linalg.norm(shape, axis=-1, keepdims=True)
    points = rotations.normalize(positions[:, around] - positions[:, joint, None]) * lengths
    return rotations.align_vectors(shape, points)


def _twist_to_bend_plane(world: Array, hinge: Array, limit: float, upper: Array, lower: Array, fps: float) -> Array:
    """Twist the limb rotations `world` (F, 4) about the bone `upper` until `hinge` (3,) is normal to the bending plane.

    The plane contains the bones `upper` and `lower` (F, 3). Where the limb is nearly straight, or twisted past `limit`
    radians, neighbouring frames determine the plane, and without such frames the limb stays untwisted.
    """
    along = rotations.normalize(upper)
    ahead = rotations.rotate(world, hinge)
    side = np.cross(along, ahead)
    ahead = np.cross(side, along)
    normal = np.cross(along, rotations.normalize(lower))
    plane = np.sum(normal * ahead, axis=-1) + 1j * np.sum(normal * side, axis=-1)
    sine = np.abs(plane)
    plane /= np.where(sine > 0.0, sine, 1.0)
    weight = smoothstep((sine - _STRAIGHT) / (_BENT - _STRAIGHT))
    weight = weight * smoothstep((limit + _TWIST_MARGIN - np.abs(np.angle(plane))) / _TWIST_MARGIN)
    neighbours = exponential_average(weight * plane, _PLANE_TIME * fps) + _UNTWISTED_WEIGHT
    neighbours /= np.maximum(np.abs(neighbours), 1e-9)
    twist = np.angle(weight * plane + (1.0 - weight) * neighbours)
    return rotations.multiply(rotations.from_axis_angle(along, twist), world)
