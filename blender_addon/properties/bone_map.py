"""An armature's bone map: which bone is which joint, editable, and remembered for each skeleton.

It is stored in the armature's data, `armature.pas_de_deux`. Data linked from another file cannot be changed; there the
object, as a library override, has the map, in `object.pas_de_deux_bone_maps` of one item: Blender 5.2 saves overrides
of collections, but none of properties that point to a group.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import bpy

from rigs.bone_mapping import map_io
from rigs.bone_mapping.bone_map import BoneMap
from rigs.bone_mapping.map_io import BadMap
from rigs.characters.rig import Rig
from rigs.files.atomic_write import atomic_write_text
from rigs.skeleton import JOINTS

from ..context_access import EXTENSION_PACKAGE, armature_data

_FOLDER = "bone_maps"
_Options = set[Literal["LIBRARY_OVERRIDABLE", "NO_PROPERTY_NAME", "USE_INSERTION"]]
_OVERRIDABLE: _Options = {"LIBRARY_OVERRIDABLE"}
"""The options of properties that a library override can change."""
_INSERTABLE: _Options = {"LIBRARY_OVERRIDABLE", "USE_INSERTION"}
_updating = False
"""Whether the extension itself sets bones, so that the update callback does not take it for an edit by hand."""


def _on_bone_edited(row: "PASDEDEUX_PG_joint", _: bpy.types.Context) -> None:
    """Update callback: remember a bone chosen by hand, for this armature and for all with the same skeleton.

    Another joint that has the bone keeps it, so that nothing is lost; the panel shows both as impossible.
    """
    if _updating:
        return
    owner = row.id_data
    assert owner is not None
    bone_map = _own_map(owner)
    armature = owner.data if isinstance(owner, bpy.types.Object) else owner
    assert isinstance(armature, bpy.types.Armature)
    assert bone_map is not None
    with _without_update_callback():
        row.sureness = 1.0 if row.bone else 0.0
        bone_map.edited, bone_map.confirmed = True, ""
    with suppress(OSError):  # the armature itself has the map all the same
        _save_bone_map(armature, bone_map)


class PASDEDEUX_PG_joint(bpy.types.PropertyGroup):
    """One of the 29 joints, by its name, and its bone"""

    bone: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Bone",
        description="Bone that starts at this joint; empty: the rig has none",
        update=_on_bone_edited,
        override=_OVERRIDABLE,
    )
    sureness: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence",
        description="Confidence that this is the right bone, from 0 to 1",
        min=0.0,
        max=1.0,
        override=_OVERRIDABLE,
    )


class PASDEDEUX_PG_bone_map(bpy.types.PropertyGroup):
    """The bones of an armature that correspond to the 29 joints"""

    joints: bpy.props.CollectionProperty(type=PASDEDEUX_PG_joint, override=_INSERTABLE)  # type: ignore[valid-type]
    dialect: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Naming Convention", description="Naming convention of the bones", override=_OVERRIDABLE
    )
    confidence: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Confidence",
        description="Confidence in the whole map, from 0 to 1",
        min=0.0,
        max=1.0,
        override=_OVERRIDABLE,
    )
    skeleton: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Skeleton", description="Hash of the skeleton that the map is for", override=_OVERRIDABLE
    )
    confirmed: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Confirmed",
        description="Hash of the skeleton whose doubtful bones were confirmed",
        override=_OVERRIDABLE,
    )
    edited: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Edited", description="Whether bones were chosen by hand", override=_OVERRIDABLE
    )


def register_bone_maps() -> None:
    """Give armatures and objects the properties that store bone maps; after the classes."""
    bpy.types.Armature.pas_de_deux = bpy.props.PointerProperty(type=PASDEDEUX_PG_bone_map)  # type: ignore[attr-defined,func-returns-value]
    bpy.types.Object.pas_de_deux_bone_maps = bpy.props.CollectionProperty(  # type: ignore[attr-defined,func-returns-value]
        type=PASDEDEUX_PG_bone_map, override=_INSERTABLE
    )


def unregister_bone_maps() -> None:
    """Remove what `register_bone_maps` added."""
    del bpy.types.Object.pas_de_deux_bone_maps  # type: ignore[attr-defined]
    del bpy.types.Armature.pas_de_deux  # type: ignore[attr-defined]


def stored_bone_map(obj: bpy.types.Object) -> PASDEDEUX_PG_bone_map:
    """The bone map that is stored for an armature object: the object's own, else the one in its data."""
    bone_map = _own_map(obj) or _own_map(armature_data(obj))
    assert bone_map is not None
    return bone_map


