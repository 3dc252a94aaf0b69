"""Where Blender shows things: evaluated armatures, frame by frame, with all their constraints."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from tests.rig_truths import Character

Array = np.ndarray
FEET = ("ankle", "foot", "bigtoe")


@dataclass(frozen=True)
class Marks:
    """Points that ride on a rig's bones.

    bones: (P,) names.  local: (P, 3) in each bone's own space.
    """

    rig: bpy.types.Object
    bones: tuple[str, ...]
    local: Array


def watch(marks: Sequence[Marks], frames: Sequence[int]) -> list[Array]:
    """Where the points of each rig are seen in the world: (F, P, 3) m each."""
    scene = bpy.context.scene
    order = [[mark.rig.pose.bones.find(bone) for bone in mark.bones] for mark in marks]
    posed = [np.empty((len(mark.rig.pose.bones), 4, 4), np.float32) for mark in marks]
    points = [np.ones((len(mark.bones), 4)) for mark in marks]
    for mark, point in zip(marks, points, strict=True):
        point[:, :3] = mark.local
    found = [np.empty((len(frames), len(mark.bones), 3)) for mark in marks]
    for f, frame in enumerate(frames):
        scene.frame_set(frame)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        for m, mark in enumerate(marks):
            shown = mark.rig.evaluated_get(depsgraph)
            shown.pose.bones.foreach_get("matrix", posed[m].ravel())
            bones = posed[m][order[m]].swapaxes(-1, -2)  # Blender lays matrices out by columns
            found[m][f] = (np.array(shown.matrix_world) @ bones @ points[m][..., None])[:, :3, 0]
    return found


def joints(rig: bpy.types.Object, character: Character | None) -> tuple[tuple[str, ...], Marks]:
    """The joints of a character, or of one of our own dancers, and the points where they are."""
    if character is None:
        names = tuple(bone.name for bone in rig.data.bones)
        return names, Marks(rig, names, np.zeros((len(names), 3)))
    names = tuple(character.places)
    bones = tuple(character.places[name][0] for name in names)
    local = np.zeros((len(names), 3))
    for n, name in enumerate(names):
        bone, end = character.places[name]
        local[n, 1] = rig.data.bones[bone].length if end == "tail" else 0.0
    return names, Marks(rig, bones, local)


def soles(rig: bpy.types.Object, character: Character) -> Marks:
    """Points on the floor under ankle, ball and toe tip in rest, on the bones of foot and toes that carry them.

    The rig's rest pose stands on z = 0.
    """
    bones, local = [], []
    for side in ("left_", "right_"):
        for part in FEET:
            if side + part not in character.places:
                continue
            place = character.places[side + part]
            bone = rig.data.bones[place[0]]
            rest = rig.matrix_world @ bone.matrix_local
            under = rig.matrix_world @ (bone.head_local if place[1] == "head" else bone.tail_local)
            under.z = 0.0
            bones.append(bone.name)
            local.append(rest.inverted() @ under)
    return Marks(rig, tuple(bones), np.array(local))
