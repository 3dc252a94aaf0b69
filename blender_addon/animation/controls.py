"""Controls for a dancer's hands and feet: adds their bones, constraints and shapes, and keys them along a take."""

from contextlib import suppress
from typing import Any

import bpy
import numpy as np

from rigs import Array

from ..context_access import active_view_layer, armature_data
from . import armatures, joint_bones
from .control_bones import IK, LIMBS, Limb, control_channels, has_controls, ik_path, pole_angle, pole_rest
from .keys import fcurves, frame_ranges, nla
from .keys.channels import key_every_frame

_POLE_LENGTH = 0.06
"""Length of a pole target's bone, in limb lengths."""


def add_controls(context: bpy.types.Context, dancer: bpy.types.Object) -> None:
    """Add controls to the active dancer, in FK; they are not keyed yet. Mode and selection stay."""
    mode = dancer.mode
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        for limb in LIMBS:
            _add_edit_bones(dancer, limb)
    finally:
        bpy.ops.object.mode_set(mode=mode)
    armature = armature_data(dancer)
    if not armature.collections_all:
        joint_bones.sort_bones(armature)
    for limb in LIMBS:
        for bone in (limb.control, limb.pole):
            joint_bones.add_to_collection(armature, "Controls", bone)
        _add_constraints(dancer, limb)
        _add_shapes(dancer, limb)
    active_view_layer(context).update()


def key_controls(context: bpy.types.Context, dancer: bpy.types.Object) -> bool:
    """Key the controls of a dancer that has them along the take that it plays, unless they are; return whether."""
    action = nla.base_action(dancer)
    if not has_controls(dancer) or action is None or action.library is not None:
        return False
    assert dancer.pose is not None
    switches = [dancer.pose.bones[limb.control][IK] for limb in LIMBS]
    with nla.beneath_corrections(dancer):
        curves = fcurves.fcurves_by_path(dancer)
        frames = frame_ranges.frame_range(dancer)
        if frames is None or any(path.startswith(f'pose.bones["{LIMBS[0].control}"].loc') for path, _ in curves):
            return False
        try:
            _set_switches(dancer, [0.0] * len(LIMBS))
            motion = armatures.sample_motion(context, dancer, frames)
        finally:
            _set_switches(dancer, switches)
        channels = control_channels(dancer, *armatures.object_space(dancer, motion))
        fcurves.write_fcurves(fcurves.assigned_channelbag(dancer), key_every_frame(channels, frames.start, 1.0))
        return True


def _set_switches(dancer: bpy.types.Object, values: list[float]) -> None:
    assert dancer.pose is not None
    for limb, value in zip(LIMBS, values, strict=True):
        dancer.pose.bones[limb.control][IK] = value


def _add_edit_bones(dancer: bpy.types.Object, limb: Limb) -> None:
    armature = armature_data(dancer)
    joint = armature.edit_bones[limb.joints[2]]
    control = armature.edit_bones.new(limb.control)
    control.head, control.tail, control.roll = joint.head, joint.tail, joint.roll
    rest = pole_rest(dancer, limb)
    length = np.linalg.norm(rest - np.array(armature.edit_bones[limb.joints[1]].head))
    pole = armature.edit_bones.new(limb.pole)
    pole.head, pole.tail = rest.tolist(), (rest + _POLE_LENGTH * length * np.array(limb.bend)).tolist()
    for bone in (control, pole):
        bone.use_deform = False


def _add_constraints(dancer: bpy.types.Object, limb: Limb) -> None:
    """Add the limb's constraints, and the property `IK` that drives their influence."""
    assert dancer.pose is not None
    control = dancer.pose.bones[limb.control]
    control.rotation_mode = "QUATERNION"
    control[IK] = 0.0
    limits: Any = control.id_properties_ui(IK)  # type: ignore[func-returns-value]
    limits.update(min=0.0, max=1.0, soft_min=0.0, soft_max=1.0, default=0.0, description="FK at 0, IK at 1")
    control.property_overridable_library_set(f'["{IK}"]', True)
    solver = dancer.pose.bones[limb.joints[1]].constraints.new("IK")
    assert isinstance(solver, bpy.types.KinematicConstraint)
    solver.target, solver.subtarget = dancer, limb.control
    solver.pole_target, solver.pole_subtarget, solver.pole_angle = dancer, limb.pole, pole_angle(dancer, limb)
    solver.chain_count, solver.use_stretch = 2, False
    rotation = dancer.pose.bones[limb.joints[2]].constraints.new("COPY_ROTATION")
    assert isinstance(rotation, bpy.types.CopyRotationConstraint)
    rotation.target, rotation.subtarget = dancer, limb.control
    for constraint in (solver, rotation):
        constraint.name = limb.constraint
        _drive_influence(dancer, constraint, ik_path(limb))


def _drive_influence(dancer: bpy.types.Object, constraint: bpy.types.Constraint, path: str) -> None:
    """Drive a constraint's influence by a property, without a Python expression that Blender may refuse to run."""
    curve = constraint.driver_add("influence")
    assert isinstance(curve, bpy.types.FCurve)
    assert curve.driver is not None
    curve.driver.type = "AVERAGE"
    variable = curve.driver.variables.new()
    variable.name = "ik"
    variable.targets[0].id, variable.targets[0].data_path = dancer, path


def _add_shapes(dancer: bpy.types.Object, limb: Limb) -> None:
    assert dancer.pose is not None
    control, pole = dancer.pose.bones[limb.control], dancer.pose.bones[limb.pole]
    control.custom_shape, pole.custom_shape = (
        _shape("box", _BOX, _BOX_EDGES),
        _shape("diamond", _DIAMOND, _DIAMOND_EDGES),
    )
    for bone in (control, pole):
        with suppress(AttributeError):
            bone.custom_shape_wire_width = 2.0


_BOX = np.array([(x, y, z) for x in (-0.6, 0.6) for y in (-0.1, 1.4) for z in (-0.35, 0.35)])
_BOX_EDGES = [(a, b) for a in range(8) for b in range(a) if (a ^ b) in (1, 2, 4)]
_DIAMOND = np.concatenate([np.eye(3), -np.eye(3)])
_DIAMOND_EDGES = [(a, b) for a in range(6) for b in range(a) if a - b != 3]


def _shape(name: str, vertices: Array, edges: list[tuple[int, int]]) -> bpy.types.Object:
    """The wire shape of control bones, in bone lengths; shared by all dancers and in no scene."""
    name = f"Pas de Deux {name} control"
    shape = bpy.data.objects.get(name)
    if shape is None or not isinstance(shape.data, bpy.types.Mesh):
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(vertices.tolist(), edges, [])
        shape = bpy.data.objects.new(name, mesh)
    return shape
