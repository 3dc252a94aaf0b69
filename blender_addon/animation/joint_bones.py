"""The bones of our dancers: one for each of the 29 joints, in collections and colours by body part and side."""

from typing import Literal

import bpy
import numpy as np

from rigs import Array, rotations
from rigs.skeleton import CHILDREN, INDEX, JOINTS, PARENTS, Skeleton

from ..context_access import armature_data

_MIN_LENGTH = 0.01  # m; Blender deletes bones of no length
_LEAF_LENGTH = 0.6  # of the parent bone's length
_MAIN_CHILD = {"pelvis": "spine1", "spine3": "neck"}  # the child at which a bone with several children ends
_ARM = ("collar", "shoulder", "elbow", "wrist", "thumb", "middle")
_LEG = ("hip", "knee", "ankle", "foot", "bigtoe")
_BLUE: Literal["THEME04"] = "THEME04"
_RED: Literal["THEME01"] = "THEME01"
_YELLOW: Literal["THEME09"] = "THEME09"
"""Blender's bone colours, for the left, the right and the centre."""


def build_bones(context: bpy.types.Context, armature: bpy.types.Object, skeleton: Skeleton) -> None:
    """Add the skeleton's bones in a scene of their own, so that the user's objects stay in their mode."""
    scene = bpy.data.scenes.new("armature")
    try:
        scene.collection.objects.link(armature)
        layer = scene.view_layers[0]
        layer.objects.active = armature
        objects = [armature]
        with context.temp_override(
            scene=scene,
            view_layer=layer,
            object=armature,
            active_object=armature,
            selected_objects=objects,
            selected_editable_objects=objects,
        ):
            bpy.ops.object.mode_set(mode="EDIT")
            _add_edit_bones(armature_data(armature), skeleton)
            bpy.ops.object.mode_set(mode="OBJECT")
        sort_bones(armature_data(armature))
        scene.collection.objects.unlink(armature)
    finally:
        bpy.data.scenes.remove(scene)


def sort_bones(armature: bpy.types.Armature) -> None:
    """Put the joints' bones into the collections Body, Arms and Legs, and colour them by side."""
    for joint in JOINTS:
        part = joint.split("_")[-1]
        add_to_collection(armature, "Arms" if part in _ARM else "Legs" if part in _LEG else "Body", joint)


def add_to_collection(armature: bpy.types.Armature, name: str, bone: str) -> None:
    """Add a bone to the bone collection of that name, and colour it by its side."""
    collection = armature.collections_all.get(name) or armature.collections.new(name)
    collection.assign(armature.bones[bone])
    color = armature.bones[bone].color
    assert color is not None
    color.palette = _BLUE if bone.startswith("left_") else _RED if bone.startswith("right_") else _YELLOW


def _add_edit_bones(armature: bpy.types.Armature, skeleton: Skeleton) -> None:
    heads = skeleton.rest_positions()
    tails = _tails(heads)
    for j, joint in enumerate(JOINTS):
        bone = armature.edit_bones.new(joint)
        bone.head, bone.tail = heads[j].tolist(), tails[j].tolist()
        direction = rotations.normalize(tails[j] - heads[j])
        bone.align_roll((0.0, 0.0, 1.0) if abs(direction[1]) > 0.7 else (0.0, -1.0, 0.0))
        if PARENTS[j] >= 0:
            bone.parent = armature.edit_bones[JOINTS[PARENTS[j]]]


def _tails(heads: Array) -> Array:
    """The bones' tails (29, 3): at the main child; a leaf continues its parent's direction, the head points up."""
    tails = np.empty_like(heads)
    for j, joint in enumerate(JOINTS):
        if CHILDREN[j]:
            tails[j] = heads[INDEX[_MAIN_CHILD.get(joint, JOINTS[CHILDREN[j][0]])]]
        else:
            tails[j] = heads[j] + _LEAF_LENGTH * (heads[j] - heads[PARENTS[j]])
        if np.linalg.norm(tails[j] - heads[j]) < _MIN_LENGTH:
            tails[j] = heads[j] + np.array([0.0, 0.0, _MIN_LENGTH])
    return tails
