"""Build the rigs of retargeting tests in the open Blender; `tests.rig_truths` has their correct bone maps.

    from tests.rig_builders import CHARACTERS, build
    rig = build("UE-style", corpus)

They come from Blender's own Rigify, from the corpus's FBX files and from its rig definitions. Only bpy is needed, so
that tests of the installed extension can build them too.
"""

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import bpy

from tests.rig_truths import CHARACTERS, Character, wrong_bones

__all__ = ["CHARACTERS", "Character", "build", "reset_pose", "wrong_bones"]

FLOOR = 0.818  # m: how far the definitions that are centred on the body lie below their floor


def build(name: str, corpus: Path, *, body: bool = False) -> bpy.types.Object:
    """Add the character to the scene at its rest pose on the floor, without animation, active and alone selected.

    body: keep the meshes that come with it. The scene's frame rate is kept.
    """
    render = bpy.context.scene.render
    rate = render.fps, render.fps_base
    before = set(bpy.data.objects)
    with contextlib.redirect_stdout(io.StringIO()):
        rig = BUILDERS[name](corpus)
    render.fps, render.fps_base = rate
    for thing in set(bpy.data.objects) - before - {rig}:
        if thing.type == "EMPTY" or (thing.type == "MESH" and thing.parent == rig and not body):
            bpy.data.objects.remove(thing)
    rig.name = name
    reset_pose(rig)
    bpy.ops.object.select_all(action="DESELECT")
    rig.select_set(True)
    bpy.context.view_layer.objects.active = rig
    bpy.context.view_layer.update()
    return rig


def reset_pose(rig: bpy.types.Object) -> None:
    """Remove the rig's action and reset its pose; drivers stay, without which Rigify's rig does not work."""
    if rig.animation_data:
        rig.animation_data.action = None
    for bone in rig.pose.bones:
        bone.matrix_basis.identity()
    bpy.context.view_layer.update()


def generated_rigify(corpus: Path) -> bpy.types.Object:
    """Rigify's human, generated from its metarig."""
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    metarig = bpy.context.active_object
    bpy.ops.pose.rigify_generate()
    rig = bpy.context.active_object
    data = metarig.data
    bpy.data.objects.remove(metarig)
    bpy.data.armatures.remove(data)
    return rig


def metarig(corpus: Path) -> bpy.types.Object:
    """Rigify's human metarig."""
    bpy.ops.preferences.addon_enable(module="rigify")
    bpy.ops.object.armature_human_metarig_add()
    return bpy.context.active_object


def fbx_armature(file: str) -> Callable[[Path], bpy.types.Object]:
    """The armature of an FBX file of the corpus."""

    def make(corpus: Path) -> bpy.types.Object:
        before = set(bpy.data.objects)
        bpy.ops.import_scene.fbx(filepath=str(corpus / "fbx_zoo" / file), use_anim=False)
        return next(thing for thing in set(bpy.data.objects) - before if thing.type == "ARMATURE")

    return make


def rig_definition(file: str, lift: float = 0.0) -> Callable[[Path], bpy.types.Object]:
    """The armature of a rig definition of the corpus, raised by `lift` m."""

    def make(corpus: Path) -> bpy.types.Object:
        bones = json.loads((corpus / "rig_definitions" / file).read_text())
        bones = bones.get("bones", bones)
        rig = bpy.data.objects.new(file, bpy.data.armatures.new(file))
        bpy.context.scene.collection.objects.link(rig)
        bpy.ops.object.select_all(action="DESELECT")
        bpy.context.view_layer.objects.active = rig
        bpy.ops.object.mode_set(mode="EDIT")
        for name in _parents_first(bones):
            _add_bone(rig.data.edit_bones, name, bones[name], lift)
        bpy.ops.object.mode_set(mode="OBJECT")
        return rig

    return make


def _parents_first(bones: Mapping[str, dict]) -> Iterator[str]:
    waiting = [name for name in bones if not bones[name]["parent"]]
    for name in waiting:
        yield name
        waiting += [child for child in bones if bones[child]["parent"] == name]


def _add_bone(bones: bpy.types.ArmatureEditBones, name: str, definition: dict, lift: float) -> None:
    bone = bones.new(name)
    (x, y, low), (u, v, high) = (definition[end]["default_position"] for end in ("head", "tail"))
    bone.head, bone.tail, bone.roll = (x, y, low + lift), (u, v, high + lift), definition["roll"]
    bone.parent = bones.get(definition["parent"])
    bone.use_connect = definition["use_connect"] and bone.parent is not None
    bone.use_inherit_rotation = definition["use_inherit_rotation"]


BUILDERS: dict[str, Callable[[Path], bpy.types.Object]] = {
    "Rigify": generated_rigify,
    "Rigify metarig": metarig,
    "Mixamo": fbx_armature("Samba_Dancing.fbx"),
    "Mixamo of MPFB": rig_definition("rig.mixamo.json"),
    "UE-style": rig_definition("rig.game_engine.json", FLOOR),
    "CMU": rig_definition("rig.cmu_mb.json", FLOOR),
    "MakeHuman": rig_definition("rig.default.json", FLOOR),
    "OpenPose": rig_definition("rig.openpose.json"),
    "HumanIK": fbx_armature("maya_human_ik_7400_binary.fbx"),
    "Kenney": fbx_armature("maya_kenney_character_7700_binary.fbx"),
}
