"""Which bone of an armature is which joint: found by itself, edited in the panel, remembered for such skeletons."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy

from rigs.bone_mapping import map_io
from rigs.bone_mapping.bone_mapper import REQUIRED, Mapping, NoDancer, map_bones
from rigs.bone_mapping.map_io import BadMap
from rigs.characters.rig import Rig
from rigs.files.atomic_write import atomic_write_text
from rigs.skeleton import JOINTS

from ..animation import armatures
from ..animation.armatures import NotADancer
from ..background_job import Outcome, Refused, sentence
from ..context_access import EXTENSION, manager_of, scene_of

_FOLDER = "bone_maps"
_FORGET = "Find all bones anew, whatever was chosen for this skeleton by hand"
_BY_HAND = "Begin with an empty map, for a rig in which no dancer is found"
_filling = False
"""Whether rows are being filled by the extension, and not edited by the animator."""


def _edited(row: "PASDEDEUX_PG_joint", _: bpy.types.Context) -> None:
    """Keep in mind what the animator has chosen, for this armature and for all with the same skeleton.

    A bone is one joint's: another one that had it is left without.
    """
    if _filling:
        return
    data = row.id_data
    assert isinstance(data, bpy.types.Armature)
    with _by_itself():
        row.sureness = 1.0 if row.bone else 0.0
        for other in of(data).joints:
            if other.bone == row.bone and other.name != row.name:
                other.bone, other.sureness = "", 0.0
        of(data).edited = True
    with suppress(OSError):  # the choice holds for this armature all the same
        _remember(data)


class PASDEDEUX_PG_joint(bpy.types.PropertyGroup):
    """One of the 29 joints, by its name, and its bone"""

    bone: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bone",
        description="The bone that begins at this joint and turns what lies beyond; empty, the rig has none",
        update=_edited,
    )
    sureness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Sureness", description="How sure it is that this is the bone, from 0 to 1", min=0.0, max=1.0
    )


class PASDEDEUX_PG_bone_map(bpy.types.PropertyGroup):
    """The bones of an armature that are a dancer's joints"""

    joints: bpy.props.CollectionProperty(type=PASDEDEUX_PG_joint)  # type: ignore[valid-type]
    dialect: bpy.props.StringProperty(name="Dialect", description="How the bones are named")  # type: ignore[valid-type]
    confidence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence", description="How sure the whole map is, from 0 to 1", min=0.0, max=1.0
    )
    skeleton: bpy.props.StringProperty(name="Skeleton", description="The skeleton for which the map was made")  # type: ignore[valid-type]
    edited: bpy.props.BoolProperty(name="Edited", description="Whether bones were chosen by hand")  # type: ignore[valid-type]


def of(data: bpy.types.Armature) -> PASDEDEUX_PG_bone_map:
    """The map that an armature keeps."""
    kept: PASDEDEUX_PG_bone_map = data.pas_de_deux  # type: ignore[attr-defined]
    return kept


def mapping_of(thing: bpy.types.Object, rig: Rig | None = None) -> Mapping:
    """The joints' bones, as indices of the nodes of `rig`, or else of `armatures.rig_of(thing)`.

    What the animator chose for this armature comes first, then what was chosen for another one with this skeleton, then
    what is found. Changes nothing. Raises NotADancer where a joint that a dancer needs has no bone.
    """
    rig = rig or armatures.rig_of(thing)
    assert isinstance(thing.data, bpy.types.Armature)
    try:
        mapping = _chosen(thing.data, rig) or map_bones(rig.names, rig.parents, rig.heads)
    except (NoDancer, BadMap) as error:
        raise NotADancer(f"{thing.name}: {error}") from None
    for joint in REQUIRED:
        if joint in mapping.missing:
            raise NotADancer(f"{thing.name}: no bone for {joint}; choose it in the bone map")
    return mapping


def _chosen(data: bpy.types.Armature, rig: Rig) -> Mapping | None:
    """What was chosen by hand for this armature or, elsewhere, for its skeleton. Raises BadMap."""
    kept = of(data)
    if kept.edited and kept.skeleton == _skeleton(data):
        return map_io.from_json(_text(data), rig.names, rig.parents)
    return _remembered(data, rig)


def _remembered(data: bpy.types.Armature, rig: Rig) -> Mapping | None:
    """What was chosen by hand for an armature with this skeleton."""
    try:
        return map_io.from_json(_memory(data).read_text("utf-8"), rig.names, rig.parents)
    except (OSError, UnicodeDecodeError, BadMap):
        return None


def _fill(data: bpy.types.Armature, mapping: Mapping | None, rig: Rig, *, edited: bool) -> None:
    """Let the armature keep a map, or one without any bone."""
    kept = of(data)
    with _by_itself():
        kept.joints.clear()
        for j, joint in enumerate(JOINTS):
            row = kept.joints.add()
            row.name = joint
            if mapping is not None and mapping.bones[j] >= 0:
                row.bone, row.sureness = rig.names[mapping.bones[j]], mapping.sureness[j]
        kept.dialect = mapping.dialect.name if mapping else ""
        kept.confidence = mapping.confidence if mapping else 0.0
        kept.skeleton, kept.edited = _skeleton(data), edited


@contextmanager
def _by_itself() -> Iterator[None]:
    """Set rows without taking it for the animator's choice."""
    global _filling
    before, _filling = _filling, True
    try:
        yield
    finally:
        _filling = before


