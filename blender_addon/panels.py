"""The Duet tab in the 3D view's sidebar: leader, partner, music, retargeting, bones, preview, from top to bottom."""

from typing import Literal

import bpy

from rigs.bone_mapping.bone_mapper import REQUIRED

from . import background_job
from .animation import rigify
from .operators import backend_process, bone_map
from .properties import preferences, retarget_settings, settings

_ARM = {
    "collar": "Collar",
    "shoulder": "Shoulder",
    "elbow": "Elbow",
    "wrist": "Wrist",
    "thumb": "Knuckles",
    "middle": "Fingertips",
}
_LEG = {"hip": "Hip", "knee": "Knee", "ankle": "Ankle", "foot": "Ball", "bigtoe": "Toe Tip"}
PARTS: dict[str, dict[str, str]] = {
    "Trunk": {
        "pelvis": "Pelvis",
        "spine1": "Spine 1",
        "spine2": "Spine 2",
        "spine3": "Spine 3",
        "neck": "Neck",
        "jaw": "Head",
        "head": "Head Top",
    },
    **{
        f"{side} {part}": {f"{side.lower()}_{joint}": label for joint, label in joints.items()}
        for part, joints in (("Arm", _ARM), ("Leg", _LEG))
        for side in ("Left", "Right")
    },
}
"""The joints of each part of the body from the pelvis outwards, and what animators call the bone that begins there."""
_LABELS = 0.28
"""The share of the panel's width that the joints' labels take."""
_SURE = 0.8
"""How sure a bone is that the animator need not look at."""


