"""Key reduction of whole bodies: every joint stays within tolerance of where it was in the world.

Errors of bones add up along a chain. So bones are reduced from the root outwards, and each one's curve aims at its own
world rotation as seen from its parent's reduced one: rotation errors then do not add up, and those of positions are
measured as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rigs import Array, rotations
from rigs.characters.rig import Rig
from rigs.motion import Motion
from rigs.retargeting import rotation_modes
from rigs.retargeting.bone_transforms import RigMotion, Transform
from rigs.retargeting.key_reduction import KeyedCurve, PoseKeys, Tolerance, hermite_curve, select_keys, tangents
from rigs.retargeting.played_pose import animated_parents, base_transform, carry, location_axes, world_transforms
from rigs.skeleton import JOINTS, PARENTS, Skeleton

_ROOT_SHARE = 0.7
"""Share of the distance that the root may be off; it grows to 1 at the ends of the chains, whose errors add to it."""
_MIN_TOLERANCE = 1e-9
"""Used for a tolerance of zero."""


@dataclass(frozen=True)
class KeyedMotion:
    """A motion, and its joints' keys reduced within a tolerance: quaternions, and the pelvis's location since rest."""

    motion: Motion
    keys: PoseKeys
    tolerance: Tolerance

    @property
    def skeleton(self) -> Skeleton:
        """The motion's skeleton."""
        return self.motion.skeleton

    @cached_property
    def played(self) -> Motion:
        """The motion that plays from the keys."""
        pelvis = self.keys[JOINTS[0]][1]
        assert pelvis is not None
        root = self.skeleton.rest_positions()[0] + pelvis.play(len(self))
        local = np.stack([self.keys[joint][0].play(len(self)) for joint in JOINTS], axis=1)
        return replace(self.motion, root=root, rotations=local)

    def __len__(self) -> int:
        return len(self.motion)


def reduce_motion(motion: Motion, tolerance: Tolerance) -> KeyedMotion:
    """Reduce the keys of a motion so that its joints are within the tolerance in the world in every frame."""
    rest = motion.skeleton.rest_positions()
    rig = Rig(JOINTS, PARENTS, rest, rotations.identity(len(JOINTS)), (True,) * len(JOINTS), len(JOINTS))
    local = {joint: motion.rotations[:, j] for j, joint in enumerate(JOINTS)}
    keys = reduce_pose(rig, RigMotion(motion.fps, local, {JOINTS[0]: motion.root - rest[0]}), {}, tolerance)
    return KeyedMotion(motion, keys, tolerance)


def reduce_pose(rig: Rig, motion: RigMotion, modes: Mapping[str, str], tolerance: Tolerance) -> PoseKeys:
    """Reduce the keys of a rig's bones so that they are within the tolerance in the world in every frame.

    modes: the bones' rotation modes, by default QUATERNION. An object transform of the motion is taken as it is.
    """
    parents = animated_parents(rig, motion)
    true = world_transforms(rig, motion, parents)
    tips = _tips(rig, motion, parents)
    levels = {-1: -1}
    for node, parent in parents.items():
        levels[node] = levels[parent] + 1
    share = (1.0 - _ROOT_SHARE) / (max(levels.values()) + 1)
    base = base_transform(motion)
    reduced: dict[int, Transform] = {}
    keys: PoseKeys = {}
    for node, parent in parents.items():
        name, rest = rig.names[node], rig.rest_rotations[node]
        turn, carried = carry(rig, node, parent, reduced, base)
        located = name in motion.locations
        target = _BoneTarget(
            mode=modes.get(name, "QUATERNION"),
            rotation=true[node][0],
            head=true[node][1],
            tips=[(rig.heads[tip] - rig.heads[node], _tip_position(rig, node, tip, true)) for tip in tips[node]],
            parent=turn if rig.inherits_rotation[node] else base[0],
            carried=carried,
            rest=rest,
            location_axes=rotations.multiply(turn, location_axes(rig, node)) if located else None,
            unit_scale=rig.unit_scale,
            angle=tolerance.angle,
            head_distance=tolerance.distance * (_ROOT_SHARE + share * levels[node]),
            tip_distance=tolerance.distance * (_ROOT_SHARE + share * (levels[node] + 1)),
        )
        keys[name], reduced[node] = _reduce_bone(target)
    return keys


@dataclass(frozen=True)
class _BoneTarget:
    """Where a bone has to be in the world, and what its reduced parent does with it.

    mode: its rotation mode.  rotation: (F, 4) since rest.  head: (F, 3) m.
    tips: points that it carries, as offsets (3,) m from its head at rest, with their positions (F, 3) m.
    parent: (F, 4) the rotation since rest that it inherits.  carried: (F, 3) m, its head without a location.
    rest: (4,).  location_axes: (F, 4) in the world; None for a bone without a location.  unit_scale: as in `Rig`.
    angle, head_distance, tip_distance: the tolerances in radians and m.
    """

    mode: str
    rotation: Array
    head: Array
    tips: list[tuple[Array, Array]]
    parent: Array
    carried: Array
    rest: Array
    location_axes: Array | None
    unit_scale: float
    angle: float
    head_distance: float
    tip_distance: float


