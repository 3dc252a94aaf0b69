"""Panel of the bone map: the bone of each joint of the active armature."""

import textwrap
from typing import Literal

import bpy

from rigs.bone_mapping.bone_map import REQUIRED
from rigs.bone_mapping.joint_labels import JOINT_LABELS

from ..animation import map_check
from ..context_access import armature_data
from ..properties.bone_map import PASDEDEUX_PG_joint, stored_bone_map
from .layout import DuetPanel

_LABEL_WIDTH = 0.28
"""Share of the panel's width for the joints' labels."""
_FAULT_WIDTH = 40
"""Number of letters in a line of the sidebar at its usual width."""
_CONFIDENT = 0.8
"""Confidence from which a bone is shown with a check mark."""


class PASDEDEUX_PT_bones(DuetPanel):
    """Map the active armature's bones to the dancer's joints"""

    bl_idname = "PASDEDEUX_PT_bones"
    bl_label = "Bone Map"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.active_object is not None and isinstance(context.active_object.data, bpy.types.Armature)

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        assert layout
        assert context.active_object is not None
        armature, faults = armature_data(context.active_object), map_check.map_faults(context.active_object)
        row = layout.row(align=True)
        row.operator("pasdedeux.map_bones", icon="VIEWZOOM")
        row.operator("pasdedeux.map_bones", text="", icon="LOOP_BACK").forget = True
        row.operator("pasdedeux.map_bones", text="", icon="GREASEPENCIL").by_hand = True
        row.operator("pasdedeux.import_map", text="", icon="IMPORT")
        row.operator("pasdedeux.export_map", text="", icon="EXPORT")
        bone_map = stored_bone_map(context.active_object)
        if not bone_map.joints:
            return
        status = "Edited by hand" if bone_map.edited else f"{bone_map.dialect}: {bone_map.confidence:.0%} confidence"
        layout.label(text=status)
        if faults:
            alert = layout.column()
            alert.alert = True
            alert.label(text="No body has these bones", icon="ERROR")
        for part, joints in JOINT_LABELS.items():
            column = layout.column(align=True)
            column.label(text=part)
            for joint, label in joints.items():
                _draw_joint(column, armature, bone_map.joints[joint], label, faults.get(joint, ""))


def _draw_joint(
    column: bpy.types.UILayout, armature: bpy.types.Armature, joint: PASDEDEUX_PG_joint, label: str, fault: str
) -> None:
    """Draw a row of the bone map: the joint's label, a search field for its bone, and in red what is impossible."""
    row = column.split(factor=_LABEL_WIDTH, align=True)
    row.alert = bool(fault) or (not joint.bone and joint.name in REQUIRED)
    name = row.row()
    name.alignment = "RIGHT"
    name.label(text=label)
    row.prop_search(joint, "bone", armature, "bones", text="", icon="ERROR" if fault else _confidence_icon(joint))
    for line in textwrap.wrap(fault, _FAULT_WIDTH):
        reason = column.row()
        reason.alert = True
        reason.label(text=line)


def _confidence_icon(joint: PASDEDEUX_PG_joint) -> Literal["ERROR", "BLANK1", "CHECKMARK", "QUESTION"]:
    """The icon of a joint's bone: confident, uncertain, missing, or missing although required."""
    if not joint.bone:
        return "ERROR" if joint.name in REQUIRED else "BLANK1"
    return "CHECKMARK" if joint.sureness > _CONFIDENT else "QUESTION"


CLASSES = (PASDEDEUX_PT_bones,)
