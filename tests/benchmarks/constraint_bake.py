"""Baseline: retargeting as other add-ons do it, by constraints to the source and Blender's own bake (nla.bake)."""

from collections.abc import Iterable

import bpy

from tests.rig_truths import Character

_UNMAPPED = ("head", "bigtoe", "thumb", "middle")
"""Leaf joints, which no add-on maps."""


def bone_pairs(character: Character) -> dict[str, str]:
    """The joints with a bone of their own, each with the character's bone that an animator would choose."""
    chosen = {joint: bones[0] for joint, bones in character.bones.items() if joint.split("_")[-1] not in _UNMAPPED}
    return {joint: bone for n, (joint, bone) in enumerate(chosen.items()) if bone not in list(chosen.values())[:n]}


def constrain_and_bake(
    source: bpy.types.Object,
    target: bpy.types.Object,
    paired: dict[str, str],
    frames: range,
    *,
    every_bone: bool = False,
) -> bpy.types.Action:
    """Constrain the target's bones to the source's, bake them to keyframes and remove the constraints.

    paired: the source's bones with the target's.  every_bone: bake all bones instead of those.
    As add-ons such as Expy Kit and Rokoko's do it: a helper bone for each target bone, in its rest pose, is a child of
    the source's bone, so that bone rolls do not matter.
    """
    helpers = _add_helper_bones(source, target, paired)
    _use_fk(target)
    for joint, bone in paired.items():
        posed = target.pose.bones[bone]
        for kind in ("COPY_ROTATION", "COPY_LOCATION") if joint == "pelvis" else ("COPY_ROTATION",):
            constraint = posed.constraints.new(kind)
            constraint.target, constraint.subtarget = source, helpers[bone]
    _select(target, target.data.bones.keys() if every_bone else paired.values())
    bpy.ops.nla.bake(
        frame_start=frames[0], frame_end=frames[-1], only_selected=True, visual_keying=True, clear_constraints=True,
        bake_types={"POSE"},
    )  # fmt: skip
    bpy.ops.object.mode_set(mode="OBJECT")
    _remove_bones(source, helpers.values())
    return target.animation_data.action


def _add_helper_bones(source: bpy.types.Object, target: bpy.types.Object, paired: dict[str, str]) -> dict[str, str]:
    """Add to the source a helper bone for each target bone, in that one's rest pose; their names by the target's."""
    to_source = source.matrix_world.inverted() @ target.matrix_world
    rest = {bone: to_source @ target.data.bones[bone].matrix_local for bone in paired.values()}
    _edit(source)
    names = {}
    for joint, bone in paired.items():
        helper = source.data.edit_bones.new(f"ride {bone}")
        helper.tail = (0.0, 0.1, 0.0)
        helper.matrix = rest[bone].normalized()
        helper.parent = source.data.edit_bones[joint]
        names[bone] = helper.name
    bpy.ops.object.mode_set(mode="OBJECT")
    return names


def _remove_bones(source: bpy.types.Object, names: Iterable[str]) -> None:
    _edit(source)
    for name in names:
        source.data.edit_bones.remove(source.data.edit_bones[name])
    bpy.ops.object.mode_set(mode="OBJECT")


def _use_fk(target: bpy.types.Object) -> None:
    for bone in target.pose.bones:
        if "IK_FK" in bone:
            bone["IK_FK"] = 1.0
    target.update_tag()


def _edit(thing: bpy.types.Object) -> None:
    bpy.ops.object.select_all(action="DESELECT")
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    bpy.ops.object.mode_set(mode="EDIT")


def _select(target: bpy.types.Object, names: Iterable[str]) -> None:
    """Select these bones alone, in pose mode."""
    bpy.ops.object.select_all(action="DESELECT")
    target.select_set(True)
    bpy.context.view_layer.objects.active = target
    bpy.ops.object.mode_set(mode="POSE")
    wanted = set(names)
    for bone in target.pose.bones:
        owner = bone if hasattr(bone, "select") else bone.bone
        owner.select = bone.name in wanted
