"""The takes that Blender's FBX and glTF importers leave in a scene: found, retimed, and assigned one after the other.

Each importer leaves them otherwise. FBX: an action for each object, take and layer, "OBJECT|TAKE|LAYER", of which the
first is assigned; `wm.fbx_import` and glTF: an action for each take, with a slot for each object; glTF in NLA tracks,
too. Whatever a take animates, as the parents of its armatures, plays in it.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

import bpy
import mathutils
import numpy as np

from rigs import Array

from ...context_access import active_view_layer
from ..keys import fcurves, keyframes
from ..keys.fcurves import BEZIER

_ON_FRAME = 0.02  # frames by which keyframes on whole frames may be off, as glTF's times of single precision are


Poses = dict[bpy.types.Object, tuple[mathutils.Matrix, list[mathutils.Matrix]]]
"""Objects with their own transforms, and those of their bones."""


@dataclass(frozen=True)
class Part:
    """What a take does to one object: its action, and the handle of the object's slot in it (0 without slots)."""

    obj: bpy.types.Object
    action: bpy.types.Action
    slot: int

    def fcurves(self) -> list[bpy.types.FCurve]:
        """The F-curves that animate the object."""
        return fcurves.slot_fcurves(self.action, self.slot)

    def keyed_bones(self) -> frozenset[str]:
        """The names of an armature's bones that it animates; all, where it animates the armature itself."""
        assert self.obj.pose is not None
        paths = {fcurve.data_path.rpartition(".")[0] for fcurve in self.fcurves()}
        bones = self.obj.pose.bones
        return frozenset(bone.name for bone in bones if "" in paths or bone.path_from_id() in paths)


@dataclass(frozen=True)
class ImportedTake:
    """A take by its name in the file, and its parts; of a take with several layers one, with the layer's name, too."""

    name: str
    parts: tuple[Part, ...]
    layer: str = ""

    def armature_parts(self) -> list[Part]:
        """The parts of armatures."""
        return [part for part in self.parts if part.obj.type == "ARMATURE"]


def find_takes(objects: Collection[bpy.types.Object], actions: Iterable[bpy.types.Action]) -> list[ImportedTake]:
    """The takes in the actions that an importer has added for its objects, in the order of the actions.

    What animates no armature is left out.
    """
    parts: dict[str, dict[str, Part]] = {}
    for action in actions:
        for name, part in _parts_of(action, objects):
            if part.fcurves():
                parts.setdefault(name, {}).setdefault(part.obj.name, part)
    takes = [ImportedTake(name, tuple(by_object.values())) for name, by_object in parts.items()]
    return _number_names(_without_layers([take for take in takes if take.armature_parts()]))


def key_times(take: ImportedTake) -> Array:
    """The frames of all keyframes of a take's armatures (K,), sorted; each once, and frame 0 of a take without any."""
    curves = (fcurve for part in take.armature_parts() for fcurve in part.fcurves() if not fcurve.is_empty)
    times = [fcurves.read_keyframes(fcurve, ["co"])["co"][:, 0] for fcurve in curves]
    return np.unique(np.concatenate(times or [np.zeros(1)])).astype(float)


def retime(take: ImportedTake, start: float, factor: float) -> None:
    """Move a take's keyframes in time: the frame `start` to 0, and `factor` times as far from each other.

    Keyframes that come to lie next to whole frames are put on them. Interpolation stays.
    """
    done = set()
    for part in take.parts:
        for fcurve in part.fcurves():
            if fcurve.as_pointer() not in done:
                done.add(fcurve.as_pointer())
                _retime(fcurve, start, factor)


def current_poses(objects: Collection[bpy.types.Object]) -> Poses:
    """The transforms of objects and of their bones, as they were imported."""
    return {
        obj: (obj.matrix_basis.copy(), [bone.matrix_basis.copy() for bone in obj.pose.bones] if obj.pose else [])
        for obj in objects
    }


def play(context: bpy.types.Context, take: ImportedTake, poses: Poses) -> None:
    """Assign a take to objects in place of any other; objects and bones that it does not animate are as imported.

    poses: the objects and how they were imported, by `current_poses`.
    """
    parts = {part.obj.name: part for part in take.parts}
    for obj, (place, bone_places) in poses.items():
        animation, part = obj.animation_data, parts.get(obj.name)
        if animation is None:
            if part is None:
                continue
            animation = obj.animation_data_create()
        assert animation is not None
        for track in list(animation.nla_tracks):
            animation.nla_tracks.remove(track)
        animation.action = None
        obj.matrix_basis = place
        for bone, bone_place in zip(obj.pose.bones if obj.pose else (), bone_places, strict=True):
            bone.matrix_basis = bone_place
        if part is not None:
            keyframes.assign_action(obj, part.action, part.slot)
    active_view_layer(context).update()


def _parts_of(action: bpy.types.Action, objects: Collection[bpy.types.Object]) -> Iterator[tuple[str, Part]]:
    """The parts of takes that an action holds, with the takes' names."""
    named = [obj for obj in objects if action.name.startswith(f"{obj.name}|")]
    if named:
        obj = max(named, key=lambda obj: len(obj.name))
        name = action.name
        while name.startswith(f"{obj.name}|"):  # Blender's exporter puts the object's name in front, too
            name = name.removeprefix(f"{obj.name}|")
        slots = getattr(action, "slots", ())
        yield name, Part(obj, action, slots[0].handle if slots else 0)
        return
    if hasattr(action, "slots"):
        for slot in action.slots:
            for obj in objects:
                if slot.identifier == f"OB{obj.name}":
                    yield action.name, Part(obj, action, slot.handle)
        return
    for obj in objects:
        animation = obj.animation_data
        if animation is None:
            continue
        for track in animation.nla_tracks:
            if any(strip.action == action for strip in track.strips):
                yield track.name, Part(obj, action, 0)
        if animation.action == action and not animation.nla_tracks:
            yield action.name, Part(obj, action, 0)


def _without_layers(takes: list[ImportedTake]) -> list[ImportedTake]:
    """The takes without the names of their layers, "TAKE|LAYER", where each has but one."""
    split = [take.name.rpartition("|") for take in takes]
    names = [name or layer for name, _, layer in split]
    return [
        ImportedTake(name, take.parts)
        if names.count(name) == 1
        else ImportedTake(f"{name}, layer {layer}", take.parts, layer)
        for take, name, (_, _, layer) in zip(takes, names, split, strict=True)
    ]


def _number_names(takes: list[ImportedTake]) -> list[ImportedTake]:
    """The takes with " 2", " 3"... behind names that several have, which Blender numbers otherwise."""
    bases = [re.sub(r"\.\d{3}$", "", take.name) for take in takes]
    return [
        take if bases.count(base) == 1 else replace(take, name=f"{base} {bases[: n + 1].count(base)}")
        for n, (take, base) in enumerate(zip(takes, bases, strict=True))
    ]


def _retime(fcurve: bpy.types.FCurve, start: float, factor: float) -> None:
    keys = fcurves.read_keyframes(fcurve)
    handles = ("handle_left", "handle_right") if (keys["interpolation"] == BEZIER).any() else ()
    for attribute in ("co", *handles):
        times = (keys[attribute][:, 0].astype(float) - start) * factor
        if attribute == "co" and np.abs(times - np.round(times)).max(initial=0.0) < _ON_FRAME:
            times = np.round(times)
        keys[attribute][:, 0] = times
    fcurves.set_keyframes(fcurve, keys)
