"""What holds bones that do not follow their keys: kept in the scene for Release Bones, until the next run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import bpy

from ..context_access import active_scene
from .notices import remove_entries


class PASDEDEUX_PG_hold(bpy.types.PropertyGroup):
    """Something that overrides keys of an armature, found after an operator's last run"""

    target: bpy.props.PointerProperty(type=bpy.types.Object, name="Armature")  # type: ignore[valid-type]
    kind: bpy.props.StringProperty(name="Kind")  # type: ignore[valid-type]
    bone: bpy.props.StringProperty(name="Bone")  # type: ignore[valid-type]
    hold: bpy.props.StringProperty(name="Hold", description="Constraint, NLA track or property")  # type: ignore[valid-type]
    operator: bpy.props.StringProperty(name="Operator", description="Identifier of the operator that keyed")  # type: ignore[valid-type]


@dataclass(frozen=True)
class KeptHold:
    """A hold of the scene as a value; `kind`, `bone` and `name` are those of `animation.pose_check.bone_holds.Hold`."""

    target: bpy.types.Object
    kind: str
    bone: str
    name: str


def keep_holds(context: bpy.types.Context, operator: str, holds: Iterable[KeptHold]) -> None:
    """Keep what an operator's last run found, in place of what it found before."""
    forget_holds(context, [operator])
    for hold in holds:
        entry = _holds(context).add()
        entry.target, entry.kind, entry.bone, entry.hold, entry.operator = (
            *(hold.target, hold.kind, hold.bone, hold.name),
            operator,
        )


def holds_of(context: bpy.types.Context, operators: Iterable[str]) -> list[KeptHold]:
    """What the operators' last runs found, of armatures that are still there."""
    names = set(operators)
    return [
        KeptHold(entry.target, entry.kind, entry.bone, entry.hold)
        for entry in _holds(context)
        if entry.operator in names and entry.target is not None
    ]


def forget_holds(context: bpy.types.Context, operators: Iterable[str]) -> None:
    """Remove what is kept of the operators' runs."""
    remove_entries(_holds(context), operators)


def _holds(context: bpy.types.Context) -> Any:
    return active_scene(context).pas_de_deux.held_bones  # type: ignore[attr-defined]


CLASSES = (PASDEDEUX_PG_hold,)