def _text(data: bpy.types.Armature) -> str:
    kept = of(data)
    return map_io.as_text(kept.dialect, {row.name: (row.bone, row.sureness) for row in kept.joints if row.bone})


def _skeleton(data: bpy.types.Armature) -> str:
    bones = list(data.bones)
    index = {bone.name: b for b, bone in enumerate(bones)}
    return map_io.skeleton_hash(
        [bone.name for bone in bones], [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    )


def _memory(data: bpy.types.Armature, *, create: bool = False) -> Path:
    """The file in which the choices for this skeleton are remembered."""
    folder = bpy.utils.extension_path_user(EXTENSION, path=_FOLDER, create=create)
    return Path(folder) / f"{_skeleton(data)}.json"


def _remember(data: bpy.types.Armature) -> None:
    atomic_write_text(_memory(data, create=True), _text(data))


class _ForOneArmature(bpy.types.Operator):
    """What the operators on bone maps have in common: whose map it is, and that errors are one line."""

    target: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Target", description="The armature object; empty, the active one", options={"SKIP_SAVE", "HIDDEN"}
    )

    def work(self, thing: bpy.types.Object, data: bpy.types.Armature) -> None:
        """Do it, or raise Refused, ValueError or OSError."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Outcome:
        try:
            thing = scene_of(context).objects.get(self.target) if self.target else context.active_object
            if thing is None or not isinstance(thing.data, bpy.types.Armature):
                raise Refused(f"{self.target or 'Map bones'}: an armature in the scene expected")
            self.work(thing, thing.data)
        except (Refused, ValueError, OSError) as error:
            self.report({"ERROR"}, sentence(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class PASDEDEUX_OT_map_bones(_ForOneArmature):
    """Find which bones of an armature are a dancer's joints"""

    bl_idname = "pasdedeux.map_bones"
    bl_label = "Map Bones"
    bl_options = {"UNDO"}

    forget: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Forget Choices", description=_FORGET, options={"SKIP_SAVE"}
    )
    by_hand: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="By Hand", description=_BY_HAND, options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _: bpy.types.Context, asked: bpy.types.OperatorProperties) -> str:
        """What the button is for, by what it asks."""
        if asked.forget:
            return _FORGET
        return _BY_HAND if asked.by_hand else cls.__doc__ or ""

    def work(self, thing: bpy.types.Object, data: bpy.types.Armature) -> None:
        _expect_editable(data)
        rig = armatures.rig_of(thing)
        if self.by_hand:
            _fill(data, None, rig, edited=True)
            return
        choices = _chosen if any(row.bone for row in of(data).joints) else _remembered
        chosen = None if self.forget else choices(data, rig)
        try:
            mapping = chosen or map_bones(rig.names, rig.parents, rig.heads)
        except NoDancer as error:
            raise NotADancer(f"{thing.name}: {error}") from None
        if self.forget:
            _memory(data).unlink(missing_ok=True)
        _fill(data, mapping, rig, edited=chosen is not None)


class _MapFile(_ForOneArmature):
    """What export and import have in common: their file."""

    filepath: bpy.props.StringProperty(name="File", subtype="FILE_PATH", options={"SKIP_SAVE"})  # type: ignore[valid-type]
    filter_glob: bpy.props.StringProperty(default="*.json", options={"HIDDEN"})  # type: ignore[valid-type]

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        if self.filepath:
            return self.execute(context)
        self.filepath = "bone map.json"
        manager_of(context).fileselect_add(self)
        return {"RUNNING_MODAL"}

    def file(self) -> Path:
        """The chosen file. Raises Refused."""
        if not self.filepath:
            raise Refused("Choose a file for the bone map")
        return Path(bpy.path.abspath(self.filepath))


class PASDEDEUX_OT_export_map(_MapFile):
    """Write the bone map to a JSON file"""

    bl_idname = "pasdedeux.export_map"
    bl_label = "Export Bone Map"

    def work(self, thing: bpy.types.Object, data: bpy.types.Armature) -> None:
        rig = armatures.rig_of(thing)
        self.file().write_text(map_io.to_json(mapping_of(thing, rig), rig.names), "utf-8")


class PASDEDEUX_OT_import_map(_MapFile):
    """Read the bone map from a JSON file, for this armature and all with the same skeleton"""

    bl_idname = "pasdedeux.import_map"
    bl_label = "Import Bone Map"
    bl_options = {"UNDO"}

    def work(self, thing: bpy.types.Object, data: bpy.types.Armature) -> None:
        _expect_editable(data)
        file, rig = self.file(), armatures.rig_of(thing)
        try:
            mapping = map_io.from_json(file.read_text("utf-8"), rig.names, rig.parents)
        except FileNotFoundError:
            raise Refused(f"{file.name}: no such file") from None
        except (UnicodeDecodeError, BadMap) as error:
            raise Refused(f"{file.name}: {error}") from None
        _fill(data, mapping, rig, edited=True)
        _remember(data)


def _expect_editable(data: bpy.types.Armature) -> None:
    if data.library is not None:
        raise Refused(f"{data.name} is linked from another file: make it local, or a library override")


CLASSES = (
    PASDEDEUX_PG_joint,
    PASDEDEUX_PG_bone_map,
    PASDEDEUX_OT_map_bones,
    PASDEDEUX_OT_export_map,
    PASDEDEUX_OT_import_map,
)
