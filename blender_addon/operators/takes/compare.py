"""Operator that compares a take: a ghost dances it beside the dancers or in their place, until it is toggled off."""

import bpy

from ...animation.takes import ghosts
from ...context_access import active_scene, metres_per_unit
from ...properties.take_list import PASDEDEUX_PG_take
from .show import TakeOperator

_DISTANCE = 1.5
"""m between the dancers and their ghost beside them."""


class PASDEDEUX_OT_take_compare(TakeOperator):
    """Let a translucent ghost, which is never rendered, dance this take beside the one shown; again: remove it"""

    bl_idname = "pasdedeux.take_compare"
    bl_label = "Compare Take"
    bl_options = {"REGISTER", "UNDO"}

    beside: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Beside", description="The ghost dances beside the dancer; otherwise in its place", default=True
    )

    def apply(self, context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> None:
        if ghosts.ghost_take(active_scene(context)) == entry.uid:
            ghosts.remove_ghost(context)
            return
        distance = _DISTANCE / metres_per_unit(active_scene(context)) if self.beside else 0.0
        ghosts.add_ghost(context, entry, (distance, 0.0, 0.0))


CLASSES = (PASDEDEUX_OT_take_compare,)
