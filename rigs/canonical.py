"""From any rig's moving bones to a `Motion`: constant turns onto our T-pose, bone offsets, and the joints it lacks.

Positions come out exactly as they went in wherever the rig's bones are rigid, whatever its rest pose and bone axes.
"""

import numpy as np

from rigs import Array, rotations
from rigs.motion import Motion
from rigs.skeleton import CHILDREN, DEFAULT, INDEX, JOINTS, PARENTS, Skeleton

_TRIADS = (INDEX["pelvis"], INDEX["spine3"])
_ANCHOR = [
    # the joint from which each one takes its twist: arms and neck from the chest, all others from their parent
    INDEX["spine3"] if name.endswith(("_collar", "_shoulder")) or name == "neck" else PARENTS[j]
    for j, name in enumerate(JOINTS)
]
_ANCHOR[INDEX["spine3"]] = INDEX["pelvis"]
_HINGES = {
    # the axis about which the limb's next joint bends, in the T-pose
    "left_hip": (1.0, 0.0, 0.0),
    "right_hip": (1.0, 0.0, 0.0),
    "left_shoulder": (0.0, 0.0, -1.0),
    "right_shoulder": (0.0, 0.0, 1.0),
}
_SAMPLES = 200
_RIGID = 1e-5
"""How far, in metres, a bone's tip may stray in its axes and still count as fixed there."""
_NEAR_ZERO = 1e-6
_BENT = 0.2
"""The mean sine of a knee's or elbow's bend from which its axis can be believed."""


def to_motion(
    fps: float,
    bones: tuple[int, ...],
    world: Array,
    positions: Array,
    rest_positions: Array,
    *,
    in_t_pose: bool = False,
) -> Motion:
    """The movement of a rig's bones as a Motion.

    bones: (29,) each joint's index among the N bones, or -1.
    world: (N, F, 4) the bones' world rotations, identity in the rest pose.  positions: (N, F, 3) m.
    rest_positions: (N, 3) m, the rest pose.  All in Blender's axes.
    in_t_pose: the rest pose is the T-pose by the rig's own account, so rotations stay as they are.
    """
    here = [bone >= 0 for bone in bones]
    turned, moved, rest = (nodes[list(bones)] for nodes in (world, positions, rest_positions))
    if in_t_pose and _is_human(rest):
        return _assemble(fps, here, turned, moved)
    some = np.unique(np.linspace(0, moved.shape[1] - 1, _SAMPLES).astype(int))
    tips = _tips(here, turned[:, some], moved[:, some])
    if _is_human(rest):
        constant = _calibrate(here, tips, rotations.identity(29, 1), rest[:, None], twists_known=True)
    else:
        constant = _calibrate(here, tips, turned[:, some], moved[:, some], twists_known=False)
    ours = rotations.multiply(turned, constant[:, None])
    return _assemble(fps, here, ours, moved)


def believable(bones: tuple[int, ...], positions: Array) -> tuple[int, ...]:
    """`bones` without a crown of the head that does not rise above the trunk; some files let the head end sideways.

    positions: (N, F, 3) of the N bones.
    """
    crown, jaw = bones[INDEX["head"]], bones[INDEX["jaw"]]
    if min(crown, jaw) < 0:
        return bones
    rise = rotations.normalize(positions[crown] - positions[jaw])
    trunk = rotations.normalize(_trunk(positions[list(bones)]))
    upright = np.sum(rise * trunk, axis=-1).mean() > 0.5
    return bones if upright else tuple(-1 if j == INDEX["head"] else bone for j, bone in enumerate(bones))


def stature(bones: tuple[int, ...], positions: Array) -> float:
    """The body's height in the unit of `positions` (N, F, 3), from the lengths of the legs and the trunk.

    It does not depend on the pose.
    """
    known = [j for j in range(29) if bones[j] >= 0]
    places = positions[[bones[j] for j in known]]
    default = DEFAULT.rest_positions()[known, None]
    spine = ("pelvis", "spine1", "spine2", "spine3", "neck", "jaw")
    trunk = [known.index(INDEX[name]) for name in spine if INDEX[name] in known]
    legs = [[known.index(INDEX[f"{side}_{joint}"]) for joint in ("hip", "knee", "ankle")] for side in ("left", "right")]

    def length(body: Array) -> float:
        steps = [np.diff(body[chain], axis=0) for chain in (*legs, trunk, trunk)]
        return float(sum(np.linalg.norm(step, axis=-1).mean(axis=-1).sum() for step in steps))

    return 1.7 * length(places) / length(default)


