"""The scene's list of takes (`scene.pas_de_deux.take_list`): what was generated, by what, and with which settings."""

from contextlib import suppress

import bpy

GHOST = "pas_de_deux_ghost"
"""Custom property of the objects and the collection of a ghost, which dances a take for comparison."""
KINDS = [
    ("partner", "Partner", "A generated partner"),
    ("dance", "Dance", "A dance generated to music"),
    ("compose", "Music", "Music composed for a dance"),
    ("own", "Own", "Animation that was there before, not generated"),
]
"""The kinds of takes, as items of an enum property."""


def _on_renamed(take: "PASDEDEUX_PG_take", _: bpy.types.Context) -> None:
    """Update callback: rename the take's actions; Blender numbers a name that another action has."""
    if take.action is None or take.name == take.action.name:
        return
    with suppress(AttributeError):  # an action linked from another file keeps its name
        if take.name.strip():
            take.action.name = take.name
            if take.partner_action:
                take.partner_action.name = f"{take.action.name} partner"
    take.name = take.action.name


def _get_label(take: "PASDEDEUX_PG_take") -> str:
    return take.action.name if take.action else take.name


def _set_label(take: "PASDEDEUX_PG_take", name: str) -> None:
    if name.strip():
        take.name = name


class PASDEDEUX_PG_take(bpy.types.PropertyGroup):
    """One take: its actions or its music, and what generated it"""

    name: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Name", description="Name of the take and of its action", update=_on_renamed
    )
    label: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Name",
        description="Name of the take and of its action, also when this was renamed elsewhere; double-click to rename",
        get=_get_label,
        set=_set_label,
    )
    uid: bpy.props.StringProperty(description="Identifier of the take, also on its actions and strip")  # type: ignore[valid-type]
    kind: bpy.props.EnumProperty(name="Kind", description="What the take is", items=KINDS)  # type: ignore[valid-type]
    model: bpy.props.StringProperty(name="Model", description="Model or choreographic device that generated the take")  # type: ignore[valid-type]
    seed: bpy.props.IntProperty(name="Seed", description="Random seed of the take")  # type: ignore[valid-type]
    number: bpy.props.IntProperty(name="Number", description="Number of the take within its request", default=1)  # type: ignore[valid-type]
    settings: bpy.props.StringProperty(name="Settings", description="Settings of the take, as JSON")  # type: ignore[valid-type]
    starred: bpy.props.BoolProperty(name="Star", description="Mark the take as a favourite")  # type: ignore[valid-type]
    action: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Action", description="Action that plays the take on its dancer", type=bpy.types.Action
    )
    dancer: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Dancer", description="Armature that dances the take", type=bpy.types.Object
    )
    kept_before: bpy.props.BoolProperty(description="Whether the action had a fake user before it was listed")  # type: ignore[valid-type]
    slot: bpy.props.IntProperty(description="Handle of the action's slot for the dancer; 0: its first")  # type: ignore[valid-type]
    partner_action: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Partner's Action", description="Action of the other dancer of a couple", type=bpy.types.Action
    )
    partner: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Partner", description="The other dancer of a couple", type=bpy.types.Object
    )
    music: bpy.props.StringProperty(description="Files, first frame and beats of the take's music, as JSON")  # type: ignore[valid-type]


CLASSES = (PASDEDEUX_PG_take,)