class _DuetPanel(bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Duet"


class PASDEDEUX_PT_leader(_DuetPanel):
    """The dancer that is there"""

    bl_idname = "PASDEDEUX_PT_leader"
    bl_label = "Leader"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.operator("pasdedeux.choose_mocap", icon="IMPORT")
        column.operator("pasdedeux.add_dancer", icon="ARMATURE_DATA")
        column.prop(settings.scene_settings(context), "leader", text="")


class PASDEDEUX_PT_partner(_DuetPanel):
    """The dancer to be generated"""

    bl_idname = "PASDEDEUX_PT_partner"
    bl_label = "Partner"

    def draw(self, context: bpy.types.Context) -> None:
        wanted = settings.scene_settings(context)
        layout = self.layout
        assert layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(wanted, "model")
        if settings.is_choreographic_device(wanted):
            _draw_device(layout, wanted)
        else:
            layout.row().prop(wanted, "role", expand=True)
            layout.prop(wanted, "seed")
            layout.prop(wanted, "takes")
        layout.prop(wanted, "partner", text="Onto")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("pasdedeux.generate_partner", icon="COMMUNITY")
        _draw_running(layout)


def _draw_device(layout: bpy.types.UILayout, wanted: settings.PASDEDEUX_PG_settings) -> None:
    """Where a device's dancer stands and how late it is."""
    layout.prop(wanted, "formation")
    layout.prop(wanted, "distance")
    if settings.uses_delay(wanted):
        layout.prop(wanted, "delay")
        layout.row().prop(wanted, "delay_in", expand=True)


class PASDEDEUX_PT_music(_DuetPanel):
    """Music to dance to, and music for a dance"""

    bl_idname = "PASDEDEUX_PT_music"
    bl_label = "Music"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        wanted = settings.scene_settings(context).music
        layout = self.layout
        assert layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(wanted, "midi", text="", placeholder="MIDI file to dance to")
        layout.prop(wanted, "bars", placeholder="All")
        layout.prop(wanted, "dancer")
        layout.prop(wanted, "duet")
        layout.prop(wanted, "energy", slider=True)
        layout.prop(wanted, "dance_seed")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("pasdedeux.generate_dance", icon="PLAY_SOUND")
        layout.separator()
        layout.row().prop(wanted, "parts")
        layout.prop(wanted, "composer")
        layout.prop(wanted, "tempo")
        layout.prop(wanted, "music_seed")
        layout.prop(wanted, "out", text="", placeholder="music.mid beside this file")
        row = layout.row()
        row.scale_y = 1.5
        row.operator("pasdedeux.compose_music", icon="FILE_SOUND")
        _draw_running(layout)


class PASDEDEUX_PT_bones(_DuetPanel):
    """Which bones of the active armature are a dancer's joints"""

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
        data = context.active_object.data
        assert isinstance(data, bpy.types.Armature)
        row = layout.row(align=True)
        row.operator("pasdedeux.map_bones", icon="VIEWZOOM")
        row.operator("pasdedeux.map_bones", text="", icon="LOOP_BACK").forget = True
        row.operator("pasdedeux.map_bones", text="", icon="GREASEPENCIL").by_hand = True
        row.operator("pasdedeux.import_map", text="", icon="IMPORT")
        row.operator("pasdedeux.export_map", text="", icon="EXPORT")
        kept = bone_map.of(data)
        if not kept.joints:
            return
        layout.label(text="Chosen by hand" if kept.edited else f"{kept.dialect}: {kept.confidence:.0%} sure")
        for part, joints in PARTS.items():
            column = layout.column(align=True)
            column.label(text=part)
            for joint, label in joints.items():
                _draw_joint(column, data, kept.joints[joint], label)


class PASDEDEUX_PT_retarget(_DuetPanel):
    """One rig's movement on another"""

    bl_idname = "PASDEDEUX_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        wanted = settings.scene_settings(context).retargeting
        layout = self.layout
        assert layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.prop(wanted, "source", placeholder="Other Selected")
        column.prop(wanted, "target", placeholder="Active")
        column = layout.column(align=True)
        column.prop(wanted, "partner_source", placeholder="None")
        column.prop(wanted, "partner_target", placeholder="None")
        target = wanted.target or context.active_object
        pair = bool(wanted.partner_source or wanted.partner_target)
        retarget_settings.draw(layout, wanted, pair=pair, controls=target is not None and rigify.is_rigify(target))
        row = layout.row()
        row.scale_y = 1.5
        button = row.operator("pasdedeux.retarget", icon="POSE_HLT")
        for name in ("source", "target", "partner_source", "partner_target"):
            chosen = getattr(wanted, name)
            setattr(button, name, chosen.name if chosen else "")
        batch = layout.operator("pasdedeux.choose_takes", icon="FILE_FOLDER")
        batch.target = wanted.target.name if wanted.target else ""
        for name, value in retarget_settings.values(wanted).items():
            setattr(button, name, value)
            setattr(batch, name, value)
        _draw_running(layout)


def _draw_joint(
    column: bpy.types.UILayout, data: bpy.types.Armature, joint: bone_map.PASDEDEUX_PG_joint, label: str
) -> None:
    """One row of the bone map: the joint and a field for its bone."""
    row = column.split(factor=_LABELS, align=True)
    row.alert = not joint.bone and joint.name in REQUIRED
    name = row.row()
    name.alignment = "RIGHT"
    name.label(text=label)
    row.prop_search(joint, "bone", data, "bones", text="", icon=_sureness_icon(joint))


def _sureness_icon(joint: bone_map.PASDEDEUX_PG_joint) -> Literal["ERROR", "BLANK1", "CHECKMARK", "QUESTION"]:
    """What to show before a joint's bone: that it is sure, likely, to be looked at, or missing."""
    if not joint.bone:
        return "ERROR" if joint.name in REQUIRED else "BLANK1"
    return "CHECKMARK" if joint.sureness > _SURE else "QUESTION"


class PASDEDEUX_PT_preview(_DuetPanel):
    """A video of the pair"""

    bl_idname = "PASDEDEUX_PT_preview"
    bl_label = "Preview"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.prop(settings.scene_settings(context), "preview", text="", placeholder="duet.mp4 beside this file")
        column.prop(settings.scene_settings(context), "sound", text="", placeholder="What the sequencer plays")
        column.operator("pasdedeux.render_preview", icon="RENDER_ANIMATION")


class PASDEDEUX_PT_backend(_DuetPanel):
    """Where the dancers are generated"""

    bl_idname = "PASDEDEUX_PT_backend"
    bl_label = "Backend"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        chosen = preferences.addon_preferences(context)
        assert self.layout
        column = self.layout.column()
        column.prop(chosen, "address", text="")
        if not preferences.is_local(chosen.address):
            return
        column.prop(chosen, "python", text="", placeholder="Python with the backend")
        if backend_process.is_running():
            column.operator("pasdedeux.stop_backend", icon="PAUSE")
        else:
            column.operator("pasdedeux.start_backend", icon="PLAY")


def _draw_running(layout: bpy.types.UILayout) -> None:
    """How far the running work is, and a way to stop it."""
    job = background_job.running_job
    if job is None:
        return
    row = layout.row(align=True)
    row.progress(factor=job.latest.fraction, text=job.latest.what)
    row.operator("pasdedeux.cancel", text="", icon="X")


CLASSES = (
    PASDEDEUX_PT_leader,
    PASDEDEUX_PT_partner,
    PASDEDEUX_PT_music,
    PASDEDEUX_PT_retarget,
    PASDEDEUX_PT_bones,
    PASDEDEUX_PT_preview,
    PASDEDEUX_PT_backend,
)
