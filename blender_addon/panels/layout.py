"""The base of the Duet tab's panels, and what several of them draw: a main button, the running job's progress."""

from typing import Any

import bpy

from .. import background_job


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