def up_axis(bones: tuple[int, ...], positions: Array, rest_positions: Array) -> str:
    """The axis, "Y" or "Z", along which the dancer stands in most frames, or else in the rest pose.

    positions: (N, F, 3) and rest_positions: (N, 3) of the N bones.
    """
    poses = (positions[list(bones)], rest_positions[list(bones), None])
    along = [np.abs(rotations.normalize(_trunk(pose))) > 0.8 for pose in poses]
    moving, still = (upright.mean(axis=0)[1:] for upright in along)
    y, z = moving if moving.max() > 0.5 or not still.any() else still
    return "Z" if z > y else "Y"


def _trunk(places: Array) -> Array:
    """From between the hips to between the shoulders; places: (29, F, 3)."""
    hips = places[INDEX["left_hip"]] + places[INDEX["right_hip"]]
    return (places[INDEX["left_shoulder"]] + places[INDEX["right_shoulder"]] - hips) / 2.0


def _left(places: Array, joint: str) -> Array:
    return places[INDEX[f"left_{joint}"]] - places[INDEX[f"right_{joint}"]]


def _triad(places: Array, joint: str) -> Array:
    """The rotation whose first axis points to the body's left and whose third is near the trunk's direction."""
    left, up = _left(places, joint), _trunk(places)
    return rotations.from_axes(left, np.cross(up, left))


def _is_human(rest: Array) -> bool:
    """Whether a rest pose (29, 3) m stands like a body, so that its bones' twists can be trusted."""
    trunk, left = rotations.normalize(_trunk(rest)), rotations.normalize(_left(rest, "hip"))
    forward = np.cross(left, trunk)
    reach = rotations.normalize(_left(rest, "wrist"))

    def down(side: str) -> Array:
        return rotations.normalize(rest[INDEX[f"{side}_ankle"]] - rest[INDEX[f"{side}_hip"]])

    return bool(
        trunk[2] > 0.8
        and abs(left[2]) < 0.3
        and down("left")[2] < -0.7
        and down("right")[2] < -0.7
        and rotations.normalize(_left(rest, "shoulder")) @ left > 0.8
        and reach @ left > 0.5
        and np.linalg.norm(forward) > 0.9
    )


def _tips(here: list[bool], turned: Array, moved: Array) -> Array:
    """Where each bone's tip lies in its own axes, the mean over some frames: (29, 3) m, zero for a bone without one.

    The movement says this better than the rest pose does where bones between two joints are bent all the time.
    """
    tips = np.zeros((29, 3))
    for j in range(29):
        child = _aim(j, here)
        if here[j] and child >= 0:
            tips[j] = rotations.rotate(rotations.inverse(turned[j]), moved[child] - moved[j]).mean(axis=0)
    return tips


def _calibrate(here: list[bool], tips: Array, turned: Array, moved: Array, *, twists_known: bool) -> Array:
    """For each joint the constant rotation (29, 4) that turns our T-pose axes into the source bone's own.

    turned: (29, K, 4) world rotations and moved: (29, K, 3) m positions of K sample poses. A bone's direction, to its
    tip, is matched to the T-pose's; its twist is taken over, with the least turn, from the bone above and
    averaged over the samples. Where the rest pose tells nothing about twists, elbows and knees tell it by the axis
    they bend about.
    """
    constant = rotations.identity(29)
    default = DEFAULT.rest_positions()[:, None]
    posed = np.empty_like(turned)
    for j, name in enumerate(JOINTS):
        anchor = _ANCHOR[j]
        if not here[j]:
            posed[j] = posed[anchor]
            continue
        if name == "pelvis" or (name == "spine3" and not twists_known):
            side = "hip" if name == "pelvis" else "shoulder"
            estimate = rotations.multiply(_triad(moved, side), rotations.inverse(_triad(default, side)))
        else:
            estimate = posed[anchor]
        own = rotations.inverse(turned[j])
        if tips[j].any():
            straight = default[_aim(j, here)] - default[j]
            estimate = _swung(estimate, rotations.rotate(turned[j], tips[j]), straight)
        constant[j] = _mean_rotation(rotations.multiply(own, estimate))
        if name in _HINGES and not twists_known:
            constant[j] = _twisted_to_hinge(constant[j], name, own, moved)
        posed[j] = rotations.multiply(turned[j], constant[j])
    return constant


def _aim(j: int, here: list[bool]) -> int:
    """The joint at which bone `j` points: its child, or what comes after a child that is missing; or -1."""
    if j in _TRIADS or not CHILDREN[j]:
        return -1
    child = CHILDREN[j][0]
    while not here[child] and CHILDREN[child]:
        child = CHILDREN[child][0]
    return child if here[child] else -1


