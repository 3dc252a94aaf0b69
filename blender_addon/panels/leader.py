"""Panel of the leader: import or choose the dancer to generate a partner for."""

import bpy

from ..properties.settings import scene_settings
from .layout import DuetPanel


class PASDEDEUX_PT_leader(DuetPanel):
    """Import or choose the dancer to generate a partner for"""

    bl_idname = "PASDEDEUX_PT_leader"
    bl_label = "Leader"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.operator("pasdedeux.choose_mocap", icon="IMPORT")
        column.operator("pasdedeux.add_dancer", icon="ARMATURE_DATA")
        column.prop(scene_settings(context), "leader", text="", placeholder="Active")


CLASSES = (PASDEDEUX_PT_leader,)
