"""The base of the Duet tab's panels, and what several of them draw: a main button, a job's progress, warnings."""

import textwrap
from typing import Any

import bpy

from .. import background_job
from ..animation import dancers
from ..properties import held_bones, notices

_LETTER_WIDTH = 6.4
"""Pixels of an average letter at a UI scale of 1."""
_BOX_MARGIN = 60.0
"""Pixels of the sidebar, at a UI scale of 1, beside the lines of a box."""
_MAX_NOTICES = 6


class DuetPanel(bpy.types.Panel):
    """Base of the panels in the Duet tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Duet"


def split_layout(panel: bpy.types.Panel) -> bpy.types.UILayout:
    """The panel's layout, with the properties' names to the left of their values."""
    assert panel.layout
    panel.layout.use_property_split = True
    panel.layout.use_property_decorate = False
    return panel.layout


def draw_main_button(layout: bpy.types.UILayout, operator: str, *, icon: Any) -> bpy.types.OperatorProperties:
    """Draw the higher button of a panel's main operator."""
    row = layout.row()
    row.scale_y = 1.5
    return row.operator(operator, icon=icon)


def draw_progress(
    layout: bpy.types.UILayout,
    slot: background_job.JobSlot = background_job.main_slot,
    cancel_operator: str = "pasdedeux.cancel",
) -> None:
    """Draw the progress bar of the job that runs in a slot, and its cancel button."""
    job = slot.job
    if job is None:
        return
    row = layout.row(align=True)
    row.progress(factor=job.latest.fraction, text=job.latest.text)
    row.operator(cancel_operator, text="", icon="X")


def draw_missing(layout: bpy.types.UILayout, context: bpy.types.Context, dancer: bpy.types.Object | None) -> None:
    """Draw a line on a leader or partner that is set but is not in the scene; for any other nothing."""
    if dancer is not None and dancers.is_missing(context, dancer):
        row = layout.row()
        row.alert = True
        row.label(text=f"{dancer.name} is not in this scene", icon="ERROR")


def draw_notices(layout: bpy.types.UILayout, context: bpy.types.Context, *operators: str) -> None:
    """Draw a box with the warnings of the operators' last runs, and a button that dismisses them; without any, nothing.

    operators: identifiers such as "pasdedeux.import_mocap"; see `properties/notices.py`.
    """
    texts = notices.notices_of(context, operators)
    if not texts:
        return
    held = held_bones.holds_of(context, operators)
    box = layout.box()
    row = box.row()
    row.label(text="Warning" if len(texts) == 1 else f"{len(texts)} warnings", icon="ERROR")
    row.operator("pasdedeux.dismiss_notices", text="", icon="X", emboss=False).operators = ",".join(operators)
    for text in texts[:_MAX_NOTICES]:
        column = box.column(align=True)
        column.scale_y = 0.8
        for line in wrap_text(context, text):
            column.label(text=line)
    if len(texts) > _MAX_NOTICES:
        box.label(text=f"{len(texts) - _MAX_NOTICES} more: see the Info editor")
    if held:
        box.operator("pasdedeux.release_bones", icon="UNLOCKED").operators = ",".join(operators)


def wrap_text(context: bpy.types.Context, text: str) -> list[str]:
    """The lines of a text that is drawn in a box of the sidebar, as wide as that is now."""
    preferences, region = context.preferences, context.region
    scale = (preferences.system.ui_scale if preferences else 1.0) or 1.0  # 0 without a window
    width = region.width if region is not None and region.type == "UI" else 300.0 * scale
    return textwrap.wrap(text, max(20, int((width / scale - _BOX_MARGIN) / _LETTER_WIDTH)))
