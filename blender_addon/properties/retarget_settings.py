"""Retargeting options, shared by the scene and the operators: their properties, their values and their layout."""

from typing import Any

import bpy
import numpy as np

from .take_list import GHOST


class RetargetProperties:
    """How a motion is retargeted and keyed; mixed into operators and the scene's property group."""

    contacts: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Plant Feet",
        description="Lock planted feet in place, and keep feet above the floor",
        default=True,
    )
    root: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Root Motion",
        description="Which part of the rig carries the root motion",
        items=[
            ("hips", "Hips", "The hips carry the whole motion"),
            ("bone", "Root Bone", "The bone above the hips carries the travel along the floor and the heading"),
            ("object", "Object", "The armature object carries the travel along the floor and the heading"),
        ],
    )
    in_place: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="In Place", description="Remove the travel along the floor"
    )
    limbs: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Limbs",
        description="Which controls of a Rigify rig are keyed",
        items=[
            ("FK", "FK", "Forward kinematics: key each bone of the arms and legs"),
            ("IK", "IK", "Inverse kinematics: key hands, feet and pole targets"),
        ],
    )
    reduce: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Reduce Keyframes", description="Insert only the keyframes that the motion needs, for editing by hand"
    )
    angle: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Rotation Error",
        description="Largest rotation error of a bone with reduced keyframes",
        default=np.radians(0.5),
        min=0.0,
        subtype="ANGLE",
    )
    distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Location Error",
        description="Largest location error of a bone with reduced keyframes",
        default=0.001,
        min=0.0,
        subtype="DISTANCE",
        precision=4,
    )
    onto: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Keyframes",
        description="Where the keyframes are written",
        items=[
            ("NEW", "New Action", "A new action, which is assigned to the rig"),
            ("CURRENT", "Current Action", "The rig's action; F-curves of other bones are kept"),
            ("STRIP", "NLA Strip", "A strip on a new NLA track above the others"),
        ],
    )
    offset: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Frame Offset", description="Frames by which the motion starts later than its source"
    )
    hands: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Hand Holds", description="Hands of a pair that hold each other keep holding", default=True
    )


OPTION_NAMES = tuple(RetargetProperties.__annotations__)
"""The names of the options' properties."""


def option_values(options: RetargetProperties) -> dict[str, Any]:
    """The options as keyword arguments of an operator."""
    return {name: getattr(options, name) for name in OPTION_NAMES}


def draw_options(layout: bpy.types.UILayout, options: RetargetProperties, *, pair: bool, ik_fk: bool) -> None:
    """Draw the options.

    pair: whether two dancers are retargeted.  ik_fk: whether the target has IK and FK controls. What needs either is
    greyed out without it.
    """
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(align=True)
    column.prop(options, "contacts")
    row = column.row()
    row.active = pair
    row.prop(options, "hands")
    column = layout.column(align=True)
    column.prop(options, "root")
    column.prop(options, "in_place")
    row = column.row()
    row.active = ik_fk
    row.prop(options, "limbs")
    column = layout.column(align=True)
    for name in ("onto", "offset", "reduce"):
        column.prop(options, name)
    if options.reduce:
        column.prop(options, "angle")
        column.prop(options, "distance")


def _is_armature(_: bpy.types.PropertyGroup, obj: bpy.types.Object) -> bool:
    """Poll of object pointers that list armatures only, but no ghosts of takes."""
    return obj.type == "ARMATURE" and obj.get(GHOST) is None


def armature_pointer(name: str, description: str) -> object:
    """A property that points to an armature object."""
    return bpy.props.PointerProperty(name=name, description=description, type=bpy.types.Object, poll=_is_armature)  # type: ignore[func-returns-value]


class PASDEDEUX_PG_retargeting(RetargetProperties, bpy.types.PropertyGroup):
    """The scene's retargeting: source and target armatures, and the options"""

    source: armature_pointer("Source", "Armature whose motion is copied; empty: the other selected one")  # type: ignore[valid-type]
    target: armature_pointer("Target", "Armature to animate; empty: the active one")  # type: ignore[valid-type]
    partner_source: armature_pointer("Partner Source", "Source armature of the other dancer of a pair")  # type: ignore[valid-type]
    partner_target: armature_pointer("Partner Target", "Target armature of the other dancer of a pair")  # type: ignore[valid-type]


CLASSES = (PASDEDEUX_PG_retargeting,)
