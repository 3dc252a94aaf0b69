"""World positions on evaluated armatures (Blender's depsgraph), frame by frame, with all their constraints."""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from tests.rig_truths import Character

Array = np.ndarray
FEET = ("ankle", "foot", "bigtoe")


@dataclass(frozen=True)
class BonePoints:
    """Points attached to a rig's bones.

    bones: (P,) names.  local: (P, 3) in each bone's own space.
    """

    rig: bpy.types.Object
    bones: tuple[str, ...]
    local: Array


def evaluate(marks: Sequence[BonePoints], frames: Sequence[int]) -> list[Array]:
    """Evaluate the points of each rig in world space: (F, P, 3) m each."""
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


def joint_points(rig: bpy.types.Object, character: Character | None) -> tuple[tuple[str, ...], BonePoints]:
    """The joints of a character, or of one of our own dancers, and their points."""
    if character is None:
        names = tuple(bone.name for bone in rig.data.bones)
        return names, BonePoints(rig, names, np.zeros((len(names), 3)))
    names = tuple(character.places)
    bones = tuple(character.places[name][0] for name in names)
    local = np.zeros((len(names), 3))
    for n, name in enumerate(names):
        bone, end = character.places[name]
        local[n, 1] = rig.data.bones[bone].length if end == "tail" else 0.0
    return names, BonePoints(rig, bones, local)


def sole_points(rig: bpy.types.Object, character: Character) -> BonePoints:
    """Points on the floor below ankle, ball and toe tip at rest, attached to the bones of foot and toes.

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
    return BonePoints(rig, tuple(bones), np.array(local))
