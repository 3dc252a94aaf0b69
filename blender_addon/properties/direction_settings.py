"""How the partner is directed: the properties on the scene, and the `Direction` of a request that they mean."""

from dataclasses import replace
from typing import Any

import bpy
import numpy as np

from backend.model_registry import REGISTRY
from backend.wire.direction import PARTS, UNDIRECTED, Direction
from backend.wire.validation import MAX_PLACE_DISTANCE

_PART_ITEMS = {
    "seams": ("Smooth Seams", "Smooth the seams between the blocks that the model generates"),
    "bodies": ("Separate Bodies", "Keep the two dancers from going through each other"),
    "hands": ("Snap Hands", "Join hands that nearly hold each other"),
    "feet": ("Plant Feet", "Remove the skating of planted feet"),
    "floor": ("Align to Floor", "Put the feet on the floor"),
}


class DirectionProperties:
    """How the partner is directed; mixed into the scene's property group."""

    closeness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Closeness",
        description="How strongly the partner follows the leader: 0 is not at all, 1 as the model learned it",
        default=UNDIRECTED.closeness,
        min=0.0,
        max=2.0,
        precision=2,
    )
    energy: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Energy",
        description="Amount of movement: 0.5 is calm, 2 is lively",
        default=UNDIRECTED.energy,
        min=0.5,
        max=2.0,
        precision=2,
    )
    place: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Place",
        description="Choose where the partner stands in the first frame; otherwise the model does",
    )
    ahead: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Ahead",
        description="Metres in front of the leader, for dancers of a person's size; negative is behind",
        default=0.8,
        min=-MAX_PLACE_DISTANCE,
        max=MAX_PLACE_DISTANCE,
        soft_min=-5.0,
        soft_max=5.0,
        precision=2,
        step=10,
    )
    left: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Left",
        description="Metres to the left of the leader, for dancers of a person's size; negative is to the right",
        min=-MAX_PLACE_DISTANCE,
        max=MAX_PLACE_DISTANCE,
        soft_min=-5.0,
        soft_max=5.0,
        precision=2,
        step=10,
    )
    turned: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Turned",
        description="Angle by which the partner is turned to the left from facing the leader",
        min=-2.0 * np.pi,
        max=2.0 * np.pi,
        subtype="ANGLE",
    )
    keep_keyed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Keep Keyed Poses",
        description=(
            "Generate a partner who passes exactly through poses of the present one: those at the selected keyframes "
            "of its bones; with none or all selected, those at frames that were edited by hand since they were "
            "generated; for an action keyed by hand, those at all its keyframes"
        ),
    )
    range_from: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="From", description="First frame that Redo Range generates again; 0 is the leader's first"
    )
    range_to: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="To", description="Last frame that Redo Range generates again; 0 is the leader's last"
    )
    post_processing: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Post-Process",
        description="What is corrected after the model has generated the partner",
        items=[(part, *_PART_ITEMS[part], 2**n) for n, part in enumerate(PARTS)],
        options={"ENUM_FLAG"},
        default=set(PARTS),
    )
    lock_seed: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Lock Seed",
        description="Generate with this seed again; unlocked, each click takes the next seed, for another partner",
    )


DIRECTION_NAMES = ("closeness", "energy", "place", "ahead", "left", "turned", "keep_keyed", "post_processing")
"""The properties that say how the model generates, which belong to a take's settings."""


def undirectable_reason(model: str) -> str:
    """Why a model or choreographic device takes no direction, in one sentence; "" for one that does."""
    directable = [spec.label for spec in REGISTRY if spec.direction]
    if model in REGISTRY and REGISTRY.get(model).direction:
        return ""
    return f"Only {' and '.join(directable)} can be directed"


def direction_of(settings: Any) -> Direction:
    """The direction that the properties mean, without `keep` and `redo`; none for what takes no direction."""
    if undirectable_reason(settings.model):
        return UNDIRECTED
    return Direction(
        place=(settings.ahead, settings.left, float(np.degrees(settings.turned))) if settings.place else None,
        closeness=settings.closeness,
        energy=settings.energy,
        without=tuple(part for part in PARTS if part not in settings.post_processing),
    )


def with_draft(direction: Direction, keep: tuple[int, ...], redo: tuple[int, int] | None = None) -> Direction:
    """The direction for a draft, which says itself where the partner stands.

    keep, redo: frames of the draft, from 0.
    """
    return replace(direction, place=None, keep=keep, redo=redo)