def _reduce_bone(target: _BoneTarget) -> tuple[tuple[KeyedCurve, KeyedCurve | None], Transform]:
    """The reduced keys of a bone's rotation and location, and its world transform with them."""
    to_rest = rotations.inverse(target.rest)
    since_rest = rotations.inverse_multiply(target.parent, target.rotation)
    pose = rotations.multiply(to_rest, rotations.multiply(since_rest, target.rest))
    curve = _Curve(rotation_modes.from_quaternions(pose, target.mode))
    location, to_world = None, None
    if target.location_axes is not None:
        displacement = rotations.rotate(rotations.inverse(target.location_axes), target.head - target.carried)
        location = _Curve(displacement / target.unit_scale)
    # Errors are measured in the axes of the bone's parent, in which all but the bone's own curves is constant.
    outer = rotations.multiply(target.parent, target.rest)
    inward = rotations.inverse(outer)
    points = [
        (rotations.rotate(to_rest, offset), rotations.rotate(inward, position - target.carried))
        for offset, position in target.tips
    ]
    if target.location_axes is not None:
        to_world = rotations.multiply(inward, target.location_axes)

    def errors(keyed: Array) -> Array:
        rotation = rotation_modes.to_quaternions(curve.through(keyed[0]), target.mode)
        cosine = np.abs(np.sum(rotation * pose, axis=-1))
        largest = 2.0 * np.arccos(np.minimum(cosine, 1.0)) / max(target.angle, _MIN_TOLERANCE)
        shift = np.zeros(3)
        if location is not None and to_world is not None:
            moved = location.through(keyed[0])
            off = target.unit_scale * np.linalg.norm(moved - location.values, axis=-1)
            largest = np.maximum(largest, off / max(target.head_distance, _MIN_TOLERANCE))
            shift = rotations.rotate(to_world, target.unit_scale * moved)
        for offset, position in points:
            off = np.linalg.norm(rotations.rotate(rotation, offset) + shift - position, axis=-1)
            largest = np.maximum(largest, off / max(target.tip_distance, _MIN_TOLERANCE))
        return largest[None]

    keyed = select_keys(errors, (1, len(pose)))[0]
    rotation = rotation_modes.to_quaternions(curve.through(keyed), target.mode)
    world = rotations.multiply(outer, rotations.multiply(rotation, to_rest))
    head = target.carried
    if location is not None and target.location_axes is not None:
        head = head + rotations.rotate(target.location_axes, target.unit_scale * location.through(keyed))
    return (curve.keys(keyed, target.mode), location.keys(keyed) if location else None), (world, head)


class _Curve:
    """A property's values (F, n) with their slopes."""

    def __init__(self, values: Array) -> None:
        self.values, self._slopes = values, tangents(values)

    def through(self, keyed: Array) -> Array:
        """The curve (F, n) through the frames that are `keyed` (F,)."""
        return hermite_curve(self.values, self._slopes, keyed)

    def keys(self, keyed: Array, mode: str | None = None) -> KeyedCurve:
        return KeyedCurve(np.flatnonzero(keyed), self.values[keyed], self._slopes[keyed], mode)


def _tips(rig: Rig, motion: RigMotion, parents: Mapping[int, int]) -> dict[int, list[int]]:
    """For each animated node the points it carries: heads of animated children, else its farthest descendant's."""
    tips: dict[int, list[int]] = {node: [] for node in parents}
    for node, parent in parents.items():
        if parent >= 0 and rig.names[node] not in motion.locations:
            tips[parent].append(node)
    carriers = {node: node for node in parents}
    farthest: dict[int, tuple[float, int]] = {}
    for node, parent in enumerate(rig.parents):
        carrier = carriers.setdefault(node, carriers.get(parent, -1))
        if carrier >= 0 and not tips[carrier]:
            distance = float(np.linalg.norm(rig.heads[node] - rig.heads[carrier]))
            farthest[carrier] = max(farthest.get(carrier, (0.0, carrier)), (distance, node))
    return {node: tips[node] or [tip for distance, tip in [farthest[node]] if distance > 0.0] for node in parents}


def _tip_position(rig: Rig, node: int, tip: int, transforms: Mapping[int, Transform]) -> Array:
    """Where a node carries a point (F, 3) m."""
    turn, head = transforms[node]
    return head + rotations.rotate(turn, rig.heads[tip] - rig.heads[node])
