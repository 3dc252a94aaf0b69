"""How a movement is carried over and keyed: what the operators ask, how it is drawn, what a scene remembers of it."""

from typing import Any

import bpy
import numpy as np


class Options:
    """The settings of retargeting, for operators and for the scene."""

    contacts: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Plant Feet",
        description="Planted feet stay where they are, and nothing sinks below the floor",
        default=True,
    )
    root: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Root Motion",
        description="What carries the dancer through the scene",
        items=[
            ("hips", "Hips", "The hips carry the whole movement"),
            ("bone", "Root Bone", "The bone above the hips goes along the floor and turns"),
            ("object", "Object", "The armature's object goes along the floor and turns"),
        ],
    )
    in_place: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="In Place", description="Dance on the spot: leave out the way along the floor"
    )
    limbs: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Limbs",
        description="Which controls of a Rigify rig are keyed",
        items=[
            ("FK", "FK", "The bones of arms and legs, one by one"),
            ("IK", "IK", "Hands, feet and poles"),
        ],
    )
    reduce: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Fewer Keys", description="Only the keys that the movement needs, to be edited by hand"
    )
    angle: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Turn",
        description="How far a bone may turn from the movement",
        default=np.radians(0.5),
        min=0.0,
        subtype="ANGLE",
    )
    distance: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Distance",
        description="How far a bone may stray from the movement",
        default=0.001,
        min=0.0,
        subtype="DISTANCE",
        precision=4,
    )
    onto: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Onto",
        description="Where the keys go",
        items=[
            ("NEW", "New Action", "An action of its own, which moves the rig"),
            ("CURRENT", "Current Action", "The rig's action; only the curves of the keyed bones are replaced"),
            ("STRIP", "NLA Strip", "A strip on a track of its own, above the others"),
        ],
    )
    offset: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Offset", description="Frames by which the movement begins later than its source"
    )
    hands: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Hold Hands", description="Hands of a pair that hold each other go on holding", default=True
    )


OPTIONS = tuple(Options.__annotations__)
"""The names of the settings."""


def values(wanted: Options) -> dict[str, Any]:
    """The settings by name, as an operator takes them."""
    return {name: getattr(wanted, name) for name in OPTIONS}


def draw(layout: bpy.types.UILayout, wanted: Options, *, pair: bool, controls: bool) -> None:
    """Show the settings; those of a pair and of a rig with controls for FK and IK are grey where there is none."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    column = layout.column(align=True)
    column.prop(wanted, "contacts")
    row = column.row()
    row.active = pair
    row.prop(wanted, "hands")
    column = layout.column(align=True)
    column.prop(wanted, "root")
    column.prop(wanted, "in_place")
    row = column.row()
    row.active = controls
    row.prop(wanted, "limbs")
    column = layout.column(align=True)
    for name in ("onto", "offset", "reduce"):
        column.prop(wanted, name)
    if wanted.reduce:
        column.prop(wanted, "angle")
        column.prop(wanted, "distance")


def _is_armature(_: bpy.types.PropertyGroup, thing: bpy.types.Object) -> bool:
    return thing.type == "ARMATURE"


def _armature(name: str, description: str) -> object:
    return bpy.props.PointerProperty(name=name, description=description, type=bpy.types.Object, poll=_is_armature)  # type: ignore[func-returns-value]


class PASDEDEUX_PG_retargeting(Options, bpy.types.PropertyGroup):
    """Which armatures take whose movement, and how"""

    source: _armature("Source", "The armature that moves; empty, the other selected one")  # type: ignore[valid-type]
    target: _armature("Target", "The armature to be moved; empty, the active one")  # type: ignore[valid-type]
    partner_source: _armature("Partner's Source", "The source of the other dancer of a pair")  # type: ignore[valid-type]
    partner_target: _armature("Partner's Target", "The armature of the other dancer of a pair")  # type: ignore[valid-type]


CLASSES = (PASDEDEUX_PG_retargeting,)
