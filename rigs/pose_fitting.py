"""Joint rotations from joint positions: how a point-cloud capture, or a model's output, becomes a `Motion`.

The pelvis and the chest follow from the triads of points around them. An upper arm or a thigh follows its bone, and
its twist follows the plane in which the elbow or knee bends. Every other joint takes the smallest swing, from
where its parent carries it, onto its bone.
"""

import numpy as np

from rigs import Array, kinematics, rotations
from rigs.easing import smoothstep
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, DEFAULT_SKELETON, INDEX, JOINTS, PARENTS, Skeleton

_PELVIS, _SPINE1, _SPINE2, _CHEST = (INDEX[name] for name in ("pelvis", "spine1", "spine2", "spine3"))
_SHOULDERS = [INDEX["left_shoulder"], INDEX["right_shoulder"]]
_WIDE, _NARROW = 0.06, 0.02
"""Metres of spread at which neck and collars tell the chest's twist themselves, and at which only the shoulders can."""
_LIMB_BONES = [
    j for j, name in enumerate(JOINTS) if name.endswith(("hip", "knee", "ankle", "shoulder", "elbow", "wrist"))
]

_HINGES = {
    INDEX["left_hip"]: ((1.0, 0.0, 0.0), np.radians(80.0)),
    INDEX["right_hip"]: ((1.0, 0.0, 0.0), np.radians(80.0)),
    INDEX["left_shoulder"]: ((0.0, 0.0, -1.0), np.radians(115.0)),
    INDEX["right_shoulder"]: ((0.0, 0.0, 1.0), np.radians(115.0)),
}
"""The axis of the T-pose about which the next joint, knee or elbow, bends by positive angles, and how far a limb may be
twisted before the bend is noise: 99.9 % of the thighs of real salsa stay within 60 degrees, of the arms within 119."""
_DOUBT = np.radians(30.0)
"""How much further a limb is twisted when its bending plane is not believed at all."""
_STRAIGHT, _BENT = 0.1, 0.4
"""Sines of the bend below which the bending plane says nothing, and above which it says all."""
_MEMORY = 0.08
"""Seconds after which a bending plane counts for a third: the nearest frames that bend decide about a straight limb."""
_REST_WEIGHT = 0.005
"""How strongly an untwisted limb speaks against what the neighbouring frames remember."""
_SHORTEST = 1e-4
"""Metres below which two points give no direction."""


def fit_motion(positions: Array, fps: float, *, skeleton: Skeleton | None = None) -> Motion:
    """The movement of a dancer whose joints pass through `positions`.

    positions: (F, 29, 3) m, Z up.  skeleton: the dancer's bones; without one `measure` finds them.
    The pelvis stays where it is. Bones keep their directions and take the skeleton's lengths; the bones that leave the
    pelvis or the chest are rigid and take the directions of the best fit.
    A joint that lies on its parent in every frame takes its parent's direction; one of the limbs may not.
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
    turned = rotations.unroll(kinematics.local_rotations(world))
    return Motion(fps, skeleton, positions[:, _PELVIS], turned)


def fit_skeleton(positions: Array) -> Skeleton:
    """The bones of the dancer whose joints pass through `positions` (F, 29, 3) m.

    Lengths are medians over the frames. Directions are those of the T-pose, but the shape of pelvis and chest is the
    dancer's own. The rest pose stands on the floor.
    """
    bones = _bone_vectors(np.asarray(positions, dtype=float))
    lengths = np.median(np.linalg.norm(bones, axis=-1), axis=0)
    offsets = rotations.normalize(DEFAULT_SKELETON.offsets) * lengths[:, None]
    drawn = Skeleton(offsets)
    for joint in (_PELVIS, _CHEST):
        children = list(CHILDREN[joint])
        turned = _fit_rigid_joint(positions, drawn, joint)
        seen = rotations.rotate(rotations.inverse(turned)[:, None], bones[:, children])
        offsets[children] = rotations.normalize(np.median(seen, axis=0)) * lengths[children, None]
    offsets[_PELVIS] = 0.0
    offsets[_PELVIS, 2] = -Skeleton(offsets).rest_positions()[:, 2].min()
    return Skeleton(offsets)


def fill_gaps(positions: Array) -> tuple[Array, int]:
    """Positions (F, J, 3) whose unseen frames, all nan, lie on straight lines between seen ones, and how many they are.

    Before the first and after the last seen frame the nearest pose is held. A frame that is nan only in part stays.
    """
    unseen = np.isnan(positions).all(axis=(1, 2))
    if not unseen.any() or unseen.all():
        return positions, int(unseen.sum())
    seen = np.flatnonzero(~unseen)
    at = np.interp(np.arange(len(positions)), seen, np.arange(len(seen)))
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(seen) - 1)
    t = (at - before)[:, None, None]
    return (1.0 - t) * positions[seen[before]] + t * positions[seen[after]], int(unseen.sum())


def _bone_vectors(positions: Array) -> Array:
    """From each joint's parent to the joint (F, 29, 3); the pelvis's row is its place."""
    bones = positions - positions[:, list(PARENTS)]
    bones[:, _PELVIS] = positions[:, _PELVIS]
    return bones


def _check_bones(bones: Array) -> None:
    """Raise ValueError where a bone is not finite, or has no direction though a limb's bone or one that mostly has."""
    lengths = np.linalg.norm(bones, axis=-1)
    broken = ~np.isfinite(lengths)
    if broken.any():
        frame, joint = np.argwhere(broken)[0]
        raise ValueError(f"frame {frame}, {JOINTS[joint]}: a finite position expected")
    needed = np.median(lengths, axis=0) >= _SHORTEST
    needed[_LIMB_BONES] = True
    needed[_PELVIS] = False
    short = (lengths < _SHORTEST) & needed
    if short.any():
        frame, joint = np.argwhere(short)[0]
        parent = JOINTS[PARENTS[joint]]
        raise ValueError(f"frame {frame}, {JOINTS[joint]}: a place apart from {parent} expected, both are at one point")