def can_store_bone_map(obj: bpy.types.Object) -> bool:
    """Whether a bone map can be stored: in an object of this file or a library override, or in data of this file."""
    return obj.library is None or armature_data(obj).library is None


def _own_map(owner: bpy.types.ID) -> PASDEDEUX_PG_bone_map | None:
    """The bone map that an armature's data or an object itself has."""
    if isinstance(owner, bpy.types.Object):
        maps: Sequence[PASDEDEUX_PG_bone_map] = owner.pas_de_deux_bone_maps  # type: ignore[attr-defined]
        return maps[0] if len(maps) else None
    bone_map: PASDEDEUX_PG_bone_map = owner.pas_de_deux  # type: ignore[attr-defined]
    return bone_map


def _editable_map(obj: bpy.types.Object) -> PASDEDEUX_PG_bone_map:
    """The bone map to change: in the armature's data, or in the object where the data is linked or overridden."""
    data = armature_data(obj)
    if data.library is None and data.override_library is None:
        return stored_bone_map(obj)
    if _own_map(obj) is None:
        obj.pas_de_deux_bone_maps.add()  # type: ignore[attr-defined]
    return stored_bone_map(obj)


def confirm_bone_map(obj: bpy.types.Object) -> None:
    """Remember that the doubtful bones of an armature were confirmed, where a bone map can be stored."""
    if can_store_bone_map(obj):
        _editable_map(obj).confirmed = skeleton_hash(armature_data(obj))


def edited_bone_map(obj: bpy.types.Object, rig: Rig) -> BoneMap | None:
    """The mapping edited by hand for this armature, else for another one with its skeleton. Raises BadMap."""
    bone_map, armature = stored_bone_map(obj), armature_data(obj)
    if bone_map.edited and bone_map.skeleton == skeleton_hash(armature):
        return map_io.from_json(_bone_map_json(bone_map), rig.names, rig.parents, rig.heads)
    return saved_bone_map(armature, rig)


def saved_bone_map(armature: bpy.types.Armature, rig: Rig) -> BoneMap | None:
    """The mapping edited by hand for any armature with this skeleton, from the extension's user folder."""
    try:
        return map_io.from_json(_bone_map_file(armature).read_text("utf-8"), rig.names, rig.parents, rig.heads)
    except (OSError, UnicodeDecodeError, BadMap):
        return None


def store_bone_map(obj: bpy.types.Object, mapping: BoneMap | None, rig: Rig, *, edited: bool) -> None:
    """Store a mapping as the armature's bone map, or an empty one."""
    bone_map = _editable_map(obj)
    with _without_update_callback():
        bone_map.joints.clear()
        for j, joint in enumerate(JOINTS):
            row = bone_map.joints.add()
            row.name = joint
            if mapping is not None and mapping.bones[j] >= 0:
                row.bone, row.sureness = rig.names[mapping.bones[j]], mapping.joint_confidence[j]
        bone_map.dialect = mapping.convention.name if mapping else ""
        bone_map.confidence = mapping.confidence if mapping else 0.0
        bone_map.skeleton, bone_map.edited, bone_map.confirmed = skeleton_hash(armature_data(obj)), edited, ""


def save_bone_map(obj: bpy.types.Object) -> None:
    """Save the armature's bone map for every armature with the same skeleton. Raises OSError."""
    _save_bone_map(armature_data(obj), stored_bone_map(obj))


def _save_bone_map(armature: bpy.types.Armature, bone_map: PASDEDEUX_PG_bone_map) -> None:
    atomic_write_text(_bone_map_file(armature, create=True), _bone_map_json(bone_map))


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


def _bone_map_json(bone_map: PASDEDEUX_PG_bone_map) -> str:
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
