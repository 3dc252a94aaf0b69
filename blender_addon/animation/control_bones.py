"""The controls of our dancers: which bones they are, and the channels that key them along with the joints.

Hands and feet are targets of inverse kinematics, with pole targets for elbows and knees. Each limb's property `IK` on
its hand or foot control drives the influence of the limb's constraints: 0 is FK, where the joints' own keys move it.
With both keyed the IK solver starts from the joints' keys and is at its target already, so both modes show one pose.
"""

from dataclasses import dataclass
from itertools import pairwise

import bpy
import numpy as np

from rigs import Array, kinematics, rotations
from rigs.retargeting.bone_transforms import RigMotion
from rigs.retargeting.control_reduction import reduce_control
from rigs.retargeting.key_reduction import KeyedCurve, PropertyCurve, Tolerance, reduce_keys, tangents
from rigs.skeleton import INDEX, JOINTS, PARENTS

from .keys import fcurves
from .keys.channels import Channel, transform_channels

IK = "IK"
"""The custom property of hand and foot controls: 0 for FK, 1 for IK."""

_POLE_DISTANCE = 0.6
"""Distance of a pole target from the limb, in limb lengths."""


@dataclass(frozen=True)
class Limb:
    """A limb with its control bones.

    control, pole: the control's and the pole target's bone.  joints: its three joints, whose second has the IK
    constraint and whose last takes over the control's rotation.  bend: where elbow or knee point in the T-pose.
    """

    label: str
    control: str
    pole: str
    joints: tuple[str, str, str]
    bend: tuple[float, float, float]

    @property
    def constraint(self) -> str:
        """The name of the constraints on the second and the last joint."""
        return f"{self.label} IK"

    @property
    def chain(self) -> tuple[int, int, int]:
        """The indices of the three joints."""
        first, second, third = (INDEX[joint] for joint in self.joints)
        return first, second, third


LIMBS = tuple(
    Limb(
        f"{side.title()} {name}",
        f"{side}_{end}_ik",
        f"{side}_{middle}_pole",
        (f"{side}_{chain[0]}", f"{side}_{chain[1]}", f"{side}_{chain[2]}"),
        bend,
    )
    for name, end, middle, chain, bend in (
        ("Arm", "hand", "elbow", ("shoulder", "elbow", "wrist"), (0.0, 1.0, 0.0)),
        ("Leg", "foot", "knee", ("hip", "knee", "ankle"), (0.0, -1.0, 0.0)),
    )
    for side in ("left", "right")
)
CONTROL_BONES = frozenset(bone for limb in LIMBS for bone in (limb.control, limb.pole))


def has_controls(obj: bpy.types.Object) -> bool:
    """Whether the armature has our controls on all four limbs."""
    if obj.pose is None:
        return False
    bones = obj.pose.bones
    return all(
        limb.pole in bones and limb.control in bones and bones[limb.control].get(IK) is not None for limb in LIMBS
    )


def idle_constraints(obj: bpy.types.Object) -> set[str]:
    """The data paths of the constraints that controls have and that do nothing, as their limbs are in FK throughout."""
    if not has_controls(obj):
        return set()
    assert obj.pose is not None
    animated = {curve.data_path for curve in fcurves.action_fcurves(obj)}
    return {
        f'pose.bones["{joint}"].constraints["{limb.constraint}"]'
        for limb in LIMBS
        for joint in limb.joints[1:]
        if obj.pose.bones[limb.control][IK] == 0.0 and ik_path(limb) not in animated
    }


def joint_pose(dancer: bpy.types.Object, motion: RigMotion) -> tuple[Array, Array]:
    """A dancer's root (F, 3) and joint rotations (F, 29, 4) in its object's space and units, from its bones' motion.

    They are as its reduced keys play, if it has such keys.
    """
    assert isinstance(dancer.data, bpy.types.Armature)
    bones = dancer.data.bones
    frames = len(next(iter(motion.rotations.values())))
    local = rotations.identity(frames, len(JOINTS))
    for j, joint in enumerate(JOINTS):
        if joint in motion.rotations:
            rest = _rest_rotation(bones[joint])
            pose = motion.keys[joint][0].play(frames) if motion.keys else motion.rotations[joint]
            turned = rotations.multiply(pose, rotations.inverse(rest))
            local[:, j] = rotations.multiply(rest, turned)
    pelvis = bones[JOINTS[0]]
    location = motion.locations.get(JOINTS[0], np.zeros((frames, 3)))
    if motion.keys and (curve := motion.keys[JOINTS[0]][1]):
        location = curve.play(frames)
    return np.array(pelvis.head_local) + rotations.rotate(_rest_rotation(pelvis), location), local


