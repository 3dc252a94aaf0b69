"""Panel of the takes: the list of what was generated, to show, compare, rename, star, delete and make again."""

from typing import Any

import bpy

from ..animation.takes import ghosts
from ..animation.takes import take_list as takes
from ..context_access import active_scene
from ..media import music_takes
from ..properties.settings import scene_settings
from ..properties.take_list import PASDEDEUX_PG_take
from .layout import DuetPanel, draw_notices

_ICONS = {"partner": "COMMUNITY", "dance": "PLAY_SOUND", "compose": "FILE_SOUND", "own": "ACTION"}
"""The icon of each kind of take."""


class PASDEDEUX_UL_takes(bpy.types.UIList):
    """The list of takes"""

    bl_idname = "PASDEDEUX_UL_takes"

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any | None,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None,
        flt_flag: int | None,
    ) -> None:
        """Draw a row: star, name, and whether the take is shown."""
        row = layout.row(align=True)
        row.prop(item, "starred", text="", icon="SOLO_ON" if item.starred else "SOLO_OFF", emboss=False)
        is_gone = item.kind != "compose" and item.action is None
        name = row.row()
        name.active = not is_gone
        icon_name: Any = "ERROR" if is_gone else _ICONS[item.kind]
        name.prop(item, "label", text="", icon=icon_name, emboss=False)
        if is_gone:
            row.label(text="Deleted")
            return
        is_shown = _is_shown(context, item)
        button_icon: Any = "HIDE_OFF" if is_shown else "HIDE_ON"
        row.operator("pasdedeux.take_show", text="", icon=button_icon, emboss=False).index = index or 0


class PASDEDEUX_PT_takes(DuetPanel):
    """All that was generated: show, compare, rename, star, delete, or make it again"""

    bl_idname = "PASDEDEUX_PT_takes"
    bl_label = "Takes"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, scene_settings(context)
        assert layout
        if not len(settings.take_list):
            layout.label(text="What you generate is kept here", icon="INFO")
            return
        layout.template_list(PASDEDEUX_UL_takes.bl_idname, "", settings, "take_list", settings, "take_index", rows=4)
        if settings.take_index >= len(settings.take_list):
            return
        entry: PASDEDEUX_PG_take = settings.take_list[settings.take_index]
        layout.label(text=_description(entry))
        row = layout.row(align=True)
        row.operator("pasdedeux.take_show", text="Show", icon="HIDE_OFF")
        is_ghost = ghosts.ghost_take(active_scene(context)) == entry.uid
        row.operator("pasdedeux.take_compare", text="Compare", icon="GHOST_ENABLED", depress=is_ghost)
        row.operator("pasdedeux.take_delete", text="", icon="TRASH")
        row = layout.row(align=True)
        row.enabled = entry.kind != "own"
        row.operator("pasdedeux.take_again", text="Make Again", icon="FILE_REFRESH").new_seed = False
        row.operator("pasdedeux.take_again", text="New Seed", icon="ADD").new_seed = True
        draw_notices(layout, context, "pasdedeux.take_show")


def _is_shown(context: bpy.types.Context, entry: PASDEDEUX_PG_take) -> bool:
    """Whether the take is danced or, if it is music, heard."""
    return music_takes.is_heard(active_scene(context), entry) if entry.kind == "compose" else takes.is_shown(entry)


def _description(entry: PASDEDEUX_PG_take) -> str:
    """What generated the take."""
    if entry.kind == "own":
        return "Animated or imported, not generated"
    number = f", take {entry.number}" if entry.number > 1 else ""
    return f"{entry.model}, seed {entry.seed}{number}"


CLASSES = (PASDEDEUX_UL_takes, PASDEDEUX_PT_takes)
