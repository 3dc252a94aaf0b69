"""Panels of the Duet tab in the 3D Viewport's sidebar, from the leader to the preview and the backend."""

from typing import Any, Literal

import bpy

from rigs.bone_mapping.bone_mapper import REQUIRED

from . import background_job
from .animation import rigify
from .context_access import armature_data
from .operators import backend_process
from .properties.bone_map import PASDEDEUX_PG_joint, armature_bone_map
from .properties.preferences import addon_preferences, is_local
from .properties.retarget_settings import draw_options, option_values
from .properties.settings import PASDEDEUX_PG_settings, is_choreographic_device, scene_settings, uses_delay

_ARM = {
    "collar": "Collar",
    "shoulder": "Shoulder",
    "elbow": "Elbow",
    "wrist": "Wrist",
    "thumb": "Knuckles",
    "middle": "Fingertips",
}
_LEG = {"hip": "Hip", "knee": "Knee", "ankle": "Ankle", "foot": "Ball", "bigtoe": "Toe Tip"}
JOINT_LABELS: dict[str, dict[str, str]] = {
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
"""For each body part its joints from the pelvis outwards, and the label of the bone that starts there."""
_LABEL_WIDTH = 0.28
"""Share of the panel's width for the joints' labels."""
_CONFIDENT = 0.8
"""Confidence from which a bone is shown with a check mark."""


class _DuetPanel(bpy.types.Panel):
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Duet"


class PASDEDEUX_PT_leader(_DuetPanel):
    """Import or choose the dancer to generate a partner for"""

    bl_idname = "PASDEDEUX_PT_leader"
    bl_label = "Leader"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.operator("pasdedeux.choose_mocap", icon="IMPORT")
        column.operator("pasdedeux.add_dancer", icon="ARMATURE_DATA")
        column.prop(scene_settings(context), "leader", text="", placeholder="Active")


class PASDEDEUX_PT_partner(_DuetPanel):
    """Generate the second dancer of the duet"""

    bl_idname = "PASDEDEUX_PT_partner"
    bl_label = "Partner"

    def draw(self, context: bpy.types.Context) -> None:
        settings = scene_settings(context)
        layout = _split_layout(self)
        layout.prop(settings, "model")
        if is_choreographic_device(settings):
            _draw_device(layout, settings)
        else:
            layout.row().prop(settings, "role", expand=True)
            layout.prop(settings, "seed")
            layout.prop(settings, "takes")
        layout.prop(settings, "partner", text="Armature", placeholder="New Dancer")
        _draw_main_button(layout, "pasdedeux.generate_partner", icon="COMMUNITY")
        _draw_progress(layout)


def _draw_device(layout: bpy.types.UILayout, settings: PASDEDEUX_PG_settings) -> None:
    """Draw the options of a choreographic device."""
    layout.prop(settings, "formation")
    layout.prop(settings, "distance")
    if uses_delay(settings):
        layout.prop(settings, "delay")
        layout.row().prop(settings, "delay_in", expand=True)


class PASDEDEUX_PT_music(_DuetPanel):
    """Generate a dance to music, or compose music for a dance"""

    bl_idname = "PASDEDEUX_PT_music"
    bl_label = "Music"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        music = scene_settings(context).music
        layout = _split_layout(self)
        layout.prop(music, "midi", text="", placeholder="MIDI file to dance to")
        layout.prop(music, "bars", placeholder="All")
        layout.prop(music, "dancer")
        layout.prop(music, "duet")
        layout.prop(music, "energy", slider=True)
        layout.prop(music, "dance_seed")
        _draw_main_button(layout, "pasdedeux.generate_dance", icon="PLAY_SOUND")
        layout.separator()
        layout.row().prop(music, "parts")
        layout.prop(music, "composer")
        layout.prop(music, "tempo")
        layout.prop(music, "music_seed")
        layout.prop(music, "out", text="", placeholder="music.mid beside the .blend")
        _draw_main_button(layout, "pasdedeux.compose_music", icon="FILE_SOUND")
        _draw_progress(layout)


class PASDEDEUX_PT_bones(_DuetPanel):
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
        armature = armature_data(context.active_object)
        row = layout.row(align=True)
        row.operator("pasdedeux.map_bones", icon="VIEWZOOM")
        row.operator("pasdedeux.map_bones", text="", icon="LOOP_BACK").forget = True
        row.operator("pasdedeux.map_bones", text="", icon="GREASEPENCIL").by_hand = True
        row.operator("pasdedeux.import_map", text="", icon="IMPORT")
        row.operator("pasdedeux.export_map", text="", icon="EXPORT")
        bone_map = armature_bone_map(armature)
        if not bone_map.joints:
            return
        status = "Edited by hand" if bone_map.edited else f"{bone_map.dialect}: {bone_map.confidence:.0%} confidence"
        layout.label(text=status)
        for part, joints in JOINT_LABELS.items():
            column = layout.column(align=True)
            column.label(text=part)
            for joint, label in joints.items():
                _draw_joint(column, armature, bone_map.joints[joint], label)


class PASDEDEUX_PT_retarget(_DuetPanel):
    """Retarget the motion of one rig to another"""

    bl_idname = "PASDEDEUX_PT_retarget"
    bl_label = "Retarget"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        settings = scene_settings(context).retargeting
        layout = _split_layout(self)
        column = layout.column(align=True)
        column.prop(settings, "source", placeholder="Other Selected")
        column.prop(settings, "target", placeholder="Active")
        column = layout.column(align=True)
        column.prop(settings, "partner_source", placeholder="None")
        column.prop(settings, "partner_target", placeholder="None")
        target = settings.target or context.active_object
        pair = bool(settings.partner_source or settings.partner_target)
        draw_options(layout, settings, pair=pair, ik_fk=target is not None and rigify.is_rigify(target))
        button = _draw_main_button(layout, "pasdedeux.retarget", icon="POSE_HLT")
        for name in ("source", "target", "partner_source", "partner_target"):
            armature = getattr(settings, name)
            setattr(button, name, armature.name if armature else "")
        batch = layout.operator("pasdedeux.choose_takes", icon="FILE_FOLDER")
        batch.target = settings.target.name if settings.target else ""
        for name, value in option_values(settings).items():
            setattr(button, name, value)
            setattr(batch, name, value)
        _draw_progress(layout)


def _draw_joint(
    column: bpy.types.UILayout, armature: bpy.types.Armature, joint: PASDEDEUX_PG_joint, label: str
) -> None:
    """Draw a row of the bone map: the joint's label and a search field for its bone."""
    row = column.split(factor=_LABEL_WIDTH, align=True)
    row.alert = not joint.bone and joint.name in REQUIRED
    name = row.row()
    name.alignment = "RIGHT"
    name.label(text=label)
    row.prop_search(joint, "bone", armature, "bones", text="", icon=_confidence_icon(joint))


def _confidence_icon(joint: PASDEDEUX_PG_joint) -> Literal["ERROR", "BLANK1", "CHECKMARK", "QUESTION"]:
    """The icon of a joint's bone: confident, uncertain, missing, or missing although required."""
    if not joint.bone:
        return "ERROR" if joint.name in REQUIRED else "BLANK1"
    return "CHECKMARK" if joint.sureness > _CONFIDENT else "QUESTION"


class PASDEDEUX_PT_preview(_DuetPanel):
    """Render a preview video of the duet"""

    bl_idname = "PASDEDEUX_PT_preview"
    bl_label = "Preview"

    def draw(self, context: bpy.types.Context) -> None:
        assert self.layout
        column = self.layout.column()
        column.prop(scene_settings(context), "preview", text="", placeholder="duet.mp4 beside the .blend")
        column.prop(scene_settings(context), "sound", text="", placeholder="Video Sequencer's sound")
        _draw_main_button(self.layout, "pasdedeux.render_preview", icon="RENDER_ANIMATION")


class PASDEDEUX_PT_backend(_DuetPanel):
    """Connect to the backend that generates dances and music"""

    bl_idname = "PASDEDEUX_PT_backend"
    bl_label = "Backend"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        preferences = addon_preferences(context)
        assert self.layout
        column = self.layout.column()
        column.prop(preferences, "address", text="")
        if not is_local(preferences.address):
            return
        column.prop(preferences, "python", text="", placeholder="Backend Python")
        if backend_process.is_running():
            column.operator("pasdedeux.stop_backend", icon="PAUSE")
        else:
            column.operator("pasdedeux.start_backend", icon="PLAY")


def _split_layout(panel: bpy.types.Panel) -> bpy.types.UILayout:
    """The panel's layout, with the properties' names to the left of their values."""
    assert panel.layout
    panel.layout.use_property_split = True
    panel.layout.use_property_decorate = False
    return panel.layout


def _draw_main_button(layout: bpy.types.UILayout, operator: str, *, icon: Any) -> bpy.types.OperatorProperties:
    """Draw the higher button of a panel's main operator."""
    row = layout.row()
    row.scale_y = 1.5
    return row.operator(operator, icon=icon)


def _draw_progress(layout: bpy.types.UILayout) -> None:
    """Draw the running job's progress bar and cancel button."""
    job = background_job.running_job
    if job is None:
        return
    row = layout.row(align=True)
    row.progress(factor=job.latest.fraction, text=job.latest.text)
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
