"""An armature's bone map (`armature.pas_de_deux`): which bone is which joint, editable, and remembered per skeleton."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import bpy

from rigs.bone_mapping import map_io
from rigs.bone_mapping.bone_map import BoneMap
from rigs.bone_mapping.map_io import BadMap
from rigs.characters.rig import Rig
from rigs.files.atomic_write import atomic_write_text
from rigs.skeleton import JOINTS

from ..context_access import EXTENSION_PACKAGE

_FOLDER = "bone_maps"
_updating = False
"""Whether the extension itself sets bones, so that the update callback does not take it for an edit by hand."""


def _on_bone_edited(row: "PASDEDEUX_PG_joint", _: bpy.types.Context) -> None:
    """Update callback: remember a bone chosen by hand, for this armature and for all with the same skeleton.

    Another joint that has the bone keeps it, so that nothing is lost; the panel shows both as impossible.
    """
    if _updating:
        return
    armature = row.id_data
    assert isinstance(armature, bpy.types.Armature)
    with _without_update_callback():
        row.sureness = 1.0 if row.bone else 0.0
        bone_map = armature_bone_map(armature)
        bone_map.edited, bone_map.confirmed = True, ""
    with suppress(OSError):  # the armature itself has the map all the same
        save_bone_map(armature)


class PASDEDEUX_PG_joint(bpy.types.PropertyGroup):
    """One of the 29 joints, by its name, and its bone"""

    bone: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bone",
        description="Bone that starts at this joint; empty: the rig has none",
        update=_on_bone_edited,
    )
    sureness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence", description="Confidence that this is the right bone, from 0 to 1", min=0.0, max=1.0
    )


class PASDEDEUX_PG_bone_map(bpy.types.PropertyGroup):
    """The bones of an armature that correspond to the 29 joints"""

    joints: bpy.props.CollectionProperty(type=PASDEDEUX_PG_joint)  # type: ignore[valid-type]
    dialect: bpy.props.StringProperty(name="Naming Convention", description="Naming convention of the bones")  # type: ignore[valid-type]
    confidence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence", description="Confidence in the whole map, from 0 to 1", min=0.0, max=1.0
    )
    skeleton: bpy.props.StringProperty(name="Skeleton", description="Hash of the skeleton that the map is for")  # type: ignore[valid-type]
    confirmed: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Confirmed", description="Hash of the skeleton whose doubtful bones were confirmed"
    )
    edited: bpy.props.BoolProperty(name="Edited", description="Whether bones were chosen by hand")  # type: ignore[valid-type]


def armature_bone_map(armature: bpy.types.Armature) -> PASDEDEUX_PG_bone_map:
    """The bone map that is stored in an armature."""
    bone_map: PASDEDEUX_PG_bone_map = armature.pas_de_deux  # type: ignore[attr-defined]
    return bone_map


def edited_bone_map(armature: bpy.types.Armature, rig: Rig) -> BoneMap | None:
    """The mapping edited by hand for this armature, else for another one with its skeleton. Raises BadMap."""
    bone_map = armature_bone_map(armature)
    if bone_map.edited and bone_map.skeleton == skeleton_hash(armature):
        return map_io.from_json(_bone_map_json(armature), rig.names, rig.parents, rig.heads)
    return saved_bone_map(armature, rig)


def saved_bone_map(armature: bpy.types.Armature, rig: Rig) -> BoneMap | None:
    """The mapping edited by hand for any armature with this skeleton, from the extension's user folder."""
    try:
        return map_io.from_json(_bone_map_file(armature).read_text("utf-8"), rig.names, rig.parents, rig.heads)
    except (OSError, UnicodeDecodeError, BadMap):
        return None


def store_bone_map(armature: bpy.types.Armature, mapping: BoneMap | None, rig: Rig, *, edited: bool) -> None:
    """Store a mapping in the armature's bone map, or an empty one."""
    bone_map = armature_bone_map(armature)
    with _without_update_callback():
        bone_map.joints.clear()
        for j, joint in enumerate(JOINTS):
            row = bone_map.joints.add()
            row.name = joint
            if mapping is not None and mapping.bones[j] >= 0:
                row.bone, row.sureness = rig.names[mapping.bones[j]], mapping.joint_confidence[j]
        bone_map.dialect = mapping.convention.name if mapping else ""
        bone_map.confidence = mapping.confidence if mapping else 0.0
        bone_map.skeleton, bone_map.edited, bone_map.confirmed = skeleton_hash(armature), edited, ""


def save_bone_map(armature: bpy.types.Armature) -> None:
    """Save the armature's bone map for every armature with the same skeleton. Raises OSError."""
    atomic_write_text(_bone_map_file(armature, create=True), _bone_map_json(armature))


def delete_saved_bone_map(armature: bpy.types.Armature) -> None:
    """Delete the bone map that is saved for the armature's skeleton. Raises OSError."""
    _bone_map_file(armature).unlink(missing_ok=True)


@contextmanager
def _without_update_callback() -> Iterator[None]:
    global _updating
    before, _updating = _updating, True
    try:
        yield
    finally:
        _updating = before


def _bone_map_json(armature: bpy.types.Armature) -> str:
    bone_map = armature_bone_map(armature)
    return map_io.bone_map_json(
        bone_map.dialect, {row.name: (row.bone, row.sureness) for row in bone_map.joints if row.bone}
    )


def skeleton_hash(armature: bpy.types.Armature) -> str:
    """Hash of the armature's bone hierarchy, by which its bone map is remembered."""
    bones = list(armature.bones)
    index = {bone.name: b for b, bone in enumerate(bones)}
    return map_io.skeleton_hash(
        [bone.name for bone in bones], [index[bone.parent.name] if bone.parent else -1 for bone in bones]
    )


def _bone_map_file(armature: bpy.types.Armature, *, create: bool = False) -> Path:
    """The file in the extension's user folder with the bone map of this skeleton."""
    folder = bpy.utils.extension_path_user(EXTENSION_PACKAGE, path=_FOLDER, create=create)
    return Path(folder) / f"{skeleton_hash(armature)}.json"


CLASSES = (PASDEDEUX_PG_joint, PASDEDEUX_PG_bone_map)
