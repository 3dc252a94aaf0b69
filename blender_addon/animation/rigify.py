"""Rigify's generated rigs: the switches between their two ways to move a limb, and the controls of the second way."""

from dataclasses import replace
from typing import Literal

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.characters.humanoid import Body
from rigs.characters.posed_humanoid import Figure
from rigs.retargeting.bone_transforms import Control, RigMotion
from rigs.skeleton import INDEX

Limbs = Literal["FK", "IK"]

_SIDES = (("left", "L"), ("right", "R"))
_LIMBS = (
    # the bone that has the limb's switches, the control at its end, its pole, and the joints of its three bones
    ("upper_arm_parent", "hand_ik", "upper_arm_ik_target", ("shoulder", "elbow", "wrist")),
    ("thigh_parent", "foot_ik", "thigh_ik_target", ("hip", "knee", "ankle")),
)
_CHAINS = {"upper_arm_ik_target": ("upper_arm_ik", "MCH-forearm_ik"), "thigh_ik_target": ("thigh_ik", "MCH-shin_ik")}
"""The bones that a pole turns: Rigify lets the second one bend about its own X axis alone."""
_POLE_ANGLE = -np.pi / 2.0
"""By which Rigify's poles turn a chain from where its first bone's X axis points."""
_FRONTS = {"upper_arm_ik_target": np.array([0.0, 1.0, 0.0]), "thigh_ik_target": np.array([0.0, -1.0, 0.0])}
"""Where elbows and knees point in our T-pose."""
_STRAIGHT = 0.01
"""The sine of a bend below which that is what tells where they point."""
_TOES = "toe_ik"
_Y = np.array([0.0, 1.0, 0.0])


def is_rigify(thing: bpy.types.Object) -> bool:
    """Whether Rigify has generated the armature, with arms and legs as its human has them."""
    if not isinstance(thing.data, bpy.types.Armature) or thing.data.get("rig_id") is None or thing.pose is None:
        return False
    return all(f"{switch}.{letter}" in thing.pose.bones for switch, *_ in _LIMBS for _, letter in _SIDES)


def switches(thing: bpy.types.Object, limbs: Limbs) -> list[tuple[str, str, float]]:
    """What must be set for the keyed controls to move the rig: bone, its property, value."""
    wanted = [("torso", "neck_follow", 1.0), ("torso", "head_follow", 1.0)]
    for switch, *_ in _LIMBS:
        for _, letter in _SIDES:
            values = {"IK_FK": float(limbs == "FK"), "FK_limb_follow": 0.0}
            if limbs == "IK":
                values["pole_vector"] = 1.0
            wanted += [(f"{switch}.{letter}", name, value) for name, value in values.items()]
    assert thing.pose is not None
    bones = thing.pose.bones
    return [(bone, name, value) for bone, name, value in wanted if bone in bones and bones[bone].get(name) is not None]


def controls(figure: Figure, body: Body) -> list[Control]:
    """Where the controls of arms and legs belong: hands and feet, toes, and the poles before knees and elbows."""
    found = []
    for _, end, pole, names in _LIMBS:
        for side, letter in _SIDES:
            chain = [INDEX[f"{side}_{name}"] for name in names]
            turn = _turned(figure, body, chain[2])
            away = body.rig.heads[body.rig.index(f"{end}.{letter}")] - body.places[chain[2]]
            head = figure.positions[:, chain[2]] + rotations.rotate(turn, away)
            found.append(Control(f"{end}.{letter}", turn, head))
            still = rotations.identity(len(turn))
            found.append(Control(f"{pole}.{letter}", still, _pole(figure, body, pole, letter, chain)))
    for side, letter in _SIDES:
        if f"{_TOES}.{letter}" in body.rig.names:
            found.append(Control(f"{_TOES}.{letter}", _turned(figure, body, INDEX[f"{side}_foot"]), None))
    return found


def without_fk(motion: RigMotion) -> RigMotion:
    """The movement without the bones that the limbs' other way replaces."""
    names = ("upper_arm", "forearm", "hand", "thigh", "shin", "foot", "toe")
    dropped = {f"{name}_fk.{letter}" for name in names for _, letter in _SIDES}
    return replace(motion, turns={bone: turns for bone, turns in motion.turns.items() if bone not in dropped})


def _turned(figure: Figure, body: Body, joint: int) -> Array:
    return rotations.multiply(figure.world[:, joint], rotations.inverse(body.rest[joint]))


def _pole(figure: Figure, body: Body, pole: str, letter: str, chain: list[int]) -> Array:
    """Where a pole (F, 3) m belongs for a limb's three joints to be where they are.

    The first bone has its Y axis along itself. The second one bends about X, so X keeps the angle to it that it has at
    rest; with both, the axis that Blender's solver turns towards the pole is known.
    """
    root, middle, end = (figure.positions[:, j] for j in chain)
    first, second = (body.rig.turned[body.rig.index(f"{name}.{letter}")] for name in _CHAINS[pole])
    tilt, _, forward = rotations.rotate(rotations.multiply(rotations.inverse(first), second), _Y)
    upper, lower = rotations.normalize(middle - root), rotations.normalize(end - middle)
    ahead = rotations.rotate(figure.world[:, chain[0]], _FRONTS[pole])
    bend = _across(lower, upper)
    out = rotations.normalize(bend - _STRAIGHT * _across(ahead, upper))
    cosine = np.clip(tilt / np.maximum(np.linalg.norm(bend, axis=-1, keepdims=True), _STRAIGHT), -1.0, 1.0)
    x = cosine * out - np.sign(forward) * np.sqrt(1.0 - cosine**2) * np.cross(out, upper)
    turned = np.cos(_POLE_ANGLE) * x + np.sin(_POLE_ANGLE) * np.cross(x, upper)
    length = np.linalg.norm(middle - root, axis=-1) + np.linalg.norm(end - middle, axis=-1)
    return middle + length[:, None] * rotations.normalize(_across(turned, rotations.normalize(end - root)))


def _across(vectors: Array, axis: Array) -> Array:
    """What of the vectors (F, 3) is at right angles to the unit axes (F, 3)."""
    return vectors - np.sum(vectors * axis, axis=-1, keepdims=True) * axis