def _swung(q: Array, direction: Array, straight: Array) -> Array:
    """`q` (K, 4) with the least turn that brings the T-pose direction `straight` (3,) onto `direction` (K, 3)."""
    points = np.linalg.norm(direction, axis=-1, keepdims=True) > _NEAR_ZERO
    return np.where(points, rotations.multiply(rotations.between(rotations.rotate(q, straight), direction), q), q)


def _mean_rotation(q: Array) -> Array:
    """The rotation (4,) nearest to all of `q` (K, 4) (Markley et al. 2007)."""
    _, vectors = np.linalg.eigh(q.T @ q)
    return np.asarray(vectors[:, -1] * np.where(vectors[0, -1] < 0.0, -1.0, 1.0))


def _twisted_to_hinge(constant: Array, name: str, own: Array, moved: Array) -> Array:
    """Twist a thigh or upper arm so that its knee or elbow bends about the axis it has in the T-pose.

    own: (K, 4) from the world into the bone's axes. A limb that hardly bends is left as it is.
    """
    j = INDEX[name]
    middle = CHILDREN[j][0]
    end = CHILDREN[middle][0]
    upper, lower = moved[middle] - moved[j], moved[end] - moved[middle]
    bends = np.cross(rotations.normalize(upper), rotations.normalize(lower))
    axis = rotations.rotate(own, bends).mean(axis=0)
    if np.linalg.norm(axis) < _BENT:
        return constant
    bone = rotations.normalize(rotations.rotate(own, upper).mean(axis=0))
    found = rotations.normalize(axis - (axis @ bone) * bone)
    is_now = rotations.rotate(constant, np.array(_HINGES[name]))
    is_now = rotations.normalize(is_now - (is_now @ bone) * bone)
    angle = np.arctan2(np.cross(is_now, found) @ bone, is_now @ found)
    return rotations.multiply(rotations.from_axis_angle(bone, angle), constant)


def _assemble(fps: float, here: list[bool], world: Array, moved: Array) -> Motion:
    """Offsets that put every joint where the source has it, and the Motion.

    world: (29, F, 4) and moved: (29, F, 3) m. Offsets are means over the frames in the parent's axes. A bone whose
    tip is not rigid in it is swung in every frame so that it still points there.
    """
    offsets = DEFAULT.offsets * _scale(here, moved)
    places = moved.copy()
    for j, parent in enumerate(PARENTS):
        if parent < 0:
            continue
        if not here[j] or not CHILDREN[j]:
            world[j] = world[parent]
        target, share = _next_known(j, here)
        if target >= 0:
            whole = moved[target] - places[parent]
            in_parent = rotations.rotate(rotations.inverse(world[parent]), whole)
            offsets[j] = share * in_parent.mean(axis=0)
            loose = np.ptp(in_parent, axis=0).max() > _RIGID
            if here[j] and not loose:
                continue
            if loose and here[j] and len(CHILDREN[parent]) == 1:
                length = np.linalg.norm(whole, axis=-1).mean()
                offsets[j] *= length / max(float(np.linalg.norm(offsets[j])), _NEAR_ZERO)
                world[parent] = _swung(world[parent], whole, offsets[j])
                world[j] = world[parent] if not CHILDREN[j] else world[j]
        places[j] = places[parent] + rotations.rotate(world[parent], offsets[j])
    offsets[0] = 0.0
    standing = Skeleton(offsets).rest_positions()
    offsets[0, 2] = -standing[:, 2].min()
    local = rotations.multiply(rotations.inverse(world[list(PARENTS)]), world)
    local[0] = world[0]
    return Motion(fps, Skeleton(offsets), moved[0].copy(), np.ascontiguousarray(local.transpose(1, 0, 2)))


def _scale(here: list[bool], moved: Array) -> float:
    """The body's size against the default one's, by the limbs, which every dancer has."""
    limbs = [j for j, name in enumerate(JOINTS) if name.endswith(("_knee", "_ankle", "_elbow", "_wrist")) and here[j]]
    own = sum(np.linalg.norm(moved[j] - moved[PARENTS[j]], axis=-1).mean() for j in limbs)
    return float(own / sum(np.linalg.norm(DEFAULT.offsets[j]) for j in limbs))


def _next_known(j: int, here: list[bool]) -> tuple[int, float]:
    """The first joint from `j` outwards that the source has, and at which share of the way there `j` lies; or -1."""
    path = [j]
    while not here[path[-1]]:
        onwards = [child for child in CHILDREN[path[-1]] if here[child]] or list(CHILDREN[path[-1]])
        if not onwards:
            return -1, 0.0
        path.append(onwards[0])
    lengths = np.linalg.norm(DEFAULT.offsets[path], axis=-1)
    return path[-1], float(lengths[0] / lengths.sum())
