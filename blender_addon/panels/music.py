"""Panel of music: generate a dance to music, or compose music for a dance."""

import bpy

from ..properties.settings import scene_settings
from .layout import DuetPanel, draw_main_button, draw_notices, draw_progress, split_layout


class PASDEDEUX_PT_music(DuetPanel):
    """Generate a dance to music, or compose music for a dance"""

    bl_idname = "PASDEDEUX_PT_music"
    bl_label = "Music"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        music = scene_settings(context).music
        layout = split_layout(self)
        layout.prop(music, "midi", text="", placeholder="MIDI file to dance to")
        layout.prop(music, "bars", placeholder="All")
        layout.prop(music, "track")
        layout.prop(music, "dancer")
        layout.prop(music, "duet")
        layout.prop(music, "energy", slider=True)
        layout.prop(music, "dance_seed")
        draw_main_button(layout, "pasdedeux.generate_dance", icon="PLAY_SOUND")
        layout.separator()
        layout.row().prop(music, "parts")
        layout.prop(music, "composer")
        layout.prop(music, "tempo")
        layout.prop(music, "music_seed")
        layout.prop(music, "out", text="", placeholder="music.mid beside the .blend")
        draw_main_button(layout, "pasdedeux.compose_music", icon="FILE_SOUND")
        draw_progress(layout)
        draw_notices(layout, context, "pasdedeux.generate_dance", "pasdedeux.compose_music")


CLASSES = (PASDEDEUX_PT_music,)
