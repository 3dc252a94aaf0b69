"""Panel of the leader: import or choose the dancer to generate a partner for."""

import bpy

from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_missing, draw_notices

IMPORTS = ("pasdedeux.import_mocap", "pasdedeux.import_duet")
"""The operators whose warnings the panel shows."""


class PASDEDEUX_PT_leader(DuetPanel):
    """Import or choose the dancer to generate a partner for"""

    bl_idname = "PASDEDEUX_PT_leader"
    bl_label = "Leader"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        row = column.row(align=True)
        row.operator("pasdedeux.choose_mocap", icon="IMPORT")
        row.operator("pasdedeux.choose_duet", icon="COMMUNITY")
        column.operator("pasdedeux.add_dancer", icon="ARMATURE_DATA")
        row = column.row(align=True)
        row.prop(scene_settings(context), "leader", text="", placeholder="Active")
        row.operator("pasdedeux.swap_dancers", text="", icon="ARROW_LEFTRIGHT")
        draw_missing(column, context, scene_settings(context).leader)
        row = column.row(align=True)
        row.operator("pasdedeux.frame_pair", icon="ZOOM_ALL")
        row.operator("pasdedeux.add_follow_camera", text="Follow Camera", icon="CAMERA_DATA")
        draw_notices(column, context, *IMPORTS)


CLASSES = (PASDEDEUX_PT_leader,)