def ik_path(limb: Limb) -> str:
    """The data path of a limb's `IK` property."""
    return f'pose.bones["{limb.control}"]["{IK}"]'


def control_channels(
    dancer: bpy.types.Object, root: Array, local: Array, tolerance: Tolerance | None = None
) -> list[Channel]:
    """The channels of the controls that go with a pose of the joints; none for a dancer without controls.

    root: (F, 3) the pelvis.  local: (F, 29, 4) the joints' rotations relative to the parent. Both in the object's space
    and units.  tolerance: reduce the keys, with its distance in the object's units.
    """
    if not has_controls(dancer):
        return []
    assert dancer.pose is not None
    assert isinstance(dancer.data, bpy.types.Armature)
    bones = dancer.data.bones
    heads = np.array([bones[joint].head_local for joint in JOINTS])
    world = kinematics.global_rotations(local)
    positions = kinematics.joint_positions(root, world, heads - heads[list(PARENTS)])
    channels: list[Channel] = []
    for limb in LIMBS:
        first, _, last = limb.chain
        control, pole = bones[limb.control], bones[limb.pole]
        rotation = rotations.multiply(
            rotations.inverse(_rest_rotation(control)),
            rotations.multiply(world[:, last], _rest_rotation(bones[limb.joints[2]])),
        )
        rotation = rotations.unroll(rotation)
        up = rotations.rotate(world[:, first], _pole_axis(dancer, limb))
        chain = positions[:, list(limb.chain)]
        location, pole_location = _location(control, chain[:, 2]), _location(pole, _pole_target(chain, up))
        keys: tuple[KeyedCurve | None, ...] = (None, None, None)
        if tolerance is not None:
            (frames,) = reduce_keys([[PropertyCurve(pole_location, None, tolerance.distance)]])
            pole_keys = KeyedCurve(frames, pole_location[frames], tangents(pole_location)[frames])
            keys = *reduce_control(location, rotation, _rest_rotation(control), chain, tolerance), pole_keys
        channels += transform_channels(dancer.pose.bones[limb.control], rotation, location, (keys[1], keys[0]))
        channels += transform_channels(dancer.pose.bones[limb.pole], None, pole_location, (None, keys[2]))
    return channels


def pole_angle(dancer: bpy.types.Object, limb: Limb) -> float:
    """The pole angle of a limb's IK constraint, from the X axis of its first bone to where it bends in the T-pose."""
    assert isinstance(dancer.data, bpy.types.Armature)
    x, _, z = np.array(dancer.data.bones[limb.joints[0]].matrix_local.to_3x3()).T
    return float(np.arctan2(z @ limb.bend, x @ limb.bend))


def pole_rest(dancer: bpy.types.Object, limb: Limb) -> Array:
    """Where the pole target is in the T-pose: (3,) in the object's space."""
    assert isinstance(dancer.data, bpy.types.Armature)
    chain = np.array([dancer.data.bones[joint].head_local for joint in limb.joints])
    return np.asarray(_pole_target(chain[None], np.array([limb.bend]))[0])


def _pole_axis(dancer: bpy.types.Object, limb: Limb) -> Array:
    """The axis (3,) at rest, perpendicular to a limb's first bone, that the IK solver turns towards the pole target."""
    assert isinstance(dancer.data, bpy.types.Armature)
    x, _, z = np.array(dancer.data.bones[limb.joints[0]].matrix_local.to_3x3()).T
    angle = pole_angle(dancer, limb)
    return np.asarray(np.cos(angle) * x + np.sin(angle) * z)


def _pole_target(chain: Array, up: Array) -> Array:
    """The position (F, 3) of a pole target for a limb's joints (F, 3, 3), whose pole axis is `up` (F, 3).

    It is beside the middle joint's projection onto the line from the first to the last: the solver turns the axis about
    that line alone.
    """
    start, middle, end = chain.swapaxes(0, 1)
    along = rotations.normalize(end - start)
    reach = np.sum((middle - start) * along, axis=-1, keepdims=True)
    out = rotations.normalize(up - np.sum(up * along, axis=-1, keepdims=True) * along)
    length = sum(np.linalg.norm(after - before, axis=-1) for before, after in pairwise((start, middle, end)))
    return np.asarray(start + reach * along + _POLE_DISTANCE * length[:, None] * out)


def _rest_rotation(bone: bpy.types.Bone) -> Array:
    return rotations.from_matrix(np.array(bone.matrix_local.to_3x3()))


def _location(bone: bpy.types.Bone, head: Array) -> Array:
    """The location (F, 3) of a bone without a parent that puts its head at `head` (F, 3) in the object's space."""
    return rotations.rotate(rotations.inverse(_rest_rotation(bone)), head - np.array(bone.head_local))