def _world_rotations(positions: Array, bones: Array, fps: float, skeleton: Skeleton) -> Array:
    """World rotations (F, 29, 4), parents before children."""
    world = np.empty((*positions.shape[:2], 4))
    pelvis, chest = (_fit_rigid_joint(positions, skeleton, joint) for joint in (_PELVIS, _CHEST))
    for j, parent in enumerate(PARENTS):
        if j == _PELVIS:
            world[:, j] = pelvis
        elif j == _CHEST:
            world[:, j] = chest
        elif not CHILDREN[j]:
            world[:, j] = world[:, parent]
        else:
            (child,) = CHILDREN[j]
            guess = world[:, parent]
            if j in (_SPINE1, _SPINE2):
                guess = rotations.slerp(pelvis, chest, 1 / 3 if j == _SPINE1 else 2 / 3)
            world[:, j] = _swing_onto_bone(guess, skeleton.offsets[child], bones[:, child])
            if j in _HINGES:
                (end,) = CHILDREN[child]
                world[:, j] = _twist_to_bend_plane(world[:, j], *_HINGES[j], bones[:, child], bones[:, end], fps)
    return world


def _fit_rigid_joint(positions: Array, skeleton: Skeleton, joint: int) -> Array:
    """World rotations (F, 4) of the pelvis or the chest from the points around it."""
    rest = skeleton.rest_positions()
    around = list(CHILDREN[joint])
    shape = rest[around] - rest[joint]
    if joint == _CHEST:
        # shoulders move on the chest: they count where neck and collars are too near one line to tell the twist
        spread = np.linalg.svd(shape, compute_uv=False)[1]
        weight = 0.1 - 0.09 * smoothstep((spread - _NARROW) / (_WIDE - _NARROW))
        around = around + _SHOULDERS
        shape = np.concatenate([shape, weight * (rest[_SHOULDERS] - rest[joint])])
    lengths = np.linalg.norm(shape, axis=-1, keepdims=True)
    seen = rotations.normalize(positions[:, around] - positions[:, joint, None]) * lengths
    return rotations.align_vectors(shape, seen)


def _swing_onto_bone(guess: Array, offset: Array, bone: Array) -> Array:
    """The rotation nearest to `guess` (F, 4) that turns the rest direction `offset` (3,) into that of `bone` (F, 3)."""
    return rotations.multiply(rotations.between(rotations.rotate(guess, offset), bone), guess)


def _twist_to_bend_plane(
    swung: Array, hinge: tuple[float, ...], limit: float, upper: Array, lower: Array, fps: float
) -> Array:
    """Twist the limb rotations `swung` (F, 4) about the bone `upper` until `hinge` is normal to the bending plane.

    The plane holds the bones `upper` and `lower` (F, 3). Where the limb is nearly straight, or twisted past `limit`
    radians, the plane is taken from frames near in time, and failing these the limb stays as it is swung.
    """
    along = rotations.normalize(upper)
    ahead = rotations.rotate(swung, np.array(hinge))
    side = np.cross(along, ahead)
    ahead = np.cross(side, along)
    normal = np.cross(along, rotations.normalize(lower))
    plane = np.sum(normal * ahead, axis=-1) + 1j * np.sum(normal * side, axis=-1)
    sine = np.abs(plane)
    plane /= np.where(sine > 0.0, sine, 1.0)
    trust = smoothstep((sine - _STRAIGHT) / (_BENT - _STRAIGHT))
    trust = trust * smoothstep((limit + _DOUBT - np.abs(np.angle(plane))) / _DOUBT)
    span = int(np.ceil(8.0 * _MEMORY * fps))
    memory = np.exp(-np.abs(np.arange(-span, span + 1)) / (_MEMORY * fps)) / (_MEMORY * fps)
    remembered = np.convolve(trust * plane, memory)[span : span + len(plane)] + _REST_WEIGHT
    remembered /= np.maximum(np.abs(remembered), 1e-9)
    twist = np.angle(trust * plane + (1.0 - trust) * remembered)
    return rotations.multiply(rotations.from_axis_angle(along, twist), swung)
