"""Operators that detect an armature's bone map, and export and import it as JSON."""

from pathlib import Path

import bpy

from rigs.bone_mapping import map_io
from rigs.bone_mapping.bone_map import UnmappableRig
from rigs.bone_mapping.bone_mapper import map_bones
from rigs.bone_mapping.map_io import BadMap

from ..animation import armatures
from ..animation.rig_motion import rig_bone_map
from ..background_job import OperatorError, OperatorReturn, error_message
from ..context_access import active_scene, window_manager
from ..properties import bone_map

_FORGET = "Detect all bones again and discard what was chosen by hand for this skeleton"
_BY_HAND = "Start with an empty map, for a rig whose bones are not recognized"


class _ArmatureOperator(bpy.types.Operator):
    """Base of the bone map operators: the target armature, and errors as one-line reports."""

    target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Target", description="Armature object; empty: the active one", options={"SKIP_SAVE", "HIDDEN"}
    )

    def run(self, obj: bpy.types.Object, armature: bpy.types.Armature) -> None:
        """Do the operator's work. Raises OperatorError, ValueError or OSError."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        try:
            obj = active_scene(context).objects.get(self.target) if self.target else context.active_object
            if obj is None or not isinstance(obj.data, bpy.types.Armature):
                raise OperatorError(f"{self.target or 'Map Bones'}: an armature in the scene expected")
            self.run(obj, obj.data)
        except (OperatorError, ValueError, OSError) as error:
            self.report({"ERROR"}, error_message(error))
            return {"CANCELLED"}
        return {"FINISHED"}


def require_bone_map(obj: bpy.types.Object) -> None:
    """Raise OperatorError for an armature linked from another file, which can store no bone map."""
    if not bone_map.can_store_bone_map(obj):
        armatures.require_local(obj)


class PASDEDEUX_OT_map_bones(_ArmatureOperator):
    """Detect which bones of an armature correspond to the dancer's joints"""

    bl_idname = "pasdedeux.map_bones"
    bl_label = "Map Bones"
    bl_options = {"UNDO"}

    forget: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Detect Again", description=_FORGET, options={"SKIP_SAVE"}
    )
    by_hand: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Map by Hand", description=_BY_HAND, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """The button's tooltip."""
        if properties.forget:
            return _FORGET
        return _BY_HAND if properties.by_hand else cls.__doc__ or ""

    def run(self, obj: bpy.types.Object, armature: bpy.types.Armature) -> None:
        require_bone_map(obj)
        rig = armatures.read_rig(obj)
        if self.by_hand:
            bone_map.store_bone_map(obj, None, rig, edited=True)
            return
        has_bones = any(row.bone for row in bone_map.stored_bone_map(obj).joints)
        edited = None
        try:
            if not self.forget:
                edited = bone_map.edited_bone_map(obj, rig) if has_bones else bone_map.saved_bone_map(armature, rig)
            mapping = edited or map_bones(rig.names, rig.parents, rig.heads)
        except UnmappableRig as error:
            raise armatures.NotADancer(f"{obj.name}: {error}") from None
        except BadMap as error:
            raise OperatorError(f"{obj.name}: {error}, or press Detect Again") from None
        if self.forget:
            bone_map.delete_saved_bone_map(armature)
        bone_map.store_bone_map(obj, mapping, rig, edited=edited is not None)


class _MapFileOperator(_ArmatureOperator):
    """Base of export and import: the file and its file browser."""

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if self.filepath:
            return self.execute(context)
        self.filepath = "bone map.json"
        window_manager(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def file(self) -> Path:
        """The selected file. Raises OperatorError without one."""
        if not self.filepath:
            raise OperatorError("Select a file for the bone map")
        return Path(bpy.path.abspath(self.filepath))


class PASDEDEUX_OT_export_map(_MapFileOperator):
    """Export the bone map to a JSON file"""

    bl_idname = "pasdedeux.export_map"
    bl_label = "Export Bone Map"

    def run(self, obj: bpy.types.Object, armature: bpy.types.Armature) -> None:
        rig = armatures.read_rig(obj)
        self.file().write_text(map_io.to_json(rig_bone_map(obj, rig), rig.names), "utf-8")


class PASDEDEUX_OT_import_map(_MapFileOperator):
    """Import the bone map from a JSON file, for this armature and all others with the same skeleton"""

    bl_idname = "pasdedeux.import_map"
    bl_label = "Import Bone Map"
    bl_options = {"UNDO"}

    def run(self, obj: bpy.types.Object, armature: bpy.types.Armature) -> None:
        require_bone_map(obj)
        file, rig = self.file(), armatures.read_rig(obj)
        try:
            mapping = map_io.from_json(file.read_text("utf-8"), rig.names, rig.parents, rig.heads)
        except FileNotFoundError:
            raise OperatorError(f"{file.name}: no such file") from None
        except (UnicodeDecodeError, BadMap) as error:
            raise OperatorError(f"{file.name}: {error}") from None
        bone_map.store_bone_map(obj, mapping, rig, edited=True)
        bone_map.save_bone_map(obj)


CLASSES = (PASDEDEUX_OT_map_bones, PASDEDEUX_OT_export_map, PASDEDEUX_OT_import_map)
